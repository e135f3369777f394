//! A machine whose clock has lost the time.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::closed::{ROOTFS, typed};
use crate::vm::distribution::SECOND;
use crate::vm::host::{ContainerHost, TIME_SERVER, Way};
use crate::vm::time_server::TimeServer;
use crate::vm::unmet::Unmet;

/// How long ago the release has come out: all its waves are over by any clock that is right, and none has begun by the
/// time that the service manager was made at.
const OUT_SINCE: TimeDelta = TimeDelta::days(30);
/// The beginning of 2011: between a clock that has lost the time and the time that a service manager was made at.
const LONG_AGO: i64 = 1_293_840_000;

/// It boots and is healthy without the time; a release that comes in waves waits; once somebody tells the time, it is taken.
pub(in crate::vm::scenario) fn time(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.build("1.1.0")?;
    let out = comes_out();
    let start = out.to_rfc3339_opts(SecondsFormat::Secs, true);
    host.publish_with("1.1.0", &["--waves", "emergency", "--start-at", &start])?;
    // Nobody else is asked for the time: wherever this is played, there may be somebody who has it.
    let server = TimeServer::start().map_err(|error| Unmet::new(format!("listen for NTP: {error}")))?;
    let ntp = format!(
        "[settings.ntp]\ntime-servers = [{TIME_SERVER:?}]\noptions = [\"iburst\", \"port\", \"{}\"]\n",
        server.port()
    );
    host.give(Way::Tables, &ntp)?;
    host.forgets_the_time();
    host.first_boot()?;
    host.call("enable-admin-container", &[], None)?;
    host.answers("admin", true)?;
    // The journal has the kernel's first words with the time of their reading, so the kernel is asked what it read.
    let said = typed(host, "admin", &format!("chroot {ROOTFS} journalctl -b -k -o cat"))?;
    host.expect(
        said.contains("setting system clock to 1970-01-01"),
        "boot program, kernel and initramfs have started in 1970",
    )?;
    let now = seconds(host)?;
    host.expect(
        (LONG_AGO..out.timestamp()).contains(&now),
        &format!("the first process has set the clock to when it was made: {now} s after 1970"),
    )?;
    host.has_looked(2)?;
    let status = host.status()?;
    host.expect(
        status["chosen_update"].is_null(),
        "1.1.0, which is out, waits: this clock is before its first wave",
    )?;
    server.tell();
    host.say("the server that it asks for the time answers from now on");
    host.takes("1.1.0", SECOND)?;
    host.expect(server.answered() > 0, "it was asked for the time")?;
    host.boots_into("1.1.0", SECOND)
}

#[expect(clippy::disallowed_methods, reason = "the host learns the time of this machine")]
fn comes_out() -> DateTime<Utc> {
    Utc::now() - OUT_SINCE
}

/// The host's clock.
fn seconds(host: &mut ContainerHost<'_>) -> Result<i64, Unmet> {
    let said = typed(host, "admin", "date +%s")?;
    said.trim().parse().map_err(|error| Unmet::new(format!("the host tells its time: {error}: {said:?}")))
}

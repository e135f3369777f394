//! Releases that do not come up. The host comes back by itself, with its settings, and says what failed.

use testdata::Set;

use super::outcome::{knows_what_failed, try_is_spent};
use crate::vm::image::Flaw;
use crate::vm::stage::Stage;
use crate::vm::stage::recipe::{Recipe, flawed, good};
use crate::vm::unmet::Unmet;

/// A short time, for scenarios that wait for its end. It counts from where the settings are carried over.
const SOON: u32 = 45;
/// The same for the watchdog, which is armed long before the first process is there: a busy machine needs time up to that.
const WATCHDOG: u32 = 120;

/// A host on 1.0.0 with a setting of its own, and `bad` written to the other set: the next start tries it.
fn about_to_try(stage: &mut Stage<'_>, bad: Recipe) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    stage.apiclient(&["set", "motd=kept"])?;
    stage.publish(bad)?;
    stage.update()
}

/// The next start is the old set's, with its settings; the status names what failed.
fn is_back(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.boots_into("1.0.0")?;
    let (motd, mode) = (stage.setting("motd")?, stage.setting("ntp.mode")?);
    stage.expect(motd == "kept" && mode == "burst", "the settings are those of before")?;
    knows_what_failed(stage, "1.1.0")?;
    try_is_spent(stage)
}

/// A boot whose time was over: who wanted an orderly reboot was told that somebody is in the way, and the reset came all the
/// same.
fn resets(stage: &Stage<'_>, console: &str, what: &str) -> Result<(), Unmet> {
    let inhibited = console.contains("Operation inhibited by");
    stage.expect(inhibited && console.contains("reset, and set A boots"), what)
}

pub(super) fn panic_in_init(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    about_to_try(stage, flawed("1.1.0", Flaw::PanicInInit))?;
    stage.power_on()?;
    stage.shows("guest: init of 1.1.0")?;
    let console = stage.is_reset()?;
    stage.expect(console.contains("Kernel panic - not syncing"), "the kernel of 1.1.0 panicked")?;
    is_back(stage)
}

pub(super) fn corrupt_root(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    about_to_try(stage, good("1.1.0"))?;
    // Where the file system begins, so that the first look at it finds it.
    stage.disk().write(&Set::B.label("ROOT"), 1024, &[0xff; 16]);
    stage.say("a block of the written root rots");
    stage.power_on()?;
    let console = stage.is_reset_while_typed_at("\nid\n")?;
    stage.expect(
        console.contains("device-mapper: verity:") && !console.contains("guest: init"),
        "dm-verity stopped it before its first process",
    )?;
    stage.expect(!console.contains("uid=0") && !console.contains("(initramfs)"), "nobody got a shell")?;
    is_back(stage)
}

pub(super) fn hang(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.boot_program()?;
    about_to_try(stage, flawed("1.1.0", Flaw::HangBeforeKernel))?;
    stage.power_on()?;
    let console = stage.is_reset()?;
    stage.expect(
        console.contains("started with:") && !console.contains("Linux version"),
        "the firmware's watchdog reset a program that stood still before it left the firmware",
    )?;
    stage.boots_into("1.0.0")?;
    knows_what_failed(stage, "1.1.0")?;
    stage.publish(Recipe { watchdog: WATCHDOG, ..flawed("1.2.0", Flaw::HangInInit) })?;
    stage.update()?;
    stage.power_on()?;
    stage.shows("guest: init of 1.2.0")?;
    let console = stage.is_reset()?;
    stage.expect(!console.contains("Kernel panic"), "the watchdog reset a first process that stood still")?;
    stage.boots_into("1.0.0")?;
    knows_what_failed(stage, "1.2.0")?;
    // And no watchdog can be had: it is said, and the deadline is enough.
    let without_watchdog = "module_blacklist=softdog";
    stage.publish(Recipe {
        deadline: SOON,
        words: without_watchdog,
        ..flawed("1.3.0", Flaw::HangInCheck)
    })?;
    stage.update()?;
    stage.power_on()?;
    stage.shows("there is no watchdog, not even softdog: nothing resets this boot if it stands still")?;
    stage.shows("guest: settings are carried over")?;
    let console = stage.is_reset()?;
    resets(stage, &console, "the deadline reset a check that stood still, without a watchdog")?;
    stage.boots_into("1.0.0")?;
    knows_what_failed(stage, "1.3.0")?;
    let reason = stage.status()?["failed_update"]["reason"].clone();
    stage.expect(reason == "it was not marked good in time", "it says so, though nobody could reboot")?;
    try_is_spent(stage)
}

pub(super) fn unhealthy(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    about_to_try(stage, Recipe { deadline: SOON, ..flawed("1.1.0", Flaw::Unhealthy) })?;
    stage.power_on()?;
    stage.shows("guest: 1.1.0 is not marked good")?;
    let console = stage.is_reset()?;
    resets(stage, &console, "the deadline reset it")?;
    is_back(stage)
}

pub(super) fn failed_migration(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    stage.apiclient(&["set", "motd=kept"])?;
    stage.publish(Recipe { deadline: SOON, ..good("1.1.0") })?;
    stage.apiclient(&["update", "apply", "--check"])?;
    let store = stage.guest("readlink -f /var/lib/bottlerocket/datastore/current/live")?;
    stage.guest("for file in $(find /var/lib/bottlerocket/update -name '*rename-ntp-mode*'); do echo rot >>$file; done")?;
    stage.say("a staged migration rots on the persistent partition");
    stage.apiclient(&["reboot"])?;
    stage.is_reset()?;
    stage.power_on()?;
    stage.shows("guest: settings are not carried over")?;
    stage.is_reset()?;
    stage.boots_into("1.0.0")?;
    let now = stage.guest("readlink -f /var/lib/bottlerocket/datastore/current/live")?;
    stage.expect(now == store, "the store is the very one of before: no migration ran on the way back")?;
    let motd = stage.setting("motd")?;
    stage.expect(motd == "kept", "the settings are those of before")?;
    stage.power_off()?;
    stage.judge()
}

pub(super) fn proven_rot(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    about_to_try(stage, good("1.1.0"))?;
    stage.boots_into("1.1.0")?;
    stage.cut_power()?;
    for _ in 0..4 {
        stage.power_on()?;
        stage.shows("guest: init of 1.1.0")?;
        stage.cut_power()?;
    }
    stage.say("the power goes four times, each time behind the mounted root");
    stage.boots_into("1.1.0")?;
    stage.power_off()?;
    stage.say("✓ 1.1.0, which is proven, is still what runs");
    stage.disk().write(&Set::B.label("ROOT"), 1024, &[0xff; 16]);
    stage.say("a block of its root rots");
    for _ in 0..3 {
        stage.power_on()?;
        let console = stage.is_reset()?;
        stage.expect(!console.contains("guest: init"), "it does not reach its root")?;
    }
    stage.boots_into("1.0.0")?;
    let (motd, mode) = (stage.setting("motd")?, stage.setting("ntp.mode")?);
    stage.expect(motd == "kept" && mode == "burst", "the kept settings of 1.0.0 are linked")?;
    let stores = stage.guest("ls -d /var/lib/bottlerocket/datastore/v1.1.0_*")?;
    stage.expect(!stores.is_empty(), "those of 1.1.0 are still there")?;
    let status = stage.guest("updog status")?;
    let why = "set B is proven and did not reach its root in 3 starts: set A is started instead";
    stage.expect(status.contains(why), "the status says why 1.0.0 runs")?;
    stage.power_off()?;
    stage.judge_with_rotten(Set::B)
}

//! A release that is not well.

use testdata::Set;

use crate::vm::distribution::SECOND;
use crate::vm::host::{ContainerHost, Health};
use crate::vm::unmet::Unmet;

/// A release whose health check says no: the deadline resets, the old set returns, and the timer lets that release be.
pub(in crate::vm::scenario) fn fallback(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.first_boot()?;
    comes_back_from(host, "1.2.0", Set::B, "1.0.0")
}

/// The host that is on takes an unhealthy release into a set, and returns to the one that it has.
pub(super) fn comes_back_from(
    host: &mut ContainerHost<'_>,
    bad: &str,
    set: Set,
    good: &str,
) -> Result<(), Unmet> {
    host.build_as(bad, Health::Unhealthy)?;
    host.publish(bad)?;
    let place = if set == Set::A { crate::vm::distribution::FIRST } else { SECOND };
    host.takes(bad, place)?;
    host.power_on()?;
    host.shows("the health check 90-no")?;
    host.is_reset()?;
    host.say(&format!("✓ {bad} was not marked good, and is reset"));
    host.power_on()?;
    host.shows(&format!("VERSION_ID={good}"))?;
    host.has_looked(2)?;
    let status = host.status()?;
    host.expect(
        status["failed_update"]["image"]["version"] == bad,
        &format!("the status says that {bad} failed here"),
    )?;
    let (tried, runs) = (host.disk().bits(set), host.disk().bits(set.other()));
    host.expect(
        tried.tries == 0 && !tried.successful && runs.successful,
        &format!("the timer has left {bad} alone: its try is spent, and {good} is still what boots"),
    )
}

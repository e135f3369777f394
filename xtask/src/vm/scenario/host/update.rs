//! Its releases, and the way from one to the next.

use super::identity::machine_id;
use crate::vm::distribution::SECOND;
use crate::vm::host::{ContainerHost, FIRST_BOOT};
use crate::vm::unmet::Unmet;

/// It boots with containerd running, finds a release by its timer, takes it, and marks it good.
pub(in crate::vm::scenario) fn update(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.build("1.1.0")?;
    host.first_boot()?;
    host.shows("watch: containerd is active")?;
    host.shows("VERSION_ID=1.0.0")?;
    let first = (host.console().contains(FIRST_BOOT), machine_id(host)?);
    host.expect(first.0, "it is the first boot of this host")?;
    host.publish("1.1.0")?;
    host.takes("1.1.0", SECOND)?;
    host.boots_into("1.1.0", SECOND)?;
    host.shows("watch: containerd is active")?;
    host.shows("VERSION_ID=1.1.0")?;
    let second = (host.console().contains(FIRST_BOOT), machine_id(host)?);
    host.expect(
        !second.0 && second.1 == first.1,
        "it is no first boot any more, and the id of the host is the same",
    )
}

/// The same packages give the same release, whenever it is built.
pub(in crate::vm::scenario) fn twice(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.build_again("1.0.0")
}

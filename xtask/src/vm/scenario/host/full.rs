//! A persistent partition without room.

use testdata::Set;

use super::closed::{ROOTFS, refused, typed};
use crate::vm::distribution::SECOND;
use crate::vm::host::{ContainerHost, Health};
use crate::vm::unmet::Unmet;

/// A release fills it up and is not well. The old set returns by itself and is healthy on what is left, says what failed, and
/// takes no release while it has no room for one; its administrator still gets in and makes room, and it goes on by itself.
pub(in crate::vm::scenario) fn full(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.build_as("1.2.0", Health::Filling)?;
    host.build("1.3.0")?;
    host.first_boot()?;
    host.call("enable-admin-container", &[], None)?;
    host.answers("admin", true)?;
    host.publish("1.2.0")?;
    host.takes("1.2.0", SECOND)?;
    host.power_on()?;
    host.shows("watch: there is no room any more")?;
    host.shows("the health check 90-room")?;
    host.is_reset()?;
    host.say("✓ 1.2.0 was not marked good, and is reset");

    host.boots_again("1.0.0")?;
    let status = host.status()?;
    host.expect(
        status["failed_update"]["image"]["version"] == "1.2.0",
        "1.0.0 is healthy on a full partition, and says that 1.2.0 failed here",
    )?;
    host.answers("admin", true)?;
    refused(host, "admin", &format!("echo mine >{ROOTFS}/local/mine"))?;
    host.publish("1.3.0")?;
    host.shows("are free")?;
    let left = host.disk().bits(Set::A);
    host.expect(left.successful && left.priority > 0, "1.3.0 waits for room, and 1.0.0 is what boots")?;

    typed(host, "admin", &format!("rm {ROOTFS}/local/filled {ROOTFS}/local/filled-more"))?;
    host.takes_at_last("1.3.0", SECOND)?;
    host.boots_into("1.3.0", SECOND)
}

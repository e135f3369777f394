//! A machine whose firmware starts only what is signed.

use super::closed::{ROOTFS, typed};
use crate::vm::distribution::SECOND;
use crate::vm::host::ContainerHost;
use crate::vm::unmet::Unmet;

/// Boot program and releases are signed by a key that its firmware knows: it boots, takes a release and boots that.
pub(in crate::vm::scenario) fn secure_boot(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.secure_boot()?;
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.build("1.1.0")?;
    host.first_boot()?;
    host.call("enable-admin-container", &[], None)?;
    host.answers("admin", true)?;
    // The value is one byte behind four of attributes.
    let line = format!("tail -c 1 {ROOTFS}/sys/firmware/efi/efivars/SecureBoot-* | od -An -tu1");
    let said = typed(host, "admin", &line)?;
    host.expect(said.trim() == "1", "the firmware says that Secure Boot is on")?;
    host.publish("1.1.0")?;
    host.takes("1.1.0", SECOND)?;
    host.boots_into("1.1.0", SECOND)
}

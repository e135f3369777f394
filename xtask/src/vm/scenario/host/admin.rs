//! Its administrator's container.

use super::identity::machine_id;
use crate::vm::host::{ContainerHost, Way};
use crate::vm::unmet::Unmet;

/// An instance that is given its settings. Its administrator's container is switched on, entered, and switched off again.
pub(in crate::vm::scenario) fn admin(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    // "hello" in base64.
    let settings = "settings.network.hostname = \"berlin\"\n\
                    settings.host-containers.admin.user-data = \"aGVsbG8=\"\n";
    host.give(Way::Tables, settings)?;
    host.first_boot()?;
    host.shows("watch: containerd is active")?;
    host.shows("user-data.toml are in force")?;
    visit(host)?;
    let said =
        host.call("apiclient", &["exec", "admin", "cat", "/.bottlerocket/rootfs/etc/hostname"], None)?;
    host.expect(said.trim() == "berlin", "the host has the name that it was given")?;
    let path = "/.bottlerocket/host-containers/current/user-data";
    let said = host.call("apiclient", &["exec", "admin", "cat", path], None)?;
    host.expect(said.trim() == "hello", "the container has the user data that it was given")?;
    leave(host)
}

/// Switches the container on and enters it.
pub(super) fn visit(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.call("enable-admin-container", &[], None)?;
    let said = host.call("enter-admin-container", &[], Some("tty; echo $((6 * 7)) times\nexit\n"))?;
    host.expect(
        said.contains("/dev/pts/") && said.contains("42 times"),
        "its shell has a terminal, and does what is typed",
    )?;
    let id = machine_id(host)?;
    let path = "/.bottlerocket/rootfs/etc/machine-id";
    let said = host.call("apiclient", &["exec", "admin", "cat", path], None)?;
    host.expect(said.trim() == id, "a command in it sees the host's own files")?;
    let said = host.call("apiclient", &["exec", "admin", "apiclient", "raw", "-u", "/os"], None)?;
    host.expect(said.contains("container-host"), "the API can be asked from in it")
}

/// Switches it off.
pub(super) fn leave(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.call("disable-admin-container", &[], None)?;
    host.answers("admin", false)
}

//! The container host of `examples/container-host`, on its own.

use crate::vm::distribution::SECOND;
use crate::vm::host::{ContainerHost, FIRST_BOOT, MACHINE_ID};
use crate::vm::unmet::Unmet;

/// It boots with containerd running, finds a release by its timer, takes it, and marks it good.
pub(super) fn update(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
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
pub(super) fn twice(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.build_again("1.0.0")
}

/// An instance that is given its settings. Its administrator's container is switched on, entered, and switched off again.
pub(super) fn admin(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.give("settings.network.hostname = \"berlin\"\n")?;
    host.first_boot()?;
    host.shows("watch: containerd is active")?;
    host.shows("user-data.toml are in force")?;
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
    let said =
        host.call("apiclient", &["exec", "admin", "cat", "/.bottlerocket/rootfs/etc/hostname"], None)?;
    host.expect(said.trim() == "berlin", "the host has the name that it was given")?;
    let said = host.call("apiclient", &["exec", "admin", "apiclient", "raw", "-u", "/os"], None)?;
    host.expect(said.contains("container-host"), "the API can be asked from in it")?;
    host.call("disable-admin-container", &[], None)?;
    let gone = host.call("apiclient", &["exec", "admin", "true"], None);
    host.expect(gone.is_err(), "nothing can be run in it any more")
}

/// The id that the console shows.
fn machine_id(host: &mut ContainerHost<'_>) -> Result<String, Unmet> {
    host.shows(MACHINE_ID)?;
    let console = host.console();
    let id = console.split(MACHINE_ID).nth(1).and_then(|behind| behind.lines().next());
    id.map(|id| id.trim().to_owned())
        .filter(|id| id.len() == 32)
        .ok_or_else(|| Unmet::new("the id of the host has 32 digits"))
}

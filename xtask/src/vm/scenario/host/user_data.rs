//! What an instance is given at its first start.

use crate::vm::host::{ContainerHost, FIRST_BOOT, Way};
use crate::vm::unmet::Unmet;

/// Whoever starts an instance may see nothing but its console: what is wrong with the settings is told there, and the boot
/// does not count. With others it is a first boot again; those on a drive come before those on the disk. What the instance was
/// told later is not undone by them.
pub(in crate::vm::scenario) fn user_data(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.give(Way::File, "settings.network.hostname = \"no name at all!\"\n")?;
    host.power_on()?;
    host.shows("settings.network.hostname")?;
    host.shows("first-boot-settings.service: Failed")?;
    host.shows("confirm-boot.service: Failed")?;
    host.cut_power();
    host.give(Way::Drive, "settings.network.hostname = \"hamburg\"\n")?;
    host.first_boot()?;
    host.shows("/run/user-data/user-data.toml are in force")?;
    let console = host.console();
    host.expect(console.contains(FIRST_BOOT), "that was a first boot again")?;
    is_called(host, "hamburg")?;
    host.call("apiclient", &["set", "network.hostname=bremen"], None)?;
    host.call("apiclient", &["reboot"], None)?;
    host.is_reset()?;
    host.boots_again("1.0.0")?;
    let console = host.console();
    host.expect(
        !console.contains("are in force"),
        "the drive is still there, and is not asked a second time by this instance",
    )?;
    is_called(host, "bremen")
}

/// The host has this name.
pub(super) fn is_called(host: &mut ContainerHost<'_>, name: &str) -> Result<(), Unmet> {
    let said = host.call("apiclient", &["raw", "-u", "/settings?keys=settings.network.hostname"], None)?;
    host.expect(said.contains(&format!("{name:?}")), &format!("the host is called {name}"))
}

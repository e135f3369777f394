//! Updates that go well.

use testdata::{BootBits, Set};

use crate::vm::stage::Stage;
use crate::vm::stage::recipe::good;
use crate::vm::unmet::Unmet;

/// From 1.0.0 to 1.1.0, driven over the API from outside of the machine.
pub(super) fn update(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    let esps = stage.esps();
    stage.boots_into("1.0.0")?;
    stage.apiclient(&["set", "motd=the night shift was here"])?;
    stage.publish(good("1.1.0"))?;
    stage.update()?;
    let bits = stage.bits(Set::B);
    stage.expect(
        bits == BootBits { priority: 2, tries: 1, successful: false },
        "set B has one try, and the higher priority",
    )?;
    stage.boots_into("1.1.0")?;
    let motd = stage.setting("motd")?;
    stage.expect(motd == "the night shift was here", "a person's setting came along")?;
    let mode = stage.setting("ntp.mode")?;
    stage.expect(mode == "iburst", "a value that 1.1.0 renamed was renamed")?;
    stage.power_off()?;
    let bits = stage.bits(Set::B);
    stage.expect(
        bits == BootBits { priority: 2, tries: 0, successful: true },
        "its try was spent, and it is marked good",
    )?;
    stage.expect(stage.esps() == esps, "nothing was written to the EFI system partitions")?;
    stage.judge()
}

/// A machine as it comes out of its box.
pub(super) fn first_boot(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    const EMPTY: &str = "guest: nothing is in the persistent partition yet";
    stage.factory(good("1.0.0"))?;
    stage.power_on()?;
    stage.shows(EMPTY)?;
    stage.shows("guest: 1.0.0 is marked good")?;
    let ever = stage.guest("signpost has-boot-ever-succeeded")?;
    stage.expect(ever.trim() == "true", "the disk remembers that a boot succeeded")?;
    let mode = stage.setting("ntp.mode")?;
    stage.expect(mode == "burst", "settings have their defaults")?;
    stage.apiclient(&["set", "motd=first"])?;
    let etc = stage
        .guest("cat /etc/motd; touch /usr/refused 2>&1; mount | grep -E ' / | /etc | /var | /local '")?;
    stage.expect(
        etc.contains("first") && etc.contains("Read-only file system"),
        "/etc follows the settings, the root is read-only",
    )?;
    stage.power_off()?;
    stage.power_on()?;
    stage.shows("guest: 1.0.0 is marked good")?;
    let again = stage.machine()?.console().contains(EMPTY);
    let motd = stage.setting("motd")?;
    stage.expect(!again && motd == "first", "what was set is there after the next start")?;
    stage.power_off()?;
    stage.judge()
}

/// A person does not like 1.1.0, although it works.
pub(super) fn manual_rollback(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    stage.apiclient(&["set", "motd=kept"])?;
    stage.publish(good("1.1.0"))?;
    stage.update()?;
    stage.boots_into("1.1.0")?;
    stage.apiclient(&["update", "rollback", "--yes"])?;
    stage.apiclient(&["reboot"])?;
    stage.is_reset()?;
    stage.boots_into("1.0.0")?;
    let (mode, motd) = (stage.setting("ntp.mode")?, stage.setting("motd")?);
    stage.expect(mode == "burst" && motd == "kept", "the settings are back in the words of 1.0.0")?;
    stage.power_off()?;
    stage.judge()
}

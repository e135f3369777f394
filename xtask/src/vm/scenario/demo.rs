//! The demo of the README on a machine that really boots: `cargo xtask demo --vm`.

use testdata::Set;

use crate::vm::image::Flaw;
use crate::vm::stage::Stage;
use crate::vm::stage::recipe::{flawed, good};
use crate::vm::unmet::Unmet;

pub(super) fn demo(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.say("a. a host on 1.0.0 learns of 1.1.0");
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    stage.apiclient(&["set", "motd=the night shift was here"])?;
    stage.publish_framed(good("1.1.0"))?;
    stage.apiclient(&["update", "check"])?;
    let status = stage.status()?;
    stage.expect(status["chosen_update"]["version"] == "1.1.0", "1.1.0 is chosen")?;

    stage.say("b. it updates, and its settings come along");
    stage.update()?;
    stage.boots_into("1.1.0")?;
    let (motd, mode) = (stage.setting("motd")?, stage.setting("ntp.mode")?);
    stage.expect(
        motd == "the night shift was here" && mode == "iburst",
        "a person's setting came along, and a value that 1.1.0 renamed was renamed",
    )?;

    stage.say("c. a person rolls it back, and forward again");
    for (version, mode) in [("1.0.0", "burst"), ("1.1.0", "iburst")] {
        stage.apiclient(&["update", "rollback", "--yes"])?;
        stage.apiclient(&["reboot"])?;
        stage.is_reset()?;
        stage.boots_into(version)?;
        let now = stage.setting("ntp.mode")?;
        stage.expect(now == mode, &format!("{version} runs with settings in its own words"))?;
    }

    stage.say("d. 1.2.0 does not boot: the host returns by itself");
    stage.publish_framed(flawed("1.2.0", Flaw::PanicInInit))?;
    stage.update()?;
    stage.power_on()?;
    stage.shows("guest: init of 1.2.0")?;
    stage.is_reset()?;
    stage.boots_into("1.1.0")?;
    let (status, motd) = (stage.status()?, stage.setting("motd")?);
    stage.expect(
        status["failed_update"]["image"]["version"] == "1.2.0" && motd == "the night shift was here",
        "the status says that 1.2.0 failed here, and the settings are as they were",
    )?;

    stage.say("e. an attacker swaps the root image of 1.3.0");
    stage.publish(good("1.3.0"))?;
    stage.swap_root("1.3.0")?;
    let refused = stage.apiclient(&["update", "apply", "--check"]).is_err();
    let cleared = stage.bits(Set::A);
    stage.expect(refused && cleared.priority == 0, "it is refused, and the inactive set stays cleared")?;
    stage.power_off()?;
    stage.judge()
}

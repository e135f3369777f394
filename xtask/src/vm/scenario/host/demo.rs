//! All of it, one after the other: `cargo xtask vm host-demo`.

use testdata::Set;

use super::admin::{leave, visit};
use super::fallback::comes_back_from;
use crate::vm::distribution::SECOND;
use crate::vm::host::{ContainerHost, Way};
use crate::vm::unmet::Unmet;

pub(in crate::vm::scenario) fn demo(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.say("a. a host is built of Debian's packages and ours, and installed on a disk");
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;

    host.say("b. it boots for the first time, and takes the settings that it was given");
    host.give(Way::Tables, "settings.network.hostname = \"berlin\"\n")?;
    host.first_boot()?;
    host.shows("user-data.toml are in force")?;

    host.say("c. 1.1.0 is published: the host finds it, takes it and reboots into it by itself");
    host.build("1.1.0")?;
    host.publish("1.1.0")?;
    host.takes("1.1.0", SECOND)?;
    host.boots_into("1.1.0", SECOND)?;

    host.say("d. its administrator goes into it, and out again");
    visit(host)?;
    leave(host)?;

    host.say("e. 1.2.0 is not well: the host comes back from it by itself");
    comes_back_from(host, "1.2.0", Set::A, "1.1.0")
}

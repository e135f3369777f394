//! What the boot program does before any kernel runs.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use testdata::{BootBits, Set};

use super::outcome::{knows_what_failed, try_is_spent};
use crate::vm::image::Flaw;
use crate::vm::stage::Stage;
use crate::vm::stage::recipe::{flawed, good};
use crate::vm::unmet::Unmet;

/// What the boot program says of a set that it does not start.
const ASIDE: &str = "is put aside for this boot";

pub(super) fn bad_kernel(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.boot_program()?;
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    stage.publish(flawed("1.1.0", Flaw::BadKernel))?;
    stage.update()?;
    stage.power_on()?;
    stage.shows(ASIDE)?;
    stage.shows("guest: 1.0.0 is marked good")?;
    stage.say("✓ the old set was started by the same boot, without a reset");
    knows_what_failed(stage, "1.1.0")?;
    try_is_spent(stage)
}

/// On another processor: it picks the unproven set, pays, starts what is there, and puts it aside once it comes back; the
/// other set's kernel is for another machine. Nothing is left, and that is said.
pub(super) fn other_processor(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    stage.moves_to_arm()?;
    stage.disk().set_bits(Set::B, BootBits { priority: 2, tries: 1, successful: false });
    stage.power_on()?;
    let console = stage.is_reset()?;
    let mut said = console.lines().filter_map(|line| Some(line.split_once("bootpick: ")?.1));
    for (set, words) in [
        ("set B", "has the highest priority"),
        ("set B", "pays one of its tries, 0 left"),
        ("set B", "started with: "),
        ("set B", "is put aside for this boot: it ended without taking over"),
        ("set A", "is next in priority"),
        ("set A", "cannot be loaded: it is no program for this machine"),
        ("nothing boots", "reset in"),
    ] {
        let line = said.find(|line| line.starts_with(set) && line.contains(words));
        stage.expect(line.is_some(), &format!("the console shows: {set} … {words}"))?;
    }
    let bits = stage.bits(Set::B);
    stage.expect(bits.tries == 0 && !bits.successful, "the try is spent on the disk")?;
    stage.judge()
}

pub(super) fn secure_boot(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.secure_boot()?;
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    let on = stage.guest(
        "mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null; \
         od -An -tu1 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
    )?;
    stage.expect(on.split_whitespace().last() == Some("1"), "the firmware enforces Secure Boot")?;
    let line = stage.guest("cat /proc/cmdline")?;
    stage.expect(!line.contains("signpost.boot="), "the signed command line is as it was signed")?;
    stage.publish(good("1.1.0"))?;
    stage.update()?;
    stage.boots_into("1.1.0")?;
    stage.publish(good("1.2.0"))?;
    stage.update()?;
    alter(stage, Set::A).map_err(|error| Unmet::new(format!("alter the image of set A: {error}")))?;
    stage.say("somebody alters the kernel of 1.2.0 behind the firmware's back");
    stage.power_on()?;
    stage.shows(ASIDE)?;
    stage.shows("guest: 1.1.0 is marked good")?;
    stage.say("✓ it was not started, and the other set was");
    knows_what_failed(stage, "1.2.0")?;
    stage.power_off()?;
    stage.judge()
}

/// Flips a byte in the middle of a set's unified image.
fn alter(stage: &Stage<'_>, set: Set) -> std::io::Result<()> {
    let mut boot = stage.disk().window(&set.label("BOOT"));
    boot.seek(SeekFrom::Start(12 << 20))?;
    let mut byte = [0];
    boot.read_exact(&mut byte)?;
    boot.seek(SeekFrom::Start(12 << 20))?;
    boot.write_all(&[byte[0] ^ 1])
}

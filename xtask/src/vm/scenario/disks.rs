//! Disks that are not as they were left.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;

use testdata::Set;

use crate::vm::stage::Stage;
use crate::vm::stage::recipe::good;
use crate::vm::units::MIB;
use crate::vm::unmet::Unmet;

/// Sectors of a copy of the table behind the protective record: a header and 32 of entries.
const COPY: u64 = 33 * 512;

/// Where a copy of the table lies.
#[derive(Clone, Copy)]
enum Copy {
    Primary,
    Backup,
}

/// A copy's bytes.
fn copy(stage: &Stage<'_>, which: Copy) -> Result<(std::fs::File, u64, Vec<u8>), Unmet> {
    let failed = |error: std::io::Error| Unmet::new(format!("look at the disk: {error}"));
    let file = OpenOptions::new().read(true).write(true).open(stage.disk().path()).map_err(failed)?;
    let end = file.metadata().map_err(failed)?.len();
    let at = match which {
        Copy::Primary => 512,
        Copy::Backup => end - COPY,
    };
    let mut bytes = vec![0; usize::try_from(COPY).expect("a few sectors")];
    file.read_exact_at(&mut bytes, at).map_err(failed)?;
    Ok((file, at, bytes))
}

/// An update is staged, and one copy of the table is still the one from before it: both are valid.
fn torn(stage: &mut Stage<'_>, older: Copy) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    let (_, _, before) = copy(stage, older)?;
    stage.publish(good("1.1.0"))?;
    stage.update()?;
    let (file, at, now) = copy(stage, older)?;
    stage.expect(before != now, "the update changed both copies of the table")?;
    file.write_all_at(&before, at).map_err(|error| Unmet::new(format!("write to the disk: {error}")))?;
    Ok(())
}

/// Both copies tell the same again: their entries are equal.
fn is_whole(stage: &Stage<'_>) -> Result<(), Unmet> {
    let (_, _, primary) = copy(stage, Copy::Primary)?;
    let (_, _, backup) = copy(stage, Copy::Backup)?;
    // A primary begins with its header, a backup ends with it.
    let equal = primary[512..] == backup[..backup.len() - 512];
    stage.expect(equal, "both copies of the table have the same entries")?;
    stage.judge()
}

pub(super) fn torn_primary(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    torn(stage, Copy::Primary)?;
    stage.say("the primary copy of the table is the one from before the update");
    stage.boots_into("1.0.0")?;
    stage.power_off()?;
    is_whole(stage)
}

pub(super) fn torn_backup(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    torn(stage, Copy::Backup)?;
    stage.say("the backup copy of the table is the one from before the update");
    stage.boots_into("1.1.0")?;
    stage.power_off()?;
    is_whole(stage)
}

pub(super) fn grown_disk(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    let grown = || -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).open(stage.disk().path())?;
        file.set_len(file.metadata()?.len() + 64 * MIB)
    };
    grown().map_err(|error| Unmet::new(format!("grow the disk: {error}")))?;
    stage.say("the disk is 64 MiB larger than it was");
    stage.boots_into("1.0.0")?;
    stage.publish(good("1.1.0"))?;
    stage.update()?;
    stage.boots_into("1.1.0")?;
    stage.guest("signpost repair --relocate")?;
    stage.power_off()?;
    is_whole(stage)
}

pub(super) fn bit_rot(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    // In the middle of a program that is not read again: the update looks at the partition, not at the mounted root.
    let len = stage.disk().partition(&Set::A.label("ROOT")).len;
    let root = stage.disk().read(&Set::A.label("ROOT"), len);
    let needle = b"vm-door: usage";
    let at = root.windows(needle.len()).position(|bytes| bytes == needle);
    let at = at.ok_or_else(|| Unmet::new("the root has a program to rot"))? as u64;
    stage.disk().write(&Set::A.label("ROOT"), at, b"rot");
    stage.say("a block of the running root rots");
    stage.publish_framed(good("1.1.0"))?;
    stage.apiclient(&["update", "apply", "--check"])?;
    let history = stage.apiclient(&["update", "history", "--json"])?;
    stage.expect(history.contains("are not what their digests say"), "the history tells of it")?;
    stage.apiclient(&["reboot"])?;
    stage.is_reset()?;
    stage.boots_into("1.1.0")?;
    stage.power_off()?;
    let whole = crate::vm::disk::verified(&stage.disk(), Set::B, stage.dir());
    stage.expect(whole.is_ok(), "the new root is whole")
}

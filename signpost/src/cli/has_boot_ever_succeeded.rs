//! `signpost has-boot-ever-succeeded`: prints `true`, or nothing. Both are success.

use crate::{Error, OsDisk};

use super::answer;

pub(super) const EXAMPLES: &str = "\
Examples:
  [ \"$(signpost has-boot-ever-succeeded)\" = true ] || echo \"the first boot\"";

pub(super) fn run(disk: &OsDisk) -> Result<(), Error> {
    if disk.inspect()?.boot_has_ever_succeeded() {
        answer::give("true\n")?;
    }
    Ok(())
}

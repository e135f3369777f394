//! `signpost running`: what an initramfs asks for before it opens the root, and after that for what persists.

use std::fmt::Write as _;
use std::path::Path;

use crate::status::Partition;
use crate::{Error, OsDisk};

use super::answer;

pub(super) const EXAMPLES: &str = "\
One assignment a line: SET, PROVEN (yes or no), DISK, BOOT, ROOT, HASH, PRIVATE, and DATA, which is empty where the data
lies on another disk. Values are quoted.

Examples:
  eval \"$(signpost running)\" && veritysetup open \"$ROOT\" root \"$HASH\" \"$roothash\"";

pub(super) fn run(disk: &OsDisk) -> Result<(), Error> {
    let found = disk.inspect()?;
    let status = found.status()?;
    let set = status.active();
    let node = |partition: Option<Partition>| partition.map(|partition| partition.node).unwrap_or_default();
    let mut text = format!("SET={}\nPROVEN={}\n", set.name, if set.bits.successful { "yes" } else { "no" });
    for (name, path) in [
        ("DISK", found.disk()),
        ("BOOT", &*set.boot.node),
        ("ROOT", &*set.root.node),
        ("HASH", &*set.hash.node),
        ("PRIVATE", &*node(found.private())),
        ("DATA", &*node(found.data())),
    ] {
        let _ = writeln!(text, "{name}={}", quoted(path));
    }
    answer::give(&text)
}

/// A path as one word for a shell, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_path_does_not_end_the_word() {
        assert_eq!(quoted(Path::new("/dev/vda3")), "'/dev/vda3'");
        let odd = "/dev/it's $(here)";
        let word = quoted(Path::new(odd));
        let said =
            std::process::Command::new("sh").args(["-c", &format!("printf %s {word}")]).output().unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), odd);
    }
}

//! Releases of docs/boot.md's Debian in which a unit of its service manager stands still, so that the boot comes to no
//! end. All that resets them is the units in `dist/`, as they are but for the time that they give: the deadline's note asks
//! for a reboot first, so that the deadline itself, which comes after it, is shown by the machines that hold reboots up.

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::tools::said;
use crate::cargo::workspace;

/// Where an image has its units.
const UNITS: &str = "usr/lib/systemd/system";
/// A shorter time than the ten minutes that a boot has: an emulated machine is at its units within one or two.
const DEADLINE: &str = "[Timer]\nOnBootSec=\nOnBootSec=4min\n";
/// What a unit runs that stands still. It says so as a warning, which the page has sent to the console.
const STANDS_STILL: &str = r#"/bin/sh -c 'echo "<4>a unit stands still"; exec sleep infinity'"#;
/// What the console shows then.
pub(super) const SAID: &str = "a unit stands still";

/// Which unit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// One that `local-fs.target` waits for, and with it nearly every unit there is.
    BeforeFileSystems,
    /// Ours, that carries settings over.
    Migrator,
}

impl Unit {
    /// What a person would call it.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::BeforeFileSystems => "a unit that local-fs.target waits for",
            Self::Migrator => "the migrator",
        }
    }

    /// Its file below [`UNITS`], what that says, and whose wants it is among.
    fn file(self) -> (&'static str, String, Option<&'static str>) {
        match self {
            Self::BeforeFileSystems => (
                "stands-still.service",
                format!(
                    "[Unit]\nDefaultDependencies=no\nBefore=local-fs.target\n\
                     [Service]\nType=oneshot\nExecStart={STANDS_STILL}\n"
                ),
                Some("local-fs.target.wants"),
            ),
            Self::Migrator => (
                "migrator.service.d/stands-still.conf",
                format!("[Service]\nExecStartPre={STANDS_STILL}\n"),
                None,
            ),
        }
    }
}

/// Publishes the page's tree once more, as `version`, in which `unit` stands still. Of that the tree keeps its version and
/// some empty directories.
pub(super) fn publish(dir: &Path, version: &str, unit: Unit) -> Result<(), Box<dyn Error>> {
    let units = dir.join("tree").join(UNITS);
    let (file, text, wants) = unit.file();
    let mut added = vec![put(&units.join(file), &text)?];
    added.push(put(&units.join("boot-deadline.timer.d/soon.conf"), DEADLINE)?);
    if let Some(wants) = wants {
        let link = units.join(wants).join(file);
        fs::create_dir_all(units.join(wants))?;
        symlink(Path::new("..").join(file), &link)?;
        added.push(link);
    }
    let here = std::env::current_exe()?;
    let programs = here.parent().ok_or("find our programs: no directory")?;
    let path = std::env::var("PATH").unwrap_or_default();
    // As the page does it for its second release.
    let line = r#"set -e
sed -i "s/^VERSION_ID=.*/VERSION_ID=$VERSION/" tree/usr/lib/os-release
"$SRC"/dist/image/make-set tree "$VERSION" console=ttyS0 loglevel=6 no_timer_check \
    systemd.journald.forward_to_console=1 systemd.journald.max_level_console=warning
pubrepo add --repo repo --keys keys --variant demo --arch x86_64 --version "$VERSION" --no-migrations --no-packs \
    --boot "$VERSION"/boot.img --root "$VERSION"/root.img --hash "$VERSION"/hash.img"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(dir).env("VERSION", version).env("SRC", workspace());
    let published = said(shell.env("PATH", format!("{}:{path}", programs.display())));
    added.iter().try_for_each(fs::remove_file)?;
    published.map(drop)
}

/// Writes a file, and says where it is.
fn put(path: &Path, text: &str) -> std::io::Result<PathBuf> {
    fs::create_dir_all(path.parent().expect("a unit lies in a directory"))?;
    fs::write(path, text)?;
    Ok(path.to_owned())
}

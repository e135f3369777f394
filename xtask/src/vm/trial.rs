//! A disk that somebody made, started in the machine that it was made of.

use std::path::{Path, PathBuf};

use serde_json::Value;
use testdata::{BootBits, DiskImage, Set};

use super::disk;
use super::firmware::Firmware;
use super::machine::{Machine, MachineSize, Parts};
use super::unmet::Unmet;
use crate::bench::tools::{command, said};

/// As often as a machine may start until a set stays: a try, and the set that returns.
const STARTS: usize = 3;

/// What a machine shows once a set has stayed.
pub(crate) struct Shown {
    pub(crate) version: String,
    pub(crate) set: Set,
    /// Starts that came to nothing before.
    pub(crate) lost: usize,
    /// What the API says of the settings, and `updog status`.
    pub(crate) settings: Value,
    pub(crate) status: Value,
    pub(crate) bits: [BootBits; 2],
    /// Which copies of the table are whole.
    pub(crate) whole: [bool; 2],
}

/// Where disks are tried.
pub(crate) struct Trials {
    pub(crate) dir: PathBuf,
    /// The port of the repository on the loopback.
    pub(crate) repository: u16,
    /// What may come up.
    pub(crate) versions: Vec<String>,
    /// Starts so far.
    pub(crate) starts: usize,
}

impl Trials {
    /// Starts a disk until a set stays, looks at it, and has other people's tools judge what is left. What is wrong is the
    /// error.
    pub(crate) fn start(&mut self, disk: &Path) -> Result<Shown, String> {
        let firmware =
            Firmware::uefi(&self.dir, false).map_err(|error| format!("make variables: {error}"))?;
        for lost in 0..STARTS {
            self.starts += 1;
            let parts = Parts {
                disk,
                firmware: &firmware,
                repository: self.repository,
                writes: None,
                number: self.starts,
                dir: &self.dir,
                until: None,
                size: MachineSize::Small,
                more: &[],
            };
            let shown = Machine::start(&parts).and_then(|machine| self.look(machine, disk, lost));
            if let Some(shown) = shown.map_err(|unmet| unmet.to_string())? {
                disk::judge(&DiskImage::at(disk), None, &self.dir)?;
                return Ok(shown);
            }
        }
        Err(format!("no set stays within {STARTS} starts"))
    }

    /// What is seen of a start; `None` of one that is reset.
    fn look(&self, mut machine: Machine, disk: &Path, lost: usize) -> Result<Option<Shown>, Unmet> {
        let marks: Vec<String> =
            self.versions.iter().map(|version| format!("guest: {version} is marked good")).collect();
        let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
        let Some(which) = machine.shows_one_of(&marks)? else { return Ok(None) };
        let console = machine.console();
        let set = [Set::A, Set::B]
            .into_iter()
            .rfind(|set| console.contains(&format!("update-stack: set {set:?}: the root on")));
        let set = set.ok_or_else(|| Unmet::new("the console tells which set was opened"))?;
        let mut api = command(&testdata::program("apiclient").to_string_lossy());
        let settings = said(api.arg("-s").arg(machine.api()).args(["raw", "-u", "/settings"]))
            .map_err(|error| Unmet::new(format!("the API tells the settings: {error}")))?;
        let (status, code) = machine.shell("updog status --json 2>/dev/null")?;
        let json = |what: &str, text: &str| {
            serde_json::from_str(text)
                .map_err(|error| Unmet::new(format!("{what} is JSON: {error}: {text} ({code})")))
        };
        let (settings, status) = (json("what the API says", &settings)?, json("the status", &status)?);
        machine.cut();
        let image = DiskImage::at(disk);
        Ok(Some(Shown {
            version: self.versions[which].clone(),
            set,
            lost,
            settings,
            status,
            bits: [Set::A, Set::B].map(|set| image.bits(set)),
            whole: image.whole_tables(),
        }))
    }
}

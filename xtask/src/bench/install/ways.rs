//! Who installs, and how.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::bench::field::host::{Host, Running};
use crate::bench::field::repository::Repository;
use crate::bench::field::web::Web;
use crate::bench::images::catalog::{Kind, Paths};
use crate::bench::images::release::Extent;
use crate::bench::measure::{Spent, measured};
use crate::bench::rates::bound::{Rates, Work};
use crate::bench::rates::{self, way};
use crate::bench::tools::command;

/// One way to install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Way {
    /// `updog`, with nothing on the host that helps.
    Full,
    /// The same, onto a block device of the kernel. Only root can.
    Devices,
    /// `updog`, from the release before.
    Update,
    /// tough, LZ4, a buffered writer.
    Plain,
    /// The same, synced and read back.
    PlainDurable,
    /// `curl | lz4 -d | dd oflag=direct`: nothing is verified.
    Shell,
}

impl Way {
    const ALL: [Self; 6] =
        [Self::Full, Self::Devices, Self::Update, Self::Plain, Self::PlainDurable, Self::Shell];

    /// For people.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Full => "updog, everything is new",
            Self::Devices => "updog, everything is new, loop devices",
            Self::Update => "updog, from the release before",
            Self::Plain => "(a) tough, LZ4, buffered write",
            Self::PlainDurable => "(b) the same, synced, read back",
            Self::Shell => "(c) curl | lz4 -d | dd direct",
        }
    }
}

/// What one run took.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) spent: Spent,
    /// What it did, where the way tells.
    pub(super) work: Option<Work>,
    /// Where it read back from, where the way tells.
    pub(super) read_back: Option<String>,
}

impl From<Spent> for Run {
    fn from(spent: Spent) -> Self {
        Self { spent, work: None, read_back: None }
    }
}

/// Everything that the ways need.
pub(super) struct Field {
    full: Host,
    update: Host,
    pub(super) repository: Repository,
    pub(super) web: Web,
    /// Raw lengths of BOOT, ROOT and HASH.
    lengths: [u64; 3],
}

impl Field {
    pub(super) fn make(
        dir: &Path,
        old: &Paths,
        new: &Paths,
        repository: Repository,
        web: Web,
    ) -> Result<Self, Box<dyn Error>> {
        let length = |path: &PathBuf| fs::metadata(path).map(|about| about.len());
        Ok(Self {
            full: Host::make(&dir.join("host-full"), Running::Nothing, new, &repository, &web)?,
            update: Host::make(&dir.join("host-update"), Running::Release(old), new, &repository, &web)?,
            repository,
            web,
            lengths: [length(&new.boot)?, length(&new.root)?, length(&new.hash)?],
        })
    }

    /// What this machine does in a second, now.
    pub(super) fn rates(&self, extent: Extent, kind: Kind) -> Result<Rates, Box<dyn Error>> {
        rates::measure(extent, kind, &self.repository, &self.web)
    }

    /// The ways that can be gone here. One that cannot is told.
    pub(super) fn ways(&self) -> Vec<Way> {
        let no_device = self.full.no_device();
        if let Some(why) = &no_device {
            eprintln!("SKIPPED: {}: failed to {why}; root may make them", Way::Devices.what());
        }
        Way::ALL.into_iter().filter(|way| *way != Way::Devices || no_device.is_none()).collect()
    }

    /// Installs once, on a disk as it was at first.
    pub(super) fn install(&self, way: Way) -> Result<Run, Box<dyn Error>> {
        match way {
            Way::Full => {
                self.full.reset()?;
                self.updog(&self.full)
            }
            Way::Devices => self.devices(),
            Way::Update => {
                self.update.reset()?;
                self.updog(&self.update)
            }
            Way::Plain => Ok(self.plain(&[])?.into()),
            Way::PlainDurable => Ok(self.plain(&["--durable"])?.into()),
            Way::Shell => Ok(self.shell()?.into()),
        }
    }

    /// Whose runs are killed, and on which host.
    pub(super) fn to_kill(&self) -> [(Way, &Host); 2] {
        [(Way::Full, &self.full), (Way::Update, &self.update)]
    }

    fn updog(&self, host: &Host) -> Result<Run, Box<dyn Error>> {
        let (_, spent) = measured(&mut host.updog(&["update-image", "--json"]))?;
        let evidence = host.evidence()?;
        let read_back = evidence["read_back"].as_str().map(str::to_owned);
        Ok(Run { spent, work: work(&evidence["bytes"], self.lengths), read_back })
    }

    fn devices(&self) -> Result<Run, Box<dyn Error>> {
        self.full.reset()?;
        let _attached = self.full.attach()?;
        let run = self.updog(&self.full)?;
        match run.read_back.as_deref() {
            Some("device") => Ok(run),
            other => Err(format!("read back from a device: updog says {other:?}").into()),
        }
    }

    fn plain(&self, more: &[&str]) -> Result<Spent, Box<dyn Error>> {
        self.full.reset()?;
        let mut plain = way("plain");
        plain.arg("--root").arg(self.repository.trusted_root()).arg("--disk").arg(self.full.disk());
        plain.args(["--metadata", &self.web.url(&self.repository.metadata())]);
        plain.args(["--targets", &self.web.url("targets/")]).args(more);
        for (image, place) in ["boot", "root", "hash"].into_iter().zip(self.full.places) {
            plain.arg("--image").arg(format!("{}@{place}", self.repository.lz4(image)));
        }
        Ok(measured(&mut plain)?.1)
    }

    fn shell(&self) -> Result<Spent, Box<dyn Error>> {
        self.full.reset()?;
        let script = "disk=$1; shift; while [ $# -gt 0 ]; do \
            curl -sf \"$1\" | lz4 -dc | dd of=\"$disk\" bs=1M iflag=fullblock oflag=direct,seek_bytes seek=\"$2\" \
            conv=notrunc status=none; shift 2; done";
        let mut shell = command("sh");
        shell.args(["-ec", script, "sh"]).arg(self.full.disk());
        for (image, place) in ["boot", "root", "hash"].into_iter().zip(self.full.places) {
            let file = self.repository.file(&self.repository.lz4(image))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            shell.arg(self.web.url(&format!("targets/{name}"))).arg(place.to_string());
        }
        Ok(measured(&mut shell)?.1)
    }
}

/// The work that a run has done, from its own account of bytes. What is copied is read first; of the inactive set, which
/// has nothing in common with the release here, a sixty-fourth.
fn work(bytes: &Value, [boot, root, hash]: [u64; 3]) -> Option<Work> {
    let count = |name: &str| bytes[name].as_u64();
    let (fetched, copied) = (count("fetched")?, count("copied")?);
    let (skipped, written) = (count("skipped")?, count("written")?);
    let all = boot + root + hash;
    let decoded = all.saturating_sub(copied + skipped);
    Some(Work {
        fetched,
        lz4: hash,
        zstd: decoded.saturating_sub(hash),
        scanned: root / 64 + copied,
        checked: written,
        written,
        read_back: all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_neither_copied_nor_skipped_was_decoded() {
        let bytes = serde_json::json!({"fetched": 50, "copied": 600, "skipped": 100, "written": 900});
        let work = work(&bytes, [100, 900, 10]).expect("all four counts");
        assert_eq!((work.zstd, work.lz4, work.scanned, work.read_back), (300, 10, 614, 1010));
        assert_eq!(super::work(&serde_json::json!({"fetched": 50}), [1, 1, 1]), None);
    }
}

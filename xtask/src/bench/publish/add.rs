//! A release is added, beside the plain tools that compress the same root image at the same levels, in turn.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use publish::Level;
use testdata::noise;

use super::image::Image;
use crate::bench::measure::{Spent, measured};
use crate::bench::tools::shipped;

/// The boot image of a release: noise, as a compressed kernel and initrd are.
const BOOT: usize = 4 << 20;
const DESK: [&str; 8] = ["--repo", "repo", "--keys", "keys", "--variant", "metal", "--arch", "x86_64"];

/// What each way took, as medians.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds {
    pub(super) count: u32,
    pub(super) level: i32,
    /// `pubrepo add`, and what it made for root.
    pub(super) add: Spent,
    pub(super) frames: u64,
    pub(super) index: u64,
    /// `zstd -T2`, and what it made.
    pub(super) zstd: Spent,
    pub(super) zstd_bytes: u64,
    /// `lz4`, and what it made.
    pub(super) lz4: Spent,
    pub(super) lz4_bytes: u64,
}

impl Rounds {
    /// The plain tools, one after the other.
    pub(super) fn plain(&self) -> Spent {
        self.zstd.then(self.lz4)
    }

    /// Our time by theirs.
    pub(super) fn times(&self) -> f64 {
        self.add.wall / self.plain().wall
    }
}

/// Adds the release and compresses the image, `count` times in turn.
pub(super) fn measure(dir: &Path, root: &Image, count: u32) -> Result<Rounds, Box<dyn Error>> {
    let level = Level::default().number();
    let boot = dir.join("boot.img");
    fs::write(&boot, noise(1, BOOT))?;
    let (mut adds, mut zstds, mut lz4s) = (Vec::new(), Vec::new(), Vec::new());
    let (mut frames, mut index) = (0, 0);
    let [zstd_out, lz4_out] = ["root.zst", "root.lz4"].map(|name| dir.join(name));
    for round in 0..count {
        let desk = dir.join(format!("desk-{round}"));
        fs::create_dir(&desk)?;
        let pubrepo = || {
            let mut command = Command::new(shipped("pubrepo"));
            command.current_dir(&desk);
            command
        };
        measured(pubrepo().arg("init").args(DESK))?;
        let mut add = pubrepo();
        add.args(["add", "--json", "--version", "1.0.0"]).args(DESK);
        let (report, spent) = measured(add.arg("--boot").arg(&boot).arg("--root").arg(&root.path))?;
        adds.push(spent);
        let report: serde_json::Value = serde_json::from_slice(&report.stdout)?;
        let length = |ending: &str| {
            let targets = report["targets"].as_array().into_iter().flatten();
            let mut found =
                targets.filter(|target| target["name"].as_str().is_some_and(|name| name.ends_with(ending)));
            found
                .next()
                .and_then(|target| target["length"].as_u64())
                .ok_or(format!("find {ending} in {report}"))
        };
        (frames, index) = (length("-root.zst")?, length("-root.idx")?);
        fs::remove_dir_all(&desk)?;
        let at_level = format!("-{level}");
        let mut zstd = Command::new("zstd");
        zstd.args(["-q", "-f", "-T2", &at_level, "-o"]).arg(&zstd_out).arg(&root.path);
        zstds.push(measured(&mut zstd)?.1);
        let mut lz4 = Command::new("lz4");
        lz4s.push(measured(lz4.args(["-q", "-f", "-1"]).arg(&root.path).arg(&lz4_out))?.1);
    }
    Ok(Rounds {
        count,
        level,
        add: Spent::median(&adds),
        frames,
        index,
        zstd: Spent::median(&zstds),
        zstd_bytes: fs::metadata(zstd_out)?.len(),
        lz4: Spent::median(&lz4s),
        lz4_bytes: fs::metadata(lz4_out)?.len(),
    })
}

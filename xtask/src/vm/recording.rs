//! An update and the way back on a machine that really boots, with every write to its disk recorded: what
//! `cargo xtask crash second-opinion` cuts.
//!
//! All of it lies in one directory, so that it can be cut again, and a point of it be looked at alone.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::image::Workshop;
use super::stage::Stage;
use super::stage::recipe::good;
use super::unmet::Unmet;
use super::writes::Record;
use super::{boot_program, home, needs};
use crate::bench::tools::{command, said};

/// What a recording consists of, in its directory.
const INDEX: &str = "recording.json";
/// Where its repository lies there.
const REPOSITORY: &str = "world/repo";
/// Acts that others ask for by their names.
pub(crate) const SETTING: &str = "a setting is written";
pub(crate) const INSTALLED: &str = "1.1.0 is installed";
pub(crate) const WAY_BACK: &str = "a person goes back";
const FIRST: &str = "1.0.0";
const SECOND: &str = "1.1.0";

/// What was recorded. All paths are below its directory.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recording {
    #[serde(skip)]
    pub(crate) dir: PathBuf,
    pub(crate) cycles: Vec<Cycle>,
    pub(crate) acts: Vec<Act>,
    pub(crate) releases: Vec<Release>,
}

/// From a power-on to its end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cycle {
    /// The disk as it was before.
    pub(crate) base: PathBuf,
    /// What was written to it.
    pub(crate) record: PathBuf,
    /// The disk as it was afterwards.
    pub(crate) after: PathBuf,
}

/// One thing that happened, from and until which step of its cycle's record. Once it has ended it counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Act {
    pub(crate) name: String,
    pub(crate) cycle: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Whether whoever goes on from here wants the newest release. Once somebody has gone back by hand, nobody does.
    pub(crate) wants_newest: bool,
}

/// A release that a set may hold.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) version: String,
    pub(crate) boot: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) hash: PathBuf,
    pub(crate) root_hash: String,
    /// What lies in its root.
    pub(crate) unpacked: PathBuf,
}

/// Sees that there is everything that a recording is made with.
pub(crate) fn prepare() -> Result<(), Box<dyn Error>> {
    needs::all_there()?;
    super::fetch()
}

impl Recording {
    /// Plays the story on a machine, and records it in `dir`, which is made anew.
    pub(crate) fn make(dir: &Path, aloud: bool) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(home())?;
        let work = tempfile::tempdir_in(home())?;
        let bootpick = boot_program()?;
        let workshop = Workshop::set_up(work.path(), &home().join("kernel"))?;
        let mut stage = Stage::set(&workshop, dir, Some(&bootpick), aloud)?;
        let told = |unmet: Unmet| format!("record an update: {unmet}");
        let (cycles, acts) = play(&mut stage).map_err(told)?;
        drop(stage);
        let releases = [FIRST, SECOND].map(|version| keep(&workshop, version, dir));
        let releases = releases.into_iter().collect::<Result<_, _>>()?;
        let recording = Self { dir: dir.to_owned(), cycles, acts, releases };
        fs::write(dir.join(INDEX), serde_json::to_string_pretty(&recording)?)?;
        Ok(recording)
    }

    /// The recording in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let index = dir.join(INDEX);
        let text =
            fs::read_to_string(&index).map_err(|error| format!("read {}: {error}", index.display()))?;
        Ok(Self { dir: dir.to_owned(), ..serde_json::from_str(&text)? })
    }

    /// The repository that the machine was updated from.
    pub(crate) fn repository(&self) -> PathBuf {
        self.dir.join(REPOSITORY)
    }

    /// A file of it.
    pub(crate) fn file(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }
}

/// Keeps the images of a release, and what lies in its root.
fn keep(workshop: &Workshop, version: &str, dir: &Path) -> Result<Release, Box<dyn Error>> {
    let images = workshop.built(version)?;
    let own = Path::new("releases").join(version);
    fs::create_dir_all(dir.join(&own))?;
    let copy = |from: &Path, name: &str| -> std::io::Result<PathBuf> {
        let to = own.join(name);
        fs::copy(from, dir.join(&to))?;
        Ok(to)
    };
    let unpacked = own.join("unpacked");
    said(
        command("fsck.erofs").arg(format!("--extract={}", dir.join(&unpacked).display())).arg(&images.root),
    )?;
    Ok(Release {
        version: version.to_owned(),
        boot: copy(&images.boot, "boot.img")?,
        root: copy(&images.root, "root.img")?,
        hash: copy(&images.hash, "hash.img")?,
        root_hash: images.root_hash.to_string(),
        unpacked,
    })
}

/// What was recorded so far.
#[derive(Default)]
struct Log {
    cycles: Vec<Cycle>,
    acts: Vec<Act>,
    wants_newest: bool,
}

impl Log {
    /// From the next power-on something new is recorded. The machine must be off.
    fn cycle(&mut self, stage: &mut Stage<'_>) -> Result<(), Unmet> {
        let recorded = stage.record(&format!("cycle-{}", self.cycles.len()))?;
        let name = |path: &Path| path.file_name().map(PathBuf::from).unwrap_or_default();
        let (base, record) = (name(&recorded.base), name(&recorded.record));
        if let Some(last) = self.cycles.last_mut() {
            last.after.clone_from(&base);
        }
        let after = name(stage.disk().path());
        self.cycles.push(Cycle { base, record, after });
        Ok(())
    }

    /// Something has ended.
    fn act(&mut self, stage: &Stage<'_>, name: &str) -> Result<(), Unmet> {
        let cycle = self.cycles.len() - 1;
        let before = self.acts.last().filter(|act| act.cycle == cycle);
        let from = before.map_or(0, |act| act.to);
        let to = Record::len(&stage.dir().join(&self.cycles[cycle].record));
        if to < from {
            return Err(Unmet::new(format!("the record of \"{name}\" can be read")));
        }
        stage.say(&format!("{name}: {} writes and flushes", to - from));
        self.acts.push(Act { name: name.to_owned(), cycle, from, to, wants_newest: self.wants_newest });
        Ok(())
    }
}

fn play(stage: &mut Stage<'_>) -> Result<(Vec<Cycle>, Vec<Act>), Unmet> {
    stage.factory(good(FIRST))?;
    stage.boots_into(FIRST)?;
    stage.apiclient(&["set", "motd=before"])?;
    stage.power_off()?;
    let mut log = Log { wants_newest: true, ..Log::default() };

    log.cycle(stage)?;
    stage.boots_into(FIRST)?;
    log.act(stage, "1.0.0 starts")?;
    stage.apiclient(&["set", "motd=after"])?;
    log.act(stage, SETTING)?;
    stage.publish_framed(good(SECOND))?;
    stage.apiclient(&["update", "check"])?;
    log.act(stage, "1.1.0 is found")?;
    stage.apiclient(&["update", "apply"])?;
    log.act(stage, INSTALLED)?;
    stage.apiclient(&["reboot"])?;
    stage.is_reset()?;
    log.act(stage, "the machine goes down")?;

    log.cycle(stage)?;
    stage.power_on()?;
    stage.shows("guest: settings are carried over")?;
    log.act(stage, "1.1.0 starts for the first time")?;
    stage.shows(&format!("guest: {SECOND} is marked good"))?;
    log.act(stage, "1.1.0 is marked good")?;
    stage.apiclient(&["set", "motd=later"])?;
    log.act(stage, "a setting of 1.1.0 is written")?;
    stage.apiclient(&["update", "rollback", "--yes"])?;
    log.wants_newest = false;
    log.act(stage, WAY_BACK)?;
    stage.apiclient(&["reboot"])?;
    stage.is_reset()?;
    log.act(stage, "the machine goes down again")?;

    log.cycle(stage)?;
    stage.boots_into(FIRST)?;
    log.act(stage, "1.0.0 starts again")?;
    stage.apiclient(&["set", "motd=last"])?;
    log.act(stage, "a setting is written again")?;
    stage.power_off()?;
    stage.stop_recording();
    log.act(stage, "the machine is switched off")?;
    Ok((log.cycles, log.acts))
}

//! A story that was played once, with everything recorded.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::Path;

use host_io::explore::record::Record;
use testdata::{Host, World};

use super::boot_program;
use super::judge::Promise;
use super::live::{Bench, Off, State};
use super::medium::{Change, Medium};
use super::published::{IMAGES, Published};
use super::story::{Act, Story};
use super::story_log::{Read, Step, Told, read};
use super::tree::{Hash, Node, PERSISTENT, Tree};

/// A story as it was played.
pub(super) struct Played {
    pub(super) off: Off,
    pub(super) base: Medium,
    pub(super) read: Read,
    /// After how many steps each act was through.
    pub(super) milestones: Vec<usize>,
    /// From and until which steps the persistent partition was full.
    pub(super) full: Vec<Range<usize>>,
}

/// The images of a story's releases, as they are published.
pub(super) fn published(story: &Story, world: &World) -> Result<Published, Box<dyn Error>> {
    let mut published = Published::default();
    for release in (story.releases)() {
        let images = world.images(&release);
        let version = &release.version().to_string();
        for (role, path) in [("BOOT", &images.boot), ("ROOT", &images.root), ("HASH", &images.hash)] {
            published.add(version, role, fs::read(path)?);
        }
    }
    Ok(published)
}

fn perform(act: &Act, host: &mut Host, world: &World, record: &Record) -> Result<(), Box<dyn Error>> {
    match act {
        Act::Run((program, args)) => drop(host.run(program, args).expect_ok()),
        Act::Ends((program, args), code) => drop(host.run(program, args).expect_code(*code)),
        Act::Boot => drop(host.reboot()),
        Act::BootUnproven => drop(host.reboot_unproven()),
        Act::BootProgram(loads, set) => {
            host.power_off();
            let started = boot_program::start(host.disk().path(), *loads, record)?;
            if started != Some(*set) {
                return Err(format!("the boot program starts {started:?}, not {set:?}").into());
            }
        }
        Act::Publish(publish) => publish(world),
        Act::Fill(bytes) => record.room().leave(*bytes, &host.paths().root().join(PERSISTENT))?,
        Act::Free => record.room().free()?,
    }
    Ok(())
}

impl Played {
    /// Plays a story in a world of its own, with the record in `dir`.
    pub(super) fn play(story: &Story, world: &World, dir: &Path) -> Result<Self, Box<dyn Error>> {
        let mut host = (story.before)(world);
        let root = host.paths().root().to_owned();
        let off = Off::read(&root)?;
        fs::create_dir_all(dir)?;
        host.recorded_in(Some(dir));
        let record = Record::at(dir);
        let mut lines = Vec::new();
        for act in story.acts {
            perform(act, &mut host, world, &record)?;
            lines.push(record.lines()?.len());
        }
        host.power_off();
        let mut played = Self::of(off, &root, &record, &lines)?;
        let mut full: Vec<Range<usize>> = Vec::new();
        for (act, &step) in story.acts.iter().zip(&played.milestones) {
            match act {
                Act::Fill(_) => full.push(step..usize::MAX),
                Act::Free => full.last_mut().into_iter().for_each(|full| full.end = step),
                _ => {}
            }
        }
        played.full = full;
        Ok(played)
    }

    /// What a story's acts do on a host in this state when a guard is left out, whatever its commands then end with.
    pub(super) fn without_guard(
        story: &Story,
        guard: &str,
        world: &World,
        state: &State,
        bench: &mut Bench,
    ) -> Result<Self, Box<dyn Error>> {
        let mut host = bench.start(state)?;
        let record = bench.record();
        record.leave_out(Some(guard))?;
        // A story begins on a host that runs.
        if !matches!(story.acts[..], [Act::Boot | Act::BootUnproven, ..]) {
            let _whichever = host.boot();
        }
        for act in story.acts {
            match act {
                Act::Run((program, args)) | Act::Ends((program, args), _) => drop(host.run(program, args)),
                _ => perform(act, &mut host, world, &record)?,
            }
        }
        drop(host);
        record.leave_out(None)?;
        bench.unsettle();
        Self::of(bench.off(state), bench.dir(), &record, &[])
    }

    /// What was done, by the record, to a host that was `off` and lies in `root`; acts were through after so many `lines`.
    pub(super) fn of(
        off: Off,
        root: &Path,
        record: &Record,
        lines: &[usize],
    ) -> Result<Self, Box<dyn Error>> {
        let (log, data) = (record.lines()?, record.bytes()?);
        let mut kinds = Vec::new();
        let base = Medium::of(&off.tree, off.disk.clone(), &mut kinds);
        let places = off.places(root);
        let mut milestones = Vec::new();
        for &lines in lines {
            milestones.push(read(&log[..lines], &data, &base, kinds.clone(), &places)?.steps.len());
        }
        let read = read(&log, &data, &base, kinds, &places)?;
        explains(&read, &Off::read(root)?)?;
        Ok(Self { off, base, read, milestones, full: Vec::new() })
    }

    /// The medium when everything up to a step has landed.
    pub(super) fn at(&self, step: usize) -> Medium {
        let mut medium = self.without_images_at(step);
        let changes = self.read.steps[..step].iter().filter_map(|told| match &told.step {
            Step::Make(changes) => Some(changes),
            Step::Settle(_) => None,
        });
        let images: Vec<&Change> =
            changes.flatten().filter(|change| matches!(change, Change::Image(..))).collect();
        medium.apply_images(&images);
        medium
    }

    /// [`Played::at`], with the partitions as they were at the beginning.
    fn without_images_at(&self, step: usize) -> Medium {
        let mut medium = self.base.clone();
        medium.begin_all(&self.read.kinds);
        for (place, told) in self.read.steps[..step].iter().enumerate() {
            let Step::Make(changes) = &told.step else { continue };
            for change in changes.iter().filter(|change| !matches!(change, Change::Image(..))) {
                medium.apply(change, place as u64 + 1);
            }
        }
        medium
    }

    /// The trees that lie there after each step that gives a name to something.
    fn trees(&self) -> Vec<(usize, Tree)> {
        let renames = |told: &&(usize, &Told)| told.1.name.starts_with("rename");
        let steps = self.read.steps.iter().enumerate().map(|(place, told)| (place + 1, told));
        let named: Vec<usize> = steps.filter(|told| renames(&told)).map(|(step, _)| step).collect();
        let all = std::iter::once(0).chain(named);
        all.map(|step| (step, self.without_images_at(step).tree(&self.read.kinds))).collect()
    }

    /// Every state that each memory of trust has had, as a whole; `None` where there was none.
    pub(super) fn trust(&self) -> HashMap<String, Vec<Option<Hash>>> {
        let trees = self.trees();
        let is_live = |path: &&String| path.contains("/update/trust/") && path.ends_with("/current");
        let paths = trees.iter().flat_map(|(_, tree)| tree.nodes.keys().filter(is_live));
        let paths: BTreeSet<String> = paths.cloned().collect();
        let had = |path: &String| trees.iter().map(|(_, tree)| tree.hash_of(path)).collect();
        paths.into_iter().map(|path| (path.clone(), had(&path))).collect()
    }

    /// What was acknowledged when an act ended well: files of the record, and the bits, until somebody changes them.
    pub(super) fn promises(&self) -> Vec<Promise> {
        let mut promises = Vec::new();
        let is_record = |path: &str| path.contains("/update/record/") && !path.contains("/history/");
        for &from in &self.milestones {
            let tree = self.without_images_at(from).tree(&self.read.kinds);
            for (path, node) in &tree.nodes {
                let Node::File { content, .. } = node else { continue };
                if is_record(path) {
                    let until = self.touched_after(from, path).unwrap_or(usize::MAX);
                    promises.push(Promise { from, until, path: path.clone(), hash: content.hash });
                }
            }
        }
        promises
    }

    /// The first step after another one that says something of a name.
    pub(super) fn touched_after(&self, from: usize, path: &str) -> Option<usize> {
        let (_, name) = path.rsplit_once('/')?;
        let touches = |told: &Told| match &told.step {
            Step::Make(changes) => changes.iter().any(|change| match change {
                Change::Names(names) => names.iter().any(|(_, other, _)| other == name),
                _ => false,
            }),
            Step::Settle(_) => false,
        };
        self.read.steps[from..].iter().position(touches).map(|step| from + step)
    }
}

/// Whether the record accounts for every byte of what is there now: what went past the seams would be missing here.
fn explains(read: &Read, now: &Off) -> Result<(), String> {
    let told = read.end.tree(&read.kinds);
    let differs = |name: &&String| match (told.nodes.get(*name), now.tree.nodes.get(*name)) {
        (Some(told), Some(now)) => !told.same(now),
        _ => true,
    };
    let names: Vec<&String> = told.nodes.keys().chain(now.tree.nodes.keys()).filter(differs).collect();
    if !names.is_empty() {
        return Err(format!("the record does not account for {names:?}"));
    }
    for (place, (told, now)) in read.end.disk.images.iter().zip(&now.disk.images).enumerate() {
        if told.hash != now.hash {
            return Err(format!("the record does not account for {:?}", IMAGES[place]));
        }
    }
    let changed = now.disk.tables.iter().any(|(start, bytes)| {
        (0..).zip(bytes.chunks(super::medium::SECTOR)).any(|(index, sector): (u64, _)| {
            let at = start + index * super::medium::SECTOR as u64;
            let end = &read.end.disk;
            end.sectors.get(&at).map_or_else(|| end.first(at), |sector| Some(sector)) != Some(sector)
        })
    });
    if changed { Err("the record does not account for the partition table".to_owned()) } else { Ok(()) }
}

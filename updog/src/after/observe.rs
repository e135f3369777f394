//! What became of releases that were activated here: read off the disk, the notes that first boots left, and what
//! crashed kernels said.
//!
//! The running set looks at the other one. If that was activated, was started and does not run, its boot failed; the
//! rule of [`crate::decide::attempts`] says what follows. What was found is kept, so that times count from when it was first
//! seen; where it cannot be kept it still counts for this run.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use host_io::boot_note::stage;
use host_io::fs::Kind;
use host_io::{Access, BootNote, DirLock, Fs, Paths, swap};
use signpost::{BootBits, OsDisk, Role, Set, SetName, Status};

use crate::context::Context;
use crate::decide::attempts::{Attempts, Cause, Fate, Release, Settled};
use crate::error::Error;
use crate::flip::record::{self, Entry, Record};

/// How a kernel that gives up begins its last sentence.
const PANIC: &str = "Kernel panic - not syncing: ";
/// The largest crash dump that is looked into, in bytes.
const LARGEST_DUMP: usize = 1 << 20;

/// The most files and folders of crash dumps that are looked into, of each directory.
const MOST_DUMPS: usize = 256;

/// Whether what is found is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It counts from now on.
    Yes,
    /// It is only told.
    No,
}

/// Everything that is remembered, brought in line with what the disk says now. A host whose disk cannot be read has
/// what was remembered.
#[must_use]
pub fn attempts(context: &Context, keep: Keep) -> Attempts {
    let seen = Sight::of(context)
        .inspect_err(|error| {
            tracing::debug!(
                "failed to see whether the other set's boot failed: {}",
                host_io::report::chain(error)
            );
        })
        .ok();
    let look = |attempts: Attempts| match &seen {
        Some(sight) => sight.settle(context, attempts),
        None => attempts,
    };
    match keep {
        Keep::No => look(load(&*context.fs, &context.paths)),
        Keep::Yes => change(context, look),
    }
}

/// Changes what is remembered, and returns what it is then. Nobody else changes it meanwhile. Where it cannot be kept,
/// that is said, and it counts for this run.
pub fn change(context: &Context, change: impl FnOnce(Attempts) -> Attempts) -> Attempts {
    let (after, saved) = attempt(context, change);
    if let Err(error) = saved {
        tracing::warn!("what became of releases here counts for this run only: {error}");
    }
    after
}

/// [`change`], for whoever wants nothing else.
///
/// # Errors
/// When it cannot be kept.
pub fn try_change(context: &Context, change: impl FnOnce(Attempts) -> Attempts) -> io::Result<()> {
    attempt(context, change).1
}

fn attempt(context: &Context, change: impl FnOnce(Attempts) -> Attempts) -> (Attempts, io::Result<()>) {
    let (fs, paths) = (&*context.fs, &context.paths);
    let dir = paths.record();
    // Without the directory there is nothing to change, and nobody to be kept out.
    let lock = match fs.kind(&dir) {
        Ok(Some(_)) => DirLock::acquire(&dir).map(Some),
        _ => Ok(None),
    };
    let before = load(fs, paths);
    let after = change(before.clone());
    if after == before {
        return (after, Ok(()));
    }
    let saved = lock.map_err(|error| io::Error::other(error.to_string())).and_then(|_lock| {
        let text = serde_json::to_vec_pretty(&after).expect("what is remembered is plain data");
        swap::replace_file(fs, &file(paths), &text, 0o644)
    });
    (after, saved)
}

/// Whether the boot of any release is awaited, as far as is remembered. The disk is not looked at.
#[must_use]
pub fn awaits_any(context: &Context) -> bool {
    load(&*context.fs, &context.paths).awaits_any()
}

/// The names of the crash dumps that are there.
#[must_use]
pub fn dumps(context: &Context) -> Vec<String> {
    let files = crash_files(&*context.fs, &context.paths);
    files.into_iter().map(|(name, _)| name).collect()
}

/// What the disk says of both sets.
struct Sight {
    running: Option<Release>,
    /// It boots next again.
    stays: bool,
    failed: Option<Release>,
    /// What was installed in the running set under another name than the running image has, and what is wrong with it.
    misnamed: Option<(Release, String)>,
}

impl Sight {
    fn of(context: &Context) -> Result<Self, Error> {
        let disk = OsDisk::discover(&context.paths)?;
        let status = disk.status()?;
        let record = Record::load_or_empty(&*context.fs, &context.paths);
        let failed = match status.inactive() {
            Some(Set { name, bits, .. }) if failed_boot(*bits) => {
                crate::look::sets::held_by(&disk, &record, *name)?.as_ref().map(Release::from)
            }
            _ => None,
        };
        let Status { active, next, .. } = &status;
        let misnamed = misnamed(context, &disk, &record, *active)?;
        let proven = status.active().bits.successful;
        let running = proven.then(|| crate::look::sets::running(context, &disk, *active)).transpose()?;
        Ok(Self { running, stays: *next == Some(*active), failed, misnamed })
    }

    fn settle(&self, context: &Context, mut attempts: Attempts) -> Attempts {
        // Whoever is proven and boots again has nothing to answer for any more.
        if let Some(running) = self.running.as_ref().filter(|_| self.stays) {
            attempts = attempts.settled(running, Settled::Good);
        }
        if let Some((release, reason)) = &self.misnamed {
            attempts = attempts.misnamed(release, reason.clone(), context.clock.now());
        }
        if let Some(failed) = self.failed.as_ref().filter(|failed| !lacked_room(context, failed)) {
            let fate = fate(&*context.fs, &context.paths, failed, attempts.dumps_before(failed));
            attempts = attempts.failed(failed, &fate, context.clock.now());
        }
        attempts
    }
}

/// The release that was installed in the running set, if the image that runs calls itself by another name.
fn misnamed(
    context: &Context,
    disk: &OsDisk,
    record: &Record,
    active: SetName,
) -> Result<Option<(Release, String)>, Error> {
    let os = context.host.os_release()?;
    let found = record::top_hash_if_known(&*disk.open_partition(active, Role::Hash, Access::Read)?);
    let named = |entry: &&Entry| entry.version == os.version_id && entry.variant == os.variant_id;
    Ok(record.holds(active, found).filter(|entry| !named(entry)).map(|entry| {
        let reason = format!(
            "it was installed and runs here, and its image calls itself {} {}",
            os.variant_id, os.version_id
        );
        (Release::from(entry), reason)
    }))
}

/// Whether the boot of `release` noted that this host lacked room for its settings: nothing against the release.
fn lacked_room(context: &Context, release: &Release) -> bool {
    let note = BootNote::read(&*context.fs, &context.paths, &release.version);
    note.is_some_and(|note| note.stage == stage::NO_ROOM)
}

/// A priority is given by the flip alone, and the try was spent by the boot program: whoever has the one and not the
/// other, and does not run, has failed.
#[must_use]
pub fn failed_boot(inactive: BootBits) -> bool {
    inactive.priority > 0 && !inactive.is_valid()
}

impl From<&Entry> for Release {
    fn from(entry: &Entry) -> Self {
        Self {
            variant: entry.variant.clone(),
            arch: entry.arch.clone(),
            version: entry.version.clone(),
            root_hash: Some(entry.root_hash),
        }
    }
}

/// How the boot of `release` ended, as far as it left a word. `before` are the crash dumps that were there before it.
fn fate(fs: &dyn Fs, paths: &Paths, release: &Release, before: Option<&[String]>) -> Fate {
    let ours = |note: &BootNote| {
        let booted = note.root_hash.as_ref().map(|hash| hash.to_ascii_lowercase());
        let wanted = release.root_hash.map(|hash| hash.to_string());
        booted.zip(wanted).is_none_or(|(booted, wanted)| booted == wanted)
    };
    let note = BootNote::read(fs, paths, &release.version).filter(ours);
    let stage = note.as_ref().map(|note| note.stage.clone()).filter(|stage| !stage.is_empty());
    if let Some(reason) = note.and_then(|note| note.failed) {
        return Fate {
            cause: Cause::Failed,
            stage: stage.unwrap_or_else(|| "boot".to_owned()),
            reason: one_line(&reason),
        };
    }
    let panicked = crash_files(fs, paths)
        .into_iter()
        // What an activation did not take down (an older program made it) cannot be told from an old crash.
        .filter(|(name, _)| before.is_some_and(|before| !before.contains(name)))
        .find_map(|(_, path)| last_words(&beginning(fs, &path).ok()?));
    match panicked {
        Some(words) => Fate {
            cause: Cause::Failed,
            stage: stage.unwrap_or_else(|| "kernel".to_owned()),
            reason: format!("the kernel panicked: {}", one_line(&words)),
        },
        None => Fate {
            cause: Cause::Unexplained,
            stage: stage.unwrap_or_else(|| "boot".to_owned()),
            reason: "it was started and left no word why it did not come up, as after a power cut".to_owned(),
        },
    }
}

/// The files that a crash leaves, by names that tell the directory as well.
fn crash_files(fs: &dyn Fs, paths: &Paths) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for dir in paths.crash_dumps() {
        for entry in fs.list(&dir).unwrap_or_default().into_iter().take(MOST_DUMPS) {
            let path = dir.join(&entry.name);
            match entry.kind {
                Kind::File => files.push((entry.name, path)),
                // The system's manager keeps one directory for each crash.
                Kind::Directory => {
                    let inner = fs.list(&path).unwrap_or_default();
                    let inner = inner.into_iter().filter(|inner| inner.kind == Kind::File);
                    files.extend(
                        inner.map(|inner| (format!("{}/{}", entry.name, inner.name), path.join(inner.name))),
                    );
                }
                Kind::Link | Kind::Other => {}
            }
        }
    }
    files
}

/// As much of a dump as is looked into: whoever crashed may have left gigabytes.
fn beginning(fs: &dyn Fs, path: &Path) -> io::Result<Vec<u8>> {
    let mut dump = Vec::new();
    fs.open(path)?.take(LARGEST_DUMP as u64).read_to_end(&mut dump)?;
    Ok(dump)
}

/// Why a kernel gave up, from what it said last.
fn last_words(dump: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(dump);
    let said = text.lines().find_map(|line| line.split_once(PANIC))?.1;
    Some(said.trim().to_owned())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(500).collect()
}

fn load(fs: &dyn Fs, paths: &Paths) -> Attempts {
    let path = file(paths);
    let read = || -> io::Result<Attempts> {
        if fs.kind(&path)?.is_none() {
            return Ok(Attempts::default());
        }
        Ok(serde_json::from_slice(&fs.read(&path)?)?)
    };
    read().unwrap_or_else(|error| {
        tracing::warn!("which releases failed here is not known: failed to read {}: {error}", path.display());
        Attempts::default()
    })
}

fn file(paths: &Paths) -> PathBuf {
    paths.record().join("attempts.json")
}

#[cfg(test)]
mod tests {
    use host_io::SystemFs;
    use semver::Version;

    use super::*;
    use crate::testing::{entry, hash};

    fn host() -> (tempfile::TempDir, Paths, Release) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        (dir, paths, Release::from(&entry("1.1.0", hash('1'))))
    }

    fn note(root_hash: Option<char>, failed: Option<&str>) -> BootNote {
        BootNote {
            version: Version::new(1, 1, 0),
            root_hash: root_hash.map(|digit| hash(digit).to_string()),
            stage: stage::MIGRATE.to_owned(),
            failed: failed.map(str::to_owned),
            at: None,
        }
    }

    #[test]
    fn a_note_that_names_a_reason_explains_it() {
        let (_dir, paths, release) = host();
        for (root_hash, failed, cause) in [
            (Some('1'), Some("it is\nasked to"), Cause::Failed),
            (None, Some("it is\nasked to"), Cause::Failed),
            (Some('1'), None, Cause::Unexplained),
            // The note is of the same version with other images.
            (Some('2'), Some("it is asked to"), Cause::Unexplained),
        ] {
            note(root_hash, failed).write(&SystemFs, &paths).unwrap();
            let fate = fate(&SystemFs, &paths, &release, Some(&[]));
            assert_eq!(fate.cause, cause, "{root_hash:?} {failed:?}");
            assert_eq!(
                fate.stage == "migrate",
                root_hash != Some('2'),
                "how far it came is told in any case"
            );
            if cause == Cause::Failed {
                assert_eq!(fate.reason, "it is asked to");
            }
        }
    }

    #[test]
    fn a_kernel_that_panicked_since_the_activation_explains_it() {
        let (_dir, paths, release) = host();
        let [kernel, manager] = paths.crash_dumps();
        std::fs::create_dir_all(manager.join("171")).unwrap();
        std::fs::create_dir_all(&kernel).unwrap();
        std::fs::write(manager.join("171/dmesg.txt"), "<0>[1.2] Kernel panic - not syncing: old one\n")
            .unwrap();
        let before = vec!["171/dmesg.txt".to_owned()];
        let judged = |before: Option<&[String]>| fate(&SystemFs, &paths, &release, before);
        assert_eq!(judged(Some(&before)).cause, Cause::Unexplained, "the old one is no evidence");
        std::fs::write(kernel.join("dmesg-0"), "x\n<0>[1.2] Kernel panic - not syncing: VFS: no root \n")
            .unwrap();
        let fate = judged(Some(&before));
        assert_eq!((fate.cause, fate.stage.as_str()), (Cause::Failed, "kernel"));
        assert_eq!(fate.reason, "the kernel panicked: VFS: no root");
        assert_eq!(judged(None).cause, Cause::Unexplained, "nobody knows which dumps were there before");
    }

    #[test]
    fn of_a_dump_of_gigabytes_a_megabyte_is_read() {
        let (_dir, paths, release) = host();
        let [kernel, _] = paths.crash_dumps();
        std::fs::create_dir_all(&kernel).unwrap();
        let file = std::fs::File::create(kernel.join("dmesg-0")).unwrap();
        file.set_len(8 << 30).unwrap();
        assert_eq!(beginning(&SystemFs, &kernel.join("dmesg-0")).unwrap().len(), LARGEST_DUMP);
        assert_eq!(fate(&SystemFs, &paths, &release, Some(&[])).cause, Cause::Unexplained);
    }

    #[test]
    fn memory_that_is_broken_or_newer_holds_nobody_up() {
        let (_dir, paths, _) = host();
        assert_eq!(load(&SystemFs, &paths), Attempts::default());
        std::fs::create_dir_all(paths.record()).unwrap();
        std::fs::write(file(&paths), "{").unwrap();
        assert_eq!(load(&SystemFs, &paths), Attempts::default());
    }
}

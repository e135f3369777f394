//! A power cut at any operation.
//!
//! [`CutFs`] is the machine's file system until a given number of changes was made; the next one happens half, and from
//! then on everything is refused. What was written but never synced is then lost: files become empty. A test runs its
//! operation once for every possible number and looks at what is left with [`SystemFs`].
//!
//! Syncs only count; they are not carried out, so that thousands of runs are quick.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fs::{Entry, Fs, Kind, NewFile};
use crate::system_fs::SystemFs;

/// A file system whose power goes away after some changes. Clones share one fate.
#[derive(Debug, Clone)]
pub struct CutFs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    left: usize,
    done: usize,
    cut: bool,
    free: Option<u64>,
    free_files: Option<u64>,
    program: Program,
    unsynced: BTreeSet<PathBuf>,
    syncs: usize,
}

/// What becomes of the program when the power goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// It sees errors, as if the medium refused everything from then on.
    SeesErrors,
    /// It ends there.
    Ends,
}

/// What a program that [ends](CutFs::ending) unwinds with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerCut;

impl CutFs {
    /// Lets `changes` changes pass and cuts the next one.
    #[must_use]
    pub fn after(changes: usize) -> Self {
        let (free, free_files, program, unsynced) = (None, None, Program::SeesErrors, BTreeSet::new());
        let state =
            State { left: changes, done: 0, cut: false, free, free_files, program, unsynced, syncs: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Never cuts, and counts.
    #[must_use]
    pub fn counting() -> Self {
        Self::after(usize::MAX)
    }

    /// Says that so many bytes are free, whatever the machine says.
    #[must_use]
    pub fn with_free_bytes(self, bytes: u64) -> Self {
        self.state().free = Some(bytes);
        self
    }

    /// Says that so many files may still be made, whatever the machine says.
    #[must_use]
    pub fn with_free_files(self, files: u64) -> Self {
        self.state().free_files = Some(files);
        self
    }

    /// Ends the program, too: whoever makes a change then or later unwinds with [`PowerCut`], for a test to catch. So
    /// nothing that is no file is changed any more either.
    #[must_use]
    pub fn ending(self) -> Self {
        self.state().program = Program::Ends;
        self
    }

    /// How many changes were made.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.state().done
    }

    /// How many of the changes were waits for the medium.
    #[must_use]
    pub fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// Whether the power went away.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.state().cut
    }

    fn sync(&self) -> io::Result<()> {
        self.change(|| Ok(()), || {})?;
        self.state().syncs += 1;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out `change`, or `half` of it when the power goes away now.
    fn change<T>(&self, change: impl FnOnce() -> io::Result<T>, half: impl FnOnce()) -> io::Result<T> {
        let mut state = self.state();
        if state.cut {
            return refuse(state);
        }
        if state.left == 0 {
            state.cut = true;
            half();
            for path in &state.unsynced {
                if path.is_file() {
                    std::fs::write(path, b"")?;
                }
            }
            return refuse(state);
        }
        state.left -= 1;
        state.done += 1;
        drop(state);
        change()
    }
}

fn refuse<T>(state: MutexGuard<'_, State>) -> io::Result<T> {
    let program = state.program;
    drop(state);
    match program {
        Program::SeesErrors => Err(io::Error::other("the power was cut")),
        Program::Ends => std::panic::resume_unwind(Box::new(PowerCut)),
    }
}

struct CutFile {
    file: Box<dyn NewFile>,
    path: PathBuf,
    fs: CutFs,
}

impl Write for CutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { file, fs, .. } = self;
        let half = bytes.len() / 2;
        // Both closures write, only one of them runs.
        let file = std::cell::RefCell::new(file);
        fs.change(
            || file.borrow_mut().write_all(bytes).map(|()| bytes.len()),
            || drop(file.borrow_mut().write_all(&bytes[..half])),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for CutFile {
    fn sync(&mut self) -> io::Result<()> {
        self.fs.sync()?;
        self.fs.state().unsynced.remove(&self.path);
        Ok(())
    }
}

impl Fs for CutFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        SystemFs.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        SystemFs.open(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        SystemFs.kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        SystemFs.list(dir)
    }

    fn read_link(&self, link: &Path) -> io::Result<PathBuf> {
        SystemFs.read_link(link)
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile>> {
        let file = self.change(|| SystemFs.create(path, mode), || {})?;
        self.state().unsynced.insert(path.to_owned());
        Ok(Box::new(CutFile { file, path: path.to_owned(), fs: self.clone() }))
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.change(|| SystemFs.make_dir(path, mode), || {})
    }

    fn make_link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.change(|| SystemFs.make_link(target, link), || {})
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|| SystemFs.rename(from, to), || {})?;
        let mut state = self.state();
        state.unsynced = std::mem::take(&mut state.unsynced)
            .into_iter()
            .map(|path| match path.strip_prefix(from) {
                Ok(below) if below.as_os_str().is_empty() => to.to_owned(),
                Ok(below) => to.join(below),
                Err(_) => path,
            })
            .collect();
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(|| SystemFs.remove_file(path), || {})
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        self.change(|| SystemFs.remove_tree(dir), || remove_half(dir))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|| SystemFs.remove_dir(dir), || {})
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self, _dir: &Path) -> io::Result<()> {
        self.sync()?;
        self.state().unsynced.clear();
        Ok(())
    }

    fn read_regular(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        SystemFs.read_regular(path, limit)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let pretended = self.state().free;
        pretended.map_or_else(|| SystemFs.free_bytes(path), Ok)
    }

    fn free_files(&self, path: &Path) -> io::Result<u64> {
        let pretended = self.state().free_files;
        pretended.map_or_else(|| SystemFs.free_files(path), Ok)
    }
}

/// Every other file below `dir`, as a removal that did not get to its end.
fn remove_half(dir: &Path) {
    for (index, entry) in SystemFs.list(dir).unwrap_or_default().into_iter().enumerate() {
        let path = dir.join(entry.name);
        match entry.kind {
            Kind::Directory => remove_half(&path),
            _ if index % 2 == 0 => drop(std::fs::remove_file(&path)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swap;

    #[test]
    fn a_replaced_file_is_old_or_new_at_every_cut() {
        let run = |fs: &CutFs| {
            let dir = tempfile::tempdir().expect("temporary directory");
            let path = dir.path().join("file");
            std::fs::write(&path, b"old").expect("written");
            let result = swap::replace_file(fs, &path, b"new", 0o600);
            (result, std::fs::read(&path).expect("there at every moment"))
        };
        let counting = CutFs::counting();
        assert_eq!(run(&counting).1, b"new");
        assert!(counting.changes() >= 5, "create, write, sync, rename, sync of the directory");
        let outcomes: Vec<_> = (0..counting.changes())
            .map(|n| {
                let fs = CutFs::after(n);
                let (result, content) = run(&fs);
                assert!(result.is_err() && fs.was_cut(), "cut {n}");
                content
            })
            .collect();
        assert!(outcomes.iter().all(|content| content == b"old" || content == b"new"), "{outcomes:?}");
    }

    #[test]
    fn a_program_that_ends_does_nothing_after_the_cut() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let fs = CutFs::after(1).ending();
        let make = |name: &str| fs.make_dir(&dir.path().join(name), 0o700);
        make("one").expect("before the cut");
        for name in ["two", "three"] {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make(name)));
            assert!(ended.expect_err("it ends").is::<PowerCut>());
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 1);
    }

    #[test]
    fn a_rename_before_the_sync_loses_the_content() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (new, path) = (dir.path().join("new"), dir.path().join("file"));
        let fs = CutFs::after(3);
        let mut file = fs.create(&new, 0o600).expect("first");
        file.write_all(b"content").expect("second");
        fs.rename(&new, &path).expect("third");
        fs.sync_dir(dir.path()).expect_err("cut");
        assert_eq!(std::fs::read(&path).expect("renamed"), b"", "this is what a forgotten sync costs");
    }
}

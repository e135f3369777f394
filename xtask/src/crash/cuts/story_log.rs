//! From the lines of a record to what a medium is asked to do, and what it promises.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::explore::record::{Bytes, Line, Look};

use super::medium::{Change, Inode, Kind, Medium, SECTOR};
use super::tree::{PERSISTENT, relative};

/// One step of a record.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Something that lands, now or later or never. Several where one write makes several.
    Make(Vec<Change>),
    /// What is durable from here on.
    Settle(Settle),
}

/// What a sync is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settle {
    /// Size and bytes of a file.
    File(Inode),
    /// Names of a directory.
    Names(Inode),
    /// All files and names.
    Files,
    /// Table and partitions.
    Disk,
}

impl Settle {
    /// Whether it makes a change durable.
    pub(super) fn covers(self, change: &Change) -> bool {
        match (self, change) {
            (Self::File(file), Change::Size(inode, _) | Change::Bytes(inode, ..)) => file == *inode,
            (Self::Names(dir), Change::Names(names)) => names.iter().any(|(at, ..)| *at == dir),
            (Self::Files, Change::Names(_) | Change::Size(..) | Change::Bytes(..))
            | (Self::Disk, Change::Sector(..) | Change::Image(..)) => true,
            (Self::File(_) | Self::Names(_) | Self::Files | Self::Disk, _) => false,
        }
    }
}

/// A step, and how a person would call it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) step: Step,
    pub(super) name: String,
}

/// Where the record's disk ends, and what its partitions are: begin and length of each image.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) host: PathBuf,
    pub(super) images: Vec<(u64, u64)>,
}

/// Everything that was done in a story, and the medium at its end if all of it lands.
#[derive(Clone)]
pub(super) struct Read {
    pub(super) steps: Vec<Told>,
    pub(super) kinds: Vec<Kind>,
    pub(super) end: Medium,
    pub(super) looks: Vec<(Look, String)>,
}

/// Reads a record that begins with `base`.
pub(super) fn read(
    lines: &[Line],
    data: &[u8],
    base: &Medium,
    kinds: Vec<Kind>,
    places: &Places,
) -> Result<Read, String> {
    let (steps, looks) = (Vec::new(), Vec::new());
    let mut reader = Reader {
        data,
        places,
        inodes: HashMap::new(),
        read: Read { steps, kinds, end: base.clone(), looks },
    };
    for line in lines {
        reader.line(line).map_err(|why| format!("{line:?}: {why}"))?;
    }
    let mut pending: Vec<&Change> = Vec::new();
    for told in &reader.read.steps {
        if let Step::Make(changes) = &told.step {
            pending.extend(changes.iter().filter(|change| matches!(change, Change::Image(..))));
        }
    }
    reader.read.end.apply_images(&pending);
    Ok(reader.read)
}

struct Reader<'a> {
    data: &'a [u8],
    places: &'a Places,
    /// Files by the inode that the machine gave them.
    inodes: HashMap<u64, Inode>,
    read: Read,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Create { path, inode, mode } => {
                // An inode may have been another file's before.
                self.inodes.remove(inode);
                let Some(path) = self.persistent(path) else { return Ok(()) };
                let made = self.name(&path, Some(Kind::File { mode: *mode }))?;
                self.inodes.insert(*inode, made);
            }
            Line::Write { inode, at, bytes } => {
                let Some(&file) = self.inodes.get(inode) else { return Ok(()) };
                let at = usize::try_from(*at).map_err(|error| error.to_string())?;
                let bytes = self.bytes(*bytes);
                let size = Change::Size(file, at + bytes.len());
                self.make("write", vec![size, Change::Bytes(file, at, bytes)]);
            }
            Line::Sync { inode, path } => {
                let Some(&file) = self.inodes.get(inode) else { return Ok(()) };
                self.settle(Settle::File(file), format!("sync of {}", self.shown(path)));
            }
            Line::MakeDir { path, mode } => {
                let Some(path) = self.persistent(path) else { return Ok(()) };
                self.name(&path, Some(Kind::Dir { mode: *mode }))?;
            }
            Line::MakeLink { target, path } => {
                let Some(path) = self.persistent(path) else { return Ok(()) };
                let target = relative(&self.places.host, target);
                self.name(&path, Some(Kind::Link { target }))?;
            }
            Line::Rename { from, to } => {
                let (Some(from), Some(to)) = (self.persistent(from), self.persistent(to)) else {
                    return Ok(());
                };
                let inode = self.read.end.find(&self.real(&from)?).ok_or("there is no such name")?;
                let (old, new) = (self.place(&from)?, self.place(&to)?);
                let names = vec![(old.0, old.1, None), (new.0, new.1, Some(inode))];
                self.make(&format!("rename of {}", plain(&to)), vec![Change::Names(names)]);
            }
            Line::Remove { path } | Line::RemoveDir { path } => {
                let Some(path) = self.persistent(path) else { return Ok(()) };
                self.name(&path, None)?;
            }
            Line::SyncDir { path } => {
                let Some(path) = self.persistent(path) else { return Ok(()) };
                let real = self.tree().resolve(&path, true).ok_or("there is no such directory")?;
                let dir = self.read.end.find(&real).ok_or("there is no such directory")?;
                self.settle(Settle::Names(dir), format!("sync of {}", plain(&path)));
            }
            Line::SyncAll { .. } => self.settle(Settle::Files, "sync of the file system".to_owned()),
            Line::DiskWrite { at, bytes, .. } => self.disk_write(*at, *bytes)?,
            Line::DiskSync { .. } => self.settle(Settle::Disk, "sync of the disk".to_owned()),
            Line::Look { what, path } => {
                if let Some(path) = self.persistent(path) {
                    self.read.looks.push((*what, path));
                }
            }
        }
        Ok(())
    }

    fn disk_write(&mut self, at: u64, bytes: Bytes) -> Result<(), String> {
        let bytes = self.bytes(bytes);
        let inside = |(start, len): &(u64, u64)| at >= *start && at + bytes.len() as u64 <= start + len;
        if let Some(place) = self.places.images.iter().position(inside) {
            let from =
                usize::try_from(at - self.places.images[place].0).map_err(|error| error.to_string())?;
            self.make("write of an image", vec![Change::Image(place, from, bytes)]);
            return Ok(());
        }
        if !at.is_multiple_of(SECTOR as u64) || !bytes.len().is_multiple_of(SECTOR) {
            return Err("it is neither within a partition of a set nor whole sectors".to_owned());
        }
        let sectors = (0..)
            .zip(bytes.chunks(SECTOR))
            .map(|(index, sector): (u64, _)| Change::Sector(at + index * SECTOR as u64, sector.into()));
        let sectors: Vec<Change> = sectors.collect();
        self.make("write of the table", sectors);
        Ok(())
    }

    /// Gives a name a new inode, or none.
    fn name(&mut self, path: &str, kind: Option<Kind>) -> Result<Inode, String> {
        let (dir, name) = self.place(path)?;
        let inode = self.read.kinds.len();
        let verb = if kind.is_some() { "making" } else { "removal" };
        let names = vec![(dir, name, kind.is_some().then_some(inode))];
        if let Some(kind) = kind {
            self.read.end.begin(inode, &kind);
            self.read.kinds.push(kind);
        }
        self.make(&format!("{verb} of {}", plain(path)), vec![Change::Names(names)]);
        Ok(inode)
    }

    fn make(&mut self, name: &str, changes: Vec<Change>) {
        let moment = self.read.steps.len() as u64 + 1;
        // Images are judged once, at the end.
        for change in changes.iter().filter(|change| !matches!(change, Change::Image(..))) {
            self.read.end.apply(change, moment);
        }
        self.read.steps.push(Told { step: Step::Make(changes), name: name.to_owned() });
    }

    fn settle(&mut self, settle: Settle, name: String) {
        self.read.steps.push(Told { step: Step::Settle(settle), name });
    }

    /// The directory of a path, and the name in it.
    fn place(&self, path: &str) -> Result<(Inode, String), String> {
        let (dir, name) = path.rsplit_once('/').ok_or("it has no directory")?;
        let dir = self.tree().resolve(dir, true).ok_or("its directory is not there")?;
        let dir = self.read.end.find(&dir).ok_or("its directory is not there")?;
        Ok((dir, name.to_owned()))
    }

    /// A path without links on its way.
    fn real(&self, path: &str) -> Result<String, String> {
        self.tree().resolve(path, false).ok_or_else(|| "there is no such name".to_owned())
    }

    fn tree(&self) -> super::tree::Tree {
        self.read.end.tree(&self.read.kinds)
    }

    fn bytes(&self, bytes: Bytes) -> Arc<[u8]> {
        let place = |number| usize::try_from(number).expect("a record fits into memory");
        self.data[place(bytes.from)..place(bytes.from + bytes.len)].into()
    }

    /// A path from the host's root, if it lies on the persistent partition.
    fn persistent(&self, path: &Path) -> Option<String> {
        let path = path.strip_prefix(&self.places.host).ok()?;
        path.starts_with(PERSISTENT).then(|| path.to_string_lossy().into_owned())
    }

    fn shown(&self, path: &Path) -> String {
        self.persistent(path).map_or_else(|| path.display().to_string(), |path| plain(&path))
    }
}

/// How many letters and digits at least a name has that is drawn by chance.
const DRAWN: usize = 16;

fn drawn(piece: &str) -> bool {
    piece.len() >= DRAWN && piece.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a name has a piece that is drawn by chance. The digest of what a file holds is as long, and the same each time.
pub(super) fn is_drawn(name: &str) -> bool {
    let digest =
        |piece: &str| [64, 128].contains(&piece.len()) && piece.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|piece| drawn(piece) && !digest(piece))
}

/// A path without what is drawn by chance: one name for the same thing in each run.
pub(super) fn plain(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for piece in path.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (word, end) = match piece.char_indices().next_back() {
            Some((at, last)) if !last.is_ascii_alphanumeric() => piece.split_at(at),
            _ => (piece, ""),
        };
        plain.push_str(if drawn(word) { "*" } else { word });
        plain.push_str(end);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_digest_in_it_is_looked_for_in_each_run_and_counts_where_it_is_missing() {
        let digest = "74559631dba1b29389e7be769f1fc0e3068168a941cce0cfabebf360eb761bc8";
        for (name, expected) in [
            (format!("{digest}.manifest.json"), false),
            (format!("{digest}{digest}.root.lz4"), false),
            ("v1.1.0_Zk3p0bqXw81LmR7a".to_owned(), true),
            ("timestamp.json".to_owned(), false),
        ] {
            assert_eq!(is_drawn(&name), expected, "{name}");
        }
    }

    #[test]
    fn only_what_is_drawn_is_left_out_of_a_name() {
        for (path, expected) in [
            ("var/lib/datastore/v1.1.0_Zk3p0bqXw81LmR7a/live", "var/lib/datastore/v1.1.0_*/live"),
            ("var/lib/bottlerocket-migrations", "var/lib/bottlerocket-migrations"),
        ] {
            assert_eq!(plain(path), expected);
        }
    }
}

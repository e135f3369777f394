//! What becomes of a state on a host: the simulated firmware picks, verity checks, and the real programs do the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::explore::record::{Line, Look, Record};
use testdata::{DiskImage, Host, HostOptions};
use verity::RootHash;

use super::going::{Came, Mishap, Seen, Typed, go_on, is_held, look};
use super::insisting::Lost;
use super::medium::{Disk, Partition};
use super::published::{Class, IMAGES, Published};
use super::story_log::{Places, is_drawn};
use super::tree::{Hash, Hasher, PERSISTENT, Tree, delta};

/// A host that is off, as a value.
#[derive(Debug, Clone)]
pub(super) struct Off {
    pub(super) tree: Tree,
    pub(super) disk: Disk,
    pub(super) disk_len: u64,
    pub(super) spans: Vec<(u64, u64)>,
}

impl Off {
    /// What lies in `dir`.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let disk = DiskImage::at(dir.join("disk.img"));
        let partitions = disk.partitions();
        let found = IMAGES.map(|(set, role)| {
            let label = set.label(role);
            let partition = partitions.iter().find(|partition| partition.label == label);
            partition.map(|found| (found.start, found.len)).ok_or_else(|| io::Error::other(label))
        });
        let spans = found.into_iter().collect::<io::Result<Vec<_>>>()?;
        let images =
            IMAGES.iter().map(|(set, role)| Arc::new(Partition::new(disk.read_all(&set.label(role)))));
        Ok(Self {
            tree: Tree::scan(dir)?,
            disk: Disk {
                tables: Arc::new(disk.tables()),
                sectors: BTreeMap::new(),
                images: images.collect(),
            },
            disk_len: fs::metadata(disk.path())?.len(),
            spans,
        })
    }

    /// Where the parts of its disk are, for a host in `dir`.
    pub(super) fn places(&self, dir: &Path) -> Places {
        Places { host: dir.to_owned(), images: self.spans.clone() }
    }
}

/// A state that a power cut left.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) disk: Disk,
    /// Whether it boots without room on the persistent partition. There is room again once it stands.
    pub(super) full: bool,
    pub(super) classes: Vec<Class>,
    /// Table and images as programs find them: the firmware has mended and paid by then.
    pub(super) found: Hash,
    pub(super) hash: Hash,
}

impl State {
    pub(super) fn new(tree: Tree, disk: Disk, full: bool, published: &Published) -> Self {
        let classes: Vec<Class> =
            disk.images.iter().enumerate().map(|(place, image)| published.class(place, image)).collect();
        let mut state = Self { tree, disk, full, classes, found: 0, hash: 0 };
        state.booted_with(state.disk.table_hash());
        let mut hasher = Hasher::new();
        hasher.add(&state.found.to_le_bytes());
        hasher.add(&state.tree.hash().to_le_bytes());
        state.hash = hasher.end();
        state
    }

    /// Says what the firmware makes of its table: states that differ in what it mends are the same to programs.
    pub(super) fn booted_with(&mut self, table: Hash) {
        let mut hasher = Hasher::new();
        hasher.add(&table.to_le_bytes());
        hasher.add(&[u8::from(self.full)]);
        for class in &self.classes {
            hasher.add(class.to_string().as_bytes());
        }
        self.found = hasher.end();
    }
}

/// Everything that programs looked at.
pub(super) type Looks = BTreeSet<(Look, String)>;

/// A place where states become hosts, one after the other.
pub(super) struct Bench {
    dir: PathBuf,
    record: PathBuf,
    off: Off,
    laid: Vec<Option<Hash>>,
    options: HostOptions,
}

impl Bench {
    /// A place in `dir` for states of the host `off`.
    pub(super) fn new(dir: &Path, off: &Off) -> io::Result<Self> {
        let (host, record) = (dir.join("h"), dir.join("r"));
        fs::create_dir_all(&host)?;
        fs::create_dir_all(&record)?;
        let disk = File::create(host.join("disk.img"))?;
        disk.set_len(off.disk_len)?;
        let options = HostOptions::default();
        Ok(Self { dir: host, record, off: off.clone(), laid: vec![None; IMAGES.len()], options })
    }

    /// The same for states whose roots are of a format that the host does not read: each with a directory that has what lies
    /// in it.
    pub(super) fn with_known_roots(mut self, known_roots: &[(RootHash, PathBuf)]) -> Self {
        self.options.known_roots = known_roots.to_vec();
        self
    }

    /// Makes the host what the state says.
    pub(super) fn lay_out(&mut self, wanted: &Disk, tree: &Tree) -> io::Result<()> {
        tree.lay_out(&self.dir)?;
        let disk = OpenOptions::new().write(true).open(self.dir.join("disk.img"))?;
        for (at, bytes) in wanted.tables.iter() {
            disk.write_all_at(bytes, *at)?;
        }
        for (at, sector) in &wanted.sectors {
            disk.write_all_at(sector, *at)?;
        }
        for (place, image) in wanted.images.iter().enumerate() {
            if self.laid[place] != Some(image.hash) {
                disk.write_all_at(&image.bytes, self.off.spans[place].0)?;
                self.laid[place] = Some(image.hash);
            }
        }
        Ok(())
    }

    /// The disk of the host.
    pub(super) fn disk(&self) -> DiskImage {
        DiskImage::at(self.dir.join("disk.img"))
    }

    /// Lets the state boot and looks at it.
    pub(super) fn look(&mut self, state: &State) -> Result<(Looks, Seen), Box<dyn Error>> {
        let mut host = self.start(state)?;
        let seen = look(&mut host);
        drop(host);
        let lines = Record::at(&self.record).lines()?;
        Ok((self.looks(&lines, &state.tree), seen))
    }

    /// [`Bench::look`], then types what is to be typed, and boots once more.
    pub(super) fn go_on(
        &mut self,
        state: &State,
        mishap: Mishap,
        typed: &[Typed],
        published: &Published,
    ) -> Result<(Looks, Came), Box<dyn Error>> {
        let mut host = self.start(state)?;
        if mishap == Mishap::BootLost {
            let _whichever = host.lose_power_in_boot();
        }
        let record = Record::at(&self.record);
        let seen = look(&mut host);
        let full = match state.full {
            true => Some(record.lines()?.len()),
            false => None,
        };
        record.room().free()?;
        let at_once = seen.booted.set.filter(|_| seen.booted.failed.is_empty());
        let lost = Lost::found(at_once, seen.bits, &state.classes, &state.tree);
        let is_missed = |host: &Host| is_held(host) && lost.is_missed(host, published);
        let mut came = go_on(&mut host, seen, typed, (mishap, &record), is_missed)?;
        came.turn.lines = full.unwrap_or(came.turn.lines);
        drop(host);
        let lines = record.lines()?;
        // What programs wrote to is laid out again next time.
        came.classes.clone_from(&state.classes);
        for place in self.written(&lines) {
            self.laid[place] = None;
            let (set, role) = IMAGES[place];
            came.classes[place] = published.class_of(place, &self.disk().read_all(&set.label(role)));
        }
        came.delta = delta(&state.tree, &Tree::scan(&self.dir)?);
        Ok((self.looks(&lines, &state.tree), came))
    }

    /// The host that is laid out here, as it was when it was off in this state.
    pub(super) fn off(&self, state: &State) -> Off {
        Off { tree: state.tree.clone(), disk: state.disk.clone(), ..self.off.clone() }
    }

    /// Where the host lies.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was done since it was laid out.
    pub(super) fn record(&self) -> Record {
        Record::at(&self.record)
    }

    /// Takes nothing of what lies on its disk for granted any more.
    pub(super) fn unsettle(&mut self) {
        self.laid.fill(None);
    }

    /// Lays a state out. The host is off, and recorded.
    pub(super) fn start(&mut self, state: &State) -> io::Result<Host> {
        self.lay_out(&state.disk, &state.tree)?;
        for name in ["log", "data"] {
            match fs::remove_file(self.record.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let room = Record::at(&self.record).room();
        match state.full {
            true => room.leave(0, &self.dir.join(PERSISTENT))?,
            false => room.free()?,
        }
        let mut host = Host::found_in(&self.dir, self.options.clone());
        host.recorded_in(Some(&self.record));
        Ok(host)
    }

    /// What was looked at on the persistent partition. Names that are drawn anew in each run are never found by chance.
    fn looks(&self, lines: &[Line], tree: &Tree) -> Looks {
        let looks = lines.iter().filter_map(|line| {
            let Line::Look { what, path } = line else { return None };
            let path = path.strip_prefix(&self.dir).ok()?;
            path.starts_with(PERSISTENT).then(|| (*what, path.to_string_lossy().into_owned()))
        });
        looks.filter(|(_, path)| !is_drawn_anew(path, tree)).collect()
    }

    /// The images that programs wrote to.
    fn written(&self, lines: &[Line]) -> BTreeSet<usize> {
        let places = lines.iter().filter_map(|line| {
            let Line::DiskWrite { at, .. } = line else { return None };
            self.off.spans.iter().position(|(start, len)| (*start..start + len).contains(at))
        });
        places.collect()
    }
}

/// Whether a path is not there because of a name in it that was drawn. What is missing below a drawn name that is there
/// was looked for, and counts.
fn is_drawn_anew(path: &str, tree: &Tree) -> bool {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    let missing = ends.map(|end| &path[..end]).find(|above| tree.resolve(above, false).is_none());
    missing.is_some_and(|missing| is_drawn(missing.rsplit('/').next().unwrap_or(missing)))
}

//! What becomes of a state on a host: the simulated firmware picks, verity checks, and the real programs do the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_io::explore::record::{Line, Look, Record};
use serde_json::Value;
use testdata::{BootBits, DiskImage, Host, HostOptions, Ran, Set};
use verity::RootHash;

use super::insisting::Lost;
use super::medium::{Disk, Partition};
use super::published::{Class, IMAGES, Published};
use super::story_log::{Places, is_drawn};
use super::tree::{Hash, Hasher, Node, PERSISTENT, Tree};

/// A command line.
pub(super) type Typed = (&'static str, &'static [&'static str]);

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

/// What becomes of the first start of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boot {
    Uncut,
    /// The power goes away once more when the firmware has picked, and paid.
    LostOnce,
}

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Booted {
    pub(super) version: Option<String>,
    pub(super) set: Option<Set>,
    /// Starts that failed before, or why nothing starts any more.
    pub(super) failed: Vec<String>,
}

/// What was seen of a state that boots.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) booted: Booted,
    pub(super) settings: Value,
    pub(super) status: Value,
    pub(super) bits: [BootBits; 2],
    pub(super) healed: bool,
}

impl Seen {
    /// Whether both are the same; what programs say may have times in it.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self.booted == other.booted && self.settings == other.settings && self.bits == other.bits
    }

    /// What [`Seen::agrees`] is about, as text.
    pub(super) fn shown(&self) -> String {
        let Self { booted, settings, bits, .. } = self;
        format!("{booted:?} {settings} {bits:?}")
    }
}

/// What came of typing something on it, and booting once more.
#[derive(Debug, Clone)]
pub(super) struct Came {
    pub(super) seen: Seen,
    /// What the API says of updates once the boot is marked good and it has looked for one, and the bits then.
    pub(super) api: (Value, [BootBits; 2]),
    /// What was typed, with the exit code and the last words.
    pub(super) typed: Vec<(String, Option<i32>, String)>,
    pub(super) booted: Booted,
    pub(super) settings: Value,
    pub(super) bits: [BootBits; 2],
    pub(super) classes: Vec<Class>,
    /// What differs on the persistent partition after everything.
    pub(super) delta: Delta,
}

impl Came {
    /// The exit code of what was typed last, if that was not only the mark and the check that come before.
    pub(super) fn code(&self) -> Option<i32> {
        self.typed.iter().skip(2).last().and_then(|(_, code, _)| *code)
    }

    /// Whether both came to the same.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let codes = |came: &Self| came.typed.iter().map(|(_, code, _)| *code).collect::<Vec<_>>();
        self.seen.agrees(&other.seen)
            && codes(self) == codes(other)
            && self.booted == other.booted
            && self.settings == other.settings
            && self.bits == other.bits
            && self.classes == other.classes
    }
}

/// Names, and what lies there now.
pub(super) type Delta = Vec<(String, Option<Node>)>;

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
        first: Boot,
        typed: &[Typed],
        published: &Published,
    ) -> Result<(Looks, Came), Box<dyn Error>> {
        let mut host = self.start(state)?;
        if first == Boot::LostOnce {
            let _whichever = host.lose_power_in_boot();
        }
        let record = Record::at(&self.record);
        let seen = look(&mut host);
        record.room().free()?;
        let at_once = seen.booted.set.filter(|_| seen.booted.failed.is_empty());
        let lost = Lost::found(at_once, seen.bits, &state.classes, &state.tree);
        let is_missed = |host: &Host| is_held(host) && lost.is_missed(host, published);
        let mut came = go_on(&mut host, seen, typed, is_missed);
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

fn look(host: &mut Host) -> Seen {
    let booted = boot(host, false);
    let asked = |program, args: &[&str]| match booted.version {
        Some(_) => answer(&host.run(program, args)),
        None => Value::Null,
    };
    Seen {
        settings: asked("apiclient", &["-u", "/settings"]),
        status: asked("updog", &["status", "--json"]),
        bits: bits(host),
        healed: host.disk().whole_tables() == [true, true],
        booted,
    }
}

/// `is_missed` tells of an update whether a release that was lost is newer than what it came to.
fn go_on(host: &mut Host, seen: Seen, typed: &[Typed], is_missed: impl Fn(&Host) -> bool) -> Came {
    let mut all = Vec::new();
    let mut api = (Value::Null, seen.bits);
    if seen.booted.version.is_some() {
        let mut run = |(program, args): Typed| {
            let ran = host.run(program, args);
            let words = if ran.ok() { String::new() } else { ran.complaint() };
            all.push((ran.command.clone(), ran.code(), words));
            // What did not stay up when it was cut off is held; whoever is told so is told how to insist.
            [&ran.stdout, &ran.stderr].iter().any(|words| words.contains("clear-failed"))
        };
        run(("updog", &["confirm-boot"]));
        // A server that was asked for nothing since its start has nothing to say.
        run(("apiclient", &["update", "check"]));
        api = (answer(&host.run("apiclient", &["raw", "-u", "/updates/status"])), bits(host));
        for &command in typed {
            let told = run(command);
            let insists = match command.1.first() {
                // Who only asks is told, and lets nothing go.
                Some(&"check-update") => false,
                // Who wants the newest has nothing new, or an older one meanwhile.
                Some(&"update") => is_missed(host),
                _ => told,
            };
            if insists {
                run(("updog", &["clear-failed"]));
                run(command);
            }
        }
    }
    let booted = if seen.booted.version.is_some() { boot(host, true) } else { seen.booted.clone() };
    let settings = match booted.version {
        Some(_) => answer(&host.run("apiclient", &["-u", "/settings"])),
        None => Value::Null,
    };
    let bits = bits(host);
    Came { seen, api, typed: all, booted, settings, bits, classes: Vec::new(), delta: Delta::new() }
}

/// Whether a release is not taken for what became of it here.
fn is_held(host: &Host) -> bool {
    let status = answer(&host.run("updog", &["status", "--json"]));
    status["held"].as_array().is_some_and(|held| !held.is_empty())
}

/// Whether a path is not there because of a name in it that was drawn. What is missing below a drawn name that is there
/// was looked for, and counts.
fn is_drawn_anew(path: &str, tree: &Tree) -> bool {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    let missing = ends.map(|end| &path[..end]).find(|above| tree.resolve(above, false).is_none());
    missing.is_some_and(|missing| is_drawn(missing.rsplit('/').next().unwrap_or(missing)))
}

/// The bits of both sets; of a disk without a whole copy of its table there are none.
fn bits(host: &Host) -> [BootBits; 2] {
    match host.disk().whole_tables() {
        [false, false] => [BootBits::default(); 2],
        _ => [Set::A, Set::B].map(|set| host.bits(set)),
    }
}

fn boot(host: &mut Host, marked: bool) -> Booted {
    let report = if marked { host.reboot() } else { host.boot_unproven() };
    let failed = report.failed().map(|attempt| format!("{attempt:?}"));
    Booted {
        version: report.booted().and_then(|attempt| attempt.version.clone()),
        set: report.booted().map(|attempt| attempt.set),
        failed: failed.chain(report.stopped.clone()).collect(),
    }
}

/// A program's JSON, or its last words.
fn answer(ran: &Ran) -> Value {
    let json = serde_json::from_str(&ran.stdout).ok().filter(|_| ran.ok());
    json.unwrap_or_else(|| Value::String(ran.complaint()))
}

fn delta(before: &Tree, after: &Tree) -> Delta {
    let gone = before.nodes.keys().filter(|name| !after.nodes.contains_key(*name));
    let mut delta: Delta = gone.map(|name| (name.clone(), None)).collect();
    for (name, node) in &after.nodes {
        if !before.nodes.get(name).is_some_and(|old| old.same(node)) {
            delta.push((name.clone(), Some(node.clone())));
        }
    }
    delta
}

/// A tree after what a run changed of another one in which it saw the same.
pub(super) fn changed(tree: &Tree, delta: &Delta) -> Tree {
    let mut nodes: BTreeMap<String, Node> = tree.nodes.clone();
    for (name, node) in delta {
        match node {
            Some(node) => drop(nodes.insert(name.clone(), node.clone())),
            None => drop(nodes.remove(name)),
        }
    }
    Tree { nodes }
}

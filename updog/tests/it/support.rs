//! What the stories share: a world with an update in it, and a look at everything that must not change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testdata::{BootBits, Host, Ran, Release, Set, World};

/// A host on 1.0.0 that is proven, in a world that offers 1.1.0.
pub(crate) fn offered() -> (World, Host) {
    offered_by(Release::new("1.1.0"))
}

/// A host on 1.0.0 that is proven, in a world that offers `release`.
pub(crate) fn offered_by(release: Release) -> (World, Host) {
    let world = World::new();
    world.publish(release);
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    (world, host)
}

/// A host that was updated once, in a world that offers 1.2.0 now: 1.1.0 runs in set B, proven, and set A still holds
/// 1.0.0, the way back that an update must not take away too early.
pub(crate) fn offered_again() -> (World, Host) {
    offered_again_by(Release::new("1.2.0"))
}

/// [`offered_again`], by `release`, which is a 1.2.0.
pub(crate) fn offered_again_by(release: Release) -> (World, Host) {
    let (world, mut host) = offered();
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    assert!(host.bits(Set::A).successful);
    world.publish(release);
    (world, host)
}

/// The file of a target as the repository serves it: its path, and its content. `end` is how its name ends.
pub(crate) fn served(world: &World, end: &str) -> (String, Vec<u8>) {
    let dir = world.repo_dir().join("targets");
    let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name =
        names.into_iter().find(|name| name.ends_with(end)).unwrap_or_else(|| panic!("no target *{end}"));
    let bytes = fs::read(dir.join(&name)).unwrap();
    (format!("/targets/{name}"), bytes)
}

/// Changes what a host was configured with.
pub(crate) fn reconfigure(host: &Host, change: impl Fn(String) -> String) {
    let path = host.paths().updog_config();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, change(text)).unwrap();
}

/// How a command failed, checked for its form: exit code 1, one sentence and one next step on stderr, and the same in
/// fields as the last line of stdout.
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// The failure of a command that was run with `--json`.
pub(crate) fn failure(ran: &Ran) -> Failure {
    assert_eq!(ran.code(), Some(1), "{ran}");
    let last = ran.stdout.lines().last().unwrap_or_else(|| panic!("nothing on stdout: {ran}"));
    let event: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {ran}"));
    assert_eq!(event["event"], "error", "{ran}");
    let text = |field: &str| {
        event["error"][field].as_str().unwrap_or_else(|| panic!("no {field}: {ran}")).to_owned()
    };
    let (code, message, help) = (text("code"), text("message"), text("help"));
    let mut said = ran.stderr.lines().rev();
    assert_eq!(said.next(), Some(format!("help: {help}").as_str()), "{ran}");
    assert_eq!(said.next(), Some(format!("updog: {message}").as_str()), "{ran}");
    assert!(!said.any(|line| line.starts_with("updog: ") || line.starts_with("help: ")), "said twice: {ran}");
    assert!(message.starts_with("failed to "), "{ran}");
    assert!(!message.contains("panicked"), "{ran}");
    Failure { code, message, help }
}

/// An update that is refused, after which nothing but what is verified has changed, and the host boots as before.
pub(crate) fn refused(host: &mut Host) -> Failure {
    let before = Snapshot::of(host);
    let said = failure(&host.run("updog", &["update", "--json"]));
    before.assert_disk_unchanged(host);
    assert_eq!(host.reboot().version_at_once(), Some("1.0.0"));
    said
}

/// The last event of a command that was run with `--json` and went well.
pub(crate) fn done(ran: &Ran) -> Value {
    assert!(ran.ok(), "{ran}");
    let event: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(event["event"], "done", "{ran}");
    event
}

/// Everything of a host that a refused command leaves as it is.
#[derive(PartialEq, Eq)]
pub(crate) struct Snapshot {
    bits: [BootBits; 2],
    active: Vec<Vec<u8>>,
    inactive: Vec<Vec<u8>>,
    /// The role of a partition of the inactive set that is a swap area meanwhile.
    swap: Option<&'static str>,
    trust: BTreeMap<PathBuf, Vec<u8>>,
    shared: BTreeMap<PathBuf, Vec<u8>>,
}

impl Snapshot {
    pub(crate) fn of(host: &Host) -> Self {
        Self::with_swap(host, None)
    }

    /// The same where a partition of the inactive set, by role, is a swap area: of that the header counts, an image's first
    /// place, as a kernel that is short of memory writes behind it whenever it likes.
    pub(crate) fn with_swap(host: &Host, swap: Option<&'static str>) -> Self {
        const HEADER: usize = 4096;
        let set = host.active_set().expect("it runs");
        let partitions = |set: Set, swap: Option<&str>| {
            let read = |role: &str| {
                let mut bytes = host.disk().read_all(&set.label(role));
                if swap == Some(role) {
                    bytes.truncate(HEADER);
                }
                bytes
            };
            ["BOOT", "ROOT", "HASH"].map(read).to_vec()
        };
        let paths = host.paths();
        let mut shared = tree(&paths.cache());
        shared.extend(tree(&paths.record()));
        // What was tried and refused is told there.
        shared.retain(|path, _| !path.starts_with(paths.history()) && *path != paths.record());
        shared.extend(tree(&paths.datastore()));
        shared.extend(tree(&paths.metadata_cache()));
        shared.extend(tree(&paths.migrations_cache()));
        Self {
            bits: [host.bits(Set::A), host.bits(Set::B)],
            active: partitions(set, None),
            inactive: partitions(set.other(), swap),
            swap,
            trust: tree(&paths.trust()),
            shared,
        }
    }

    /// Nothing changed at all, remembered trust included.
    pub(crate) fn assert_unchanged(&self, host: &Host) {
        let now = Self::with_swap(host, self.swap);
        assert!(self.trust == now.trust, "remembered trust changed");
        self.assert_disk_unchanged(host);
    }

    /// Neither set changed, nor which of them boots.
    pub(crate) fn assert_sets_unchanged(&self, host: &Host) {
        let now = Self::with_swap(host, self.swap);
        assert_eq!(self.bits, now.bits, "boot bits changed");
        assert!(self.active == now.active, "the running set changed");
        assert!(self.inactive == now.inactive, "the other set changed");
    }

    /// Nothing changed but what may be learnt from a repository whose metadata is good.
    pub(crate) fn assert_disk_unchanged(&self, host: &Host) {
        self.assert_sets_unchanged(host);
        let now = Self::with_swap(host, self.swap);
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&self.shared), names(&now.shared), "files came or went");
        assert!(self.shared == now.shared, "what both sets share changed");
    }

    /// Nothing of the running set changed but what lets the other one boot first.
    pub(crate) fn assert_running_set_untouched(&self, host: &Host) {
        assert!(self.active == Self::of(host).active, "the running set changed");
        let active = host.bits(host.active_set().expect("it runs"));
        assert_eq!(active, BootBits { priority: 1, tries: 0, successful: true });
    }

    /// The inactive set is cleared, and the running one is as it was, bits and bytes.
    pub(crate) fn assert_only_cleared(&self, host: &Host) {
        let now = Self::of(host);
        let active = host.active_set().expect("it runs");
        assert_eq!(host.bits(active.other()), BootBits::default(), "the inactive set is not cleared");
        let index = usize::from(active == Set::B);
        assert_eq!(self.bits[index], now.bits[index], "the running set's bits changed");
        assert!(self.active == now.active, "the running set changed");
        let status = host.run("updog", &["status", "--json"]).expect_ok().json();
        // Its HASH partition may still be the one of the old version; its BOOT and ROOT are not.
        assert_eq!(status["inactive"]["valid"], false, "{status}");
        assert_eq!(status["inactive"]["version"], Value::Null, "{status}");
        assert_eq!(status["active"]["next_to_boot"], true, "{status}");
    }
}

/// All files below `dir`, and where links lead.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(kind) = fs::symlink_metadata(&path) else { continue };
        if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            found.insert(path, target.to_string_lossy().into_owned().into_bytes());
        } else if kind.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            found.insert(path, Vec::new());
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

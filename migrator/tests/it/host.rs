//! A host below a directory: a datastore, a cache for its next boot, a disk image with boot bits.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use datastore::links::{self, Chain};
use datastore::store_dir::{self, Contents, Settings};
use datastore::{Datastore, Key, Value};
use host_io::explore::CutFs;
use host_io::{Fs as _, Paths, SystemFs};
use migrator::args::{Args, Request};
use migrator::rehearse::{self, Outlook};
use migrator::{Error, settle};
use semver::Version;
use serde_json::json;
use testdata::staged;
pub(crate) use testdata::staged::Step;
use testdata::{BootBits, DiskImage, Layout, Set};

/// The migrations that tests name, as they are called in the manifest and as they are built.
pub(crate) const RENAME: &str = "migrate_v1.1.0_rename";
pub(crate) const ADD: &str = "migrate_v1.1.0_add";
pub(crate) const MISBEHAVE: &str = "migrate_v1.1.0_misbehave";
pub(crate) const SCRIPT: &str = "migrate_v1.1.0_script";
pub(crate) const STEPS: &str = "migrate_v1.1.0_steps";
/// Migrations without a program of their own.
const LISTS: [(&str, &str); 1] = [(
    STEPS,
    "[[step]]\nkind = \"rename\"\nfrom = \"settings.renamed\"\nto = \"settings.other.name\"\n\
     [[step]]\nkind = \"remove\"\nsettings = [\"settings.old\"]\n\
     [[step]]\nkind = \"add\"\nsettings = [\"settings.added\"]\n",
)];
const PROGRAMS: [(&str, &str); 3] = [
    (RENAME, "migration_that_renames"),
    (ADD, "migration_that_adds"),
    (MISBEHAVE, "migration_that_misbehaves"),
];

pub(crate) struct Host {
    dir: tempfile::TempDir,
    pub(crate) paths: Paths,
}

/// A program that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn expect_ok(&self) {
        assert_eq!(self.code, Some(0), "{}", self.err);
    }

    /// Failed as it must: code 1, one sentence and one next step at the end, each of `words` said.
    pub(crate) fn expect_failure(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.err);
        let lines: Vec<&str> = self.err.lines().collect();
        let [.., sentence, help] = lines[..] else { panic!("two lines at least: {}", self.err) };
        assert!(sentence.starts_with("migrator: failed to "), "{}", self.err);
        assert!(help.starts_with("help: "), "{}", self.err);
        for word in words {
            assert!(sentence.contains(word), "{word:?} in {sentence:?}");
        }
    }
}

/// The program of one migration, from the examples of this crate.
fn program(name: &str) -> Vec<u8> {
    if let Some((_, list)) = LISTS.iter().find(|(listed, _)| *listed == name) {
        // What it stands behind does not matter: migrator takes the steps itself.
        return migration_helpers::declared::pack(b"\x7fELF", list).unwrap();
    }
    if name == SCRIPT {
        return b"#!/bin/sh\nexec cp -r \"$3\" \"$5\"\n".to_vec();
    }
    // All others are one program, which looks at its name.
    let example =
        PROGRAMS.iter().find(|(listed, _)| *listed == name).map_or("migration_that_helps", |(_, file)| file);
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("examples").join(example);
    fs::read(&path).unwrap_or_else(|_| panic!("{} is missing: run `cargo build --examples`", path.display()))
}

pub(crate) fn settings<const N: usize>(pairs: [(&str, Value); N]) -> Settings {
    pairs.into_iter().map(|(name, value)| (Key::parse(name).unwrap(), value)).collect()
}

impl Host {
    /// A host whose settings are of 1.0.0: one that no migration knows, one that is renamed, and a transaction.
    pub(crate) fn new() -> Self {
        let host = Self::without_store();
        let fs = Arc::new(CutFs::counting());
        let mut store = Datastore::create(fs, &host.base(), &Version::new(1, 0, 0)).unwrap();
        store
            .populate(&settings([("settings.kept", json!("mine")), ("settings.renamed", json!("one"))]))
            .unwrap();
        store.set_pending("tx", &settings([("settings.renamed", json!("one"))])).unwrap();
        host
    }

    /// A host whose settings are of 1.0.0, with all of this in them.
    pub(crate) fn with_store(contents: &Contents) -> Self {
        let host = Self::without_store();
        let (fs, base) = (CutFs::counting(), host.base());
        fs::create_dir_all(&base).unwrap();
        let chain = Chain::fresh(&Version::new(1, 0, 0));
        store_dir::write(&fs, &base.join(&chain.data_dir), contents).unwrap();
        links::apply(&fs, &base, &links::plan(None, &chain)).unwrap();
        host
    }

    /// A host on which no store was made yet.
    pub(crate) fn without_store() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path().join("host"));
        fs::create_dir_all(paths.run()).unwrap();
        Self { dir, paths }
    }

    pub(crate) fn base(&self) -> PathBuf {
        self.paths.datastore()
    }

    /// Stages a signed repository with these steps for the next boot, as an update does, and ships its root role.
    /// Its metadata has expired long ago: that must not matter at boot.
    pub(crate) fn stage(&self, steps: &[Step<'_>]) {
        self.stage_without(steps, &[]);
    }

    /// [`Host::stage`] of a repository in which some migrations are not listed.
    pub(crate) fn stage_without(&self, steps: &[Step<'_>], absent: &[&str]) {
        let program = |name: &str| (!absent.contains(&name)).then(|| program(name));
        staged::stage(&self.dir.path().join("repository"), &self.paths, steps, program);
    }

    /// [`Host::stage`] of one step from 1.0.0 to 1.1.0 by a list of steps.
    pub(crate) fn stage_list(&self, name: &str, steps: &str) {
        let list = migration_helpers::declared::pack(b"\x7fELF", steps).unwrap();
        let dir = self.dir.path().join("repository");
        staged::stage(&dir, &self.paths, &[("1.0.0", "1.1.0", &[name])], |_| Some(list.clone()));
    }

    /// Makes the running image one of `version`.
    pub(crate) fn run_version(&self, version: &str) {
        self.put(&self.paths.os_release(), format!("VARIANT_ID=metal\nVERSION_ID={version}\n").as_bytes());
    }

    /// Gives the host a disk: B runs, and whether each set's boot was marked good.
    pub(crate) fn bits(&self, running_proven: bool, other_proven: bool) {
        self.disk(running_proven, other_proven);
    }

    fn disk(&self, running_proven: bool, other_proven: bool) -> DiskImage {
        let path = self.dir.path().join("disk.img");
        let _absent = fs::remove_file(&path);
        let disk = DiskImage::create(&path, &Layout::default(), "host").unwrap();
        disk.set_bits(Set::A, BootBits { priority: 1, tries: 0, successful: other_proven });
        disk.set_bits(Set::B, BootBits { priority: 2, tries: 0, successful: running_proven });
        let config = format!("disk = {:?}\nactive = \"B\"\n", path.display().to_string());
        self.put(&self.paths.signpost_config(), config.as_bytes());
        disk
    }

    /// Lets the boot program have given up the other set, which was good once.
    pub(crate) fn other_is_worn(&self) {
        self.disk(true, true).set_starts(Set::A, 3);
    }

    /// Lets the boot program have put the other set aside in this boot, though it was good once.
    pub(crate) fn other_is_put_aside(&self) {
        use signpost::handover::{ATTRIBUTES, Handover, NAME, VENDOR};
        self.disk(true, true);
        let running = signpost::OsDisk::discover(&self.paths).unwrap().status().unwrap().active().boot.guid;
        let left = Handover {
            boot: running,
            why: signpost::start::Why::Aside,
            detail: "set A (partition 2): it holds nothing".to_owned(),
        };
        let file = format!("sys/firmware/efi/efivars/{NAME}-{VENDOR}");
        let bytes = [&ATTRIBUTES.to_le_bytes()[..], left.to_text().as_bytes()].concat();
        self.put(&self.dir.path().join(file), &bytes);
    }

    /// Gives the image that runs a settings model of these names and types.
    pub(crate) fn model(&self, settings: &[(&str, &str)]) {
        let entry = |(key, kind): &(&str, &str)| format!("[[setting]]\nkey = \"{key}\"\ntype = \"{kind}\"\n");
        let text: String = settings.iter().map(entry).collect();
        self.put(&self.paths.settings_model(), text.as_bytes());
    }

    /// Takes everything away that a migration needs: the cache and the trust anchor.
    pub(crate) fn lose_cache(&self) {
        fs::remove_dir_all(self.paths.cache()).unwrap();
        fs::remove_file(self.paths.metadata_cache()).unwrap();
        fs::remove_file(self.paths.migrations_cache()).unwrap();
        fs::remove_file(self.paths.trusted_root()).unwrap();
    }

    fn put(&self, path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The arguments of the unit that starts `migrator` at boot.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let text = |path: PathBuf| path.display().to_string();
        [
            ("--root", text(self.paths.root().to_owned())),
            ("--datastore-path", text(self.base().join("current"))),
            ("--migration-directory", text(self.paths.migrations_cache())),
            ("--metadata-directory", text(self.paths.metadata_cache())),
            ("--root-path", text(self.paths.trusted_root())),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .chain(["--migrate-to-version-from-os-release".to_owned()])
        .collect()
    }

    /// Boots the image of `version` as far as `migrator`.
    pub(crate) fn boot(&self, version: &str) -> Ran {
        self.boot_with(version, &[])
    }

    pub(crate) fn boot_with(&self, version: &str, more: &[&str]) -> Ran {
        self.run_version(version);
        let output =
            Command::new(env!("CARGO_BIN_EXE_migrator")).args(self.arguments()).args(more).output().unwrap();
        Ran::of(output)
    }

    /// The same within this process, over a file system of the test's choice.
    pub(crate) fn settle(&self, fs: &CutFs, version: &str) -> Result<(), Error> {
        self.run_version(version);
        let request = self.request(&["--migrate-to-version-from-os-release"])?;
        runtime().block_on(settle::settle(Arc::new(fs.clone()), &request))
    }

    /// What a boot of `version` would do, over a file system of the test's choice.
    pub(crate) fn look(&self, fs: &CutFs, version: &str) -> Result<Outlook, Error> {
        let request = self.request(&["--migrate-to-version", version])?;
        runtime().block_on(rehearse::look(Arc::new(fs.clone()), &request))
    }

    fn request(&self, version: &[&str]) -> Result<Request, Error> {
        let mut arguments = self.arguments();
        arguments.pop();
        let arguments = arguments.iter().map(String::as_str).chain(version.iter().copied());
        let mut request = Args::read(std::iter::once("migrator").chain(arguments)).unwrap().request()?;
        request.launcher = env!("CARGO_BIN_EXE_migrator").into();
        Ok(request)
    }

    /// What the API would commit: one setting, live.
    pub(crate) fn set(&self, name: &str, value: Value) {
        let mut store = Datastore::open(Arc::new(CutFs::counting()), &self.base()).unwrap();
        store.set_pending("set", &settings([(name, value)])).unwrap();
        store.commit("set").unwrap();
    }

    /// What the API would commit: one setting is taken away.
    pub(crate) fn unset(&self, name: &str) {
        let mut store = Datastore::open(Arc::new(CutFs::counting()), &self.base()).unwrap();
        let unset = [Key::parse(name).unwrap()].into();
        store.stage("unset", &datastore::Change { unset, ..datastore::Change::default() }).unwrap();
        store.commit("unset").unwrap();
    }

    /// All that the links lead to: the version and everything in the store.
    pub(crate) fn store(&self) -> (String, Contents) {
        let chain = self.chain();
        let contents = store_dir::read(&SystemFs, &self.base().join(chain.data_dir)).unwrap();
        (chain.version.to_string(), contents)
    }

    pub(crate) fn chain(&self) -> Chain {
        links::read(&SystemFs, &self.base()).unwrap().unwrap()
    }

    pub(crate) fn live(&self) -> Settings {
        self.store().1.live
    }

    /// Every file and link below the base, with what it holds: to see that nothing has changed.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(&self.base(), &mut found);
        found
    }

    /// How many stores there are, live and kept.
    pub(crate) fn stores(&self) -> usize {
        SystemFs
            .list(&self.base())
            .unwrap()
            .iter()
            .filter(|entry| entry.kind == host_io::fs::Kind::Directory && !entry.name.starts_with('.'))
            .count()
    }
}

fn collect(dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in SystemFs.list(dir).unwrap() {
        // A server's head start for its next commit: nobody's settings, and whoever wants the room takes it away.
        if entry.name == ".spare" {
            continue;
        }
        let path = dir.join(entry.name);
        match entry.kind {
            host_io::fs::Kind::Directory => {
                found.insert(path.clone(), Vec::new());
                collect(&path, found);
            }
            host_io::fs::Kind::Link => {
                let target = fs::read_link(&path).unwrap();
                found.insert(path, target.into_os_string().into_encoded_bytes());
            }
            _ => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

//! A host with so many settings, and so many migrations staged for its next boot.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use datastore::links::{self, CURRENT, Chain};
use datastore::store_dir::{self, Contents, Settings};
use datastore::{Key, Value};
use host_io::{Paths, SystemFs};
use semver::Version;
use serde_json::json;

use crate::cargo::workspace;

/// A file system in memory, which `/run` is on a host.
const MEMORY: &str = "/dev/shm";
/// What each migration does: to one value of thousands, as migrations do.
const STEPS: &str =
    "[[step]]\nkind = \"replace\"\nsetting = \"settings.mode\"\nold = \"burst\"\nnew = \"iburst\"\n";
const MODEL: &str = "[[setting]]\nkey = \"settings.mode\"\ntype = \"string\"\n\
    [[setting]]\nkey = \"settings.boxes.<id>.source\"\ntype = \"string\"\n\
    [[setting]]\nkey = \"settings.boxes.<id>.enabled\"\ntype = \"boolean\"\n\
    [[setting]]\nkey = \"settings.boxes.<id>.weight\"\ntype = \"integer\"\n\
    [[setting]]\nkey = \"settings.boxes.<id>.command\"\ntype = \"strings\"\n\
    [[setting]]\nkey = \"settings.boxes.<id>.user-data\"\ntype = \"string\"\n";

/// What the migrations are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Programs, made with `migration-helpers`.
    Program,
    /// Lists of steps.
    List,
}

/// A host below a directory. It goes away with this value.
pub(super) struct Host {
    dir: tempfile::TempDir,
    memory: tempfile::TempDir,
    paths: Paths,
    settings: usize,
}

/// A program as it ships.
pub(super) fn release(name: &str) -> PathBuf {
    workspace().join("target/release").join(name)
}

impl Host {
    /// Makes one, in `dir`.
    pub(super) fn make(
        dir: &Path,
        settings: u32,
        migrations: u32,
        form: Form,
    ) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir_in(dir)?;
        let memory = tempfile::tempdir_in(MEMORY)?;
        let root = dir.path().join("host");
        let paths = Paths::under(&root);
        fs::create_dir_all(&root)?;
        symlink(memory.path(), paths.run())?;
        let contents = contents(settings)?;
        let host = Self { dir, memory, paths, settings: contents.live.len() };
        host.put(&host.paths.os_release(), "VARIANT_ID=metal\nVERSION_ID=1.1.0\n")?;
        host.put(&host.paths.settings_model(), MODEL)?;
        let base = host.paths.datastore();
        fs::create_dir_all(&base)?;
        let chain = Chain::fresh(&Version::new(1, 0, 0));
        store_dir::write(&SystemFs, &base.join(&chain.data_dir), &contents)?;
        links::apply(&SystemFs, &base, &links::plan(None, &chain))?;
        let program = match form {
            Form::Program => fs::read(release("examples/migration_that_replaces"))?,
            Form::List => {
                migration_helpers::declared::pack(&fs::read(release("declared-migration"))?, STEPS)?
            }
        };
        let names: Vec<String> = (1..=migrations).map(|n| format!("migrate_v1.1.0_{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        testdata::staged::stage(
            &host.dir.path().join("repository"),
            &host.paths,
            &[("1.0.0", "1.1.0", &names)],
            |_| Some(program.clone()),
        );
        // What was written here is not to be waited for by what is measured.
        rustix::fs::syncfs(fs::File::open(&base)?)?;
        Ok(host)
    }

    /// The arguments of the unit that starts `migrator` at boot.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        vec!["--root".into(), self.paths.root().into(), "--log-level".into(), "warn".into()]
    }

    /// The store that the links lead to.
    pub(super) fn live(&self) -> Result<PathBuf, Box<dyn Error>> {
        Ok(self.paths.datastore().join(CURRENT).canonicalize()?)
    }

    /// Where there is no store yet.
    pub(super) fn store_beside(&self) -> PathBuf {
        self.paths.datastore().join("plain")
    }

    /// That the migrations did what they are for, and left nothing in memory.
    pub(super) fn expect_carried(&self, store: &Path) -> Result<(), Box<dyn Error>> {
        let (live, _) = store_dir::read_live(&SystemFs, store)?;
        let mode = live.get(&Key::parse("settings.mode")?);
        if live.len() != self.settings || mode != Some(&json!("iburst")) {
            return Err(
                format!("{} has {} settings, the mode is {mode:?}", store.display(), live.len()).into()
            );
        }
        match fs::read_dir(self.memory.path())?.count() {
            0 => Ok(()),
            left => Err(format!("{left} copies are left in {}", self.memory.path().display()).into()),
        }
    }

    fn put(&self, path: &Path, text: &str) -> std::io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, text)
    }
}

/// So many settings, in groups of five as host containers have them.
fn contents(count: u32) -> Result<Contents, Box<dyn Error>> {
    let mut live = Settings::from([(Key::parse("settings.mode")?, json!("burst"))]);
    for n in 1..count {
        let (name, value): (_, Value) = match n % 5 {
            0 => ("source", json!(format!("registry.example/box:v{n}"))),
            1 => ("enabled", json!(true)),
            2 => ("weight", json!(n)),
            3 => ("command", json!(["run", "--number", n.to_string()])),
            _ => ("user-data", json!("dXNlciBkYXRhIG9mIGEgYm94LCBhcyBwZW9wbGUgd3JpdGUgaXQ=")),
        };
        live.insert(Key::parse(&format!("settings.boxes.b{}.{name}", n / 5))?, value);
    }
    Ok(Contents { live, ..Contents::default() })
}

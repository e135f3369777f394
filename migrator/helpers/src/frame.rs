//! The program around a migration.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use datastore::store_dir::{self, Contents, Metadata, Settings};
use datastore::{Key, Value};
use host_io::{Fs, Host, Paths, SystemFs, SystemHost, report, say};

use crate::args::{Args, Direction};
use crate::error::Error;
use crate::migration::{Migration, MigrationData};

/// Facts of the running system stand below this name; they are no settings.
const OS: &str = "os";

/// The entry in the metadata of a key that a transaction takes away.
const UNSET: &str = "unset";

/// Runs `migration` as the command line says. A migration's `main` is this and nothing else.
///
/// Exit codes: 0 when the target store is whole and durable, 1 when the migration failed, 2 for wrong usage.
#[must_use]
pub fn migrate(mut migration: impl Migration) -> ExitCode {
    let args = match Args::read(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            // Nowhere to say it if this fails too; the exit code says it anyway.
            let _unsaid = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let facts = os_facts();
    ended(transform(&SystemFs, &args, |contents, direction| {
        change(&mut migration, direction, contents, &facts)
    }))
}

/// What a migration's program ends with; what went wrong is said.
#[must_use]
pub fn ended(done: Result<(), Error>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(&report::sentence("migration", &error));
            ExitCode::FAILURE
        }
    }
}

/// Reads the source store, lets `change` change everything in it, and writes the target store.
///
/// # Errors
/// When the source cannot be read, the change fails, or the target is there or cannot be written.
pub fn transform(
    fs: &dyn Fs,
    args: &Args,
    change: impl FnOnce(&mut Contents, Direction) -> Result<(), Error>,
) -> Result<(), Error> {
    // A name alone has no parent to be synced.
    let whole = std::path::absolute(&args.target_datastore).unwrap_or_else(|_| args.target_datastore.clone());
    let (source, target) = (&args.source_datastore, &whole);
    if fs.kind(target).is_ok_and(|kind| kind.is_some()) {
        return Err(Error::TargetExists { path: target.clone() });
    }
    let mut contents =
        store_dir::read(fs, source).map_err(|error| Error::Read { path: source.clone(), source: error })?;
    change(&mut contents, args.direction())?;
    store_dir::write(fs, target, &contents)
        .map_err(|error| Error::Write { path: target.clone(), source: error })
}

/// Lets a migration change the live settings and each transaction in turn.
fn change(
    migration: &mut dyn Migration,
    direction: Direction,
    contents: &mut Contents,
    facts: &BTreeMap<String, Value>,
) -> Result<(), Error> {
    let mut one = |settings: Settings, metadata: Metadata| {
        let mut input = named(settings, metadata);
        input.data.extend(facts.clone());
        let output = match direction {
            Direction::Forward => migration.forward(input),
            Direction::Backward => migration.backward(input),
        }?;
        keyed(output)
    };
    let (live, metadata) = (std::mem::take(&mut contents.live), std::mem::take(&mut contents.metadata));
    (contents.live, contents.metadata) = one(live, metadata)?;
    let transactions: BTreeSet<String> =
        contents.pending.keys().chain(contents.unset.keys()).cloned().collect();
    for name in transactions {
        let (settings, unset) = (contents.pending.remove(&name), contents.unset.remove(&name));
        let (settings, metadata) = one(settings.unwrap_or_default(), marked(unset.unwrap_or_default()))?;
        let unset: BTreeSet<Key> = metadata
            .into_iter()
            .filter(|(key, entries)| entries.contains_key(UNSET) && !settings.contains_key(key))
            .map(|(key, _)| key)
            .collect();
        if !settings.is_empty() {
            contents.pending.insert(name.clone(), settings);
        }
        if !unset.is_empty() {
            contents.unset.insert(name, unset);
        }
    }
    Ok(())
}

/// What a transaction takes away, as a migration sees it: as on the disk, in the form of metadata. So it follows a
/// setting that gets another name.
fn marked(unset: BTreeSet<Key>) -> Metadata {
    unset.into_iter().map(|key| (key, BTreeMap::from([(UNSET.to_owned(), Value::Bool(true))]))).collect()
}

fn named(settings: Settings, metadata: Metadata) -> MigrationData {
    MigrationData {
        data: settings.into_iter().map(|(key, value)| (key.to_string(), value)).collect(),
        metadata: metadata.into_iter().map(|(key, entries)| (key.to_string(), entries)).collect(),
    }
}

fn keyed(output: MigrationData) -> Result<(Settings, Metadata), Error> {
    let mut settings = Settings::new();
    for (name, value) in output.data {
        let key = Key::parse(&name)?;
        // A fact of the system that ran a migration once is not a setting of the system that reads the store.
        if key.segments()[0] != OS {
            settings.insert(key, value);
        }
    }
    let mut metadata = Metadata::new();
    for (name, entries) in output.metadata {
        if !entries.is_empty() {
            metadata.insert(Key::parse(&name)?, entries);
        }
    }
    Ok((settings, metadata))
}

/// What the running system says of itself, as far as a migration may read it.
fn os_facts() -> BTreeMap<String, Value> {
    let host = SystemHost::new(Paths::system());
    let Ok(release) = host.os_release() else { return BTreeMap::new() };
    [
        ("pretty_name", release.pretty_name),
        ("variant_id", release.variant_id),
        ("version_id", release.version_id.to_string()),
        ("build_id", release.build_id),
        ("arch", host.arch().to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{OS}.{name}"), Value::String(value)))
    .collect()
}

#[cfg(test)]
mod tests {
    use host_io::explore::CutFs;
    use serde_json::json;

    use super::*;

    /// Notes what it sees, and marks what it touches.
    #[derive(Default)]
    struct Witness {
        seen: Vec<MigrationData>,
    }

    impl Migration for Witness {
        fn forward(&mut self, mut input: MigrationData) -> Result<MigrationData, Error> {
            self.seen.push(input.clone());
            input.data.insert("os.variant_id".to_owned(), json!("changed"));
            if let Some(value) = input.data.get_mut("settings.motd") {
                *value = json!("touched");
            }
            Ok(input)
        }

        fn backward(&mut self, mut input: MigrationData) -> Result<MigrationData, Error> {
            input.data.insert("not a key".to_owned(), json!(1));
            Ok(input)
        }
    }

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(name, value)| (Key::parse(name).unwrap(), json!(value))).collect()
    }

    struct Stores {
        dir: tempfile::TempDir,
        contents: Contents,
    }

    impl Stores {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let entries = BTreeMap::from([("affected-services".to_owned(), json!(["login"]))]);
            let contents = Contents {
                live: settings(&[("settings.motd", "one"), ("settings.other", "x")]),
                metadata: Metadata::from([(Key::parse("settings.motd").unwrap(), entries)]),
                pending: BTreeMap::from([
                    ("a".to_owned(), settings(&[("settings.motd", "two")])),
                    ("b".to_owned(), settings(&[("settings.new", "y")])),
                ]),
                ..Contents::default()
            };
            store_dir::write(&CutFs::counting(), &dir.path().join("source"), &contents).unwrap();
            Self { dir, contents }
        }

        fn carry(&self, migration: &mut dyn Migration, direction: Direction) -> Result<Contents, Error> {
            let fs = CutFs::counting();
            let facts = BTreeMap::from([("os.variant_id".to_owned(), json!("metal"))]);
            let (source, target) = (self.dir.path().join("source"), self.dir.path().join("target"));
            let way = if direction == Direction::Forward { "--forward" } else { "--backward" };
            let [from, to] = [&source, &target].map(|path| path.to_str().unwrap());
            let line = ["migration", way, "--source-datastore", from, "--target-datastore", to];
            let args = Args::read(line).unwrap();
            let result =
                transform(&fs, &args, |contents, direction| change(migration, direction, contents, &facts));
            assert_eq!(store_dir::read(&fs, &source).unwrap(), self.contents, "the source is never changed");
            result.map(|()| store_dir::read(&fs, &target).unwrap())
        }
    }

    #[test]
    fn live_settings_and_every_transaction_are_carried_in_turn() {
        let stores = Stores::new();
        let mut witness = Witness::default();
        let target = stores.carry(&mut witness, Direction::Forward).unwrap();
        assert_eq!(target.live, settings(&[("settings.motd", "touched"), ("settings.other", "x")]));
        assert_eq!(target.pending["a"], settings(&[("settings.motd", "touched")]));
        assert_eq!(target.pending["b"], settings(&[("settings.new", "y")]));
        assert_eq!(target.metadata, stores.contents.metadata);

        let [live, a, b] = &witness.seen[..] else { panic!("three calls") };
        assert_eq!(live.metadata["settings.motd"]["affected-services"], json!(["login"]));
        assert!(a.metadata.is_empty() && b.metadata.is_empty());
        assert_eq!(b.data.keys().collect::<Vec<_>>(), ["os.variant_id", "settings.new"]);
    }

    #[test]
    fn what_a_transaction_takes_away_follows_a_new_name_and_comes_back() {
        use crate::helpers::{AddSettings, RemoveSettings, RenameSettings};
        let key = |name: &str| Key::parse(name).unwrap();
        let before = Contents {
            pending: BTreeMap::from([("both".to_owned(), settings(&[("settings.x", "1")]))]),
            unset: BTreeMap::from([
                ("both".to_owned(), [key("settings.old.a"), key("settings.y")].into()),
                ("one".to_owned(), [key("settings.old.a")].into()),
            ]),
            ..Contents::default()
        };
        let carried = |migration: &mut dyn Migration, direction, contents: &Contents| {
            let mut contents = contents.clone();
            change(migration, direction, &mut contents, &BTreeMap::new()).unwrap();
            contents
        };
        let mut rename = RenameSettings(&[("settings.old", "settings.new")]);
        let after = carried(&mut rename, Direction::Forward, &before);
        assert_eq!(after.unset["both"], [key("settings.new.a"), key("settings.y")].into());
        assert_eq!(after.unset["one"], [key("settings.new.a")].into());
        assert_eq!(after.pending, before.pending);
        assert_eq!(carried(&mut rename, Direction::Backward, &after), before);
        // A setting that the other release does not know is not taken away there either.
        let gone = carried(&mut RemoveSettings(&["settings.old.a"]), Direction::Forward, &before);
        assert_eq!(gone.unset, BTreeMap::from([("both".to_owned(), [key("settings.y")].into())]));
        let gone = carried(&mut AddSettings(&["settings.y"]), Direction::Backward, &before);
        assert_eq!(gone.unset["both"], [key("settings.old.a")].into());
    }

    #[test]
    fn facts_of_the_system_are_shown_and_never_stored() {
        let stores = Stores::new();
        let mut witness = Witness::default();
        let target = stores.carry(&mut witness, Direction::Forward).unwrap();
        assert!(witness.seen.iter().all(|data| data.data["os.variant_id"] == json!("metal")));
        let stored = target.live.keys().chain(target.pending.values().flat_map(BTreeMap::keys));
        assert!(!stored.into_iter().any(|key| key.segments()[0] == "os"));
    }

    #[test]
    fn a_migration_that_fails_writes_nothing() {
        let stores = Stores::new();
        let error = stores.carry(&mut Witness::default(), Direction::Backward).unwrap_err();
        assert!(report::chain(&error).contains("\"not a key\""), "{}", report::chain(&error));
        assert!(!stores.dir.path().join("target").exists());
    }

    #[test]
    fn a_target_that_exists_is_not_touched() {
        let stores = Stores::new();
        std::fs::create_dir(stores.dir.path().join("target")).unwrap();
        let error = stores.carry(&mut Witness::default(), Direction::Forward).unwrap_err();
        assert!(matches!(error, Error::TargetExists { .. }), "{error}");
    }
}

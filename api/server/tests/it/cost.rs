//! What one change costs beside many settings: it follows what changes, at the seam to the file system and in what is
//! looked at. And what is not looked at is as it was, whatever changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use apiserver::only::OnlyServer;
use apiserver::owed::Board;
use apiserver::render::Changed;
use apiserver::render::plan::{Plan, Wanted, plan};
use apiserver::render::template::Templates;
use apiserver::store::{self, Store};
use datastore::{Change, Datastore, Key, Value};
use host_io::explore::CutFs;
use host_io::{Paths, SystemFs};
use proptest::prelude::*;
use semver::Version;
use serde_json::json;
use settings_model::Model;

/// The most waits for the medium that a commit may cost.
const SYNCS: usize = 6;

fn image(what: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/usr/share/bottlerocket").join(what)
}

fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

fn model(more: &str) -> Model {
    let dir = tempfile::tempdir().unwrap();
    let mut names: Vec<_> =
        fs::read_dir(image("settings.d")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let shipped: String = names.iter().map(|path| fs::read_to_string(path).unwrap() + "\n").collect();
    let path = dir.path().join("settings.toml");
    fs::write(&path, shipped + more).unwrap();
    Model::load(&SystemFs, &path).unwrap()
}

/// So many settings of host containers that do not run, five of each.
fn containers(count: usize) -> BTreeMap<Key, Value> {
    let entry = |n: usize| {
        let (id, what) = (n / 5, n % 5);
        let of = |what: &str| key(&format!("settings.host-containers.c{id}.{what}"));
        match what {
            0 => (of("enabled"), json!(false)),
            1 => (of("source"), json!(format!("registry/{id}"))),
            2 => (of("superpowered"), json!(false)),
            3 => (of("user-data"), json!("aGk=")),
            _ => (of("command"), json!(["sleep", "1"])),
        }
    };
    (0..count).map(entry).collect()
}

/// How many services and instances are made for a change of `name`, beside so many settings.
fn made(name: &str, count: usize) -> usize {
    let mut settings = model("").defaults();
    settings.extend(containers(count));
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&model(""), &settings, &templates(dir.path()), &Changed::These([key(name)].into()));
    assert!(plan.errors.is_empty(), "{:?}", plan.errors);
    plan.made
}

#[test]
fn a_change_looks_at_what_it_concerns_and_not_at_the_thousands_beside_it() {
    for (name, expected) in [
        ("settings.motd", 1),
        ("settings.ntp.time-servers", 1),
        ("settings.host-containers.c1.source", 1),
        ("settings.host-containers.gone.source", 0),
        ("settings.updates.seed", 1),
    ] {
        assert_eq!((made(name, 10), made(name, 5_000)), (expected, expected), "{name}");
    }
}

/// Changes and syncs of commits with the files that are made of them, beside so many settings.
fn costs(count: usize) -> Vec<(usize, usize)> {
    let dir = tempfile::tempdir().unwrap();
    let (paths, base) = (Paths::under(dir.path()), dir.path().join("store"));
    fs::create_dir_all(paths.templates()).unwrap();
    fs::write(paths.templates().join("line"), "{{ settings.motd }}\n").unwrap();
    let text = r#"
[[setting]]
key = "settings.motd"
type = "string"
[[setting]]
key = "settings.box.<id>.v"
type = "string"
[[service]]
name = "line"
settings = ["settings.motd"]
[[service.file]]
path = "/etc/line"
template = "line"
"#;
    let model = Model::parse(text, Path::new("settings.toml")).unwrap();
    let many = (0..count).map(|n| (key(&format!("settings.box.b{n}.v")), json!("x")));
    let many = many.chain([(key("settings.motd"), json!("first"))]).collect();
    Datastore::create(Arc::new(SystemFs), &base, &Version::new(1, 0, 0)).unwrap().populate(&many).unwrap();
    let fs = Arc::new(CutFs::counting());
    let data = Datastore::open(fs.clone(), &base).unwrap();
    let only = OnlyServer::claim(&base).unwrap();
    let store = Store::new(fs.clone(), paths, model, BTreeMap::new(), data, Board::default(), only);
    store.apply().unwrap();
    store.prepare();
    let mut costs = Vec::new();
    for (name, value) in [("settings.motd", "a"), ("settings.box.b0.v", "b"), ("settings.motd", "c")] {
        store
            .change("tx", |_| {
                Ok::<_, store::Error>(Change { set: [(key(name), json!(value))].into(), ..Change::default() })
            })
            .unwrap();
        let before = (fs.changes(), fs.syncs());
        store.commit_and_apply("tx").unwrap();
        costs.push((fs.changes() - before.0, fs.syncs() - before.1));
    }
    costs
}

#[test]
fn a_commit_waits_six_times_at_most_and_costs_the_same_beside_five_thousand_settings() {
    let (few, many) = (costs(10), costs(5_000));
    assert_eq!(few, many);
    // A file that is made of it waits twice more.
    for ((changes, syncs), files) in many.into_iter().zip([1, 0, 1]) {
        assert!(syncs <= SYNCS + 2 * files && changes <= 40, "{changes} changes, {syncs} syncs");
    }
}

/// Services that look across: at what they do not follow, at other entries, at everything, and at nothing.
const ACROSS: &str = r#"
[[service]]
name = "stranger"
settings = ["settings.motd"]
[[service.file]]
path = "/etc/stranger"
template = "stranger"
needs = ["settings.ntp.options"]

[[service]]
name = "neighbours"
settings = ["settings.host-containers"]
each = "settings.host-containers"
[[service.file]]
path = "/etc/neighbours/{id}"
template = "neighbours"
needs = ["source"]

[[service]]
name = "everything"
settings = ["settings.ntp"]
[[service.file]]
path = "/etc/everything"
template = "everything"

[[service]]
name = "nothing"
settings = ["settings.updates", "settings.ntp.options"]
restart = [["true"]]
"#;

/// The templates of an image, and those for [`ACROSS`].
fn templates(dir: &Path) -> Templates<'static> {
    for from in ["templates", "../../../engines/podman/templates"] {
        for entry in fs::read_dir(image(from)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
    }
    for (name, text) in [
        ("stranger", "{{ settings.network[\"https-proxy\"] }} {{ settings.updates.seed }}\n"),
        ("neighbours", "{{ it.source }}{% for id in settings[\"host-containers\"] %} {{ id }}{% endfor %}\n"),
        ("everything", "{% for name, group in settings | dictsort %}{{ name }}={{ group }};{% endfor %}\n"),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    Templates::new(&SystemFs, dir.to_owned())
}

fn by_name(plan: Plan) -> BTreeMap<String, Result<Wanted, String>> {
    let wanted = plan.wanted.into_iter().map(|one| (one.name.clone(), Ok(one)));
    let errors = plan.errors.into_iter().map(|error| (error.service().to_owned(), Err(error.to_string())));
    wanted.chain(errors).collect()
}

fn some_settings() -> impl Strategy<Value = BTreeMap<Key, Value>> {
    let values: Vec<(&str, Vec<Value>)> = vec![
        ("settings.motd", vec![json!("a"), json!("b")]),
        ("settings.ntp.time-servers", vec![json!(["t"]), json!([])]),
        ("settings.ntp.options", vec![json!(["iburst"]), json!(["minpoll 1"])]),
        ("settings.network.https-proxy", vec![json!("p:1"), json!("")]),
        ("settings.network.no-proxy", vec![json!(["a"]), json!(["a\u{1}"])]),
        ("settings.updates.seed", vec![json!(1), json!(2)]),
        ("settings.updates.metadata-base-url", vec![json!("https://a/"), json!("")]),
        ("settings.updates.targets-base-url", vec![json!("https://b/")]),
        ("settings.updates.mirrors.m.metadata-base-url", vec![json!("https://c/")]),
        ("settings.host-containers.a.enabled", vec![json!(true), json!(false)]),
        ("settings.host-containers.a.source", vec![json!("s"), json!("")]),
        ("settings.host-containers.a.user-data", vec![json!("aGk="), json!("eA==")]),
        ("settings.host-containers.b.enabled", vec![json!(true)]),
        ("settings.host-containers.b.source", vec![json!("t")]),
    ];
    let one = |(name, values): (&str, Vec<Value>)| {
        let key = key(name);
        prop::option::weighted(0.7, prop::sample::select(values)).prop_map(move |value| (key.clone(), value))
    };
    values
        .into_iter()
        .map(one)
        .collect::<Vec<_>>()
        .prop_map(|all| all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_a_change_does_not_concern_is_as_it_was(now in some_settings(), then in some_settings(), few in any::<u16>()) {
        // A change of some of what differs.
        let mut after = now.clone();
        let mut changed = BTreeSet::new();
        let differs = now.keys().chain(then.keys()).filter(|key| now.get(*key) != then.get(*key));
        for (index, key) in differs.collect::<BTreeSet<_>>().into_iter().enumerate() {
            if few >> (index % 16) & 1 == 1 {
                changed.insert(key.clone());
                match then.get(key) {
                    Some(value) => drop(after.insert(key.clone(), value.clone())),
                    None => drop(after.remove(key)),
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let templates = templates(dir.path());
        let model = model(ACROSS);
        let before = by_name(plan(&model, &now, &templates, &Changed::Anything));
        let whole = by_name(plan(&model, &after, &templates, &Changed::Anything));
        let own = by_name(plan(&model, &after, &templates, &Changed::These(changed.clone())));
        for (name, one) in &own {
            prop_assert_eq!(whole.get(name), Some(one), "{} with {:?}", name, &changed);
        }
        for (name, one) in &whole {
            if !own.contains_key(name) {
                prop_assert_eq!(before.get(name), Some(one), "{} changed unseen with {:?}", name, &changed);
            }
        }
    }
}

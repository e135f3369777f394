//! What whoever signs the targets role, or a team below it, may do to hosts that look for the manifest of their variant:
//! the attacks of [`crate::tuf`], through the program that installs.
//!
//! Each one either ends with the manifest of all, as no role has another one, or is refused by name.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use testdata::{Host, Ran, VARIANT, World};

use crate::support::{failure, offered};
use crate::tuf::signer::{Key, sha256, signed};

const FAR: &str = "2099-01-01T00:00:00Z";
const PAST: &str = "2020-01-01T00:00:00Z";

/// The metadata of a world while it is being forged.
pub(crate) struct Forger<'a> {
    world: &'a World,
    pub(crate) targets: Value,
    pub(crate) snapshot: Value,
    timestamp: Value,
    pub(crate) roles: BTreeMap<String, (Value, Key)>,
}

impl<'a> Forger<'a> {
    pub(crate) fn of(world: &'a World) -> Self {
        let read = |file: &str| -> Value {
            let bytes = fs::read(world.metadata_dir().join(file)).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()["signed"].take()
        };
        let timestamp = read("timestamp.json");
        let snapshot = read(&format!("{}.snapshot.json", timestamp["meta"]["snapshot.json"]["version"]));
        let targets = read(&format!("{}.targets.json", snapshot["meta"]["targets.json"]["version"]));
        Self { world, targets, snapshot, timestamp, roles: BTreeMap::new() }
    }

    /// Delegates the manifests of variants to a role, after all others that `from` delegates to.
    pub(crate) fn delegate(&mut self, from: &str, to: &str) -> &mut Value {
        if !self.roles.contains_key(to) {
            let role = json!({
                "_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": FAR, "targets": {},
            });
            self.roles.insert(to.to_owned(), (role, Key::ed25519()));
        }
        let (_, key) = &self.roles[to];
        let (id, public) = (key.id.clone(), key.public.clone());
        let role = match from {
            "targets" => &mut self.targets,
            other => &mut self.roles.get_mut(other).unwrap().0,
        };
        if role["delegations"].is_null() {
            role["delegations"] = json!({ "keys": {}, "roles": [] });
        }
        role["delegations"]["keys"][&id] = public;
        let all = role["delegations"]["roles"].as_array_mut().unwrap();
        all.push(json!({
            "name": to, "keyids": [id], "threshold": 1, "terminating": false, "paths": ["manifest-*.json"],
        }));
        all.last_mut().unwrap()
    }

    /// Lists a manifest of the variant in a role, that of all under another name.
    pub(crate) fn list(&mut self, role: &str) {
        let of_all = self.targets["targets"]["manifest.json"].clone();
        let (dir, digest) =
            (self.world.repo_dir().join("targets"), of_all["hashes"]["sha256"].as_str().unwrap());
        let name = format!("manifest-{VARIANT}.json");
        let _len =
            fs::copy(dir.join(format!("{digest}.manifest.json")), dir.join(format!("{digest}.{name}")))
                .unwrap();
        self.roles.get_mut(role).unwrap().0["targets"][name] = of_all;
    }

    fn put(&self, file: &str, role: &Value, key: &Key) -> Value {
        let bytes = serde_json::to_vec(&signed(role, [key])).unwrap();
        fs::write(self.world.metadata_dir().join(file), &bytes).unwrap();
        json!({ "version": role["version"], "length": bytes.len(), "hashes": { "sha256": sha256(&bytes) } })
    }

    /// Signs everything; `last` changes what the snapshot says of the delegated roles.
    pub(crate) fn publish(mut self, last: impl FnOnce(&mut Value)) {
        for (name, (role, key)) in &self.roles {
            let file = format!("1.{}.json", name.replace('/', "%2F"));
            // A name that leads elsewhere is not written elsewhere by us either.
            let meta = self.put(&file, role, key);
            self.snapshot["meta"][format!("{name}.json")] = meta;
        }
        last(&mut self.snapshot["meta"]);
        let key = |name: &str| {
            Key::of_pem(&fs::read_to_string(self.world.keys_dir().join(format!("{name}.pem"))).unwrap())
        };
        for role in [&mut self.targets, &mut self.snapshot, &mut self.timestamp] {
            role["version"] = json!(role["version"].as_u64().unwrap() + 1);
        }
        let file = format!("{}.targets.json", self.targets["version"]);
        self.snapshot["meta"]["targets.json"] = self.put(&file, &self.targets, &key("targets"));
        let file = format!("{}.snapshot.json", self.snapshot["version"]);
        self.timestamp["meta"] =
            json!({ "snapshot.json": self.put(&file, &self.snapshot, &key("snapshot")) });
        let _meta = self.put("timestamp.json", &self.timestamp, &key("timestamp"));
    }
}

/// Looks for an update, and gives the delegated roles that were asked for.
fn check(world: &World, host: &Host) -> (Ran, Vec<String>) {
    world.server().clear_log();
    let ran = host.run("updog", &["check-update", "--json"]);
    let file = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let asked = world.server().requests().iter().map(|request| file(request.path_only())).collect::<Vec<_>>();
    let top = |file: &String| {
        ["root.json", "timestamp.json", "snapshot.json", "targets.json"].iter().any(|top| file.ends_with(top))
    };
    let asked =
        asked.into_iter().filter(|file| !top(file) && file.starts_with("1.") && file.ends_with(".json"));
    (ran, asked.collect())
}

/// Asserts that the host goes by the manifest of all, and which roles it asked for on its way.
fn goes_on(world: &World, host: &Host, asked: &[&str]) {
    let (ran, found) = check(world, host);
    assert!(ran.ok() && ran.stdout.contains("1.1.0"), "{ran}");
    assert_eq!(found, asked);
}

/// Asserts that nothing is offered, why, and which roles were asked for.
fn refused(world: &World, host: &Host, code: &str, says: &str, asked: &[&str]) {
    let (ran, found) = check(world, host);
    let said = failure(&ran);
    assert_eq!(said.code, code, "{}", said.message);
    assert!(said.message.contains(says), "{says:?} is not in {}", said.message);
    assert_eq!(found, asked, "{}", said.message);
}

#[test]
fn delegation_loop_or_a_role_that_is_its_own_delegator_ends_with_the_manifest_of_all() {
    let (world, host) = offered();
    let mut forger = Forger::of(&world);
    for (from, to) in [("targets", "A"), ("A", "A"), ("A", "B"), ("B", "A")] {
        forger.delegate(from, to);
    }
    forger.publish(|_| {});
    goes_on(&world, &host, &["1.A.json", "1.B.json"]);
}

#[test]
fn ten_thousand_delegated_roles_cost_a_host_nothing_that_it_does_not_need() {
    let (world, host) = offered();
    let mut forger = Forger::of(&world);
    let one = forger.delegate("targets", "bin")["keyids"].clone();
    let all = forger.targets["delegations"]["roles"].as_array_mut().unwrap();
    all.clear();
    all.extend((0..10_000).map(|number| {
        json!({ "name": format!("bin-{number}"), "keyids": one, "threshold": 1, "terminating": false, "paths": [format!("bin-{number}-*")] })
    }));
    forger.publish(|meta| {
        for number in 0..10_000 {
            meta[format!("bin-{number}.json")] = json!({ "version": 1 });
        }
    });
    goes_on(&world, &host, &[]);
}

#[test]
fn depth_bomb_is_refused_after_32_roles_and_not_taken_for_a_team_without_a_manifest() {
    let (world, host) = offered();
    let mut forger = Forger::of(&world);
    for number in 0..40 {
        let above = if number == 0 { "targets".to_owned() } else { format!("deep-{:02}", number - 1) };
        forger.delegate(&above, &format!("deep-{number:02}"));
    }
    forger.publish(|_| {});
    let (ran, asked) = check(&world, &host);
    let said = failure(&ran);
    assert!(said.message.contains("32 delegated roles may have it and do not list it"), "{}", said.message);
    assert_eq!(asked.len(), 32);
}

#[test]
fn two_roles_of_one_name_count_under_the_delegator_that_a_host_came_through() {
    let (world, host) = offered();
    let mut forger = Forger::of(&world);
    forger.delegate("targets", "A");
    forger.delegate("targets", "B");
    forger.delegate("B", "C");
    forger.list("C");
    // A means another holder by the same name.
    let other = Key::ed25519();
    let id = other.id.clone();
    let role = forger.delegate("A", "C");
    role["keyids"] = json!([id]);
    forger.roles.get_mut("A").unwrap().0["delegations"]["keys"][&id] = other.public.clone();
    forger.publish(|_| {});
    refused(
        &world,
        &host,
        "untrusted",
        "the delegated role \"C\" is not signed as A asks for",
        &["1.A.json", "1.C.json"],
    );
}

#[test]
fn role_named_like_a_top_level_one_or_like_nothing_is_refused_by_a_host() {
    for name in ["root", "snapshot", ""] {
        let (world, host) = offered();
        let mut forger = Forger::of(&world);
        forger.delegate("targets", "posing")["name"] = json!(name);
        forger.publish(|meta| meta[format!("{name}.json")] = json!({ "version": 1 }));
        refused(&world, &host, "untrusted", &format!("a delegated role calls itself {name:?}"), &[]);
    }
}

#[test]
fn role_whose_name_leads_elsewhere_leads_a_host_nowhere() {
    for (name, asked) in [("../x", "1...%2Fx.json"), ("a/b", "1.a%2Fb.json")] {
        let (world, host) = offered();
        let mut forger = Forger::of(&world);
        forger.delegate("targets", name);
        forger.publish(|_| {});
        let trust = host.paths().trust();
        let beside = |dir: &std::path::Path| fs::read_dir(dir).map_or(0, Iterator::count);
        let before = beside(trust.parent().unwrap());
        let (_, found) = check(&world, &host);
        assert_eq!(found, [asked], "{name}");
        let after = beside(trust.parent().unwrap());
        assert!(after <= before + 1, "only the directory of trust is new: {name}");
        assert!(!trust.join("x.json").exists() && !trust.join("../x.json").exists());
    }
}

#[test]
fn terminating_role_that_lacks_the_manifest_ends_the_search_although_the_next_has_it() {
    let (world, host) = offered();
    let mut forger = Forger::of(&world);
    forger.delegate("targets", "A")["terminating"] = json!(true);
    forger.delegate("targets", "B");
    forger.list("B");
    forger.publish(|_| {});
    goes_on(&world, &host, &["1.A.json"]);
}

#[test]
fn expired_first_role_ends_the_search_of_a_host_although_the_second_is_willing() {
    let (world, host) = offered();
    let mut forger = Forger::of(&world);
    forger.delegate("targets", "A");
    forger.delegate("targets", "B");
    forger.list("B");
    forger.roles.get_mut("A").unwrap().0["expires"] = json!(PAST);
    forger.publish(|_| {});
    refused(&world, &host, "expired", "its A metadata expired", &["1.A.json"]);
}

#[test]
fn snapshot_that_lacks_a_role_or_names_one_digest_of_two_wrongly_is_refused_by_a_host() {
    type Lie = fn(&mut Value);
    let rows: [(Lie, &str, &[&str]); 3] = [
        (
            |meta| drop(meta.as_object_mut().unwrap().remove("A.json")),
            "does not name the delegated role \"A\"",
            &[],
        ),
        (|meta| meta["A.json"]["hashes"]["sha512"] = json!("00".repeat(64)), "SHA-512", &["1.A.json"]),
        (|meta| meta["A.json"]["hashes"]["sha256"] = json!("00".repeat(32)), "SHA-256", &["1.A.json"]),
    ];
    for (lie, says, asked) in rows {
        let (world, host) = offered();
        let mut forger = Forger::of(&world);
        forger.delegate("targets", "A");
        forger.list("A");
        forger.publish(lie);
        refused(&world, &host, "untrusted", says, asked);
    }
}

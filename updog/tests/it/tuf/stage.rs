//! A repository that can be made wrong in every way, and a client of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use testdata::FaultyServer;

use super::signer::{Key, sha256, signed};

const FAR: &str = "2099-01-01T00:00:00Z";
pub(super) const PAST: &str = "2020-01-01T00:00:00Z";
/// The roles below root, in the order of the walk.
pub(super) const BELOW: [&str; 3] = ["timestamp", "snapshot", "targets"];

/// A repository whose roles are plain JSON until they are published, and a client with nothing but its first root.
pub(super) struct Stage {
    dir: TempDir,
    pub(super) server: FaultyServer,
    /// What each role will say when it is published next.
    pub(super) roles: BTreeMap<String, Value>,
    /// Who will sign each role.
    pub(super) signers: BTreeMap<String, Vec<Key>>,
    /// Whether the roles above name digests and lengths, or versions alone.
    pub(super) digests: bool,
}

/// How a command ended.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) stderr: String,
}

impl Stage {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["repo/metadata", "repo/targets", "artifacts"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let server = FaultyServer::start(dir.path().join("repo"));
        let role =
            |kind: &str| json!({ "_type": kind, "spec_version": "1.0.31", "version": 1, "expires": FAR });
        let mut roles: BTreeMap<String, Value> =
            ["root", "timestamp", "snapshot", "targets"].map(|kind| (kind.to_owned(), role(kind))).into();
        let root = roles.get_mut("root").unwrap();
        root["consistent_snapshot"] = json!(true);
        (root["keys"], root["roles"]) = (json!({}), json!({}));
        roles.get_mut("targets").unwrap()["targets"] = json!({});
        roles.get_mut("snapshot").unwrap()["meta"] = json!({});
        let mut stage = Self { dir, server, roles, signers: BTreeMap::new(), digests: true };
        for name in ["root", "timestamp", "snapshot", "targets"] {
            stage.keys(name, 1, vec![Key::ed25519()]);
        }
        stage.publish_root();
        stage.publish();
        stage
    }

    /// From now on these keys count for a role, and sign it. The next root says so.
    pub(super) fn keys(&mut self, role: &str, threshold: u64, keys: Vec<Key>) {
        let root = self.roles.get_mut("root").unwrap();
        for key in &keys {
            root["keys"][&key.id] = key.public.clone();
        }
        let ids: Vec<&String> = keys.iter().map(|key| &key.id).collect();
        root["roles"][role] = json!({ "keyids": ids, "threshold": threshold });
        self.signers.insert(role.to_owned(), keys);
    }

    pub(super) fn role(&mut self, name: &str) -> &mut Value {
        self.roles.get_mut(name).unwrap()
    }

    pub(super) fn set_version(&mut self, role: &str, version: u64) {
        self.role(role)["version"] = json!(version);
    }

    pub(super) fn bump(&mut self, role: &str) {
        let version = self.role(role)["version"].as_u64().unwrap();
        self.set_version(role, version + 1);
    }

    /// What a role says now, signed by its signers.
    pub(super) fn envelope(&self, role: &str) -> Value {
        signed(&self.roles[role], &self.signers[role])
    }

    /// Writes `N.root.json`.
    pub(super) fn publish_root(&mut self) {
        let envelope = self.envelope("root");
        let version = self.roles["root"]["version"].clone();
        self.put(&format!("{version}.root.json"), &envelope);
    }

    pub(super) fn next_root(&mut self) {
        self.bump("root");
        self.publish_root();
    }

    /// Writes the roles below root, each naming the one below.
    pub(super) fn publish(&mut self) {
        let delegated: Vec<String> = self
            .roles
            .keys()
            .filter(|name| !["root", "timestamp", "snapshot"].contains(&name.as_str()))
            .cloned()
            .collect();
        for name in delegated {
            let meta = self.put_role(&name);
            self.role("snapshot")["meta"][format!("{name}.json")] = meta;
        }
        let meta = self.put_role("snapshot");
        self.role("timestamp")["meta"] = json!({ "snapshot.json": meta });
        let _ = self.put_role("timestamp");
    }

    /// The next version of the roles below root.
    pub(super) fn publish_next(&mut self) {
        BELOW.into_iter().for_each(|role| self.bump(role));
        self.publish();
    }

    /// Writes a role, and gives what the role above says of it.
    pub(super) fn put_role(&mut self, name: &str) -> Value {
        let envelope = self.envelope(name);
        let version = self.roles[name]["version"].clone();
        let consistent = self.roles["root"]["consistent_snapshot"] == true && name != "timestamp";
        let quoted = name.replace('/', "%2F");
        let file = if consistent { format!("{version}.{quoted}.json") } else { format!("{quoted}.json") };
        let bytes = self.put(&file, &envelope);
        if self.digests {
            json!({ "version": version, "length": bytes.len(), "hashes": { "sha256": sha256(&bytes) } })
        } else {
            json!({ "version": version })
        }
    }

    pub(super) fn put(&self, file: &str, envelope: &Value) -> Vec<u8> {
        let bytes = serde_json::to_vec_pretty(envelope).unwrap();
        fs::write(self.dir.path().join("repo/metadata").join(file), &bytes).unwrap();
        bytes
    }

    pub(super) fn served(&self, file: &str) -> Vec<u8> {
        fs::read(self.dir.path().join("repo/metadata").join(file)).unwrap()
    }

    /// Lists a target in `role`, and writes its bytes to `file` below the targets.
    pub(super) fn target(&mut self, role: &str, name: &str, bytes: &[u8], file: &str) {
        let entry = json!({ "length": bytes.len(), "hashes": { "sha256": sha256(bytes) } });
        self.role(role)["targets"][name] = entry;
        self.put_artifact(file, bytes);
    }

    pub(super) fn put_artifact(&self, file: &str, bytes: &[u8]) {
        let path = self.dir.path().join("repo/targets").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A targets role that `targets` delegates `pattern` to.
    pub(super) fn delegate(&mut self, name: &str, pattern: &str) {
        self.delegate_from("targets", name, &[pattern]);
    }

    /// A targets role that `delegator` delegates `patterns` to, after all others that it delegates to. One that is there
    /// already keeps its key. What the delegator says of it is given, for whoever wants it otherwise.
    pub(super) fn delegate_from(&mut self, delegator: &str, name: &str, patterns: &[&str]) -> &mut Value {
        if !self.roles.contains_key(name) {
            let below = json!({
                "_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": FAR, "targets": {},
            });
            self.roles.insert(name.to_owned(), below);
            self.signers.insert(name.to_owned(), vec![Key::ed25519()]);
        }
        let key = &self.signers[name][0];
        let (id, public) = (key.id.clone(), key.public.clone());
        let delegations = &mut self.role(delegator)["delegations"];
        if delegations.is_null() {
            *delegations = json!({ "keys": {}, "roles": [] });
        }
        delegations["keys"][&id] = public;
        let roles = delegations["roles"].as_array_mut().unwrap();
        roles.push(json!({
            "name": name, "keyids": [id], "threshold": 1, "terminating": false, "paths": patterns,
        }));
        roles.last_mut().unwrap()
    }

    fn run(&self, args: &[&str]) -> Ended {
        let mut command = Command::new(testdata::program("updog"));
        let done =
            command.arg("tuf").arg("--metadata-dir").arg(self.trusted_dir()).args(args).output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        let code = done.status.code().unwrap_or_else(|| panic!("ended by a signal: {stderr}"));
        assert!(code <= 1 && !stderr.contains("panicked"), "{args:?} ended with {code}: {stderr}");
        assert_eq!(code == 1, stderr.contains("failed to "), "{stderr}");
        Ended { code, stderr }
    }

    fn trusted_dir(&self) -> PathBuf {
        self.dir.path().join("client")
    }

    pub(super) fn artifacts(&self) -> PathBuf {
        self.dir.path().join("artifacts")
    }

    pub(super) fn init_with(&self, root: &[u8]) -> Ended {
        let path = self.dir.path().join("trusted-root");
        fs::write(&path, root).unwrap();
        self.run(&["init", path.to_str().unwrap()])
    }

    /// Begins with the first root.
    pub(super) fn init(&self) {
        assert_eq!(self.init_with(&self.served("1.root.json")).code, 0);
    }

    pub(super) fn refresh(&self) -> Ended {
        self.server.clear_log();
        self.run(&["--metadata-url", &self.server.url("metadata"), "refresh"])
    }

    /// A refresh that waits a fifth of a second for the next byte, and as much less for everything else.
    pub(super) fn impatient_refresh(&self) -> Ended {
        self.server.clear_log();
        self.run(&["--patience", "200", "--metadata-url", &self.server.url("metadata"), "refresh"])
    }

    pub(super) fn refreshed(&self) {
        let ended = self.refresh();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }

    /// Asserts that it is refused, for a reason that says `why`.
    pub(super) fn refused(&self, why: &str) {
        let ended = self.refresh();
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains(why), "{why:?} is not in {}", ended.stderr);
    }

    pub(super) fn download(&self, names: &[&str]) -> Ended {
        self.server.clear_log();
        let (metadata, targets) = (self.server.url("metadata/"), self.server.url("targets"));
        let dir = self.artifacts();
        let mut args = vec!["--metadata-url", &metadata, "--target-base-url", &targets];
        args.extend(["--target-dir", dir.to_str().unwrap()]);
        args.extend(names.iter().flat_map(|name| ["--target-name", name]));
        args.push("download");
        self.run(&args)
    }

    /// The delegated roles that the last command asked for, in order.
    pub(super) fn asked_roles(&self) -> Vec<String> {
        let top = ["root", "timestamp", "snapshot", "targets"];
        let files = self.asked().into_iter().filter(|path| !path.starts_with("/targets/"));
        let role = |file: String| {
            let plain = file.trim_end_matches(".json");
            plain.split_once('.').map_or(plain, |(_, name)| name).to_owned()
        };
        files.map(role).filter(|role| !top.contains(&role.as_str())).collect()
    }

    /// What the last command asked for, without the leading folder where that is the metadata's.
    pub(super) fn asked(&self) -> Vec<String> {
        let paths = self.server.requests().into_iter().map(|request| request.path);
        paths.map(|path| path.trim_start_matches("/metadata/").to_owned()).collect()
    }

    /// Every file of the metadata directory with its version. The directory has nothing else.
    pub(super) fn trusted(&self) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.trusted_dir()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let role: Value = serde_json::from_slice(&self.bytes(&name)).unwrap();
            found.push((name, role["signed"]["version"].as_u64().unwrap()));
        }
        found.sort();
        found
    }

    /// Asserts the versions of root, timestamp, snapshot and targets; 0 is a role that is not there.
    pub(super) fn trusts(&self, versions: [u64; 4]) {
        let names = ["root.json", "timestamp.json", "snapshot.json", "targets.json"];
        let mut expected: Vec<(String, u64)> =
            names.iter().zip(versions).filter(|(_, v)| *v > 0).map(|(n, v)| ((*n).to_owned(), v)).collect();
        expected.sort();
        assert_eq!(self.trusted(), expected);
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.trusted_dir().join(name)).unwrap()
    }
}

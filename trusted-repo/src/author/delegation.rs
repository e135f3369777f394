//! A role that the targets role delegates to: a team signs it with keys of its own, for some targets and no others.

use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tough::schema;

use super::Error;
use super::editor::Editor;
use super::keys::PublicKey;
use super::sign::sign_with;
use super::source::{self, KeySource, Sign};
use super::written::{date, meta, targets_role};

use crate::metadata::file_name::TOP_LEVEL;
use crate::metadata::holder::holders;
use crate::metadata::pattern::matches;
use crate::metadata::signed::{Claim, Delegate, Raw};
use crate::metadata::targets::Targets;

/// Targets that no team may list: hosts of Bottlerocket's know no other manifest, and what holds a fleet is said by roles
/// that say nothing else.
const RESERVED: [&str; 2] = ["manifest.json", "hold-"];
/// The one pattern of a role for holds.
const HOLDS: &str = "hold-*.json";

/// Who a role is delegated to, and what for.
#[derive(Debug, Clone)]
pub struct Delegation {
    /// The role's name.
    pub name: String,
    /// Who signs it.
    pub keys: Vec<PublicKey>,
    /// How many of them have to.
    pub threshold: u32,
    /// What it may list.
    pub purpose: Purpose,
    /// Whether no later role is asked for these targets.
    pub terminating: bool,
}

/// What a role is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Targets whose names match one of these patterns.
    Targets(Vec<String>),
    /// To withhold releases from hosts, and nothing else: [`Holds`](update_metadata::Holds).
    Holds,
}

impl Purpose {
    /// The patterns of the names of its targets.
    fn paths(&self) -> Vec<String> {
        match self {
            Self::Targets(paths) => paths.clone(),
            Self::Holds => vec![HOLDS.to_owned()],
        }
    }
}

impl Delegation {
    /// The role as its delegator names it.
    ///
    /// # Errors
    /// When nobody could ever satisfy it, or it would reach for what is not its own.
    fn role(&self) -> Result<Value, Error> {
        let refused = |reason: String| Error::Delegation { name: self.name.clone(), reason };
        check_name(&self.name)?;
        let mut ids: Vec<String> = self.keys.iter().map(PublicKey::id).collect();
        ids.sort();
        ids.dedup();
        let keys: Vec<_> = self.keys.iter().map(PublicKey::tuf_key).collect();
        let (threshold, keys) = (u64::from(self.threshold), holders(&keys));
        if threshold == 0 || threshold > keys {
            return Err(refused(format!("{threshold} of {keys} keys cannot sign it")));
        }
        let paths = self.purpose.paths();
        if paths.is_empty() {
            return Err(refused("it would have no targets".to_owned()));
        }
        let reserved = |path: &String| match self.purpose {
            Purpose::Targets(_) => reaches(path),
            Purpose::Holds => None,
        };
        if let Some((path, reserved)) = paths.iter().find_map(|path| Some((path, reserved(path)?))) {
            return Err(refused(format!("{path:?} matches {reserved}, which no team may list")));
        }
        Ok(json!({
            "name": self.name,
            "keyids": ids,
            "threshold": self.threshold,
            "terminating": self.terminating,
            "paths": paths,
        }))
    }

    fn keys(&self) -> Map<String, Value> {
        let key =
            |key: &PublicKey| (key.id(), serde_json::to_value(key.tuf_key()).expect("a key is plain data"));
        self.keys.iter().map(key).collect()
    }

    /// Refuses a first version of its role that is not signed as it asks for, or that no host would take at `now`.
    fn check(&self, bytes: &[u8], now: DateTime<Utc>) -> Result<NonZeroU64, Error> {
        let refused = |reason: String| Error::Delegation { name: self.name.clone(), reason };
        let keys = self.keys().into_iter().collect();
        let ids: Vec<String> = self.keys.iter().map(PublicKey::id).collect();
        let threshold = NonZeroU64::new(self.threshold.into())
            .ok_or_else(|| refused("no signature at all would be asked for".to_owned()))?;
        let claim = Claim::<schema::Targets>::parse(bytes)
            .map_err(|error| refused(format!("its first version is none ({error})")))?;
        claim
            .check_signatures(Delegate::new(&keys, &ids, threshold).authority())
            .map_err(|why| refused(format!("its first version is not signed by these keys ({why})")))?;
        let role: Targets = claim
            .into_content()
            .map_err(|error| refused(format!("its first version cannot be read ({error})")))?;
        if role.expires <= now {
            return Err(refused(format!("its first version expired at {}", role.expires)));
        }
        Ok(role.version)
    }
}

/// What is delegated in a repository that is being changed.
impl Editor {
    /// Delegates to a role from now on. `first` is its first version, as [`first_delegated`] makes
    /// it.
    ///
    /// # Errors
    /// When there is or was a role of that name, nobody could sign it, it would reach for what is not its own, or its
    /// first version is not signed as it asks for or has expired at `now`.
    pub fn delegate(
        &mut self,
        delegation: &Delegation,
        first: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let name = &delegation.name;
        let refused = |reason: &str| Error::Delegation { name: name.clone(), reason: reason.to_owned() };
        let role = delegation.role()?;
        if self.team.is_some() {
            return Err(refused("a team does not delegate any further"));
        }
        if self.others.contains_key(&format!("{name}.json")) {
            return Err(refused("the repository has or had a role of this name"));
        }
        let version = delegation.check(&first, now)?;
        if self.delegations.is_null() {
            self.delegations = json!({ "keys": {}, "roles": [] });
        }
        let (Some(keys), roles) = (self.delegations["keys"].as_object().cloned(), &self.delegations["roles"])
        else {
            return Err(refused("the delegations that are there cannot be read"));
        };
        let keys: Map<String, Value> = keys.into_iter().chain(delegation.keys()).collect();
        let roles: Vec<Value> = roles.as_array().into_iter().flatten().cloned().chain([role]).collect();
        self.delegations = json!({ "keys": keys, "roles": roles });
        self.others.insert(format!("{name}.json"), meta(version, &first));
        self.first.push((format!("{version}.{name}.json"), first));
        Ok(())
    }

    /// Delegates to a role no longer. Snapshots go on naming its file, as the specification has it; nobody asks for it.
    ///
    /// # Errors
    /// When nothing is delegated to it.
    pub fn undelegate(&mut self, name: &str) -> Result<(), Error> {
        let unknown = || Error::Delegation {
            name: name.to_owned(),
            reason: "nothing is delegated to a role of this name".to_owned(),
        };
        let roles = self.delegations.get_mut("roles").and_then(Value::as_array_mut).ok_or_else(unknown)?;
        let before = roles.len();
        roles.retain(|role| role["name"] != name);
        if roles.len() == before {
            return Err(unknown());
        }
        if roles.is_empty() {
            self.delegations = Value::Null;
            return Ok(());
        }
        // A key that signs for nobody is not carried on.
        let used: Vec<Value> =
            roles.iter().flat_map(|role| role["keyids"].as_array().cloned().unwrap_or_default()).collect();
        if let Some(keys) = self.delegations["keys"].as_object_mut() {
            keys.retain(|id, _| used.iter().any(|used| used == id));
        }
        Ok(())
    }

    /// To whom the role delegates that is changed, and with which paths, in the order in which they are asked.
    #[must_use]
    pub fn delegated(&self) -> Vec<(String, Vec<String>)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let roles = self.delegations["roles"].as_array().into_iter().flatten();
        roles
            .map(|role| {
                let paths = role["paths"].as_array().into_iter().flatten().map(text).collect();
                (text(&role["name"]), paths)
            })
            .collect()
    }
}

/// The first version of a delegated role, without any target. Whoever delegates to it asks for this file, so that no host
/// looks for a role that is not there yet.
///
/// # Errors
/// When the name is one that no role may have, or a key does not sign.
pub async fn first_delegated(
    name: &str,
    keys: &[&dyn KeySource],
    expires: DateTime<Utc>,
) -> Result<Vec<u8>, Error> {
    check_name(name)?;
    let _in_range = date(expires)?;
    let role: Raw<schema::Targets> = Raw::new(targets_role(NonZeroU64::MIN, expires, Map::new()));
    let mut signers: Vec<Box<dyn Sign>> = Vec::new();
    for key in keys {
        signers.push(source::open(*key).await?);
    }
    let signers: Vec<&dyn Sign> = signers.iter().map(|key| &**key).collect();
    let signed = sign_with(role, &signers).await?;
    let mut bytes = serde_json::to_vec_pretty(&signed).expect("a role is plain data");
    bytes.push(b'\n');
    Ok(bytes)
}

/// A name that is a file's name anywhere, and no top-level role's.
fn check_name(name: &str) -> Result<(), Error> {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let refused = |reason: &str| Err(Error::Delegation { name: name.to_owned(), reason: reason.to_owned() });
    if name.is_empty() || name.len() > 64 || !name.chars().all(letters) || name.starts_with('-') {
        return refused("a name may have up to 64 small letters, digits and hyphens");
    }
    if TOP_LEVEL.contains(&name) || name == "mirrors" || name == "memory" || name.starts_with("root-") {
        return refused("another role or its key has this name");
    }
    Ok(())
}

/// Which reserved target a pattern may match.
fn reaches(path: &str) -> Option<&'static str> {
    let [manifest, hold] = RESERVED;
    if matches(path, manifest) {
        return Some(manifest);
    }
    // Whatever follows: a pattern that begins like one of these, or can.
    may_begin(path, hold).then_some("hold-*")
}

/// Whether a pattern may match a name that begins with `start`.
fn may_begin(pattern: &str, start: &str) -> bool {
    let head = pattern.split(['*', '[']).next().unwrap_or_default();
    let wild = head.len() < pattern.len();
    let alike = |(one, other): (char, char)| one == '?' || one == other;
    if !head.chars().zip(start.chars()).all(alike) {
        return false;
    }
    wild || head.chars().count() >= start.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::KeyPair;

    #[test]
    fn what_only_the_targets_role_may_list_is_reached_by_no_pattern() {
        for path in [
            "manifest.json",
            "*",
            "m*",
            "manifest.jso?",
            "[m]anifest.json",
            "hold-*",
            "hold-a",
            "h*",
            "hol[d]-x",
            "????-x",
            "*-x",
        ] {
            assert!(reaches(path).is_some(), "{path}");
        }
        for path in
            ["manifest-metal.json", "team-*", "ours-metal-*", "migrate-*", "hol", "folder/*", "holder-*"]
        {
            assert_eq!(reaches(path), None, "{path}");
        }
    }

    #[test]
    fn one_key_in_two_writings_cannot_sign_for_two() {
        let (one, two) = (KeyPair::generate().expect("random"), KeyPair::generate().expect("random"));
        let mut odd = serde_json::to_value(one.public_key().tuf_key()).expect("plain data");
        odd["x-remark"] = "written by another tool".into();
        let odd = PublicKey { key: serde_json::from_value(odd).expect("a key") };
        let of = |keys: Vec<PublicKey>| Delegation {
            name: "team".to_owned(),
            keys,
            threshold: 2,
            purpose: Purpose::Holds,
            terminating: false,
        };
        let why = of(vec![one.public_key(), odd.clone()]).role().expect_err("one holder").to_string();
        assert!(why.contains("2 of 1 keys cannot sign it"), "{why}");
        of(vec![one.public_key(), odd, two.public_key()]).role().expect("two holders");
    }

    #[test]
    fn a_name_is_one_of_a_file_and_of_no_other_role() {
        assert!(check_name("team-a").is_ok());
        for name in ["", "root", "targets", "../x", "a/b", "A", "-a", "root-1", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}

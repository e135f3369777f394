//! What the role for holds of a fleet withholds: `hold-*.json`, a target beside the manifest (`docs/formats.md`, "Holds").
//!
//! A hold takes a release away from hosts and gives none: it names versions and roots, and no reader can make an update of
//! it. Reading is lenient with fields that nobody knows, as with a manifest. It is not lenient with a hold that names
//! nothing that is understood here: whoever signed it meant something, and a host that passed it over would take what it
//! was to be kept from.

use chrono::{DateTime, Utc};
use host_io::plain;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::names::safe_target_name;
use crate::update::Update;

/// The longest file of holds that is read, in bytes.
pub const MAX_LEN: usize = 256 << 10;
/// So many holds are in one file at most.
const MAX_HOLDS: usize = 1024;
/// So many characters of a reason are told.
const MAX_REASON: usize = 300;

/// What one file withholds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holds {
    /// Each on its own.
    pub holds: Vec<Hold>,
    /// Fields that are not understood, as they were found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A release that no host takes for now, by its version, by its root, or by either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its flavour.
    pub variant: String,
    /// Its architecture.
    pub arch: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The root hash of its root image, in hex, whatever version it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_hash: Option<String>,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Fields that are not understood, as they were found.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why a file of holds cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HoldsError {
    /// It is no JSON, or a field is missing or of another kind.
    #[error("it is no file of holds")]
    Json(#[source] serde_json::Error),
    /// It is too long, or has too many holds.
    #[error("it has more than {MAX_HOLDS} holds, or more than {MAX_LEN} bytes")]
    TooMuch,
    /// A hold of hosts that nobody can have.
    #[error("hold number {number} has a variant or an arch that is no plain name")]
    NoName {
        /// Counted from 1.
        number: usize,
    },
    /// A hold without anything that is understood here.
    #[error("hold number {number} names neither a version nor the root hash of a root image")]
    NamesNothing {
        /// Counted from 1.
        number: usize,
    },
}

impl Holds {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be understood: nobody knows then what it withholds.
    pub fn parse(bytes: &[u8]) -> Result<Self, HoldsError> {
        if bytes.len() > MAX_LEN {
            return Err(HoldsError::TooMuch);
        }
        let read: Self = serde_json::from_slice(bytes).map_err(HoldsError::Json)?;
        if read.holds.len() > MAX_HOLDS {
            return Err(HoldsError::TooMuch);
        }
        for (number, hold) in (1..).zip(&read.holds) {
            // They are shown to people, and no host has others.
            if !(safe_target_name(&hold.variant) && safe_target_name(&hold.arch)) {
                return Err(HoldsError::NoName { number });
            }
            if !hold.names_something() {
                return Err(HoldsError::NamesNothing { number });
            }
        }
        Ok(read)
    }

    /// As a file.
    ///
    /// # Panics
    /// Never: holds are plain data.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("holds are plain data") + "\n"
    }
}

impl Hold {
    fn names_something(&self) -> bool {
        let is_root_hash =
            |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match &self.root_hash {
            Some(root) => is_root_hash(root),
            None => self.version.is_some(),
        }
    }

    /// Whether it withholds an update of a manifest, as far as that tells by its version.
    #[must_use]
    pub fn withholds(&self, update: &Update) -> bool {
        let Update { variant, arch, version, .. } = update;
        self.is_of(variant, arch, version, None)
    }

    /// Whether it withholds what has this version, or this root hash where that is known.
    #[must_use]
    pub fn is_of(&self, variant: &str, arch: &str, version: &Version, root_hash: Option<&str>) -> bool {
        let named_root = self.root_hash.as_deref().zip(root_hash);
        self.variant == variant
            && self.arch == arch
            && (self.version.as_ref() == Some(version)
                || named_root.is_some_and(|(named, found)| named.eq_ignore_ascii_case(found)))
    }

    /// What it names, for people.
    #[must_use]
    pub fn subject(&self) -> String {
        let Self { variant, arch, version, root_hash, .. } = self;
        let what = match (version, root_hash) {
            (Some(version), _) => version.to_string(),
            (None, Some(root)) => format!("the root {root}"),
            (None, None) => "nothing".to_owned(),
        };
        format!("{variant} {arch} {what}")
    }

    /// The reason in one line of bearable length: whoever signs it does not draw on the terminals of others.
    #[must_use]
    pub fn reason_in_a_line(&self) -> String {
        let spaced = |letter: char| if plain::draws(letter) { ' ' } else { letter };
        let line: String = self.reason.chars().take(MAX_REASON).map(spaced).collect();
        match line.trim() {
            "" => "no reason is given".to_owned(),
            line => line.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hold(names: &Value) -> Value {
        let mut hold =
            json!({ "variant": "metal", "arch": "x86_64", "reason": "r", "since": "2026-06-01T00:00:00Z" });
        let fields = hold.as_object_mut().unwrap();
        fields.extend(names.as_object().unwrap().clone());
        hold
    }

    fn parse(holds: &[Value]) -> Result<Holds, HoldsError> {
        Holds::parse(json!({ "holds": holds }).to_string().as_bytes())
    }

    fn root(digit: &str) -> String {
        digit.repeat(64)
    }

    #[test]
    fn a_hold_is_of_its_version_or_of_its_root_and_of_one_kind_of_host() {
        let both = hold(&json!({ "version": "1.1.0", "root_hash": root("a") }));
        let read = parse(&[both, hold(&json!({ "root_hash": root("B") }))]).unwrap();
        let [both, by_root] = &read.holds[..] else { panic!("two") };
        let v = |text: &str| Version::parse(text).unwrap();
        let of = |hold: &Hold, version, root: Option<&str>| hold.is_of("metal", "x86_64", &v(version), root);
        assert!(of(both, "1.1.0", None) && of(both, "1.1.0", Some(&root("c"))));
        assert!(of(both, "1.2.0", Some(&root("a"))), "under another name");
        assert!(!of(both, "1.2.0", None) && !of(both, "1.2.0", Some(&root("c"))));
        assert!(of(by_root, "9.9.9", Some(&root("b"))) && !of(by_root, "9.9.9", None));
        assert!(!both.is_of("cloud", "x86_64", &v("1.1.0"), None));
        assert!(!both.is_of("metal", "aarch64", &v("1.1.0"), None));
    }

    #[test]
    fn a_hold_that_names_nothing_that_is_understood_is_not_passed_over() {
        for names in [
            json!({}),
            json!({ "channel": "beta" }),
            json!({ "root_hash": "abc" }),
            json!({ "version": "1.1.0", "root_hash": "../x" }),
        ] {
            let read = parse(&[hold(&json!({ "version": "1.0.0" })), hold(&names)]);
            assert!(matches!(read, Err(HoldsError::NamesNothing { number: 2 })), "{names}: {read:?}");
        }
        for bytes in [&b""[..], b"{}", b"[]", b"{\"holds\": {}}", b"{\"holds\": [{}]}"] {
            assert!(matches!(Holds::parse(bytes), Err(HoldsError::Json(_))), "{bytes:?}");
        }
        let many = vec![hold(&json!({ "version": "1.0.0" })); MAX_HOLDS + 1];
        assert!(matches!(parse(&many), Err(HoldsError::TooMuch)));
        assert!(matches!(Holds::parse(&vec![b' '; MAX_LEN + 1]), Err(HoldsError::TooMuch)));
    }

    #[test]
    fn a_hold_of_hosts_that_have_no_plain_name_is_not_passed_over_and_not_shown() {
        for name in ["", "metal\u{1b}[2J", "metal\n", "\u{202e}latem", "a b", "../metal"] {
            for field in ["variant", "arch"] {
                let read = parse(&[hold(&json!({ "version": "1.0.0", field: name }))]);
                assert!(matches!(read, Err(HoldsError::NoName { number: 1 })), "{field} {name:?}: {read:?}");
            }
        }
    }

    #[test]
    fn failures_are_told_in_these_words() {
        let json = serde_json::from_str::<u8>("x").unwrap_err();
        for (failure, words) in [
            (HoldsError::Json(json), "it is no file of holds"),
            (HoldsError::TooMuch, "it has more than 1024 holds, or more than 262144 bytes"),
            (
                HoldsError::NoName { number: 2 },
                "hold number 2 has a variant or an arch that is no plain name",
            ),
            (
                HoldsError::NamesNothing { number: 2 },
                "hold number 2 names neither a version nor the root hash of a root image",
            ),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }

    #[test]
    fn what_a_later_program_wrote_beside_it_is_kept() {
        let text = json!({ "holds": [hold(&json!({ "version": "1.1.0", "failed": 12 }))], "by": "guard" });
        let read = Holds::parse(text.to_string().as_bytes()).unwrap();
        let written: Value = serde_json::from_str(&read.to_json()).unwrap();
        assert_eq!(written, text);
        assert_eq!(Holds::parse(read.to_json().as_bytes()).unwrap(), read);
    }

    #[test]
    fn a_reason_is_one_line_of_bearable_length() {
        let with = |reason: &str| {
            let read = parse(&[hold(&json!({ "version": "1.1.0", "reason": reason }))]).unwrap();
            read.holds[0].reason_in_a_line()
        };
        assert_eq!(with("12 of 300\n\u{1b}[31mhosts"), "12 of 300  [31mhosts");
        assert_eq!(with("it \u{202e}snur\u{2066} well\u{feff}"), "it  snur  well");
        assert_eq!(with(&"x".repeat(10_000)).len(), MAX_REASON);
        assert_eq!(with(" \n"), "no reason is given");
    }
}

//! The names of roles' files: `timestamp.json`, `12.snapshot.json`, and for a delegated role its name without anything that
//! means something in an address or a path.

use std::fmt::Write as _;
use std::num::NonZeroU64;

/// The roles that every repository has: no delegated one may have a name of theirs.
pub(crate) const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// The file of a role without its version: `timestamp.json`.
pub(crate) fn plain(role: &str) -> String {
    format!("{}.json", escaped(role, ""))
}

/// The file of a role as it is published.
pub(crate) fn published(role: &str, version: NonZeroU64, consistent: bool) -> String {
    if consistent { format!("{version}.{}", plain(role)) } else { plain(role) }
}

/// `text` without anything that means more than itself in an address, except what is in `kept`.
pub(crate) fn escaped(text: &str, kept: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        let letter = char::from(byte);
        if letter.is_ascii_alphanumeric() || "-._~".contains(letter) || kept.contains(letter) {
            escaped.push(letter);
        } else {
            write!(escaped, "%{byte:02X}").expect("text takes everything");
        }
    }
    escaped
}

/// `12.snapshot.json` as `(12, "snapshot.json")`.
pub(crate) fn split_version(name: &str) -> Option<(u64, &str)> {
    let (version, plain) = name.split_once('.')?;
    Some((version.parse().ok()?, plain)).filter(|(_, plain)| plain.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_split_from_names() {
        assert_eq!(split_version("12.snapshot.json"), Some((12, "snapshot.json")));
        assert_eq!(split_version("timestamp.json"), None);
        assert_eq!(split_version("12.json"), None);
    }

    #[test]
    fn the_name_of_a_role_leads_nowhere() {
        let one = NonZeroU64::MIN;
        assert_eq!(published("../a b", one, true), "1...%2Fa%20b.json");
        assert_eq!(published("team-a.metal_x~1", one, false), "team-a.metal_x~1.json");
        assert_eq!(plain("\u{e4}"), "%C3%A4.json");
        assert_eq!(escaped("a b/c?d#e%2e:f", "/"), "a%20b/c%3Fd%23e%252e%3Af");
    }
}

//! The names of files in a store.
//!
//! Everything but ASCII letters, digits, `_` and `-` is percent-encoded, so a dot in a file name always stands between
//! a segment and the name of its metadata. A name that this encoding would not have made is not one of ours and is
//! passed over in silence, as the format asks (`docs/compatibility.md`, "Datastore").

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest name that a Linux file system takes, in bytes.
pub const NAME_MAX: usize = 255;

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// `text` as the name of a file.
#[must_use]
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The text that [`encode`] made `name` of; `None` when it would never have made it.
#[must_use]
pub fn decode(name: &str) -> Option<String> {
    // Most names are as they are; a store has thousands.
    if !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    {
        return Some(name.to_owned());
    }
    let text = percent_decode_str(name).decode_utf8().ok()?;
    (!text.is_empty() && encode(&text) == name).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dots_and_slashes_are_escaped() {
        assert_eq!(encode("/etc/a.b_c-d"), "%2Fetc%2Fa%2Eb_c-d");
        assert_eq!(decode("%2Fetc%2Fa%2Eb_c-d").as_deref(), Some("/etc/a.b_c-d"));
    }

    #[test]
    fn a_name_that_is_not_ours_decodes_to_nothing() {
        for name in ["", ".", "..", "a.b", "a b", "%2e", "%61", "%", "%FF", "ü", ".live.new"] {
            assert_eq!(decode(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "\\PC{1,40}") {
            let name = encode(&text);
            prop_assert!(!name.contains(['/', '.']));
            prop_assert_eq!(decode(&name).unwrap(), text);
        }
    }
}

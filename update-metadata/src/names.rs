//! Which target names are safe to use as file names, and which letters of others are safe to show.

/// Whether a target name may become a file name or a part of an address: letters, digits and `._+-`, at least one of
/// them, and neither `.` nor `..`. Manifests with other names are read; an update or a migration that has one is never
/// used.
#[must_use]
pub fn safe_target_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    !matches!(name, "" | "." | "..") && name.bytes().all(plain)
}

/// Whether a letter changes how a terminal shows others, or shows nothing itself: controls, marks of the direction of
/// writing, and what has no width. Words of a stranger are shown without them: with U+202E alone a line reads backwards.
pub(crate) fn is_drawing(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_draw_are_known_and_those_of_any_language_are_none() {
        for letter in "\n\u{1b}\u{9b}\u{202e}\u{2066}\u{200f}\u{feff}\u{2028}\u{e0041}".chars() {
            assert!(is_drawing(letter), "{letter:?}");
        }
        assert!(!"aÄ ж語ع🦀 \u{301}—".contains(is_drawing));
    }

    #[test]
    fn names_of_images_and_migrations_are_safe() {
        for name in
            ["ours-demo-x86_64-1.1.0-root.lz4", "migrate_v1.1.0_add-metrics.lz4", "a", "...", "1.0.0+b.lz4"]
        {
            assert!(safe_target_name(name), "{name}");
        }
    }

    #[test]
    fn names_that_leave_a_directory_or_an_address_are_not() {
        for name in [
            "", ".", "..", "a/b", "../a", "/a", "a\\b", "a b", "a\n", "a\0", "a?b", "a%2Fb", "ä", "a:b",
            "~a,",
        ] {
            assert!(!safe_target_name(name), "{name:?}");
        }
    }
}

//! Which target names are safe to use as file names.

/// Whether a target name may become a file name or a part of an address: letters, digits and `._+-`, at least one of
/// them, and neither `.` nor `..`. Manifests with other names are read; an update or a migration that has one is never
/// used.
#[must_use]
pub fn safe_target_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    !matches!(name, "" | "." | "..") && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

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

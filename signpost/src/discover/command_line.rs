//! What the boot program passed on in the kernel's command line.

use uuid::Uuid;

/// The token with which a boot program names the boot partition that it started from.
const BOOT_TOKEN: &str = "signpost.boot=PARTUUID=";
/// The kernel's own token for the root partition.
const ROOT_TOKEN: &str = "root=PARTUUID=";

/// What a command line says of partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The boot partition that was started from.
    pub boot: Named,
    /// The partition that the kernel was told to take as root.
    pub root: Named,
}

/// A partition as a token names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Named {
    /// There is no such token.
    #[default]
    No,
    /// This one.
    Partition(Uuid),
    /// The token makes no sense, or says two things; with its words.
    Unclear(String),
}

impl CommandLine {
    /// Reads a kernel command line.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { boot: named(text, BOOT_TOKEN), root: named(text, ROOT_TOKEN) }
    }
}

impl Named {
    /// The partition, when it is named clearly.
    #[must_use]
    pub const fn guid(&self) -> Option<Uuid> {
        match self {
            Self::Partition(guid) => Some(*guid),
            Self::No | Self::Unclear(_) => None,
        }
    }
}

fn named(text: &str, token: &str) -> Named {
    // Quotes are allowed around a word and around a value; neither of ours needs any.
    let text = text.replace('"', "");
    let mut values: Vec<&str> = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(token))
        // "root=PARTUUID=…/PARTNROFF=1" names a neighbour of the partition, not the partition.
        .filter(|value| !value.contains('/'))
        .collect();
    values.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    match values[..] {
        [] => Named::No,
        [value] => Uuid::try_parse(value)
            .map_or_else(|_| Named::Unclear(format!("{token}{value}")), Named::Partition),
        _ => {
            Named::Unclear(values.iter().map(|value| format!("{token}{value}")).collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn the_boot_programs_token_is_found_among_the_others() {
        let line = CommandLine::parse(&format!("quiet signpost.boot=PARTUUID={A} root=/dev/dm-0\n"));
        assert_eq!(line.boot, Named::Partition(A.parse().unwrap()));
        assert_eq!(line.root, Named::No);
        assert_eq!((line.boot.guid(), line.root.guid()), (Some(A.parse().unwrap()), None));
    }

    #[test]
    fn quotes_around_a_word_or_its_value_do_not_matter() {
        for text in [format!("\"root=PARTUUID={A}\""), format!("root=\"PARTUUID={A}\" ro")] {
            assert_eq!(CommandLine::parse(&text).root, Named::Partition(A.parse().unwrap()), "{text}");
        }
        // A neighbour of a partition is another one.
        assert_eq!(CommandLine::parse(&format!("root=PARTUUID={A}/PARTNROFF=1")).root, Named::No);
    }

    #[test]
    fn upper_case_and_a_repetition_are_the_same_partition() {
        let upper = "ABCDEF00-2222-3333-4444-555555555555";
        let line =
            CommandLine::parse(&format!("root=PARTUUID={upper} root=PARTUUID={}", upper.to_lowercase()));
        assert_eq!(line.root, Named::Partition(upper.parse().unwrap()));
    }

    #[test]
    fn two_answers_and_nonsense_are_unclear() {
        let two = format!("signpost.boot=PARTUUID={A} signpost.boot=PARTUUID={}", A.replace('1', "9"));
        assert!(matches!(CommandLine::parse(&two).boot, Named::Unclear(words) if words.contains("9999")));
        assert!(matches!(CommandLine::parse("signpost.boot=PARTUUID=x").boot, Named::Unclear(_)));
    }
}

//! What the boot program tells the system that it starts: a firmware variable that lives until the next reset
//! (`docs/boot-bits.md`, "What a set is told").

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;

use uuid::Uuid;

use crate::start::Why;

/// The variable's name.
pub const NAME: &str = "SignpostBoot";
/// Its vendor: ours alone.
pub const VENDOR: Uuid = Uuid::from_u128(0x31e8a02a_ccd1_4d36_8df1_b4cf8c536acf);
/// The attributes that it has, and no other ones: readable at boot and afterwards, and gone with a reset. A lasting one was
/// left by somebody else.
pub const ATTRIBUTES: u32 = 0x6;
/// The version of its format. Lines that a reader does not know are for newer ones.
const VERSION: &str = "1";

/// Which set was started, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The PARTUUID of its boot partition.
    pub boot: Uuid,
    /// Why this one.
    pub why: Why,
    /// What became of the set that should have been started, where there is such a thing to tell.
    pub detail: String,
}

/// Why a variable's content tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not there any more after a reset, or should not be: its attributes are others.
    Attributes(u32),
    /// It is not what a boot program of ours writes.
    Content,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attributes(attributes) => write!(
                f,
                "its attributes are {attributes:#x} and not {ATTRIBUTES:#x}, so the boot program did not leave it"
            ),
            Self::Content => f.write_str("it does not say which set was started"),
        }
    }
}

impl core::error::Error for Unreadable {}

impl Handover {
    /// The variable's content.
    #[must_use]
    pub fn to_text(&self) -> String {
        let detail = self.detail.replace(['\n', '\r', '\0'], " ");
        format!(
            "version={VERSION}\nboot=PARTUUID={}\nwhy={}\ndetail={detail}\n",
            self.boot,
            self.why.as_str()
        )
    }

    /// What a variable with these attributes and this content says.
    ///
    /// # Errors
    /// When it is none that a boot program of ours has left.
    pub fn parse(attributes: u32, content: &[u8]) -> Result<Self, Unreadable> {
        if attributes != ATTRIBUTES {
            return Err(Unreadable::Attributes(attributes));
        }
        let text = core::str::from_utf8(content).map_err(|_| Unreadable::Content)?;
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        if value("version") != Some(VERSION) {
            return Err(Unreadable::Content);
        }
        let boot = value("boot").and_then(|boot| boot.strip_prefix("PARTUUID="));
        let boot = boot.and_then(|boot| Uuid::parse_str(boot).ok()).ok_or(Unreadable::Content)?;
        let why = value("why").and_then(Why::parse).ok_or(Unreadable::Content)?;
        Ok(Self { boot, why, detail: value("detail").unwrap_or_default().to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left() -> Handover {
        let detail = "set B (partition 6): it holds nothing\n".to_string();
        Handover { boot: Uuid::from_u128(7), why: Why::Aside, detail }
    }

    #[test]
    fn what_was_left_is_read() {
        let read = Handover::parse(ATTRIBUTES, left().to_text().as_bytes()).unwrap();
        assert_eq!(read, Handover { detail: "set B (partition 6): it holds nothing ".to_string(), ..left() });
    }

    #[test]
    fn a_lasting_variable_is_not_ours() {
        let text = left().to_text();
        for attributes in [0x7, 0x3, 0x2, 0x1, 0] {
            let refused = Handover::parse(attributes, text.as_bytes());
            assert_eq!(refused, Err(Unreadable::Attributes(attributes)));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let text = left().to_text();
        for other in
            [text.replace("version=1", "version=2"), text.replace("why=aside", "why=fun"), String::new()]
        {
            assert_eq!(Handover::parse(ATTRIBUTES, other.as_bytes()), Err(Unreadable::Content));
        }
        assert!(
            Handover::parse(ATTRIBUTES, format!("{text}more=1\n").as_bytes()).is_ok(),
            "newer lines are passed over"
        );
    }
}

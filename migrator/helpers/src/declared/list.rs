//! A list of steps, as a text and at the end of a program.

use datastore::store_dir::Contents;
use serde::Deserialize;

use super::step::Step;
use crate::args::Direction;
use crate::error::Error;

/// Ends a program that has a list in it: before it stand the list's length, in eight bytes, and the list.
const MARK: &[u8; 8] = b"MIGSTEP1";

/// The most that a list may be, in bytes.
const LARGEST: usize = 1 << 20;

/// A list of steps.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    #[serde(rename = "step", default)]
    steps: Vec<Step>,
}

impl Declaration {
    /// Reads a list.
    ///
    /// # Errors
    /// When it is not one, has no step, or a step that can do nothing.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::Other(format!("understand the list of steps: {why}"));
        if text.len() > LARGEST {
            return Err(wrong(format!("it is longer than {LARGEST} bytes")));
        }
        let list: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if list.steps.is_empty() {
            return Err(wrong("it has none".to_owned()));
        }
        list.steps.iter().try_for_each(|step| step.check().map_err(|why| wrong(format!("{step}: {why}"))))?;
        Ok(list)
    }

    /// The list at the end of a program.
    ///
    /// # Errors
    /// When there is one that cannot be understood. `None` when there is none.
    pub fn embedded(program: &[u8]) -> Result<Option<Self>, Error> {
        let Some(text) = embedded(program) else { return Ok(None) };
        let text = std::str::from_utf8(text)
            .map_err(|_| Error::Other("understand the list of steps: it is no text".to_owned()))?;
        Self::parse(text).map(Some)
    }

    /// The steps, in the order of the way forward.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Takes all steps.
    ///
    /// # Errors
    /// When a rename would put two settings in one place.
    pub fn apply(&self, contents: &mut Contents, direction: Direction) -> Result<(), Error> {
        let take = |step: &Step, contents: &mut Contents| step.take(contents, direction);
        match direction {
            Direction::Forward => self.steps.iter().try_for_each(|step| take(step, contents)),
            Direction::Backward => self.steps.iter().rev().try_for_each(|step| take(step, contents)),
        }
    }

    /// What does not come back after going there and back, a sentence each.
    #[must_use]
    pub fn losses(&self) -> Vec<String> {
        self.steps.iter().filter_map(Step::loss).collect()
    }
}

/// `program` with `list` at its end: a migration like any other.
///
/// # Errors
/// As [`Declaration::parse`], and when the program has a list already.
pub fn pack(program: &[u8], list: &str) -> Result<Vec<u8>, Error> {
    Declaration::parse(list)?;
    if embedded(program).is_some() {
        return Err(Error::Other("put a list of steps into a program: it has one already".to_owned()));
    }
    let length = (list.len() as u64).to_le_bytes();
    Ok([program, list.as_bytes(), &length, MARK].concat())
}

fn embedded(program: &[u8]) -> Option<&[u8]> {
    let rest = program.strip_suffix(MARK)?;
    let (rest, length) = rest.split_last_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    Some(&rest[rest.len().checked_sub(length)?..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENAME: &str =
        "[[step]]\nkind = \"rename\"\nfrom = \"settings.old\"\nto = \"settings.new.group\"\n";

    fn list(steps: &str) -> Declaration {
        Declaration::parse(steps).unwrap()
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_reason() {
        for (text, word) in [
            ("", "it has none"),
            ("[[step]]\nkind = \"move\"\n", "move"),
            ("[[step]]\nkind = \"add\"\nsettings = []\n", "names no setting"),
            ("[[step]]\nkind = \"add\"\nsettings = [\"a b\"]\n", "' ' is not allowed"),
            ("[[step]]\nkind = \"add\"\nsettings = [\"settings.a\"]\ncolour = 1\n", "colour"),
            (
                "[[step]]\nkind = \"rename\"\nfrom = \"settings.a\"\nto = \"settings.a.b\"\n",
                "below the other",
            ),
            ("[[step]]\nkind = \"replace\"\nsetting = \"settings.a\"\nold = 1\nnew = 1\n", "same"),
        ] {
            let error = Declaration::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_list_lies_at_the_end_of_a_program_and_nowhere_else() {
        let packed = pack(b"\x7fELF program", RENAME).unwrap();
        assert_eq!(Declaration::embedded(&packed).unwrap(), Some(list(RENAME)));
        assert_eq!(Declaration::embedded(b"\x7fELF program").unwrap(), None);
        assert!(pack(&packed, RENAME).is_err());
        for odd in [&MARK[..], b"\xff\xff\xff\xff\xff\xff\xff\xffMIGSTEP1", b"x\x09\0\0\0\0\0\0\0MIGSTEP1"] {
            assert_eq!(Declaration::embedded(odd).unwrap(), None, "{odd:?}");
        }
        assert!(Declaration::embedded(b"xx\x02\0\0\0\0\0\0\0MIGSTEP1").is_err());
    }
}

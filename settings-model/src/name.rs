//! The name of a setting in the model: a key, or a key in which one segment is any id.

use std::fmt;

use datastore::{Key, KeyError};

use crate::kind::Pattern;

/// What an id looks like where the model does not say. It is safe as part of a path, of a unit's name and of a command.
pub const USUAL_ID: &str = "[A-Za-z0-9][A-Za-z0-9_-]{0,62}";

/// A setting's name as the model writes it, such as `settings.host-containers.<id>.enabled`.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Fixed(String),
    /// Any text that the pattern takes; the name is for people.
    Id(String, Pattern),
}

impl Name {
    /// Reads a name; a segment in angle brackets stands for every text that `id` takes.
    ///
    /// # Errors
    /// When no key can have that name.
    pub fn parse(text: &str, id: &Pattern) -> Result<Self, KeyError> {
        let marked = |segment: &str| Some(segment.strip_prefix('<')?.strip_suffix('>')?.to_owned());
        // With a stand-in for each id it is an ordinary key, and what is wrong with it is told as for any key.
        let plain: Vec<&str> =
            text.split('.').map(|segment| if marked(segment).is_some() { "id" } else { segment }).collect();
        let key = Key::parse(&plain.join("."))?;
        if !text.contains('<') {
            let fixed = key.segments().iter().cloned().map(Segment::Fixed);
            return Ok(Self { segments: fixed.collect() });
        }
        let segments = text.split('.').map(|segment| match marked(segment) {
            Some(name) => Segment::Id(name, id.clone()),
            None => Segment::Fixed(segment.to_owned()),
        });
        Ok(Self { segments: segments.collect() })
    }

    /// The first segment, where it is fixed.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        match self.segments.first() {
            Some(Segment::Fixed(text)) => Some(text),
            Some(Segment::Id(..)) | None => None,
        }
    }

    /// How many segments it has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.segments.len()
    }

    /// The key, where no segment is an id.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        Key::from_segments(self.fixed()?).ok()
    }

    /// The groups that are there whatever ids there are, outermost first, without the setting itself.
    #[must_use]
    pub fn fixed_groups(&self) -> Vec<String> {
        let groups = &self.segments[..self.segments.len().saturating_sub(1)];
        groups
            .iter()
            .map_while(|segment| match segment {
                Segment::Fixed(text) => Some(text.clone()),
                Segment::Id(..) => None,
            })
            .collect()
    }

    fn fixed(&self) -> Option<Vec<String>> {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Fixed(text) => Some(text.clone()),
                Segment::Id(..) => None,
            })
            .collect()
    }

    /// Whether `key` has this name.
    #[must_use]
    pub fn is(&self, key: &Key) -> bool {
        key.segments().len() == self.segments.len() && self.begins_with(key.segments())
    }

    /// Whether `key` is a group that this setting lies in, at any depth.
    #[must_use]
    pub fn is_below(&self, key: &Key) -> bool {
        key.segments().len() < self.segments.len() && self.begins_with(key.segments())
    }

    /// Whether this name and `other` cannot both be settings: some key has both names, or one is a group for the other.
    #[must_use]
    pub fn clashes(&self, other: &Self) -> bool {
        self.segments.iter().zip(&other.segments).all(|pair| match pair {
            (Segment::Fixed(one), Segment::Fixed(two)) => one == two,
            (Segment::Fixed(text), Segment::Id(_, pattern))
            | (Segment::Id(_, pattern), Segment::Fixed(text)) => pattern.takes(text),
            (Segment::Id(..), Segment::Id(..)) => true,
        })
    }

    /// The group in which `key`, which has this name, stands under an id, and that id; `None` for a name without one.
    #[must_use]
    pub fn group_of<'a>(&self, key: &'a Key) -> Option<(Key, &'a str)> {
        let at = self.segments.iter().position(|segment| matches!(segment, Segment::Id(..)))?;
        let group = Key::from_segments(&key.segments()[..at]).ok()?;
        Some((group, key.segments().get(at)?.as_str()))
    }

    fn begins_with(&self, segments: &[String]) -> bool {
        self.segments.iter().zip(segments).all(|(segment, text)| match segment {
            Segment::Fixed(fixed) => fixed == text,
            Segment::Id(_, pattern) => pattern.takes(text),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match segment {
                Segment::Fixed(text) if text.contains('.') => write!(f, "\"{text}\"")?,
                Segment::Fixed(text) => f.write_str(text)?,
                Segment::Id(name, _) => write!(f, "<{name}>")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text, &Pattern::new(USUAL_ID).unwrap()).unwrap()
    }

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    #[test]
    fn an_id_stands_for_every_text_that_its_pattern_takes() {
        let enabled = name("settings.host-containers.<id>.enabled");
        assert!(enabled.is(&key("settings.host-containers.admin.enabled")));
        assert!(!enabled.is(&key("settings.host-containers.admin.source")));
        assert!(!enabled.is(&key("settings.host-containers.a/b.enabled")));
        assert!(!enabled.is(&key(r#"settings.host-containers."..".enabled"#)));
        assert!(enabled.is_below(&key("settings.host-containers")));
        assert!(enabled.is_below(&key("settings.host-containers.admin")));
        assert!(!enabled.is_below(&key("settings.host-containers.-x")));
        assert_eq!(enabled.key(), None);
        assert_eq!(enabled.fixed_groups(), ["settings", "host-containers"]);
        assert_eq!(enabled.to_string(), "settings.host-containers.<id>.enabled");
    }

    #[test]
    fn a_name_without_ids_is_a_key() {
        let motd = name("settings.motd");
        assert_eq!(motd.key(), Some(key("settings.motd")));
        assert!(motd.is(&key("settings.motd")) && !motd.is_below(&key("settings.motd")));
        assert_eq!(name(r#"settings."a.b".c"#).to_string(), r#"settings."a.b".c"#);
    }

    #[test]
    fn names_clash_when_one_key_could_be_both_or_lie_below_the_other() {
        let clash = |one: &str, two: &str| (name(one).clashes(&name(two)), name(two).clashes(&name(one)));
        assert_eq!(clash("settings.a.<id>", "settings.a.b"), (true, true));
        assert_eq!(clash("settings.a.<id>.x", "settings.a.b.y"), (false, false));
        assert_eq!(clash("settings.a.<id>.x", "settings.a.b"), (true, true));
        assert_eq!(clash("settings.a", "settings.ab"), (false, false));
        assert_eq!(clash("settings.a.<id>", "settings.a.-b"), (false, false));
    }

    #[test]
    fn what_no_key_can_be_is_no_name() {
        let id = Pattern::new(USUAL_ID).unwrap();
        for text in ["", "settings..a", "settings.a b", "settings.<a", "settings.<a b>.x>"] {
            assert!(Name::parse(text, &id).is_err(), "{text}");
        }
    }
}

//! Whether an answer continues what was received so far. Pure rules over header values.

/// What an answer says of the object behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `ETag` if it is a strong one, else `Last-Modified`.
    pub(crate) validator: Option<String>,
    /// The whole object's length.
    pub(crate) total: Option<u64>,
}

impl Identity {
    /// From the headers of an answer with the whole object.
    pub(crate) fn of_whole(etag: Option<&str>, last_modified: Option<&str>, length: Option<u64>) -> Self {
        Self { validator: validator(etag, last_modified), total: length }
    }

    /// From the headers of an answer with a part of the object.
    pub(crate) fn of_part(etag: Option<&str>, last_modified: Option<&str>, range: &ContentRange) -> Self {
        Self { validator: validator(etag, last_modified), total: range.total }
    }

    /// Whether asking for a part makes sense at all: without a length nobody can tell whether the part fits.
    pub(crate) fn can_be_resumed(&self) -> bool {
        self.total.is_some()
    }
}

/// A weak validator says "much the same", which is not enough to put two halves together.
fn validator(etag: Option<&str>, last_modified: Option<&str>) -> Option<String> {
    etag.filter(|tag| !tag.starts_with("W/")).or(last_modified).map(str::to_owned)
}

/// `Content-Range: bytes FIRST-LAST/TOTAL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    /// Parses the header's value; anything that is not exactly a range of bytes is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        let sane = first <= last && total.is_none_or(|total| last < total);
        sane.then_some(Self { first, last, total })
    }
}

/// Digits only: `u64::from_str` would take a plus sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// What a part is to the object that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It continues the same object: the same strong validator says so.
    Same,
    /// It begins at the right byte of an object of the same length, but nobody says that it is the same one. Good
    /// enough only where a signed digest judges both halves together.
    Unproven,
    /// It is another object, or begins elsewhere.
    Other,
}

/// Whether the part that came continues at `position` the object that was begun.
pub(crate) fn fit(position: u64, begun: &Identity, range: &ContentRange, part: &Identity) -> Fit {
    if range.first != position || begun.total.is_none() || part != begun {
        Fit::Other
    } else if begun.validator.is_some() {
        Fit::Same
    } else {
        Fit::Unproven
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn begun() -> Identity {
        Identity::of_whole(Some("\"abc\""), None, Some(200))
    }

    fn answer(etag: &str, range: &str) -> bool {
        let range = ContentRange::parse(range).expect("a range");
        let part = Identity::of_part(Some(etag), None, &range);
        match fit(100, &begun(), &range, &part) {
            Fit::Same => true,
            Fit::Other => false,
            Fit::Unproven => unreachable!("what was begun has a validator"),
        }
    }

    #[test]
    fn only_the_same_object_from_the_right_place_is_a_continuation() {
        assert!(answer("\"abc\"", "bytes 100-199/200"));
        assert!(!answer("\"abd\"", "bytes 100-199/200"), "another object");
        assert!(!answer("W/\"abc\"", "bytes 100-199/200"), "much the same object");
        assert!(!answer("\"abc\"", "bytes 0-199/200"), "from the start");
        assert!(!answer("\"abc\"", "bytes 101-199/200"), "a byte is missing");
        assert!(!answer("\"abc\"", "bytes 100-199/201"), "another length");
        assert!(!answer("\"abc\"", "bytes 100-199/*"), "a length that nobody knows");
    }

    #[test]
    fn an_object_without_a_length_is_never_resumed() {
        let begun = Identity::of_whole(Some("\"abc\""), None, None);
        let range = ContentRange::parse("bytes 100-199/*").expect("a range");
        assert!(!begun.can_be_resumed());
        let part = Identity::of_part(Some("\"abc\""), None, &range);
        assert_eq!(fit(100, &begun, &range, &part), Fit::Other);
    }

    #[test]
    fn without_a_validator_nobody_knows_whether_it_is_the_same_object() {
        let range = ContentRange::parse("bytes 100-199/200").expect("a range");
        let of = |etag, modified| Identity::of_part(etag, modified, &range);
        let fit = |begun: &Identity, part: &Identity| super::fit(100, begun, &range, part);
        assert_eq!(fit(&of(None, None), &of(None, None)), Fit::Unproven);
        assert_eq!(fit(&of(Some("W/\"a\""), None), &of(Some("W/\"a\""), None)), Fit::Unproven, "a weak one");
        assert_eq!(fit(&of(None, Some("then")), &of(None, Some("then"))), Fit::Same);
        assert_eq!(fit(&of(None, Some("then")), &of(None, None)), Fit::Other, "it had one before");
        assert_eq!(fit(&of(None, None), &of(None, Some("then"))), Fit::Other, "it had none before");
    }

    #[test]
    fn malformed_ranges_are_no_ranges() {
        for text in [
            "",
            "bytes",
            "bytes 1-2",
            "bytes 2-1/9",
            "bytes 1-9/9",
            "bytes +1-2/9",
            "bytes 1-2/-9",
            "items 1-2/9",
            "bytes */9",
            "bytes 1-99999999999999999999999/*",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_range_that_parses_is_in_order(text in "bytes [0-9+-]{1,4}-[0-9]{1,4}/([0-9]{1,4}|\\*)") {
            if let Some(range) = ContentRange::parse(&text) {
                prop_assert!(range.first <= range.last);
                prop_assert!(range.total.is_none_or(|total| range.last < total));
            }
        }

        #[test]
        fn any_text_parses_or_not_but_never_panics(text in "\\PC{0,40}") {
            let _ = ContentRange::parse(&text);
        }
    }
}

//! Whether a part of an object is the one that was asked for. Pure rules over header values.
//!
//! Only objects whose length and digest are signed are put together from parts: the digest judges the whole, so what a
//! server says of the object's identity, or does not say, is of no interest.

/// What is passed over at the beginning of an answer for the sake of what comes after it.
pub(crate) const MOST_PASSED_OVER: u64 = 1 << 20;

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
        let (range, total) = of_bytes(text)?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        let sane = first <= last && total.is_none_or(|total| last < total);
        sane.then_some(Self { first, last, total })
    }

    /// Whether it is all of its object.
    pub(crate) fn is_whole(&self) -> bool {
        self.first == 0 && self.total.is_some_and(|total| self.last.checked_add(1) == Some(total))
    }

    /// How many bytes of this part lie before `position`, if it continues an object of `length` bytes there. A cache may
    /// begin at its own block's first byte; a server may leave the total open; nobody may leave a gap.
    pub(crate) fn before(&self, position: u64, length: u64) -> Option<u64> {
        let before = position.checked_sub(self.first)?;
        let same_object = self.total.is_none_or(|total| total == length) && self.last < length;
        (before <= MOST_PASSED_OVER && self.last >= position && same_object).then_some(before)
    }
}

/// What follows the unit, which is written in any case, where it is bytes.
pub(crate) fn of_bytes(text: &str) -> Option<&str> {
    let (unit, range) = text.trim().split_once(' ')?;
    unit.eq_ignore_ascii_case("bytes").then(|| range.trim_start())
}

/// Digits only: `u64::from_str` would take a plus sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn before(range: &str) -> Option<u64> {
        ContentRange::parse(range).expect("a range").before(100, 200)
    }

    #[test]
    fn a_part_that_has_the_next_byte_of_the_signed_object_continues_it() {
        assert_eq!(before("bytes 100-199/200"), Some(0));
        assert_eq!(
            before("bytes 100-149/200"),
            Some(0),
            "shorter than asked for: the rest is asked for again"
        );
        assert_eq!(before("bytes 100-199/*"), Some(0), "a length that nobody tells");
        assert_eq!(before("bytes 64-199/200"), Some(36), "from the start of a block");
        assert_eq!(before("bytes 0-199/*"), Some(100));
        assert_eq!(before("Bytes  100-199/200"), Some(0), "a unit has no case");
    }

    #[test]
    fn a_part_of_something_else_continues_nothing() {
        assert_eq!(before("bytes 101-199/200"), None, "a byte is missing");
        assert_eq!(before("bytes 100-199/201"), None, "another length");
        assert_eq!(before("bytes 100-200/*"), None, "more than is signed");
        assert_eq!(before("bytes 50-99/200"), None, "nothing new");
        let far = ContentRange::parse("bytes 0-9999999/*").expect("a range");
        assert_eq!(far.before(MOST_PASSED_OVER, 10_000_000), Some(MOST_PASSED_OVER));
        assert_eq!(far.before(MOST_PASSED_OVER + 1, 10_000_000), None, "too much for nothing");
    }

    #[test]
    fn a_part_from_the_first_byte_to_the_last_is_the_whole() {
        let whole = |text| ContentRange::parse(text).expect("a range").is_whole();
        assert!(whole("bytes 0-99/100"));
        assert!(!whole("bytes 0-98/100") && !whole("bytes 1-99/100") && !whole("bytes 0-99/*"));
        assert!(whole("bytes 0-18446744073709551614/18446744073709551615"));
        assert!(!whole("bytes 0-18446744073709551615/*"), "no length has it");
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
        fn what_continues_never_leaves_a_gap(first: u64, last: u64, total: Option<u64>, at: u64, length: u64) {
            if let Some(before) = (ContentRange { first, last, total }).before(at, length) {
                prop_assert_eq!(first + before, at);
                prop_assert!(at < length && last < length);
            }
        }

        #[test]
        fn any_text_parses_or_not_but_never_panics(text in "\\PC{0,40}") {
            let _ = ContentRange::parse(&text);
        }
    }
}

//! By what a server recognises an object, to be asked for again only if it has changed.

use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};

/// A server's time stamps have whole seconds: an object that was changed twice in one of them has one stamp for both.
const SETTLED: TimeDelta = TimeDelta::seconds(2);

/// What one place said of an object. Kept with the object's bytes, and only of use at that place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Validator {
    /// The base address of the place.
    place: String,
    /// `ETag`; a weak one serves as well here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    /// `Last-Modified`, if there is no `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_modified: Option<String>,
}

impl Validator {
    /// From the headers of an answer; `None` when they say nothing that can be relied on.
    pub(super) fn of(
        place: &str,
        etag: Option<&str>,
        last_modified: Option<&str>,
        date: Option<&str>,
    ) -> Option<Self> {
        let last_modified =
            last_modified.filter(|_| etag.is_none()).filter(|modified| settled(modified, date));
        (etag.is_some() || last_modified.is_some()).then(|| Self {
            place: place.to_owned(),
            etag: etag.map(str::to_owned),
            last_modified: last_modified.map(str::to_owned),
        })
    }

    /// Whether it was `place` that said so.
    pub(crate) fn is_of(&self, place: &str) -> bool {
        self.place == place
    }
}

fn settled(modified: &str, date: Option<&str>) -> bool {
    let at = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    matches!((at(modified), date.and_then(at)), (Some(modified), Some(date)) if date - modified >= SETTLED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_counts_and_a_time_stamp_only_once_it_has_settled() {
        let of = |etag, modified, date| Validator::of("http://host/", etag, modified, date);
        let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert!(of(Some("W/\"a\""), None, None).is_some_and(|v| v.etag.is_some() && v.is_of("http://host/")));
        assert!(of(None, Some(modified), Some("Sun, 06 Nov 1994 08:49:39 GMT")).is_some());
        for date in [None, Some("Sun, 06 Nov 1994 08:49:38 GMT"), Some("yesterday")] {
            assert_eq!(of(None, Some(modified), date), None);
        }
        assert_eq!(of(None, None, None), None);
        assert_eq!(of(None, Some("yesterday"), Some(modified)), None);
    }
}

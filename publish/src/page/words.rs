//! Words, moments and shares as the page has them.

use chrono::{DateTime, Utc};

use crate::simulate::picture::escape;

/// Words of others as they may stand in HTML, in an attribute as well.
pub(super) fn text(words: &str) -> String {
    escape(words)
}

/// A moment, to the minute.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A share in hundredths as people say it.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", (share * 10.0).round() / 10.0)
}

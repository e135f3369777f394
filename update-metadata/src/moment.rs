//! Dates as numbers that can be multiplied.

use chrono::{DateTime, Utc};

/// Nanoseconds since 1970. Any date of chrono's (about 262,000 years both ways) times any seed fits easily.
pub(crate) fn nanoseconds(date: DateTime<Utc>) -> i128 {
    i128::from(date.timestamp()) * 1_000_000_000 + i128::from(date.timestamp_subsec_nanos())
}

/// The date so many nanoseconds after 1970, within the calendar.
pub(crate) fn date(nanoseconds: i128) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    DateTime::from_timestamp(seconds, u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).ok()?)
}

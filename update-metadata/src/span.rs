//! Lengths of time as people type them: `90m`, `1 day`.

use chrono::TimeDelta;
use thiserror::Error;

/// A text is no length of time.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{text:?} is no length of time; write it like \"90m\", \"24h\" or \"2 days\"")]
pub struct NotASpan {
    /// The text.
    pub text: String,
}

/// A whole number and a unit: `s`, `m`, `h`, `d`, `w`, or its name, with or without a space between them.
///
/// # Errors
/// When the text is something else.
pub fn parse(text: &str) -> Result<TimeDelta, NotASpan> {
    let typed = text.trim();
    let unit_at = typed.find(|c: char| !c.is_ascii_digit()).unwrap_or(typed.len());
    let (number, unit) = typed.split_at(unit_at);
    let number = number.parse::<u32>().ok().map(i64::from);
    let span = number.and_then(|number| match unit.trim_start() {
        "s" | "second" | "seconds" => TimeDelta::try_seconds(number),
        "m" | "min" | "minute" | "minutes" => TimeDelta::try_minutes(number),
        "h" | "hour" | "hours" => TimeDelta::try_hours(number),
        "d" | "day" | "days" => TimeDelta::try_days(number),
        "w" | "week" | "weeks" => TimeDelta::try_weeks(number),
        _ => None,
    });
    span.ok_or_else(|| NotASpan { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_length_of_time() {
        for (text, minutes) in [
            ("60s", 1),
            ("90m", 90),
            ("5 min", 5),
            ("1h", 60),
            ("24 hours", 1440),
            (" 1 day ", 1440),
            ("2d", 2880),
            ("1w", 7 * 1440),
            ("0s", 0),
            ("4294967295 weeks", 4_294_967_295 * 7 * 1440),
        ] {
            assert_eq!(parse(text), Ok(TimeDelta::minutes(minutes)), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "h", "1", "-1h", "+1h", "1.5h", "1 month", "1H", "one hour", "1h 30m", "4294967296s"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            NotASpan { text: "x y".into() }.to_string(),
            "\"x y\" is no length of time; write it like \"90m\", \"24h\" or \"2 days\""
        );
    }
}

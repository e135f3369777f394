//! When an update may start by itself: the window and the hold of a host.
//!
//! Both are settings (`docs/settings.md`, "Windows and holds"): `apiserver` checks them when they are set, and the client
//! that a timer starts asks here whether it is time. A window is read off the clock on the wall of its zone: where clocks
//! go forward over a whole window there is none that night, where they go back an hour it may open twice.

use std::fmt;

use chrono::{DateTime, Utc};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _, Zoned};

/// How far ahead an opening is looked for. A window is weekly; a second week covers a night that clocks skip.
const DAYS_AHEAD: i32 = 15;

/// Whether an update may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Yes.
    Now,
    /// Not before `at`.
    Later {
        /// The first moment at which it may.
        at: DateTime<Utc>,
        /// What keeps it.
        why: Why,
    },
}

/// What keeps an update from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// `settings.updates.hold-until`.
    Hold,
    /// `settings.updates.window`.
    Window,
}

/// Why a window or a hold is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError {
    text: String,
    reason: String,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "understand {:?} as a time for updates: {}", self.text, self.reason)
    }
}

impl std::error::Error for ScheduleError {}

/// Whether an update may start at `now` on a host with these settings, both as they are written; an empty one is none.
///
/// # Errors
/// When one of them makes no sense.
pub fn may_start(window: &str, hold_until: &str, now: DateTime<Utc>) -> Result<Turn, ScheduleError> {
    let window = if window.is_empty() { None } else { Some(Window::parse(window)?) };
    let hold = if hold_until.is_empty() { None } else { Some(parse_hold(hold_until)?) };
    let (from, why) = match hold {
        Some(hold) if hold > now => (hold, Why::Hold),
        _ => (now, Why::Window),
    };
    let at = window.map_or(Some(from), |window| window.opening(from)).ok_or_else(|| ScheduleError {
        text: "settings.updates.window".to_owned(),
        reason: "it never opens".to_owned(),
    })?;
    Ok(if at <= now { Turn::Now } else { Turn::Later { at, why } })
}

/// The end of a hold: a time with its zone, as in RFC 3339.
///
/// # Errors
/// When it is none.
pub fn parse_hold(text: &str) -> Result<DateTime<Utc>, ScheduleError> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| bad(text, "it must be a time such as 2026-12-24T08:00:00Z"))
}

/// The hours of a week in which updates may start: `Sat 02:00-05:00 Europe/Berlin`.
#[derive(Debug, Clone)]
pub struct Window {
    /// Monday first.
    days: [bool; 7],
    start: Time,
    /// Not part of the window; at or before `start` it is that of the next day, as is midnight.
    end: Time,
    zone: TimeZone,
}

impl Window {
    /// Reads `DAYS HH:MM-HH:MM [ZONE]`: days are `daily`, or names and ranges of names with commas between them
    /// (`Mon-Thu,Sat`); without a zone it is UTC. A window that ends before it begins ends on the next day.
    ///
    /// # Errors
    /// When it is not written so.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, zone) = match words[..] {
            [days, hours] => (days, hours, "UTC"),
            [days, hours, zone] => (days, hours, zone),
            _ => return Err(bad(text, "it must be such as \"Sat 02:00-05:00 Europe/Berlin\"")),
        };
        let days = parse_days(days)
            .ok_or_else(|| bad(text, "the days must be such as daily, Sat, Mon-Fri or Tue,Thu"))?;
        let (start, end) = hours
            .split_once('-')
            .and_then(|(start, end)| Some((parse_time(start)?, parse_time(end)?)))
            .ok_or_else(|| bad(text, "the hours must be such as 02:00-05:00"))?;
        if start == end {
            return Err(bad(text, "it ends when it begins"));
        }
        let zone = TimeZone::get(zone).map_err(|_| bad(text, &format!("there is no time zone {zone:?}")))?;
        Ok(Self { days, start, end, zone })
    }

    /// The first moment from `now` on at which the window is open. `None` when it never is.
    #[must_use]
    pub fn opening(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let timestamp = Timestamp::from_second(now.timestamp()).ok()?;
        let local = timestamp.to_zoned(self.zone.clone());
        if self.is_open(&local) {
            return Some(now);
        }
        // It opens when its first minute comes (twice, where clocks go back over it) or when clocks jump into it.
        let starts = (0..DAYS_AHEAD)
            .filter_map(|days| local.date().checked_add(days.days()).ok())
            .flat_map(|date| self.instants(date));
        let jumps = self.zone.following(timestamp).take(2).map(|transition| transition.timestamp());
        starts
            .chain(jumps)
            .filter(|instant| *instant > timestamp && self.is_open(&instant.to_zoned(self.zone.clone())))
            .min()
            .and_then(|instant| DateTime::from_timestamp(instant.as_second(), 0))
    }

    fn is_open(&self, local: &Zoned) -> bool {
        let (time, today) = (local.time(), local.weekday());
        let yesterday = today.previous();
        if self.start < self.end {
            return self.on(today) && self.start <= time && time < self.end;
        }
        (self.on(today) && self.start <= time) || (self.on(yesterday) && time < self.end)
    }

    fn on(&self, day: Weekday) -> bool {
        usize::try_from(day.to_monday_zero_offset()).is_ok_and(|day| self.days[day])
    }

    /// The moments at which the clock on the wall shows the window's first minute on `date`.
    fn instants(&self, date: Date) -> Vec<Timestamp> {
        let at = date.to_datetime(self.start);
        let offsets = match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => vec![offset],
            AmbiguousOffset::Fold { before, after } => vec![before, after],
            AmbiguousOffset::Gap { .. } => Vec::new(),
        };
        offsets.into_iter().filter_map(|offset| offset.to_timestamp(at).ok()).collect()
    }
}

fn parse_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    if text.eq_ignore_ascii_case("daily") {
        return Some([true; 7]);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (parse_day(first)?, parse_day(last)?);
        days[day] = true;
        while day != last {
            day = (day + 1) % 7;
            days[day] = true;
        }
    }
    Some(days)
}

fn parse_day(text: &str) -> Option<usize> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let text = text.to_ascii_lowercase();
    names.iter().position(|name| text == *name || text == name[..3])
}

/// `HH:MM`; 24:00 is midnight.
fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i8>().ok())
            .flatten()
    };
    match (number(hour)?, number(minute)?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

fn bad(text: &str, reason: &str) -> ScheduleError {
    ScheduleError { text: text.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        parse_hold(text).unwrap()
    }

    fn turn(window: &str, hold: &str, now: &str) -> Turn {
        may_start(window, hold, time(now)).unwrap()
    }

    fn later(at: &str, why: Why) -> Turn {
        Turn::Later { at: time(at), why }
    }

    #[test]
    fn without_settings_it_is_always_time() {
        assert_eq!(turn("", "", "2026-11-22T12:00:00Z"), Turn::Now);
    }

    #[test]
    fn a_window_opens_and_closes_on_its_day_in_its_zone() {
        let berlin = "Sat 02:00-05:00 Europe/Berlin";
        // Saturday, 10 January 2026; Berlin is an hour ahead.
        assert_eq!(turn(berlin, "", "2026-01-10T00:59:59Z"), later("2026-01-10T01:00:00Z", Why::Window));
        assert_eq!(turn(berlin, "", "2026-01-10T01:00:00Z"), Turn::Now);
        assert_eq!(turn(berlin, "", "2026-01-10T03:59:59Z"), Turn::Now);
        assert_eq!(turn(berlin, "", "2026-01-10T04:00:00Z"), later("2026-01-17T01:00:00Z", Why::Window));
        // In summer two.
        assert_eq!(turn(berlin, "", "2026-07-06T12:00:00Z"), later("2026-07-11T00:00:00Z", Why::Window));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let window = "Fri 22:00-02:00";
        assert_eq!(turn(window, "", "2026-01-10T01:59:00Z"), Turn::Now);
        assert_eq!(turn(window, "", "2026-01-10T22:30:00Z"), later("2026-01-16T22:00:00Z", Why::Window));
        assert_eq!(turn("Fri 22:00-24:00", "", "2026-01-09T23:59:00Z"), Turn::Now);
        assert_eq!(
            turn("Fri 22:00-24:00", "", "2026-01-10T00:00:00Z"),
            later("2026-01-16T22:00:00Z", Why::Window)
        );
    }

    #[test]
    fn a_night_that_clocks_jump_over_has_no_window_and_one_that_comes_twice_has_two() {
        // Berlin, 29 March 2026: 02:00 is followed by 03:00. 25 October 2026: 02:00 to 03:00 comes twice.
        let narrow = "Sun 02:15-02:45 Europe/Berlin";
        assert_eq!(turn(narrow, "", "2026-03-28T12:00:00Z"), later("2026-04-05T00:15:00Z", Why::Window));
        assert_eq!(turn(narrow, "", "2026-10-25T00:15:00Z"), Turn::Now);
        assert_eq!(turn(narrow, "", "2026-10-25T00:45:00Z"), later("2026-10-25T01:15:00Z", Why::Window));
        assert_eq!(turn(narrow, "", "2026-10-25T01:15:00Z"), Turn::Now);
        // What is left of it when clocks jump into it.
        assert_eq!(
            turn("Sun 02:15-03:30 Europe/Berlin", "", "2026-03-29T00:30:00Z"),
            later("2026-03-29T01:00:00Z", Why::Window)
        );
    }

    #[test]
    fn a_hold_is_kept_and_then_the_window_counts() {
        let hold = "2026-01-12T00:00:00+01:00";
        assert_eq!(turn("", hold, "2026-01-11T22:59:59Z"), later("2026-01-11T23:00:00Z", Why::Hold));
        assert_eq!(turn("", hold, "2026-01-11T23:00:00Z"), Turn::Now);
        assert_eq!(
            turn("Sat 02:00-05:00", hold, "2026-01-10T03:00:00Z"),
            later("2026-01-17T02:00:00Z", Why::Hold)
        );
    }

    #[test]
    fn days_are_names_and_ranges_and_may_wrap() {
        let days = |text: &str| parse_days(text).map(|days| days.map(u8::from));
        assert_eq!(days("daily"), Some([1; 7]));
        assert_eq!(days("Mon-Fri"), Some([1, 1, 1, 1, 1, 0, 0]));
        assert_eq!(days("sat-mon,WEDNESDAY"), Some([1, 0, 1, 0, 0, 1, 1]));
        assert_eq!(days("Sat,"), None);
        assert_eq!(days("Someday"), None);
    }

    #[test]
    fn every_mistake_is_told() {
        let cases = [
            ("Sat", "it must be such as"),
            ("Sat 02:00-05:00 Europe/Berlin extra", "it must be such as"),
            ("Sat 2:00-5:00", "the hours"),
            ("Sat 02:00-25:00", "the hours"),
            ("Sat 02:60-05:00", "the hours"),
            ("Sat 02:00–05:00", "the hours"),
            ("Sat 02:00-02:00", "ends when it begins"),
            ("Sat 02:00-05:00 Mars/Olympus", "no time zone"),
            ("Caturday 02:00-05:00", "the days"),
        ];
        for (text, reason) in cases {
            let error = Window::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(may_start("", "2026-12-24", time("2026-01-01T00:00:00Z")).is_err());
    }

    proptest! {
        /// Against a walk from minute to minute that only looks at the clock on the wall.
        #[test]
        fn the_opening_is_the_first_open_minute(
            start in 0..96i64, length in 1..95i64, days in 1..127u8, minute in 0..525_600i64,
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        ) {
            let clock = |quarter: i64| format!("{:02}:{:02}", quarter % 96 / 4, quarter % 4 * 15);
            let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
            let days: Vec<&str> = (0..7).filter(|day| days >> day & 1 == 1).map(|day| names[day]).collect();
            let text = format!("{} {}-{} {zone}", days.join(","), clock(start), clock(start + length));
            let window = Window::parse(&text).unwrap();
            let now = time("2026-01-01T00:00:00Z") + chrono::Duration::minutes(minute);
            let open = |at: DateTime<Utc>| {
                let local = Timestamp::from_second(at.timestamp()).unwrap().to_zoned(window.zone.clone());
                let quarter = i64::from(local.hour()) * 4 + i64::from(local.minute()) / 15;
                let today = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap();
                let ends = start + length;
                (days.contains(&names[today]) && quarter >= start && quarter < ends)
                    || (days.contains(&names[(today + 6) % 7]) && quarter + 96 < ends)
            };
            let expected = (0..DAYS_AHEAD * 24 * 60)
                .map(|minutes| now + chrono::Duration::minutes(i64::from(minutes)))
                .find(|at| open(*at));
            prop_assert_eq!(window.opening(now), expected);
        }
    }
}

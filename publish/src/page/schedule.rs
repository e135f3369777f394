//! Who gets a release when: as a curve with the moment that is now, and at some shares of the fleet.

use chrono::{DateTime, TimeDelta, Utc};
use update_metadata::Seed;
use update_metadata::waves::Rule;

use super::facts::Schedule;
use super::words::{instant, percent};

/// The last seed; hosts draw theirs from 1 on.
const LAST: u32 = 2048;
/// The shares that are told, in hundredths.
const TOLD: [f64; 8] = [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 100.0];
const WIDTH: f64 = 480.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 470.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 176.0;
const HEIGHT: f64 = 208.0;
/// The most points of a curve.
const POINTS: usize = 256;

/// When the turn of each host has come, in order; `None` never waits.
pub(super) struct Turns(Vec<Option<DateTime<Utc>>>);

impl Turns {
    pub(super) fn of(schedule: &Schedule) -> Self {
        let seeds = (1..=LAST).filter_map(|seed| Seed::new(seed).ok());
        let mut turns: Vec<_> = seeds.map(|seed| Rule::Ours.opens_at(&schedule.waves, seed)).collect();
        turns.sort_unstable();
        Self(turns)
    }

    /// The share of the fleet whose turn has come at `now`, in hundredths.
    pub(super) fn share(&self, now: DateTime<Utc>) -> f64 {
        let come = self.0.partition_point(|turn| turn.is_none_or(|turn| turn <= now));
        100.0 * come as f64 / self.0.len().max(1) as f64
    }

    /// When so many hundredths of the fleet have had their turn, for each share that is told.
    pub(super) fn told(&self) -> impl Iterator<Item = (f64, Option<DateTime<Utc>>)> {
        TOLD.into_iter().map(|share| (share, self.0[rank(share, self.0.len())]))
    }

    /// The curve, as an SVG picture without colours of its own.
    pub(super) fn picture(&self, title: &str, now: DateTime<Utc>, stands_still: bool) -> String {
        let dates: Vec<DateTime<Utc>> = self.0.iter().copied().flatten().collect();
        let (Some(first), Some(last)) = (dates.first().copied(), dates.last().copied()) else {
            return String::new();
        };
        // A little room on both sides, so that a beginning and an end are seen as such.
        let room = ((last - first) / 20).max(TimeDelta::minutes(30));
        let (from, until) = (first - room, last + room);
        let whole = (until - from).num_seconds().max(1) as f64;
        let x = |at: DateTime<Utc>| {
            LEFT + (RIGHT - LEFT) * ((at - from).num_seconds() as f64 / whole).clamp(0.0, 1.0)
        };
        let y = |share: f64| BOTTOM - (BOTTOM - TOP) * share / 100.0;
        let mut points = vec![format!("{LEFT:.1},{:.1}", y(self.share(from)))];
        for number in 0..=POINTS {
            let at = dates[number * (dates.len() - 1) / POINTS];
            points.push(format!("{:.1},{:.1}", x(at), y(self.share(at))));
        }
        points.push(format!("{RIGHT:.1},{:.1}", y(100.0)));
        let mut lines = String::new();
        for share in [0.0, 25.0, 50.0, 75.0, 100.0] {
            let at = y(share);
            lines += &format!("<path class=\"grid\" d=\"M{LEFT:.1} {at:.1}H{RIGHT:.1}\"/>\n");
            lines += &format!(
                "<text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.0} %</text>\n",
                LEFT - 6.0,
                at + 4.0
            );
        }
        let below = BOTTOM + 20.0;
        lines +=
            &format!("<text class=\"faint\" x=\"{LEFT:.1}\" y=\"{below:.1}\">{}</text>\n", instant(from));
        lines += &format!(
            "<text class=\"faint\" x=\"{RIGHT:.1}\" y=\"{below:.1}\" text-anchor=\"end\">{}</text>\n",
            instant(until)
        );
        let share = percent(self.share(now));
        let told = match (stands_still, now < from, now > until) {
            (true, ..) => "its clock stands still".to_owned(),
            (_, true, _) => "not begun yet".to_owned(),
            (_, _, true) => "over".to_owned(),
            _ => {
                let at = x(now);
                let (anchor, beside) =
                    if at > (LEFT + RIGHT) / 2.0 { ("end", at - 6.0) } else { ("start", at + 6.0) };
                lines += &format!("<path class=\"now\" d=\"M{at:.1} {TOP:.1}V{BOTTOM:.1}\"/>\n");
                lines += &format!(
                    "<text class=\"now\" x=\"{beside:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">now: {share}</text>\n",
                    TOP - 8.0
                );
                format!("now {share} of the fleet have had their turn")
            }
        };
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}: the share of the fleet whose turn has come, from {} to {}; {told}\">\n{lines}<polyline class=\"curve\" points=\"{}\"/>\n</svg>\n",
            instant(first),
            instant(last),
            points.join(" ")
        )
    }
}

/// Which of `count` sorted turns completes this share.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
fn rank(share: f64, count: usize) -> usize {
    ((share / 100.0 * count as f64).ceil() as usize).clamp(1, count) - 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn schedule(waves: &[(u32, i64)]) -> Schedule {
        let date = |hour: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hour);
        let waves: BTreeMap<_, _> = waves.iter().map(|(bound, hour)| (*bound, date(*hour))).collect();
        Schedule { version: "1.1.0".parse().unwrap(), waves, paused_since: None }
    }

    fn hour(hours: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    #[test]
    fn the_share_grows_as_turns_come() {
        let turns = Turns::of(&schedule(&[(0, 10), (1024, 20), (2048, 30)]));
        for (at, share) in [(0, 0.0), (15, 25.0), (20, 50.0), (25, 75.0), (30, 100.0), (99, 100.0)] {
            assert!((turns.share(hour(at)) - share).abs() < 0.2, "{at}: {}", turns.share(hour(at)));
        }
        let half = turns.told().find(|(share, _)| (*share - 50.0).abs() < 0.1).unwrap().1.unwrap();
        assert!((half - hour(20)).abs() < TimeDelta::minutes(2), "{half}");
        let all = turns.told().last().unwrap();
        assert_eq!(all, (100.0, Some(hour(30))));
    }

    #[test]
    fn whoever_never_waits_has_had_a_turn_before_everything() {
        let turns = Turns::of(&schedule(&[(1024, 10), (2048, 20)]));
        assert!((turns.share(hour(-9)) - 50.0).abs() < 0.1);
        assert_eq!(turns.told().next().unwrap().1, None);
    }

    #[test]
    fn the_picture_says_where_it_stands_in_words_as_well() {
        let turns = Turns::of(&schedule(&[(0, 10), (1024, 20), (2048, 30)]));
        for (now, still, words) in [
            (hour(15), false, "now 25 % of the fleet have had their turn"),
            (hour(-9), false, "not begun yet"),
            (hour(99), false, "; over\""),
            (hour(15), true, "its clock stands still"),
        ] {
            let picture = turns.picture("1.1.0", now, still);
            assert!(picture.contains(words), "{picture}");
            assert_eq!(picture.contains("class=\"now\""), words.starts_with("now"));
            assert!(!picture.contains("NaN"));
        }
        assert_eq!(Turns::of(&schedule(&[])).picture("1.1.0", hour(1), false), "");
    }
}

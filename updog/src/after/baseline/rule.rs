//! What is worse than usual: a rule over values.
//!
//! A number is worse the larger it is. What is usual is the median of what was seen, and the limit lies as far above it as
//! both the spread of what was seen and a share of it say: neither one odd boot nor one that was very even moves it much.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::numbers::Numbers;

/// How many boots must have told a number before it is a measure for others.
pub const FEWEST: usize = 3;
/// How many are kept, the newest; and for how many boots a number is that is not told any more.
pub const MOST: usize = 15;
/// How many spreads (median absolute deviations) above the median the limit lies at least: of even noise, four of its
/// standard deviations.
const SPREADS: f64 = 6.0;
/// And which share of the median.
const SHARE: f64 = 0.5;

/// The numbers of boots that were marked good, one of each boot. Fields are only ever added.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// By check and name.
    series: BTreeMap<String, BTreeMap<String, Series>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Series {
    /// The newest at the end.
    values: Vec<f64>,
    /// How many boots have not told it since.
    missed: usize,
}

/// What is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The number in the middle.
    pub median: f64,
    /// What is above this is worse.
    pub limit: f64,
}

/// A number that was held against what is usual.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Of which check.
    pub check: String,
    /// Which number.
    pub name: String,
    /// What it is now.
    pub now: f64,
    /// How many boots it was held against.
    pub boots: usize,
    /// What was usual in them.
    pub usual: Usual,
}

impl Compared {
    /// Whether it is worse.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.now > self.usual.limit
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, name, now, boots, usual: Usual { median, limit } } = self;
        write!(f, "{name} of the health check {check} is {now}: in {boots} good boots before, ")?;
        write!(f, "{median} was usual here, and the limit is {limit}")
    }
}

/// What is usual where these were seen; `None` where they are too few to say, or say no more than that it is 0: any limit would
/// then be somebody's guess.
#[must_use]
pub fn usual(seen: &[f64]) -> Option<Usual> {
    if seen.len() < FEWEST {
        return None;
    }
    let middle = median(seen);
    let spread = median(&seen.iter().map(|value| (value - middle).abs()).collect::<Vec<_>>());
    let limit = middle + (SPREADS * spread).max(SHARE * middle.abs());
    (limit.is_finite() && limit > middle).then_some(Usual { median: middle, limit })
}

/// The lower one of two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

impl Kept {
    /// Holds the numbers of a first boot against those of good boots before it. Numbers that are new are held against nothing.
    #[must_use]
    pub fn compare(&self, numbers: &Numbers) -> Vec<Compared> {
        let mut compared = Vec::new();
        for (check, of_check) in numbers {
            for (name, now) in of_check {
                let Some(Series { values, .. }) = self.series.get(check).and_then(|seen| seen.get(name))
                else {
                    continue;
                };
                if let Some(usual) = usual(values) {
                    let (check, name, boots) = (check.clone(), name.clone(), values.len());
                    compared.push(Compared { check, name, now: *now, boots, usual });
                }
            }
        }
        compared
    }

    /// With the numbers of a boot more, which was marked good. One that was not told this time is kept for a while: a check that
    /// could not measure once is no other check.
    #[must_use]
    pub fn with(mut self, numbers: &Numbers) -> Self {
        for series in self.series.values_mut().flat_map(BTreeMap::values_mut) {
            series.missed += 1;
        }
        for (check, of_check) in numbers {
            let seen = self.series.entry(check.clone()).or_default();
            for (name, now) in of_check {
                let Series { values, missed } = seen.entry(name.clone()).or_default();
                *missed = 0;
                values.push(*now);
                let surplus = values.len().saturating_sub(MOST);
                values.drain(..surplus);
            }
        }
        for seen in self.series.values_mut() {
            seen.retain(|_, series| series.missed < MOST);
        }
        self.series.retain(|_, seen| !seen.is_empty());
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(now: f64) -> Numbers {
        [("10-web".to_owned(), [("p99".to_owned(), now)].into_iter().collect())].into_iter().collect()
    }

    fn after(values: &[f64]) -> Kept {
        values.iter().fold(Kept::default(), |kept, value| kept.with(&told(*value)))
    }

    fn worse(kept: &Kept, now: f64) -> Option<bool> {
        kept.compare(&told(now)).first().map(Compared::is_worse)
    }

    #[test]
    fn a_first_boot_is_held_against_good_ones_before_it_and_told_how() {
        let kept = after(&[1.0, 1.25, 1.0, 9.0]);
        assert_eq!((worse(&kept, 1.4), worse(&kept, 2.0)), (Some(false), Some(true)));
        assert_eq!(
            kept.compare(&told(2.0))[0].to_string(),
            "p99 of the health check 10-web is 2: in 4 good boots before, 1 was usual here, and the limit is 1.5"
        );
        assert_eq!(worse(&after(&[1.0, 1.0]), 9.0), None, "too few have told");
        let other = [("20-db".to_owned(), told(9.0).remove("10-web").unwrap())].into_iter().collect();
        assert!(kept.compare(&other).is_empty(), "nobody has told that before");
    }

    #[test]
    fn what_is_usually_nothing_judges_nobody() {
        assert_eq!(worse(&after(&[0.0, 0.0, 0.0]), 1.0), None);
        assert_eq!(worse(&after(&[0.0, 2.0, 4.0]), 9.0), Some(false));
        assert_eq!(worse(&after(&[0.0, 2.0, 4.0]), 15.0), Some(true));
        assert_eq!(
            worse(&after(&[-4.0, -4.0, -4.0]), -1.0),
            Some(true),
            "what should be large is told as less than 0"
        );
    }

    #[test]
    fn the_newest_are_kept_and_a_boot_without_a_number_forgets_none() {
        let kept = after(&[1.0; 40]);
        assert_eq!(kept.series["10-web"]["p99"].values.len(), MOST);
        let silent = |boots: usize| (0..boots).fold(kept.clone(), |kept, _| kept.with(&Numbers::new()));
        assert_eq!(worse(&silent(MOST - 1), 9.0), Some(true));
        assert_eq!(silent(MOST), Kept::default(), "a check that is gone is, in the end");
        assert_eq!(silent(MOST - 1).with(&told(1.0)).series["10-web"]["p99"].missed, 0);
    }

    #[test]
    fn a_file_of_a_later_release_is_read() {
        let text = r#"{"new":1,"series":{"10-web":{"p99":{"values":[1,1,1],"more":[]}}}}"#;
        assert_eq!(worse(&serde_json::from_str(text).unwrap(), 2.0), Some(true));
    }

    proptest! {
        #[test]
        fn what_was_seen_most_is_never_worse(seen in prop::collection::vec(-1e6f64..1e6, FEWEST..MOST)) {
            let Some(Usual { median, limit }) = usual(&seen) else { return Ok(()) };
            prop_assert!(median < limit && seen.contains(&median));
            let within = seen.iter().filter(|value| **value <= limit).count();
            prop_assert!(within * 2 >= seen.len());
        }

        #[test]
        fn one_odd_boot_moves_no_limit_beyond_what_the_others_say(
            seen in prop::collection::vec(0.0f64..1e6, 4..MOST), odd in prop::num::f64::NORMAL,
        ) {
            let (least, most) = seen.iter().fold((f64::MAX, 0.0f64), |(a, b), value| (a.min(*value), b.max(*value)));
            let with: Vec<f64> = seen.iter().copied().chain([odd]).collect();
            let bound = most + (SPREADS * (most - least)).max(SHARE * most);
            prop_assert!(usual(&with).is_none_or(|usual| usual.limit <= bound * (1.0 + 1e-9)));
        }

        #[test]
        fn units_do_not_matter(seen in prop::collection::vec(0.5f64..1e6, FEWEST..MOST), unit in 0.001f64..1000.0) {
            let one = usual(&seen).unwrap().limit * unit;
            let other = usual(&seen.iter().map(|value| value * unit).collect::<Vec<_>>()).unwrap().limit;
            prop_assert!((one - other).abs() <= 1e-6 * one.abs().max(1.0));
        }
    }
}

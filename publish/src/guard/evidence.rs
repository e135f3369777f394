//! How much a number of failures speaks against a release: a sequential test that may be looked at as often as one likes.
//!
//! Each host that tries is a bet against the claim "at most so many of a hundred fail". A bet on a share θ above that
//! limit multiplies its stake by θ/limit where the host fails, and by (1-θ)/(1-limit) where it does not: on average by
//! no more than 1 as long as the claim is true. The stake is spread evenly over `BETS` shares, as nobody knows how bad
//! a bad release is, and what all bets have made of it is the evidence. While the claim holds, the chance that it ever
//! reaches 1/α, at any look whatever, is at most α (Ville's inequality; see Ramdas et al., "Game-theoretic statistics
//! and safe anytime-valid inference", 2023).
//!
//! Evidence falls when more hosts are known to have tried, and rises when more of them are known to have failed. So it
//! does no harm to count a host as tried before it is known how that went: that is as if it had gone well.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// How many shares are bet on.
const BETS: u32 = 16;
/// The lowest share that is bet on lies so far above the limit, as a difference of log odds: 1.35 times it.
const FIRST: f64 = 0.3;
/// The log odds of the highest share that is bet on: 98 of 100.
const LAST: f64 = 3.9;
/// The highest limit. Above it a "bad" release would be one that hardly any host survives.
const HIGHEST: f64 = 0.5;

/// A share of hosts that is still all right.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Limit(f64);

/// A text or a number is no limit.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{text:?} is no share of hosts; write it like \"0.3%\" or \"0.003\": above 0, and 50% at most")]
pub struct NotALimit {
    /// The text.
    pub text: String,
}

impl Limit {
    /// The share, if it can be one: above 0, and one half at most.
    ///
    /// # Errors
    /// When it is another number.
    pub fn new(share: f64) -> Result<Self, NotALimit> {
        if share > 1e-6 && share <= HIGHEST {
            Ok(Self(share))
        } else {
            Err(NotALimit { text: share.to_string() })
        }
    }

    /// As a number, 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0
    }

    /// The evidence that more than this share of hosts fail, as its natural logarithm, when `failed` of `tried` hosts
    /// have. More failures than hosts count as failures of all of them.
    #[must_use]
    pub fn evidence(self, failed: u64, tried: u64) -> f64 {
        let failed = failed.min(tried);
        let well = tried - failed;
        let (failed, well) = (failed as f64, well as f64);
        let stakes: Vec<f64> = self
            .bets()
            .map(|bet| {
                let won = (bet / self.0).ln();
                let lost = ((1.0 - bet) / (1.0 - self.0)).ln();
                failed * won + well * lost
            })
            .collect();
        let most = stakes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = stakes.iter().map(|stake| (stake - most).exp()).sum();
        most + sum.ln() - f64::from(BETS).ln()
    }

    /// The shares that are bet on, evenly spread in log odds, all above the limit.
    fn bets(self) -> impl Iterator<Item = f64> {
        let first = (self.0 / (1.0 - self.0)).ln() + FIRST;
        (0..BETS).map(move |number| {
            let odds = first + (LAST - first) * f64::from(number) / f64::from(BETS - 1);
            1.0 / (1.0 + (-odds).exp())
        })
    }
}

impl FromStr for Limit {
    type Err = NotALimit;

    fn from_str(text: &str) -> Result<Self, NotALimit> {
        let refused = || NotALimit { text: text.to_owned() };
        let typed = text.trim();
        let (number, of) = typed.strip_suffix('%').map_or((typed, 1.0), |number| (number.trim_end(), 100.0));
        let share: f64 = number.parse().map_err(|_| refused())?;
        Self::new(share / of).map_err(|_| refused())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two digits that count are enough for a limit, and hide what a division leaves behind.
        let percent = (self.0 * 1e6).round() / 1e4;
        write!(f, "{percent} %")
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Limit {
        text.parse().unwrap()
    }

    /// The same evidence without logarithms, host by host: each bet's stake is multiplied as its host does.
    fn model(limit: Limit, outcomes: &[bool]) -> f64 {
        let bets: Vec<f64> = limit.bets().collect();
        let mut stakes = vec![1.0 / f64::from(BETS); bets.len()];
        for fails in outcomes {
            for (stake, bet) in stakes.iter_mut().zip(&bets) {
                *stake *= if *fails { bet / limit.0 } else { (1.0 - bet) / (1.0 - limit.0) };
            }
        }
        stakes.iter().sum()
    }

    #[test]
    fn evidence_is_what_the_bets_have_made_of_their_stakes() {
        for text in ["0.1%", "1%", "0.2", "50%"] {
            for rate in [0.0, 0.01, 0.3, 1.0] {
                let outcomes: Vec<bool> =
                    (0..60).map(|host| f64::from(host * 37 % 60) < rate * 60.0).collect();
                let failed = outcomes.iter().filter(|fails| **fails).count() as u64;
                let (told, played) = (limit(text).evidence(failed, 60), model(limit(text), &outcomes));
                assert!((told - played.ln()).abs() < 1e-9, "{text} {rate}: {told} {played}");
            }
        }
        assert!(limit("1%").evidence(0, 0).abs() < 1e-12, "nothing speaks before anybody has tried");
    }

    /// Exactly, not by drawing: the chance that the evidence reaches its mark at any of the first `hosts` hosts, where each
    /// fails with this chance, whatever happened before.
    fn ever_reaches(limit: Limit, rate: f64, mark: f64, hosts: u64) -> f64 {
        // chances[k]: that k have failed so far, and the mark was not reached.
        let mut chances = vec![1.0_f64];
        let mut reached = 0.0;
        let mut needed = 1;
        for tried in 1..=hosts {
            while limit.evidence(needed, tried) < mark && needed <= tried {
                needed += 1;
            }
            let mut next = vec![0.0; chances.len() + 1];
            for (failed, chance) in chances.iter().enumerate() {
                next[failed] += chance * (1.0 - rate);
                next[failed + 1] += chance * rate;
            }
            let over = usize::try_from(needed).unwrap().min(next.len());
            reached += next.drain(over..).sum::<f64>();
            chances = next;
        }
        reached
    }

    #[test]
    fn a_release_at_its_limit_is_hardly_ever_taken_for_a_bad_one_however_often_one_looks() {
        for (text, alpha, hosts) in [("0.3%", 0.005, 20_000), ("1%", 0.01, 8_000), ("20%", 0.01, 2_000)] {
            let mark = (1.0_f64 / alpha).ln();
            let chance = ever_reaches(limit(text), limit(text).share(), mark, hosts);
            assert!(chance <= alpha, "{text}: {chance}");
            assert!(chance > alpha / 20.0, "{text}: {chance} is so little that the test is of no use");
            let better = ever_reaches(limit(text), limit(text).share() / 2.0, mark, hosts);
            assert!(better < chance / 5.0, "{text}: {better}");
        }
    }

    #[test]
    fn a_bad_release_is_told_from_few_hosts_and_the_worse_the_fewer() {
        let mark = 200_f64.ln();
        for (rate, hosts) in [(0.01, 6_000), (0.03, 1_000), (0.1, 200), (0.5, 15)] {
            let chance = ever_reaches(limit("0.3%"), rate, mark, hosts);
            assert!(chance > 0.99, "{rate} within {hosts}: {chance}");
        }
    }

    #[test]
    fn more_failures_say_more_and_more_hosts_that_tried_say_less() {
        for text in ["0.01%", "0.3%", "5%", "50%"] {
            let limit = limit(text);
            for tried in [1_u64, 7, 100, 5_000, 1_000_000] {
                for failed in [0, 1, 2, 10, 400].into_iter().filter(|failed| *failed < tried) {
                    let now = limit.evidence(failed, tried);
                    assert!(now.is_finite());
                    assert!(limit.evidence(failed + 1, tried) > now, "{text} {failed} {tried}");
                    assert!(limit.evidence(failed, tried + 1) < now, "{text} {failed} {tried}");
                }
            }
            assert!((limit.evidence(9, 3) - limit.evidence(3, 3)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_limit_is_a_share_or_a_percentage() {
        for (text, share, told) in
            [("0.3%", 0.003, "0.3 %"), ("0.002", 0.002, "0.2 %"), (" 5 %", 0.05, "5 %"), ("50%", 0.5, "50 %")]
        {
            assert!((limit(text).share() - share).abs() < 1e-12, "{text}");
            assert_eq!(limit(text).to_string(), told);
        }
        for text in ["0", "0%", "-1%", "51%", "1", "NaN", "inf", "few", "", "%"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
        assert_eq!(
            "few".parse::<Limit>().unwrap_err().to_string(),
            "\"few\" is no share of hosts; write it like \"0.3%\" or \"0.003\": above 0, and 50% at most"
        );
    }
}

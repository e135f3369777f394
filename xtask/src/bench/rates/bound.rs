//! What an update could take at best: each byte is fetched, hashed, decoded, checked, written and read back once, at the
//! rate that was measured in the same run, and all of it is spread over the cores without a gap.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Bytes a second of each kind of work, by one core.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Rates(BTreeMap<String, f64>);

/// What was done, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Work {
    /// Came over the network, and was hashed as it came.
    pub(crate) fetched: u64,
    /// Came out of LZ4 frames.
    pub(crate) lz4: u64,
    /// Came out of zstd frames.
    pub(crate) zstd: u64,
    /// Was read from a set that is there, and hashed block by block.
    pub(crate) scanned: u64,
    /// Was held against its leaf before it was written.
    pub(crate) checked: u64,
    /// Was written.
    pub(crate) written: u64,
    /// Was read back and compared.
    pub(crate) read_back: u64,
}

impl Rates {
    /// Lines of `NAME BYTES SECONDS`.
    pub(super) fn parse(lines: &str) -> Option<Self> {
        let mut rates = Self::default();
        for line in lines.lines() {
            let mut words = line.split_whitespace();
            let (name, bytes, seconds) =
                (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            rates.add(name, bytes, seconds);
        }
        Some(rates)
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
    pub(super) fn add(&mut self, name: &str, bytes: u64, seconds: f64) {
        self.0.insert(name.to_owned(), bytes as f64 / seconds.max(1e-9));
    }

    /// The median of each rate.
    pub(crate) fn median(all: &[Self]) -> Self {
        let mut each: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, rate) in all.iter().flat_map(|rates| &rates.0) {
            each.entry(name).or_default().push(*rate);
        }
        let median = |(name, mut rates): (&str, Vec<f64>)| {
            rates.sort_unstable_by(f64::total_cmp);
            (name.to_owned(), rates[rates.len() / 2])
        };
        Self(each.into_iter().map(median).collect())
    }

    /// Seconds of one core for so many bytes; none where this was not measured.
    #[expect(clippy::cast_precision_loss, reason = "a time is no count")]
    fn seconds(&self, name: &str, bytes: u64) -> f64 {
        self.0.get(name).map_or(0.0, |rate| bytes as f64 / rate)
    }

    /// The bound for this work on so many cores, in seconds.
    pub(crate) fn bound(&self, work: &Work, cores: u32) -> f64 {
        let Work { fetched, lz4, zstd, scanned, checked, written, read_back } = *work;
        let all = self.seconds("http", fetched)
            + self.seconds("sha256", fetched)
            + self.seconds("lz4", lz4)
            + self.seconds("zstd", zstd)
            + self.seconds("scan", scanned)
            + self.seconds("blocks", checked)
            + self.seconds("write-direct", written)
            + self.seconds("read-direct", read_back)
            + self.seconds("sha256", read_back);
        all / f64::from(cores.max(1))
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = "one core of this machine, MB a second".to_owned();
        for (name, rate) in &self.0 {
            let _ = write!(text, "\n  {name:<16}{:>10.0}", rate / 1e6);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str =
        "sha256 100 1.0\nlz4 200 1.0\nblocks 100 1.0\nwrite-direct 50 1.0\nread-direct 100 0.5\n";

    #[test]
    fn each_byte_counts_once_and_the_cores_share_the_work() {
        let mut rates = Rates::parse(LINES).expect("rates");
        rates.add("http", 400, 1.0);
        let work =
            Work { fetched: 400, lz4: 800, checked: 100, written: 100, read_back: 200, ..Work::default() };
        // 1 + 4 + 4 + 1 + 2 + 1 + 2 seconds of one core.
        assert!((rates.bound(&work, 1) - 15.0).abs() < 1e-9);
        assert!((rates.bound(&work, 2) - 7.5).abs() < 1e-9);
        assert!(rates.bound(&Work { zstd: 7, ..Work::default() }, 2).abs() < 1e-9, "never measured");
    }

    #[test]
    fn of_several_rates_the_middle_one_counts() {
        let rates = ["sha256 3 1.0", "sha256 1 1.0\nlz4 7 1.0", "sha256 2 1.0"]
            .map(|text| Rates::parse(text).unwrap());
        assert_eq!(Rates::median(&rates), Rates::parse("sha256 2 1.0\nlz4 7 1.0").unwrap());
        assert_eq!(Rates::median(&[]), Rates::default());
    }

    #[test]
    fn what_is_no_rate_is_no_rate() {
        assert_eq!(Rates::parse("sha256 many 1.0"), None);
        assert_eq!(Rates::parse("sha256 1"), None);
        assert!(Rates::parse(LINES).expect("rates").table().contains("lz4"));
    }
}

//! Numbers that look random and are always the same (SplitMix64). Good enough to draw a fleet, and for nothing secret.

/// A sequence of numbers that follows from where it starts.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(start: u64) -> Self {
        Self(start)
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(limit);
        u64::try_from(wide >> 64).expect("the upper half of 128 bits")
    }

    /// Whether something happens that does so at this rate, 0 to 1.
    pub(crate) fn happens(&mut self, rate: f64) -> bool {
        let unit = f64::from(u32::try_from(self.bits() >> 32).expect("half of 64 bits")) / 4_294_967_296.0;
        unit < rate
    }

    /// How many of `count` things happen that each do so at this rate. It takes as long as that number: from one that
    /// happens to the next, by the distance between them.
    pub(crate) fn binomial(&mut self, count: u64, rate: f64) -> u64 {
        if rate >= 1.0 {
            return count;
        }
        let one_less = (-rate).ln_1p();
        let (mut at, mut happened) = (0.0_f64, 0);
        loop {
            // Never 0, whose logarithm is no number.
            let unit = (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0 + f64::MIN_POSITIVE;
            at += (unit.ln() / one_less).floor() + 1.0;
            if at > count as f64 || !at.is_finite() {
                return happened;
            }
            happened += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_one_that_is_published_for_this_generator() {
        let mut random = Random::new(1_234_567);
        let first: Vec<_> = (0..5).map(|_| random.bits()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn numbers_spread_evenly() {
        let mut random = Random::new(7);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(random.below(10)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        let happened = (0..100_000).filter(|_| random.happens(0.25)).count();
        assert!((24_000..26_000).contains(&happened), "{happened}");
        assert!(!random.happens(0.0) && random.happens(1.0));
    }

    #[test]
    fn as_many_of_many_happen_as_one_by_one() {
        let mut random = Random::new(11);
        let draws: Vec<f64> = (0..20_000).map(|_| random.binomial(1_000, 0.02) as f64).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let spread = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!((mean - 20.0).abs() < 0.15 && (spread - 19.6).abs() < 0.8, "{mean} {spread}");
        assert_eq!([random.binomial(7, 1.0), random.binomial(7, 0.0), random.binomial(0, 0.5)], [7, 0, 0]);
    }
}

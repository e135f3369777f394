//! Yes or no for each of many units.

/// One bit for each unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// So many units, each of them a no.
    #[must_use]
    pub fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// How many units there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is said of a unit; a no past the last one.
    #[must_use]
    pub fn get(&self, unit: usize) -> bool {
        self.words.get(unit / 64).is_some_and(|word| word >> (unit % 64) & 1 == 1)
    }

    /// Says something else of a unit.
    ///
    /// # Panics
    /// When there is no such unit.
    pub fn set(&mut self, unit: usize, said: bool) {
        assert!(unit < self.len, "there are {} units, not {unit}", self.len);
        let word = &mut self.words[unit / 64];
        *word = *word & !(1 << (unit % 64)) | u64::from(said) << (unit % 64);
    }

    /// Adds a unit behind the last one.
    pub fn push(&mut self, said: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, said);
    }

    /// How many units have a yes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The model: a list of what is said.
        #[test]
        fn bits_say_what_a_list_says(
            model in prop::collection::vec(any::<bool>(), 0..200),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..20),
        ) {
            let mut model = model;
            let mut pushed = Bits::default();
            model.iter().for_each(|said| pushed.push(*said));
            let mut set = Bits::none(model.len());
            model.iter().enumerate().for_each(|(unit, said)| set.set(unit, *said));
            prop_assert_eq!(&set, &pushed);
            let none = model.is_empty();
            for (place, said) in changes.iter().filter(|_| !none) {
                let unit = place.index(model.len());
                set.set(unit, *said);
                model[unit] = *said;
            }
            let said: Vec<bool> = (0..set.len()).map(|unit| set.get(unit)).collect();
            prop_assert_eq!(&said, &model);
            prop_assert_eq!(set.count(), model.iter().filter(|said| **said).count());
            prop_assert!(!set.get(model.len()) && !set.get(usize::MAX));
            prop_assert_eq!(set.is_empty(), model.is_empty());
        }
    }
}

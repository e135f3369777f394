//! The boot bits of a BOOT entry's attributes.

/// Priority, tries and success of one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
pub struct BootBits {
    /// 0 to 15; a set with 0 is never booted.
    pub priority: u8,
    /// 0 to 15.
    pub tries: u8,
    /// Whether a boot of it was marked good.
    pub successful: bool,
}

/// Where the three fields lie.
const PRIORITY: u32 = 48;
const TRIES: u32 = 52;
const SUCCESSFUL: u32 = 56;

impl BootBits {
    /// What a factory gives the set that it installs.
    pub const FACTORY: Self = Self { priority: 1, tries: 0, successful: true };

    /// Reads the fields out of a GPT entry's attributes.
    #[must_use]
    pub fn from_attributes(attributes: u64) -> Self {
        let nibble = |shift: u32| ((attributes >> shift) & 0xf) as u8;
        Self {
            priority: nibble(PRIORITY),
            tries: nibble(TRIES),
            successful: attributes >> SUCCESSFUL & 1 == 1,
        }
    }

    /// `attributes` with these fields and everything else as it was.
    #[must_use]
    pub fn onto(self, attributes: u64) -> u64 {
        let ours = 0xf << PRIORITY | 0xf << TRIES | 1 << SUCCESSFUL;
        attributes & !ours
            | u64::from(self.priority & 0xf) << PRIORITY
            | u64::from(self.tries & 0xf) << TRIES
            | u64::from(self.successful) << SUCCESSFUL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_in_and_come_out_and_others_stay() {
        let bits = BootBits { priority: 2, tries: 1, successful: true };
        let attributes = bits.onto(u64::MAX);
        assert_eq!(BootBits::from_attributes(attributes), bits);
        assert_eq!(bits.onto(0), 0x0112_0000_0000_0000);
        assert_eq!(attributes | 0x01ff_0000_0000_0000, u64::MAX);
    }
}

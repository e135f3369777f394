//! Copied blocks and prefixes as runs, in as few bytes as they need.

use super::error::HeaderError;

/// So many blocks of the old image become blocks of the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyRun {
    /// The first block in the new image.
    pub new: u32,
    /// The first block in the old image.
    pub old: u32,
    /// How many blocks, at least one.
    pub blocks: u32,
}

/// Blocks of the old image that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first block.
    pub first: u32,
    /// How many, at least one.
    pub blocks: u32,
}

/// How many blocks some runs have.
#[must_use]
pub fn total(runs: &[Run]) -> u64 {
    runs.iter().map(|run| u64::from(run.blocks)).sum()
}

/// Appends a number in groups of seven bits, the lowest first; the top bit of a byte says that more follow.
pub(super) fn put(into: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            into.push(low);
            return;
        }
        into.push(low | 0x80);
    }
}

/// Appends a number that may be negative: 0, -1, 1, -2 … are written as 0, 1, 2, 3 …
pub(super) fn put_signed(into: &mut Vec<u8>, number: i64) {
    put(into, (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
}

/// Reads numbers off the front of bytes.
pub(super) struct Numbers<'a>(pub(super) &'a [u8]);

impl<'a> Numbers<'a> {
    /// The next number; only its shortest form is read.
    pub(super) fn number(&mut self, field: &'static str) -> Result<u64, HeaderError> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(HeaderError::Truncated)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest { Ok(number) } else { Err(HeaderError::Field { field }) };
            }
        }
        Err(HeaderError::Field { field })
    }

    /// The next number as one of 32 bits.
    pub(super) fn short(&mut self, field: &'static str) -> Result<u32, HeaderError> {
        u32::try_from(self.number(field)?).map_err(|_| HeaderError::Field { field })
    }

    /// The next number that may be negative.
    pub(super) fn signed(&mut self, field: &'static str) -> Result<i64, HeaderError> {
        let number = self.number(field)?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// The next bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], HeaderError> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(HeaderError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next 32 bytes.
    pub(super) fn digest(&mut self) -> Result<[u8; 32], HeaderError> {
        Ok(self.bytes(32)?.try_into().expect("so many were asked for"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_comes_back(number in 0..1u64 << 62, signed in -(1i64 << 61)..1 << 61) {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            put_signed(&mut bytes, signed);
            let mut numbers = Numbers(&bytes);
            prop_assert_eq!(numbers.number("first"), Ok(number));
            prop_assert_eq!(numbers.signed("second"), Ok(signed));
            prop_assert!(numbers.0.is_empty());
        }
    }

    #[test]
    fn small_numbers_take_one_byte_and_longer_forms_of_them_are_refused() {
        let mut bytes = Vec::new();
        put_signed(&mut bytes, -64);
        assert_eq!(bytes, [127]);
        assert_eq!(Numbers(&[0x80, 0]).number("x"), Err(HeaderError::Field { field: "x" }));
        assert_eq!(Numbers(&[0x80]).number("x"), Err(HeaderError::Truncated));
        assert_eq!(Numbers(&[0xff; 12]).number("x"), Err(HeaderError::Field { field: "x" }));
        assert_eq!(
            Numbers(&[0xff, 0xff, 0xff, 0xff, 0x1f]).short("x"),
            Err(HeaderError::Field { field: "x" })
        );
    }
}

//! How large a frame is.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use verity::BLOCK_SIZE;

/// The most blocks of a frame: 4 MiB. A decoder holds one frame in memory.
pub const MAX_FRAME_BLOCKS: u32 = 1024;

/// How much of an image one frame has: a whole number of blocks, 1 to [`MAX_FRAME_BLOCKS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameSize(u32);

/// Why something is no frame size.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("take a frame size: it has to be a multiple of 4 KiB, from 4 KiB to 4 MiB")]
pub struct FrameSizeError;

impl FrameSize {
    /// The largest one.
    pub const LARGEST: Self = Self(MAX_FRAME_BLOCKS);
    /// 64 KiB.
    pub const KIB_64: Self = Self(16);

    /// From a number of blocks.
    ///
    /// # Errors
    /// When there are none, or too many.
    pub fn from_blocks(blocks: u32) -> Result<Self, FrameSizeError> {
        if (1..=MAX_FRAME_BLOCKS).contains(&blocks) { Ok(Self(blocks)) } else { Err(FrameSizeError) }
    }

    /// From a number of bytes.
    ///
    /// # Errors
    /// When they are no whole blocks, none, or too many.
    pub fn from_bytes(bytes: u64) -> Result<Self, FrameSizeError> {
        let block = BLOCK_SIZE as u64;
        if !bytes.is_multiple_of(block) {
            return Err(FrameSizeError);
        }
        Self::from_blocks(u32::try_from(bytes / block).map_err(|_| FrameSizeError)?)
    }

    /// In blocks of 4 KiB.
    #[must_use]
    pub fn blocks(self) -> u32 {
        self.0
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.0 as usize * BLOCK_SIZE
    }
}

impl Default for FrameSize {
    /// 16 KiB: see `docs/formats.md`, "Frames", for what was measured.
    fn default() -> Self {
        Self(4)
    }
}

impl FromStr for FrameSize {
    type Err = FrameSizeError;

    /// Reads `65536`, `64KiB` or `1MiB`.
    fn from_str(text: &str) -> Result<Self, FrameSizeError> {
        let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
        let unit = match unit.trim_start() {
            "" | "B" => 1,
            "K" | "KiB" => 1 << 10,
            "M" | "MiB" => 1 << 20,
            _ => return Err(FrameSizeError),
        };
        let number: u64 = number.parse().map_err(|_| FrameSizeError)?;
        Self::from_bytes(number.checked_mul(unit).ok_or(FrameSizeError)?)
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}KiB", self.bytes() / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_blocks_as_people_type_them() {
        for (text, blocks) in [("4096", 1), ("64KiB", 16), ("128 KiB", 32), ("1MiB", 256), ("4M", 1024)] {
            let size: FrameSize = text.parse().unwrap();
            assert_eq!(size.blocks(), blocks, "{text}");
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for text in ["", "0", "KiB", "1", "4097", "5KB", "4MiB1", "-4096", "4100KiB", "99999999999999999999K"]
        {
            assert_eq!(text.parse::<FrameSize>(), Err(FrameSizeError), "{text}");
        }
        assert_eq!(FrameSize::default().bytes(), 16_384);
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            FrameSizeError.to_string(),
            "take a frame size: it has to be a multiple of 4 KiB, from 4 KiB to 4 MiB"
        );
    }
}

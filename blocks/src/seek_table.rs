//! Where the frames lie, for other tools: the seek table of the zstd seekable format, as a skippable frame behind the
//! data. Our hosts never fetch it.

use crate::Index;

/// What a skippable frame of this kind begins with.
const SKIPPABLE: u32 = 0x184D_2A5E;
/// What the file ends with.
const SEEKABLE: u32 = 0x8F92_EAB1;
const HEADER: usize = 8;
const ENTRY: usize = 8;
const FOOTER: usize = 9;
/// No checksums in the table.
const DESCRIPTOR: u8 = 0;

/// The table as it stands behind the frames.
///
/// # Panics
/// Never: an index has few enough frames.
#[must_use]
pub fn seek_table(index: &Index) -> Vec<u8> {
    let frames = index.frames();
    let body = u32::try_from(frames.len() * ENTRY + FOOTER).expect("frames are counted in 18 bits");
    let mut bytes = Vec::with_capacity(HEADER + body as usize);
    bytes.extend_from_slice(&SKIPPABLE.to_le_bytes());
    bytes.extend_from_slice(&body.to_le_bytes());
    for (number, frame) in frames.enumerate() {
        let raw = index.raw_range(number);
        let raw_len = u32::try_from(raw.end - raw.start).expect("a frame has at most 4 MiB");
        bytes.extend_from_slice(&frame.length.to_le_bytes());
        bytes.extend_from_slice(&raw_len.to_le_bytes());
    }
    let count = u32::try_from(index.frame_count()).expect("frames are counted in 18 bits");
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.push(DESCRIPTOR);
    bytes.extend_from_slice(&SEEKABLE.to_le_bytes());
    bytes
}

/// How long the whole file is: the frames and the table.
#[must_use]
pub fn file_len(index: &Index) -> u64 {
    index.data_len() + (HEADER + index.frame_count() * ENTRY + FOOTER) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameSize;
    use crate::index::Frame;

    #[test]
    fn the_table_is_the_one_of_the_seekable_format() {
        let frame = |offset, length| Frame { offset, length, sha256: [0; 32], raw_sha256: None };
        let index = Index::new(4196, FrameSize::from_blocks(1).unwrap(), &[frame(0, 50), frame(50, 20)]);
        let table = seek_table(&index);
        #[rustfmt::skip]
        let expected = [
            0x5E, 0x2A, 0x4D, 0x18, 25, 0, 0, 0,
            50, 0, 0, 0, 0, 0x10, 0, 0,
            20, 0, 0, 0, 100, 0, 0, 0,
            2, 0, 0, 0, 0, 0xB1, 0xEA, 0x92, 0x8F,
        ];
        assert_eq!(table, expected);
        assert_eq!(file_len(&index), 70 + table.len() as u64);
    }
}

//! LZ4 frames, made as a stream in bounded memory.

use std::io::{self, Read, Write};

use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

/// How much is read at once; also the largest block of the frame.
const BLOCK: usize = 1024 * 1024;

/// Writes all of `from` to `to` as one frame with a checksum over its content.
///
/// # Errors
/// When either side fails.
pub fn compress(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<()> {
    let info = FrameInfo::new().block_size(BlockSize::Max1MB).content_checksum(true);
    let mut encoder = FrameEncoder::with_frame_info(info, to);
    let mut block = vec![0; BLOCK];
    loop {
        match from.read(&mut block) {
            Ok(0) => break,
            Ok(count) => encoder.write_all(&block[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    encoder.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_and_the_same_each_time() {
        let raw: Vec<u8> = (0..3_000_000u32).map(|at| (at / 1000 % 251) as u8).collect();
        let frames: Vec<Vec<u8>> = (0..2)
            .map(|_| {
                let mut frame = Vec::new();
                compress(&mut raw.as_slice(), &mut frame).expect("in memory");
                frame
            })
            .collect();
        assert_eq!(frames[0], frames[1]);
        assert!(frames[0].len() < raw.len());
        let mut back = Vec::new();
        lz4_flex::frame::FrameDecoder::new(frames[0].as_slice()).read_to_end(&mut back).expect("decoded");
        assert_eq!(back, raw);
    }
}

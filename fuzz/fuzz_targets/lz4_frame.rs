//! LZ4 frames: decoding is bounded, and a frame of ours comes back, but not with a byte more or less.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use lz4_flex::frame::FrameEncoder;
use trusted_repo::fuzzing::frame;

const LIMIT: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let _any_answer = frame(bytes, LIMIT);
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("memory takes everything");
    let mut framed = encoder.finish().expect("memory takes everything");
    assert_eq!(frame(&framed, bytes.len() as u64).as_deref(), Some(bytes), "what is written reads back");
    if let Some(less) = (bytes.len() as u64).checked_sub(1) {
        assert_eq!(frame(&framed, less), None, "the limit holds");
    }
    framed.push(0);
    assert_eq!(frame(&framed, LIMIT), None, "a byte too many");
    framed.truncate(framed.len() - 2);
    assert_eq!(frame(&framed, LIMIT), None, "a byte too few");
});

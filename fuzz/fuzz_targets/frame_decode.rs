//! Frames: decoding any bytes gives exactly what was asked for or an error, and a frame of ours comes back, but not from
//! damaged bytes.
#![no_main]

use blocks::encode::Options;
use blocks::{Decoder, Frame, FrameSize, Level, RawDigests, encode};
use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 8192;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let raw_len = usize::from(input.u16());
    let (damage_at, damage) = (usize::from(input.u16()), input.byte());
    let rest = input.rest();
    let mut decoder = Decoder::new(LIMIT);

    let length = u32::try_from(rest.len()).expect("an input is short");
    let any = Frame { offset: 0, length, sha256: [0; 32], raw_sha256: None };
    if let Ok(raw) = decoder.decode(&any, raw_len, rest) {
        assert!(raw.len() == raw_len && raw_len <= LIMIT);
    }

    let options = Options {
        frame_size: FrameSize::from_bytes(LIMIT as u64).expect("two blocks"),
        level: Level::new(1).expect("the first"),
        raw_digests: RawDigests::Keep,
        threads: std::num::NonZeroUsize::MIN,
    };
    let raw = &rest[..rest.len().min(LIMIT)];
    let mut data = Vec::new();
    let index = encode(&mut &raw[..], &mut data, &options, &mut |_| {}).expect("memory takes everything");
    let [frame] = index.frames() else { return };
    let mut compressed = data[..frame.length as usize].to_vec();
    assert!(frame.is(&compressed));
    assert_eq!(decoder.decode(frame, raw.len(), &compressed), Ok(raw), "what is written reads back");
    assert!(decoder.decode(frame, raw.len().saturating_sub(1), &compressed).is_err(), "not a byte less");
    assert!(decoder.decode(frame, raw.len() + 1, &compressed).is_err(), "not a byte more");
    let at = damage_at % compressed.len();
    compressed[at] ^= damage;
    if let Ok(decoded) = decoder.decode(frame, raw.len(), &compressed) {
        assert_eq!(decoded, raw, "other bytes than the index names");
    }
});

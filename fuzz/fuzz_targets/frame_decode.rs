//! Frames: decoding any bytes ends, and a frame of ours comes back, but not from damaged bytes.
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
    let mut decoder = Decoder::new();
    let mut decode = |frame: &Frame, compressed: &[u8], raw_len: usize| {
        let mut raw = vec![0; raw_len];
        decoder.decode(frame, compressed, &mut raw).map(|()| raw)
    };

    let length = u32::try_from(rest.len()).expect("an input is short");
    let any = Frame { offset: 0, length, sha256: [0; 32], raw_sha256: None };
    let _whatever_it_is = decode(&any, rest, raw_len);

    let options = Options {
        frame_size: FrameSize::from_bytes(LIMIT as u64).expect("two blocks"),
        level: Level::new(1).expect("the first"),
        raw_digests: RawDigests::Keep,
        threads: std::num::NonZeroUsize::MIN,
    };
    let raw = &rest[..rest.len().min(LIMIT)];
    let mut data = Vec::new();
    let index = encode(&mut &raw[..], &mut data, &options, &mut |_| {}).expect("memory takes everything");
    let Some(frame) = index.frame(0) else { return };
    let frame = &frame;
    let mut compressed = data[..frame.length as usize].to_vec();
    assert!(frame.is(&compressed));
    assert_eq!(decode(frame, &compressed, raw.len()).as_deref(), Ok(raw), "what is written reads back");
    assert!(decode(frame, &compressed, raw.len().saturating_sub(1)).is_err(), "not a byte less");
    assert!(decode(frame, &compressed, raw.len() + 1).is_err(), "not a byte more");
    let at = damage_at % compressed.len();
    compressed[at] ^= damage;
    if let Ok(decoded) = decode(frame, &compressed, raw.len()) {
        assert_eq!(decoded, raw, "other bytes than the index names");
    }
});

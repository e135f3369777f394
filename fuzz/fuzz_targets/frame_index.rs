//! The index of frames: whatever is read adds up, is written alike, and leaves a table for other tools.
#![no_main]

use blocks::{Index, seek_table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = Index::parse(bytes) else { return };
    let (mut raw, mut data) = (0, 0);
    for (number, frame) in index.frames().enumerate() {
        let range = index.raw_range(number);
        assert_eq!(index.frame(number).as_ref(), Some(&frame));
        assert_eq!((range.start, frame.offset), (raw, data), "one frame follows the other");
        assert!(range.end > range.start && frame.length > 0);
        assert!(range.end - range.start <= index.frame_size().bytes() as u64);
        (raw, data) = (range.end, frame.range().end);
    }
    assert_eq!((raw, data), (index.raw_len(), index.data_len()), "they cover it all");
    let table = seek_table::seek_table(&index);
    assert_eq!(seek_table::file_len(&index), data + table.len() as u64);
    let again = index.encode();
    assert!(again.len() <= bytes.len(), "a later writer's header may be longer");
    assert_eq!(Index::parse(&again).as_ref(), Ok(&index), "what is written reads back");
});

//! The header of a pack: whatever is read covers the image, stays within both, and is written alike.
#![no_main]

use blocks::pack::{GROUP_BLOCKS, Header, MAX_PREFIX_BLOCKS, MAX_SPAN_BLOCKS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = Header::parse(bytes) else { return };
    assert_eq!(header.encode(), bytes, "there is one way to write it");
    let old_blocks = header.old_len.div_ceil(4096);
    let (mut group, mut offset, mut fresh) = (0, 0, 0);
    for span in &header.spans {
        assert_eq!((span.first_group, span.offset), (group, offset), "one span follows the other");
        assert!(span.groups > 0 && span.new_blocks <= MAX_SPAN_BLOCKS);
        let prefix: u32 = span.prefix.iter().map(|run| run.blocks).sum();
        assert!(prefix <= MAX_PREFIX_BLOCKS);
        assert!(span.prefix.iter().all(|run| u64::from(run.first + run.blocks) <= old_blocks));
        let copied: u32 = span.group_range().flat_map(|group| header.copies_of(group)).map(|run| run.blocks).sum();
        let blocks = (span.group_range().end * GROUP_BLOCKS).min(header.new_blocks()) - span.first_group * GROUP_BLOCKS;
        assert_eq!(copied + span.new_blocks, blocks);
        fresh += span.new_blocks;
        (group, offset) = (group + span.groups, offset + u64::from(span.length));
    }
    assert_eq!(group, header.groups(), "they cover it all");
    let copied: u32 = header.copies.iter().map(|run| run.blocks).sum();
    assert_eq!(copied + fresh, header.new_blocks());
});

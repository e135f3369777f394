//! What a host would fetch of an image without a pack.

use blocks::Index;
use blocks::pack::Header;

/// Signed lengths of what a host fetches without a pack, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    /// The plain stream.
    pub(crate) stream: u64,
    /// The index of the image's frames.
    pub(crate) index: u64,
    /// The hash image, which a pack makes as well; 0 for boot.
    pub(crate) hash: u64,
}

/// The cheaper one of frames and stream, for a host that has the base of `header` and nothing else.
pub(crate) fn of(whole: Whole, index: Option<&Index>, header: &Header) -> u64 {
    let stream = whole.stream + whole.hash;
    let Some(index) = index else { return stream };
    let mut frames = 0;
    let mut counted = None;
    let mut count = |from: u32, to: u32| {
        for block in from..to {
            let frame = index.frame_of_block(u64::from(block));
            if counted != Some(frame) {
                frames += u64::from(index.length(frame));
                counted = Some(frame);
            }
        }
    };
    let mut next = 0;
    for run in &header.copies {
        count(next, run.new);
        next = run.new + run.blocks;
    }
    count(next, header.new_blocks());
    (whole.index + whole.hash + frames).min(stream)
}

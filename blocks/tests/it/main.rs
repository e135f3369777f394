//! Frames as somebody else reads them, and packs made and applied.
//!
//! - `other_tools`: the zeekstd crate and the zstd program
//! - `pack`: a pack leads from one image to another, whatever became of either
//! - `pack_hostile`: packs that lie, and a base that changes while it is read

#![allow(clippy::unwrap_used, reason = "a story whose setting cannot be made has failed")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]

mod other_tools;
mod pack;
mod pack_hostile;

//! Frames as somebody else reads them.
//!
//! - `other_tools`: the zeekstd crate and the zstd program

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]

mod other_tools;

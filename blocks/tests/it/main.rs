//! Frames as somebody else reads them.
//!
//! - `other_tools`: the zeekstd crate and the zstd program

mod other_tools;

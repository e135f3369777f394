//! The fixtures judge themselves, then the whole walk runs on them.
//!
//! - [`images`]: a root is a squashfs that others can read, two versions share most of it, every block has its leaf
//! - [`disks`]: the layout, seen by gptman alone
//! - [`firmware`]: the simulated firmware and `signpost` agree on every state

mod disks;
//mod firmware;
mod images;

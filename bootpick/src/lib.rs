//! The boot program of a host with two partition sets: it picks the set to start, pays for the start in the partition
//! table, and starts it. It is the step "boot pick" of the walk in `docs/walkthrough.md`; what it expects of a set and
//! of the firmware is in `docs/boot-bits.md`, why it exists in `docs/decisions`.
//!
//! The rules are here and run anywhere; which set it is, and how the table is written, are `signpost`'s. `main.rs` and the
//! folder `firmware` are the same on a real machine.
//!
//! - [`boot`]: the whole way, from the table to a set that runs
//! - [`content`]: what a boot partition holds, and how that is started
//! - [`command_line`]: what a kernel is told

#![no_std]

extern crate alloc;

pub mod boot;
pub mod command_line;
pub mod content;

//! The fixtures judge themselves, then the whole walk runs on them.
//!
//! - [`images`]: a root is a squashfs that others can read, two versions share most of it, every block has its leaf
//! - [`disks`]: the layout, seen by gptman and by `signpost`
//! - [`firmware`]: the simulated firmware and `signpost` agree on every state
//! - [`starts`]: boots that end before the first program
//! - [`walk`]: update, reboot, migrate, mark good; back and forward; fall back
//! - [`publisher`]: what a publisher asks over the network
//! - [`unheard`]: programs whose words reach nobody
//! - [`faults`]: what is wrong with a repository, a disk or a rollout, and what the programs make of it

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]

mod disks;
mod faults;
mod firmware;
mod images;
mod publisher;
mod starts;
mod unheard;
mod walk;

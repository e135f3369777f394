//! Everything that `signpost` promises, seen from outside.
//!
//! - `disks`: disk images as other tools make them, and what other tools say of them afterwards
//! - `cli`: runs the program
//! - `story`: an update's life through the program, on an image file
//! - `screens`: what people read
//! - `golden`: compares a screen with the one that is kept beside the tests
//! - `terminal`: runs the program on a terminal
//! - `create`: laying out disks
//! - `partitions`: opening a set's partitions
//! - `refusals`: disks that are not as they should be, as image files and as block devices
//! - `fake_host`: a host that is made of files
//! - `devices`: finding the disk and the running set
//! - `witnesses`: who else says which set runs
//! - `esp`: the partitions that firmware starts from
//! - `loops`: block devices, where the machine lets us make them
//! - `tables`: random tables and random damage
//! - `model`: every history from a factory disk keeps a set that boots
//! - `power`: a disk that loses power
//! - `torn`: power cuts and kills at every point of every command
//! - `starts`: what a boot program does to a disk before it starts a set
//! - `faults`: a disk that fails or lies at one operation

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cli;
mod create;
mod devices;

mod disks;
mod esp;
mod fake_host;
mod faults;
mod golden;
mod loops;
mod model;
mod partitions;
mod power;
mod refusals;
mod screens;
mod starts;
mod story;
mod tables;
mod terminal;
mod torn;
mod witnesses;

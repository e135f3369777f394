//! Everything that `signpost` promises, seen from outside.
//!
//! - `disks`: disk images as other tools make them, and what other tools say of them afterwards
//! - `cli`: runs the program
//! - `story`: an update's life through the program, on an image file
//! - `screens`: what people read

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cli;
mod disks;
mod screens;
mod story;

//! What a power cut leaves, for tests (cargo feature `explore`; it is never part of a product).
//!
//! - `cut`: a file system whose power goes away at a given change
//! - [`record`]: every change that programs make to disks and files, and what they look at, as one log
//! - [`room`]: a persistent partition that is full
//! - [`killing`]: a program that is killed before a given change

mod cut;
pub mod killing;
pub mod record;
pub mod room;

pub use cut::{CutFs, PowerCut};

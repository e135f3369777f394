//! One data directory, read and written whole.
//!
//! ```text
//! live/settings/motd                      "Welcome"
//! live/settings/motd.affected-services    ["login"]        metadata of settings.motd
//! pending/default/settings/motd           "Bye"            transaction "default"
//! pending/default/settings/ntp/mode.unset true             it takes settings.ntp.mode away
//! ```
//!
//! What a transaction takes away has the form of metadata, which no reader of this format takes for a value.
//!
//! Reading goes from the data directory downwards by names that were listed as directories, so no link is ever
//! followed: one that lies in the way is an error with its path. [`read`] wants all of it to be right, as whoever runs
//! migrations does; [`read_usable`] takes what can be read and names the rest. Writing makes a directory that nobody
//! refers to yet; a power cut leaves an unreferenced directory behind, which the next writer removes.
//!
//! - `names`: what lies where, and with which rights
//! - `contents`: all that a data directory holds, and what becomes of it
//! - `read`: from the disk to that
//! - `plan`: from that to files and directories, before the first of them is made
//! - `write`: making and removing them
//! - `many`: many files, side by side

mod contents;
mod many;
mod names;
mod plan;
mod read;
mod write;

pub use contents::{Change, Contents, Damage, Metadata, Settings};
pub(crate) use names::{DIR_MODE, LIVE, PENDING, transaction_dir};
pub use plan::room;
pub(crate) use plan::{check_change, check_live, check_place};
pub use read::{read, read_change, read_live, read_usable, transactions};
pub use write::write;
pub(crate) use write::{drop_pending, sweep_dropped, write_change, write_file, write_unsynced};

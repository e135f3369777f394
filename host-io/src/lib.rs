//! The seams between our rules and a machine.
//!
//! This crate decides nothing about updates. It is the only way in which product code touches storage, time and the
//! host itself, so that a later proof (a recorder of writes and syncs, a full disk, a lying disk) can stand in for any
//! of them. It serves every step of the walk in `docs/walkthrough.md`.
//!
//! - [`paths`]: where things lie, on a real host or under one directory
//! - [`host`]: what the host is, its boot command line, and the request to reboot
//! - `reset`: the way to a reset that nobody can refuse
//! - [`clock`]: the time, as a value that is asked for once at the edge
//! - [`buffer`]: memory that direct I/O takes
//! - [`disk`]: read, write, sync on a block device or an image file, and read back what is on the medium
//! - [`fs`]: the few operations that "new, synced, swapped" needs on the persistent partition; `system_fs`: the machine's own,
//!   `memory_fs`: one in memory
//! - [`swap`]: "new, synced, swapped" itself; [`public_file`]: the same where more rights than ours may read it
//! - [`lock`]: the operation lock and the disk lock
//! - [`boot_note`]: what a boot that is not proven yet writes down for the other set
//! - [`snapshot_request`]: a wish for the next boot: settings as they were, instead of migrations
//! - [`report`]: how an error becomes one sentence with a next step
//! - [`address`]: addresses that would be read otherwise than they are written
//! - [`redacted`]: a text in which somebody may have written an address, as it may be shown
//! - [`plain`]: words of others, as they may stand on a terminal or in a log
//! - [`say`]: whatever a program says on stdout and stderr
//! - [`log`]: narration on stderr; [`bar`]: one line there that says how far something is
//! - [`guards`]: guards by name
//! - `explore` (a cargo feature, for tests only): a power cut at any change to the file system, and a record
//!   of all changes

pub mod address;
pub mod bar;
pub mod boot_note;
pub mod buffer;
pub mod clock;
pub mod disk;
#[cfg(any(test, feature = "explore"))]
pub mod explore;
pub mod fs;
pub mod guards;
pub mod host;
pub mod lock;
pub mod log;
pub mod machine;
mod memory_fs;
pub mod paths;
pub mod plain;
pub mod public_file;
pub mod redacted;
pub mod report;
mod reset;
pub mod say;
pub mod snapshot_request;
mod stderr;
pub mod swap;
mod system_fs;

pub use boot_note::BootNote;
pub use buffer::Buffer;
pub use clock::{Clock, SystemClock};
pub use disk::{Access, Disk, DiskRange, FileDisk, Medium};
pub use fs::Fs;
pub use host::{Host, OsRelease, SystemHost};
pub use lock::{DirLock, DiskLock, OperationLock};
pub use memory_fs::MemoryFs;
pub use paths::Paths;
pub use report::Advise;
pub use snapshot_request::SnapshotRequest;
pub use system_fs::SystemFs;

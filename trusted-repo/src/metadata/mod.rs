//! What signed metadata says, and whether those have signed it who may.
//!
//! Keys and signatures are tough's to judge, and its schema is the one that root roles are read with. The other roles are
//! read here, for tough wants a SHA-256 everywhere and reads all of a role's delegations before any of them is needed
//! (`docs/decisions/0021-delegations-are-searched.md`).
//!
//! - `signed`: a file with its signatures, and who may have made them
//! - `holder`: what tells the holders of keys apart
//! - `quorum`: whether enough different keys have signed
//! - [`hashes`]: the digests of a file: SHA-256, SHA-512 or both
//! - `named`: what timestamp and snapshot say of the files below them
//! - `targets`: what a targets role lists, and to whom it delegates
//! - `pattern`: which targets a delegation is for
//! - `file_name`: the names of roles' files
//! - [`now`]: the time that counts, and what has expired by then
//! - [`still`]: whether a repository still moves

pub(crate) mod file_name;
pub mod hashes;
pub(crate) mod holder;
pub(crate) mod named;
pub mod now;
pub(crate) mod pattern;
pub(crate) mod quorum;
pub(crate) mod signed;
pub mod still;
pub(crate) mod targets;

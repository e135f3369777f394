//! The only door to a TUF repository, and the only crate that names tough.
//!
//! This crate decides what is trusted: which metadata is accepted, what is remembered of it, and whether the bytes of a
//! target are the signed ones. It touches the network, the trust memory and the cache for the next boot; it knows
//! nothing of partitions. It is steps 1 and 3 of the walk in `docs/walkthrough.md`, and the trust of step 8.
//!
//! In the order of the walk:
//!
//! - [`address`]: an address: what of it may be shown, sent and remembered
//! - [`proxy`]: which proxy stands before an address, and which is reached without
//! - [`source`]: where a repository is, and what goes along with every request
//! - [`transport`]: one HTTP client that keeps going on bad networks, and plain directories
//! - [`memory`]: what was trusted last time, and which root to start from
//! - [`metadata`]: what signed metadata says, and whether those have signed it who may
//! - [`now`]: the time that counts, and what has expired by then
//! - [`still`]: whether a repository still moves
//! - [`open`]: online with memory and expiry, offline with a pin
//! - [`roles`]: the roles of an open repository
//! - [`repository`]: an open repository: its targets and its manifest
//! - [`target`]: the proof that a target's bytes are the signed ones
//! - [`pieces`]: a target that is decoded in memory
//! - [`reader`]: a target as a stream that cannot be finished without that proof
//! - [`frame`]: a part of a target whose digest stands in a verified index
//! - [`run`]: frames that follow one another, in one request
//! - [`lz4`]: frames, read to the very end of their stream
//! - [`cache`]: the pinned set that the next boot migrates with
//! - [`error`]: what can go wrong, and what to do about it
//! - [`tuf_client`]: the same code as a TUF client over directories of one's choice
//! - [`author`]: the other side: keys, roles, signing, writing a repository
//! - [`fuzzing`]: doors for the fuzz targets

pub mod address;
pub mod author;
pub mod cache;
pub mod error;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod generation;
pub mod lz4;
pub mod memory;
pub mod metadata;
pub mod now;
pub mod open;
pub mod pieces;
pub mod proxy;
pub mod reader;
pub mod repository;
pub mod roles;
pub mod run;
pub mod source;
pub mod still;
pub mod target;
pub mod transport;
pub mod tuf_client;

pub use address::{Address, BadAddress};
pub use cache::{CacheId, StagedCache, make_current};
pub use error::Error;
pub use frame::{FrameInfo, VerifiedFrame};
pub use memory::kept::Slot;
pub use metadata::hashes::{Digesting, Hashes};
pub use open::mirrors::Turn;
pub use open::{open_offline, open_online};
pub use pieces::VerifiedPieces;
pub use proxy::{BadVariable, Exception, Proxy, ProxyAddress};
pub use reader::TargetReader;
pub use repository::{PlaceNumber, Repository};
pub use roles::{Role, Roles};
pub use run::FrameRun;
pub use source::{Mirror, Source, Tls};
pub use target::{TargetInfo, VerifiedBytes, VerifiedTarget};
pub use transport::{Account, Fault, Pacing};

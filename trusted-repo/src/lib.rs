//! The only door to a TUF repository, and the only crate that names tough.
//!
//! This crate decides what is trusted: which metadata is accepted, what is remembered of it, and whether the bytes of a
//! target are the signed ones. It touches the network, the trust memory and the cache for the next boot; it knows
//! nothing of partitions. It is steps 1 and 3 of the walk in `docs/walkthrough.md`, and the trust of step 8.
//!
//! A room for each question, in the order of the walk:
//!
//! - [`place`]: where from?
//! - [`transport`]: how do bytes come here, on bad networks and from directories?
//! - [`memory`]: what was trusted last time, and from which root to start?
//! - [`metadata`]: what does signed metadata say, has it been signed by those who may, and does it still count?
//! - [`open`]: what is offered? Online with memory and expiry, offline with a pin
//! - [`target`]: which bytes may be believed?
//! - [`cache`]: what does the next boot migrate with?
//! - [`error`]: what can go wrong, and what to do about it
//!
//! And for others than hosts:
//!
//! - [`tuf_client`]: the same code as a TUF client over directories of one's choice
//! - [`author`]: the other side: keys, roles, signing, writing a repository
//! - [`fuzzing`]: doors for the fuzz targets

pub mod author;
pub mod cache;
pub mod error;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod generation;
pub mod memory;
pub mod metadata;
pub mod open;
pub mod place;
pub mod target;
pub mod transport;
pub mod tuf_client;

pub use cache::{CacheId, StagedCache, make_current};
pub use error::Error;
pub use memory::kept::Slot;
pub use metadata::hashes::{Digesting, Hashes};
pub use open::manifest;
pub use open::repository::Repository;
pub use open::repository::from_places::PlaceNumber;
pub use open::repository::withheld::{KnownHolds, SignedHolds};
pub use open::roles::{Role, Roles};
pub use open::search::{DelegatedRole, Lists};
pub use open::{open_offline, open_online};
pub use place::address::{Address, BadAddress};
pub use place::mirrors::Turn;
pub use place::proxy::{BadVariable, Exception, Proxy, ProxyAddress};
pub use place::source::{Mirror, Source, Tls};
pub use target::frame::{FrameInfo, VerifiedFrame};
pub use target::pieces::VerifiedPieces;
pub use target::proof::{TargetInfo, VerifiedBytes, VerifiedTarget};
pub use target::reader::TargetReader;
pub use target::run::FrameRun;
pub use target::{lz4, midway};
pub use transport::{Account, Fault, Pacing, Reply, Service};

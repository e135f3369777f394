//! The other side: making a repository that hosts trust.
//!
//! Every role has its own keys; the root role wants signatures of several people. Nothing is handed out before it was
//! verified against the root that hosts will verify it against. Files are written so that a reader sees one consistent
//! snapshot at every moment: targets first, then the versioned roles, the timestamp last.
//!
//! - [`source`]: what a key is asked for, wherever it lies
//! - [`keys`]: Ed25519 keys in files
//! - [`root`]: the root role: who may sign what
//! - [`draft`]: the next root role, on its way from one key holder to the next
//! - `written`: roles as JSON that is about to be signed
//! - [`targets`]: target files under their published names
//! - [`delegation`]: roles that the targets role delegates to
//! - [`editor`]: the roles below root: load, change, sign
//! - [`error`]: what can go wrong

pub mod delegation;
pub mod draft;
pub mod editor;
pub mod error;
pub mod keys;
pub mod root;
mod sign;
pub mod source;
pub mod targets;
mod written;

pub use delegation::{Delegation, Purpose, first_delegated};
pub use draft::{Count, FirstRoot, RoleSummary, RootChange, RootDraft};
pub use editor::{Editor, Expiries, KeySources, SignedMetadata, Signers, Versions};
pub use error::Error;
pub use keys::{KeyPair, PublicKey};
pub use root::{RootSpec, SignedRoot, check_chain};
pub use source::{KeySource, Sign};
pub use targets::TargetWriter;

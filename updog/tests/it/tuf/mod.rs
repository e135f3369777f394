//! `updog tuf`, judged as any TUF client is: by what it asks for, what it then trusts, and what it refuses.
//!
//! - [`roots`]: the root chain: rotation, thresholds, types of keys
//! - [`roles`]: the roles below: rollback, mix-and-match, expiry, signatures, what is asked for again
//! - [`artifacts`]: targets as files
//! - [`delegations`]: which roles a target is looked for in, and in which order
//! - [`odd_roles`]: delegated roles with odd names, and far too many of them
//! - [`hashes`]: SHA-256, SHA-512, both, and others
//! - [`patience`]: servers that are slow, or stop in the middle
//! - [`signer`]: keys and canonical JSON, by hand and not by the code under test
//! - [`stage`]: a repository that can be made wrong in every way, and a client of it

mod artifacts;
mod delegations;
mod hashes;
mod odd_roles;
mod patience;
mod roles;
mod roots;
pub(crate) mod signer;
mod stage;

//! `updog tuf`, judged as any TUF client is: by what it asks for, what it then trusts, and what it refuses.
//!
//! - [`roots`]: the root chain: rotation, thresholds, types of keys
//! - [`roles`]: the roles below: rollback, mix-and-match, expiry, signatures, what is asked for again
//! - [`artifacts`]: targets as files
//! - [`patience`]: servers that are slow, or stop in the middle
//! - [`signer`]: keys and canonical JSON, by hand and not by the code under test
//! - [`stage`]: a repository that can be made wrong in every way, and a client of it

mod artifacts;
mod patience;
mod roles;
mod roots;
mod signer;
mod stage;

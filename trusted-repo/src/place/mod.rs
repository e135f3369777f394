//! Where a repository is, and how it is reached.
//!
//! This room decides what of an address may be shown, sent and remembered, which proxy stands before it, and in which
//! order the places of one repository are asked. It touches nothing: it opens no connection and no file. It must never
//! let a secret of one place reach another one, or a person's eye.
//!
//! - [`address`]: an address, parsed once at the edge
//! - [`proxy`]: which proxy stands before an address, and which address is reached without
//! - [`source`]: the places of a repository, and what goes along with every request
//! - `mirrors`: their order, and whose turn it is

pub mod address;
pub(crate) mod mirrors;
pub mod proxy;
pub mod source;

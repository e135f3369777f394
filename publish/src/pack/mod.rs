//! Packs: what hosts with one of the last releases fetch instead of frames (`docs/packs.md`).
//!
//! Decides from which releases packs lead to a new one and whether they are worth being published; it reads whole images
//! of the repository and writes targets. A pack that was not applied, here and with the code that hosts run, is never
//! published, and one that saves little neither: hosts have frames.
//!
//! - `bases`: from which releases
//! - `raw`: the raw images of a release, given or published
//! - `target`: a signed target in the directory of a repository
//! - `prove`: a pack applied as a host does
//! - `instead`: what hosts would fetch without a pack
//! - `make`: made, proven, weighed and published
//! - `add`: for a release that is being published, or two that are

pub(crate) mod add;
pub(crate) mod bases;
pub(crate) mod instead;
pub(crate) mod make;
pub(crate) mod prove;
pub(crate) mod raw;
pub(crate) mod target;

pub use add::{PackOptions, PacksReport, pack};
pub use bases::Bases;
pub use make::PackReport;

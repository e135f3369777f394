//! A GUID partition table as two copies on a disk (UEFI specification, "GUID Partition Table").
//!
//! Nothing here knows what the partitions are for. The module reads both copies, says which of them are whole, and
//! writes a changed table so that at every instant one whole copy lies on the medium (`docs/design.md`, "The partition
//! table").
//!
//! - [`sectors`]: what the code needs of a disk
//! - [`header`]: one header sector
//! - [`entries`]: the list of partitions
//! - [`copies`]: both copies, judged
//! - [`mod@write`]: the write rule

pub mod copies;
pub mod entries;
pub mod header;
pub mod sectors;
pub mod write;

pub use copies::{Copies, Found, Table, Unusable, Which};
pub use entries::{Entries, Entry};
pub use header::{Defect, Header};
pub use sectors::{Geometry, Sectors};
pub use write::{WriteError, lay_down, relocate, replace, rewrite, settled};

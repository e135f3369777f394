//! How an image is cut up, so that a host fetches only the parts that it does not have.
//!
//! An image is compressed in frames of one fixed number of blocks, each by itself; an index says where each lies and what
//! its bytes must be. The index is signed and is the authority; a table at the end of the data lets other tools read the
//! same file (`docs/formats.md`, "Frames"). Everything here is a codec over values, or over readers and writers that the
//! caller gives. It serves the publishing step and the fetch step of the walk (`docs/design.md`, "Images").
//!
//! - [`size`]: how large a frame is
//! - [`level`]: how hard it is compressed
//! - [`index`]: where the frames lie and what is in them, from bytes and back
//! - [`seek_table`]: the same for other tools
//! - [`mod@encode`]: image in, frames and index out
//! - [`frame`]: what a frame may look like, before a decoder sees it
//! - [`decode`]: one frame in, its part of the image out
//! - [`pack`]: what one known image lacks of another: made, and applied group by group

pub mod decode;
pub mod encode;
pub mod frame;
pub mod index;
pub mod level;
pub mod pack;
pub mod seek_table;
pub mod size;

pub use decode::{DecodeError, Decoder};
pub use encode::{EncodeError, RawDigests, encode};
pub use index::{Frame, Index, IndexError};
pub use level::Level;
pub use size::{FrameSize, FrameSizeError};

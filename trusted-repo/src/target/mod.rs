//! What may be believed of a target's bytes.
//!
//! This room decides whether bytes are the signed ones, whole or in parts. It touches the network only through
//! [`crate::transport`], and writes nothing. It must never let a proof be made of bytes that were not all read.
//!
//! - [`proof`]: the proof itself, and what signed metadata says of a target
//! - [`pieces`]: a target that is decoded in memory
//! - [`reader`]: a target as a stream that cannot be finished without its proof
//! - [`frame`]: a part of a target whose digest stands in a verified index
//! - [`run`]: frames that follow one another, in one request
//! - [`lz4`]: frames, read to the very end of their stream
//! - [`tail`]: the end of a target, for whoever judges its parts; [`midway`]: a frame of LZ4 that begins in there
//! - `tap`: what a decoder of LZ4 takes

pub mod frame;
pub mod lz4;
pub mod midway;
pub mod pieces;
pub mod proof;
pub mod reader;
pub mod run;
pub mod tail;
mod tap;

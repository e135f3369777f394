//! What an attacker who holds the web server, but no key, could send.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::content::BLOCK;

/// Another valid frame for `image`: of the same raw length, not longer than the signed one, and with one block of
/// other content. Nothing but a digest tells it from the real one.
///
/// # Errors
/// When the image cannot be read.
pub fn tampered_frame(image: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(image)?;
    // A quarter in, every image holds data; one value throughout compresses better than that.
    let place = file.metadata()?.len() / 4 / BLOCK as u64 * BLOCK as u64;
    let before = File::open(image)?.take(place);
    let blank = io::repeat(0x5a).take(BLOCK as u64);
    let mut after = file;
    io::Seek::seek(&mut after, io::SeekFrom::Start(place + BLOCK as u64))?;
    let mut frame = Vec::new();
    publish::frame::compress(&mut before.chain(blank).chain(after), &mut frame)?;
    Ok(frame)
}

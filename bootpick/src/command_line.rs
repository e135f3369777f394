//! What a kernel is told.

use alloc::format;
use alloc::string::{String, ToString as _};

use uuid::Uuid;

/// As much as the kernels that we start take; what follows would be cut off without a word.
const LONGEST: usize = 2047;
const TOKEN: &str = "signpost.boot=";

/// The command line of a set: what its file says, behind what tells it which set it is and lets the kernel use the backup
/// table. Ours comes first, since what follows a `--` is not for the kernel.
///
/// # Errors
/// Why the file cannot be used.
pub fn compose(file: &[u8], boot: Uuid) -> Result<String, String> {
    let text = core::str::from_utf8(file).map_err(|_| "its command line is not text".to_string())?;
    if text.contains(|letter: char| letter == '\0' || u32::from(letter) > 0xffff) {
        return Err("its command line has letters that cannot be passed on".to_string());
    }
    let mut line = format!("{TOKEN}PARTUUID={boot} gpt");
    for word in text.trim().split_inclusive([' ', '\t', '\r', '\n']) {
        // Spaces within quotes stay; line ends become spaces. Only we know which set this is.
        let word = word.trim_end_matches(['\r', '\n']);
        if word.starts_with(TOKEN) {
            continue;
        }
        line.push(' ');
        line.push_str(word.strip_suffix([' ', '\t']).unwrap_or(word));
    }
    if line.len() > LONGEST {
        return Err(format!("its command line is {} bytes long, and kernels take {LONGEST}", line.len()));
    }
    Ok(line)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Uuid = Uuid::from_u128(7);
    const OURS: &str = "signpost.boot=PARTUUID=00000000-0000-0000-0000-000000000007 gpt";

    #[test]
    fn ours_comes_before_what_is_not_for_the_kernel() {
        let line = compose(b"quiet root=/dev/mapper/root -- single\n", BOOT).unwrap();
        assert_eq!(line, format!("{OURS} quiet root=/dev/mapper/root -- single"));
        assert_eq!(compose(b"\n", BOOT).unwrap(), OURS);
    }

    #[test]
    fn line_ends_and_a_set_that_names_itself_are_left_out() {
        let line = compose(b"a=\"b  c\"\r\nsigned signpost.boot=PARTUUID=x  d", BOOT).unwrap();
        assert_eq!(line, format!("{OURS} a=\"b  c\"  signed  d"));
    }

    #[test]
    fn what_a_kernel_would_cut_off_is_refused() {
        let longest = LONGEST - OURS.len() - 1;
        assert_eq!(compose(&alloc::vec![b'x'; longest], BOOT).unwrap().len(), LONGEST);
        assert!(compose(&alloc::vec![b'x'; longest + 1], BOOT).unwrap_err().contains("2048 bytes long"));
        assert!(compose(&[0xff], BOOT).unwrap_err().contains("not text"));
        assert!(compose("a\u{1f600}".as_bytes(), BOOT).unwrap_err().contains("cannot be passed on"));
    }
}

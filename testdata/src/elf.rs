//! Programs as authors hand them over: without what only debuggers and linkers read. That is three quarters of a program
//! that is built to be tested, and every host of every test would fetch it, keep it and decode it at each boot.

use std::ops::Range;

const MAGIC: &[u8] = b"\x7fELF\x02\x01";
/// Where a 64-bit header says where its program headers are, how long each is, and how many there are.
const HEADERS: Range<usize> = 0x20..0x28;
const HEADER_LEN: Range<usize> = 0x36..0x38;
const HEADER_COUNT: Range<usize> = 0x38..0x3a;
/// Where it says the same of its sections: place, and count with the one that has their names.
const SECTIONS: [Range<usize>; 2] = [0x28..0x30, 0x3c..0x40];
/// Where that header ends.
const HEADER_END: usize = 0x40;
/// Where a program header says where its part of the file begins, and how long that is.
const PART: [Range<usize>; 2] = [8..16, 32..40];

/// The program up to the last byte that is loaded, with no sections named. What is no 64-bit program stays as it is.
pub(crate) fn stripped(mut program: Vec<u8>) -> Vec<u8> {
    if let Some(end) = end_of_what_is_loaded(&program) {
        program.truncate(end);
        for range in SECTIONS {
            program[range].fill(0);
        }
    }
    program
}

fn end_of_what_is_loaded(program: &[u8]) -> Option<usize> {
    if !program.starts_with(MAGIC) {
        return None;
    }
    let first = number(program, HEADERS)?;
    let len = number(program, HEADER_LEN)?;
    let ends = (0..number(program, HEADER_COUNT)?).map(|index| {
        let header = program.get(index.checked_mul(len)?.checked_add(first)?..)?;
        number(header, PART[0].clone())?.checked_add(number(header, PART[1].clone())?)
    });
    let end = ends.collect::<Option<Vec<_>>>()?.into_iter().max();
    // A program loads its own header, and has all that it loads.
    end.filter(|end| (HEADER_END..=program.len()).contains(end))
}

/// A little-endian number.
fn number(bytes: &[u8], at: Range<usize>) -> Option<usize> {
    let wide = bytes.get(at)?.iter().rev().fold(0_u64, |wide, byte| wide << 8 | u64::from(*byte));
    usize::try_from(wide).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_stripped_program_is_smaller_and_does_the_same() {
        let own = std::fs::read(std::env::current_exe().expect("a test runs")).expect("readable");
        let stripped = stripped(own.clone());
        let left_out = &own[stripped.len()..];
        // A test that is built like a product has no symbols, and hardly anything to leave out.
        let has_symbols = left_out.windows(7).rev().any(|name| name == b".symtab");
        let most = if has_symbols { own.len() / 2 } else { own.len() };
        assert!(stripped.len() <= most, "{} of {} bytes", stripped.len(), own.len());
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("program");
        std::fs::write(&path, stripped).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("ours");
        let ran = Command::new(&path).args(["--list", "elf::"]).output().expect("started");
        assert!(String::from_utf8_lossy(&ran.stdout).contains("a_stripped_program"), "{ran:?}");
    }

    #[test]
    fn what_is_no_program_stays_as_it_is() {
        for bytes in [&b"#!/bin/sh\n"[..], b"", b"\x7fELF\x02\x01 cut off"] {
            assert_eq!(stripped(bytes.to_vec()), bytes);
        }
    }

    #[test]
    fn what_ends_within_its_header_or_loads_what_it_has_not_stays_as_it_is() {
        for len in 0..0x60 {
            for (first, part) in [(0, 0), (0, u8::MAX), (0x20, 0), (u8::MAX, u8::MAX)] {
                let mut program = vec![0; len];
                let mut put = |at: Range<usize>, byte| {
                    program.get_mut(at).into_iter().flatten().for_each(|there| *there = byte);
                };
                put(HEADERS, first);
                put(8..16, part);
                put(HEADER_COUNT.start..HEADER_COUNT.start + 1, 1);
                program.iter_mut().zip(MAGIC).for_each(|(there, magic)| *there = *magic);
                assert_eq!(stripped(program.clone()), program, "{len} bytes, {first:#x}, {part:#x}");
            }
        }
    }
}

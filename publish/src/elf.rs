//! What a program needs of the system that runs it: its interpreter and its libraries, read out of the program.
//!
//! Only what hosts have is read: ELF of 64 bits, little endian. Anything that points out of the file is an error and no
//! panic: the bytes may be anybody's.

/// Of the program headers: what is loaded, what links at start, and who does that.
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERP: u32 = 3;
/// Of the entries for linking: the end, a library, and where names are.
const NULL: u64 = 0;
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;

/// The most headers and entries that are looked at.
const MOST: usize = 4096;

/// What a program needs. Nothing of both: it is static.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Its loader.
    pub(crate) interpreter: Option<String>,
    /// Its libraries, by their names.
    pub(crate) libraries: Vec<String>,
}

/// What the program needs; `None` where it is no ELF of the kind that is read here, or a broken one.
pub(crate) fn needs(program: &[u8]) -> Option<Needs> {
    // The magic number, 64 bits, little endian.
    if !program.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (long(program, 0x20)?, short(program, 0x36)?, short(program, 0x38)?);
    let headers: Vec<Header> = (0..usize::from(count).min(MOST))
        .map(|number| Header::read(program, table.checked_add(number as u64 * u64::from(size))?))
        .collect::<Option<_>>()?;
    let interpreter = match headers.iter().find(|header| header.kind == INTERP) {
        Some(header) => Some(text(program, header.offset)?),
        None => None,
    };
    let mut libraries = Vec::new();
    if let Some(dynamic) = headers.iter().find(|header| header.kind == DYNAMIC) {
        let entries: Vec<(u64, u64)> = (0..MOST as u64)
            .map_while(|number| {
                let at = dynamic.offset.checked_add(number * 16)?;
                Some((long(program, at)?, long(program, at.checked_add(8)?)?))
            })
            .take_while(|(tag, _)| *tag != NULL)
            .collect();
        let names: Vec<u64> = entries.iter().filter(|(tag, _)| *tag == NEEDED).map(|(_, at)| *at).collect();
        if !names.is_empty() {
            // It is told as an address in memory.
            let (_, strings) = *entries.iter().find(|(tag, _)| *tag == STRINGS)?;
            let loaded = headers.iter().find(|header| {
                header.kind == LOAD && strings.checked_sub(header.address).is_some_and(|by| by < header.len)
            })?;
            let strings = (strings - loaded.address).checked_add(loaded.offset)?;
            for name in names {
                libraries.push(text(program, strings.checked_add(name)?)?);
            }
        }
    }
    Some(Needs { interpreter, libraries })
}

struct Header {
    kind: u32,
    offset: u64,
    address: u64,
    len: u64,
}

impl Header {
    fn read(program: &[u8], at: u64) -> Option<Self> {
        let kind = u32::from_le_bytes(bytes(program, at)?);
        let field = |offset: u64| long(program, at.checked_add(offset)?);
        Some(Self { kind, offset: field(8)?, address: field(16)?, len: field(32)? })
    }
}

fn bytes<const N: usize>(program: &[u8], at: u64) -> Option<[u8; N]> {
    let at = usize::try_from(at).ok()?;
    program.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn long(program: &[u8], at: u64) -> Option<u64> {
    bytes(program, at).map(u64::from_le_bytes)
}

fn short(program: &[u8], at: u64) -> Option<u16> {
    bytes(program, at).map(u16::from_le_bytes)
}

/// The text up to the next zero.
fn text(program: &[u8], at: u64) -> Option<String> {
    let rest = program.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().take(MOST).position(|byte| *byte == 0)?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test itself: a program of this machine.
    fn own() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_program_names_its_loader_and_its_libraries() {
        let needs = needs(&own()).unwrap();
        if cfg!(target_feature = "crt-static") {
            assert_eq!(needs.libraries, [""; 0]);
            return;
        }
        assert!(needs.interpreter.as_ref().is_some_and(|loader| loader.starts_with('/')), "{needs:?}");
        assert!(needs.libraries.iter().any(|library| library.starts_with("libc.")), "{needs:?}");
    }

    #[test]
    fn what_is_no_program_is_none() {
        assert_eq!(needs(b""), None);
        assert_eq!(needs(b"#!/bin/sh\n"), None);
        assert_eq!(needs(b"\x7fELF\x01\x01"), None);
        assert_eq!(needs(b"\x7fELF\x02\x01\x01"), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut program = own();
        program.truncate(8192);
        for len in 0..256 {
            let _whatever = needs(&program[..len]);
        }
        // Every byte of the headers in turn, which say where everything else is.
        for at in 0..1024 {
            let byte = program[at];
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                program[at] = value;
                let _whatever = needs(&program);
            }
            program[at] = byte;
        }
    }
}

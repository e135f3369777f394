//! What a program needs of the system that runs it: its interpreter and its libraries, read out of the program.
//!
//! Only what hosts have is read: ELF of 64 bits, little endian. Anything that points out of the file is an error and no
//! panic: the bytes may be anybody's.

/// Of the beginning: 64 bits, little endian.
const TWO_WORDS: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
/// What a file is for.
const OBJECT: u16 = 1;
const EXECUTABLE: u16 = 2;
const POSITION_INDEPENDENT: u16 = 3;
/// Of the program headers: what is loaded, what links at start, and who does that.
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERP: u32 = 3;
/// Of the entries for linking: the end, a library, where names are, and flags, one of which says that it is a program.
const NULL: u64 = 0;
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;
const FLAGS_1: u64 = 0x6fff_fffb;
const PIE: u64 = 0x0800_0000;

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

/// The machine that the program is for.
///
/// # Errors
/// What it is instead of a program that hosts can start, to be read after "it is".
pub(crate) fn machine(program: &[u8]) -> Result<u16, &'static str> {
    let cut = "cut short";
    if program.get(4..6).ok_or(cut)? != [TWO_WORDS, LITTLE_ENDIAN] {
        return Err("no program of 64 bits with the lower byte first");
    }
    let kind = short(program, 0x10).ok_or(cut)?;
    match kind {
        EXECUTABLE | POSITION_INDEPENDENT => {}
        OBJECT => return Err("an object file, which was never linked"),
        _ => return Err("of a kind that does not run"),
    }
    let headers = headers(program).ok_or(cut)?;
    let end = |header: &Header| header.offset.checked_add(header.len);
    if headers
        .iter()
        .any(|header| header.kind == LOAD && end(header).is_none_or(|end| end > program.len() as u64))
    {
        return Err(cut);
    }
    // What links at its start names who does that, and what is linked whole says that it is a program.
    let flags = entries(program, &headers).into_iter().find(|(tag, _)| *tag == FLAGS_1);
    let says_so = flags.is_some_and(|(_, flags)| flags & PIE != 0);
    if kind == POSITION_INDEPENDENT && !says_so && !headers.iter().any(|header| header.kind == INTERP) {
        return Err("a library");
    }
    short(program, 0x12).ok_or(cut)
}

/// What the program needs; `None` where it is no ELF of the kind that is read here, or a broken one.
pub(crate) fn needs(program: &[u8]) -> Option<Needs> {
    if !program.starts_with(b"\x7fELF") || program.get(4..6)? != [TWO_WORDS, LITTLE_ENDIAN] {
        return None;
    }
    let headers = headers(program)?;
    let interpreter = match headers.iter().find(|header| header.kind == INTERP) {
        Some(header) => Some(text(program, header.offset)?),
        None => None,
    };
    let mut libraries = Vec::new();
    let entries = entries(program, &headers);
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
    Some(Needs { interpreter, libraries })
}

/// The program headers.
fn headers(program: &[u8]) -> Option<Vec<Header>> {
    let (table, size, count) = (long(program, 0x20)?, short(program, 0x36)?, short(program, 0x38)?);
    (0..usize::from(count).min(MOST))
        .map(|number| Header::read(program, table.checked_add(number as u64 * u64::from(size))?))
        .collect()
}

/// The entries for linking: tag and value.
fn entries(program: &[u8], headers: &[Header]) -> Vec<(u64, u64)> {
    let Some(dynamic) = headers.iter().find(|header| header.kind == DYNAMIC) else { return Vec::new() };
    (0..MOST as u64)
        .map_while(|number| {
            let at = dynamic.offset.checked_add(number * 16)?;
            Some((long(program, at)?, long(program, at.checked_add(8)?)?))
        })
        .take_while(|(tag, _)| *tag != NULL)
        .collect()
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
    fn a_program_is_one_for_its_machine_and_whole() {
        let own = own();
        let this = short(&own, 0x12).unwrap();
        assert_eq!(machine(&own), Ok(this));
        // As a static program and a library look: without who links it, and one of them says that it is a program.
        let without = |flags: u64| {
            let mut program = own.clone();
            let headers = headers(&own).unwrap();
            let table = usize::try_from(long(&own, 0x20).unwrap()).unwrap();
            for (number, _) in headers.iter().enumerate().filter(|(_, header)| header.kind == INTERP) {
                program[table + number * 56..][..4].fill(0);
            }
            let dynamic = headers.iter().find(|header| header.kind == DYNAMIC);
            let first = usize::try_from(dynamic.expect("it is linked").offset).unwrap();
            program[first..first + 8].copy_from_slice(&FLAGS_1.to_le_bytes());
            program[first + 8..first + 16].copy_from_slice(&flags.to_le_bytes());
            program
        };
        if short(&own, 0x10) == Some(POSITION_INDEPENDENT) {
            assert_eq!(machine(&without(PIE)), Ok(this));
            assert_eq!(machine(&without(1)), Err("a library"));
        }
        let loaded = headers(&own).unwrap().into_iter().filter(|header| header.kind == LOAD);
        let end = loaded.map(|header| header.offset + header.len).max().unwrap();
        let end = usize::try_from(end).unwrap();
        assert_eq!((machine(&own[..end]), machine(&own[..end - 1])), (Ok(this), Err("cut short")));
        let with = |at: usize, byte: u8| {
            let mut program = own.clone();
            program[at] = byte;
            machine(&program)
        };
        assert_eq!(with(0x10, 1), Err("an object file, which was never linked"));
        assert_eq!(with(0x10, 4), Err("of a kind that does not run"));
        assert!(with(4, 1).is_err_and(|why| why.contains("64 bits")));
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
            let _whatever = (needs(&program[..len]), machine(&program[..len]));
        }
        // Every byte of the headers in turn, which say where everything else is.
        for at in 0..1024 {
            let byte = program[at];
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                program[at] = value;
                let _whatever = (needs(&program), machine(&program));
            }
            program[at] = byte;
        }
    }
}

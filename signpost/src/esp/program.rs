//! The boot program's file, and what firmware would say of it (PE format, "COFF File Header").

use thiserror::Error;

/// A kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// PCs and most servers.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// A UEFI program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The machine that it runs on.
    pub machine: Machine,
    /// Whether it carries a signature; whose, only the firmware can say.
    pub signed: bool,
}

/// Why a file is no program that firmware starts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoProgram {
    /// It is none at all.
    #[error("it is no UEFI program")]
    Format,
    /// It is for another kind of machine.
    #[error("it is for a kind of machine ({0:#06x}) that this program does not know")]
    Machine(u16),
}

impl Machine {
    /// The name, before the dot, that firmware looks for where it was told of none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "BOOTX64",
            Self::Aarch64 => "BOOTAA64",
        }
    }
}

impl Program {
    /// Reads a program.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, NoProgram> {
        let half = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let read = || -> Option<(u16, bool)> {
            let at = usize::try_from(word(0x3c)?).ok()?;
            let right = bytes.starts_with(b"MZ") && bytes.get(at..at + 4)? == b"PE\0\0";
            let optional = at + 24;
            // A program of 64 bits, for firmware to start.
            if !right || half(optional)? != 0x20b || half(optional + 68)? != 10 {
                return None;
            }
            // The fifth of the directories is the list of signatures.
            let signatures = word(optional + 108)? > 4 && word(optional + 112 + 4 * 8 + 4)? > 0;
            Some((half(at + 4)?, signatures))
        };
        let (machine, signed) = read().ok_or(NoProgram::Format)?;
        let machine = match machine {
            0x8664 => Machine::X86_64,
            0xaa64 => Machine::Aarch64,
            other => return Err(NoProgram::Machine(other)),
        };
        Ok(Self { bytes, machine, signed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            NoProgram::Machine(7).to_string(),
            "it is for a kind of machine (0x0007) that this program does not know"
        );
    }
}

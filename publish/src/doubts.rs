//! What hosts will stumble over, found while a release can still be put right.
//!
//! A signature makes a mistake final: hosts fetch it, and whoever waits for its update drains a node for nothing. So a
//! doubt stops a release before anything is written, and a person who knows better says so.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use semver::Version;
use update_metadata::barrier::next_hop;
use update_metadata::{Manifest, migration_path};

use crate::{Error, elf};

/// What becomes of a release that hosts will stumble over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Doubts {
    /// It is refused.
    #[default]
    Refuse,
    /// It is published, and the doubts are told (`--force`).
    Publish,
}

impl Doubts {
    /// Refuses, or notes for the report.
    ///
    /// # Errors
    /// [`Error::Doubtful`] where doubts refuse.
    pub(crate) fn weigh(self, notes: &mut Vec<String>, doubt: Doubt) -> Result<(), Error> {
        match self {
            Self::Refuse => {
                Err(Error::Doubtful { what: doubt.what, then: doubt.then, instead: doubt.instead })
            }
            Self::Publish => {
                notes.push(format!("{}: {}", doubt.what, doubt.then));
                Ok(())
            }
        }
    }
}

/// One doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// What is wrong.
    pub(crate) what: String,
    /// What becomes of it on hosts.
    pub(crate) then: String,
    /// What a person does about it.
    pub(crate) instead: String,
}

/// Whether hosts get to `version`: from the lower versions of its kind, over the barriers between. Where none of them gets
/// there it is a doubt, where some do not it is worth a word.
pub(crate) fn ways(manifest: &Manifest, variant: &str, arch: &str, version: &Version) -> Ways {
    let of_kind = |update: &&update_metadata::Update| update.variant == variant && update.arch == arch;
    let mut from: Vec<&Version> = manifest
        .updates
        .iter()
        .filter(of_kind)
        .map(|update| &update.version)
        .filter(|at| *at < version)
        .collect();
    from.sort();
    from.dedup();
    let leads = |from: &Version| {
        let mut at = from;
        loop {
            let hop = next_hop(manifest, variant, arch, at, version);
            if migration_path(&manifest.migrations, at, hop).is_err() {
                return false;
            }
            if hop == version {
                return true;
            }
            at = hop;
        }
    };
    let stuck: Vec<String> = from.iter().filter(|from| !leads(from)).map(ToString::to_string).collect();
    match stuck.len() {
        0 => Ways::All,
        count if count == from.len() => Ways::None(Doubt {
            what: format!("no migrations lead from {} to {version}", stuck.join(", ")),
            then: format!(
                "hosts there refuse it, and while it is the newest on offer they take no other update; \"pubrepo check\" fails until {version} has a step or is recalled"
            ),
            instead: format!(
                "name the step in Release.toml, [] where settings stay as they are, or give --no-migrations: \"({}, {version})\" = []",
                from.last().expect("as many as are stuck")
            ),
        }),
        _ => Ways::Some(format!(
            "no migrations lead from {} to {version}: hosts there cannot take it",
            stuck.join(", ")
        )),
    }
}

/// Who gets to a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ways {
    /// Everybody.
    All,
    /// Not everybody.
    Some(String),
    /// Nobody.
    None(Doubt),
}

/// Programs in the directory that no step of the manifest names: a README, an editor's copy, a name with a typing mistake.
pub(crate) fn strays(programs: &BTreeMap<String, PathBuf>, manifest: &Manifest) -> Option<Doubt> {
    let strays: Vec<String> = programs
        .iter()
        .filter(|(name, _)| !is_named(name, manifest))
        .map(|(_, path)| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    (!strays.is_empty()).then(|| Doubt {
        what: format!(
            "the migrations directory has {}, which no step between two versions names",
            strays.join(", ")
        ),
        then: "it would be signed and served for good, and no host asks for it".to_owned(),
        instead: "remove it, or name it in Release.toml as NAME.lz4; in the directory names are without .lz4"
            .to_owned(),
    })
}

/// Whether a step between two versions names this target.
pub(crate) fn is_named(name: &str, manifest: &Manifest) -> bool {
    manifest.migrations.values().flatten().any(|target| target == name)
}

/// What kind of program a migration is: `None` when hosts run it; else a doubt, or a word on what it needs.
pub(crate) fn program(name: &str, path: &Path, arch: &str) -> Result<Option<Result<String, Doubt>>, Error> {
    let failed = |error| Error::file("read the migration", path, error);
    let about = std::fs::metadata(path).map_err(failed)?;
    // What comes through a pipe can be read once only.
    if !about.is_file() {
        return Ok(Some(Ok(format!(
            "the migration {name} is no file: whether hosts can run it is not known"
        ))));
    }
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(LARGEST).read_to_end(&mut head).map_err(failed)?;
    let doubt = |what: String| {
        Some(Err(Doubt {
            what,
            then: "the first boot of the release fails, and hosts go back".to_owned(),
            instead: format!("give a program for {arch}, or a script that begins with #! and a whole path"),
        }))
    };
    if about.len() > LARGEST {
        let (has, most) = (about.len(), LARGEST >> 20);
        return Ok(doubt(format!("the migration {name} has {has} bytes, and hosts take {most} MiB at most")));
    }
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.len() + 2 >= FIRST_LINE {
            return Ok(doubt(format!(
                "the migration {name} is a script whose first line is longer than the kernel reads"
            )));
        }
        if line.contains(&b'\r') {
            return Ok(doubt(format!(
                "the migration {name} is a script with the line ends of DOS: its interpreter would be looked for under a name that ends in one"
            )));
        }
        let line = String::from_utf8_lossy(line);
        let interpreter = line.split_whitespace().next().unwrap_or_default().to_owned();
        return Ok(if interpreter.starts_with('/') {
            Some(Ok(format!(
                "the migration {name} is a script: {interpreter} must be on every release that runs it, also on the way back"
            )))
        } else {
            doubt(format!("the migration {name} is a script for {interpreter:?}, which is no whole path"))
        });
    }
    if !head.starts_with(b"\x7fELF") {
        return Ok(doubt(format!("the migration {name} is neither a program nor a script")));
    }
    let machine = match elf::machine(&head) {
        Ok(machine) => machine,
        Err(what) => return Ok(doubt(format!("the migration {name} is {what}"))),
    };
    Ok(match MACHINES.iter().find(|(known, _)| *known == arch) {
        Some((_, wanted)) if *wanted != machine => {
            let of = MACHINES.iter().find(|(_, number)| *number == machine);
            let of = of.map_or_else(|| format!("machine {machine}"), |(arch, _)| (*arch).to_owned());
            doubt(format!("the migration {name} is a program for {of}, and the release is for {arch}"))
        }
        _ => None,
    })
}

/// The most that is looked at of a program, in bytes: hosts take no larger one.
const LARGEST: u64 = 64 << 20;

/// As much of a script's first line as the kernel reads, its end included.
const FIRST_LINE: usize = 256;

/// `e_machine` of the architectures that are named as Rust and the kernel name them.
const MACHINES: [(&str, u16); 4] = [("x86_64", 62), ("aarch64", 183), ("riscv64", 243), ("powerpc64le", 21)];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &[u8]) -> Option<Result<String, Doubt>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        program("m", file.path(), "x86_64").unwrap()
    }

    #[test]
    fn a_migration_is_a_program_for_the_machine_or_a_script_with_a_whole_path() {
        let elf = |kind: u8, machine: u16| {
            let head = [&b"\x7fELF\x02\x01\x01"[..], &[0; 9], &[kind, 0], &machine.to_le_bytes()].concat();
            [&head[..], &[0; 44]].concat()
        };
        assert_eq!(kind(&elf(2, 62)), None);
        let doubted = |bytes: &[u8]| kind(bytes).unwrap().unwrap_err().what;
        assert!(doubted(&elf(2, 183)).contains("a program for aarch64, and the release is for x86_64"));
        assert!(doubted(&elf(1, 62)).ends_with("is an object file, which was never linked"));
        assert!(doubted(&elf(3, 62)).ends_with("is a library"));
        assert!(doubted(&elf(2, 62)[..40]).ends_with("is cut short"));
        let large = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(large.path(), elf(2, 62)).unwrap();
        large.as_file().set_len(LARGEST).unwrap();
        assert_eq!(program("m", large.path(), "x86_64").unwrap(), None);
        large.as_file().set_len(LARGEST + 1).unwrap();
        let said = program("m", large.path(), "x86_64").unwrap().unwrap().unwrap_err();
        assert!(said.what.ends_with("has 67108865 bytes, and hosts take 64 MiB at most"), "{}", said.what);
        assert!(doubted(b"").contains("neither a program nor a script"));
        assert!(doubted(b"echo hello\n").contains("neither"));
        assert!(doubted(b"#!/bin/sh\r\nexit 0\r\n").contains("line ends of DOS"));
        assert!(
            doubted(&[b"#!/bin/sh ", &[b'x'; 300][..], b"\n"].concat()).contains("longer than the kernel")
        );
        assert!(doubted(b"#!python3\n").contains("\"python3\", which is no whole path"));
        assert!(
            kind(b"#! /bin/sh -e\nexit 0\n").unwrap().unwrap().contains("/bin/sh must be on every release")
        );
    }
}

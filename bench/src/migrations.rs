//! The plain way to migrate settings: each migration is a program that reads the whole store from the disk and writes
//! all of it anew, the store before it is removed, and one sync ends it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use serde_json::{Value, json};

/// Migrates settings the plain way.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// So many migrations, one after the other, from a store to a new one
    All { count: u32, source: PathBuf, target: PathBuf },
    /// One migration
    One { source: PathBuf, target: PathBuf },
}

fn main() -> ExitCode {
    let done = match Args::parse().what {
        What::All { count, source, target } => all(count, &source, &target),
        What::One { source, target } => one(&source, &target),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plain-migrations: {error}");
            ExitCode::FAILURE
        }
    }
}

fn all(count: u32, source: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let mut from = source.to_owned();
    for number in 1..=count {
        let to = if number == count { target.to_owned() } else { target.with_extension(number.to_string()) };
        let status = Command::new(&own).arg("one").args([&from, &to]).status()?;
        if !status.success() {
            return Err(format!("migration {number}: {status}").into());
        }
        if from != source {
            fs::remove_dir_all(&from)?;
        }
        from = to;
    }
    rustix::fs::syncfs(fs::File::open(target)?)?;
    Ok(())
}

fn one(source: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    let mut settings = BTreeMap::new();
    read(source, source, &mut settings)?;
    if let Some(value) = settings.get_mut(Path::new("live/settings/mode"))
        && *value == json!("burst")
    {
        *value = json!("iburst");
    }
    for (path, value) in settings {
        let path = target.join(path);
        fs::create_dir_all(path.parent().ok_or("a file outside of all directories")?)?;
        fs::write(path, value.to_string())?;
    }
    Ok(())
}

fn read(root: &Path, dir: &Path, settings: &mut BTreeMap<PathBuf, Value>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            read(root, &entry.path(), settings)?;
        } else {
            let value = serde_json::from_slice(&fs::read(entry.path())?)?;
            settings.insert(entry.path().strip_prefix(root)?.to_owned(), value);
        }
    }
    Ok(())
}

//! `pubrepo report`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::{SystemFs, swap};
use serde::Serialize;

use super::check::CheckArgs;
use crate::Error;
use crate::guard::Journal;
use crate::page::{PageOptions, gather, page};
use crate::progress::Bar;

/// Write a page about the repository: releases, waves, costs, migrations, expiry, checks
///
/// One file, index.html, without a script and without anything from elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    check: CheckArgs,
    /// The directory that gets index.html
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The journal of a guard, whose decisions are shown
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  pubrepo report /srv/updates --trusted-root keys/root.json --variant metal --arch x86_64 \\
    --journal keys/guard-metal-x86_64.jsonl --out /srv/report";

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The file.
    pub page: PathBuf,
    /// How many things hosts will stumble over.
    pub errors: usize,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "written: {}", self.page.display())?;
        if self.errors > 0 {
            write!(f, "\nhosts will stumble over what it says under \"Checks\"")?;
        }
        Ok(())
    }
}

/// Runs the command.
///
/// # Errors
/// As [`gather()`], and when the page cannot be written.
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<Written, Error> {
    let options = PageOptions { check: args.check.read(), journal: args.journal.map(Journal::at) };
    let facts = gather(&options, now, Arc::new(Bar::new("reading"))).await?;
    let path = args.out.join("index.html");
    swap::replace_file(&SystemFs, &path, page(&facts).as_bytes(), 0o644)
        .map_err(|error| Error::file("write the page", &path, error))?;
    Ok(Written { page: path, errors: facts.errors.len() })
}

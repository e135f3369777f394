//! The migrations of the next boot, tried on this host's own settings while nothing has changed.
//!
//! `migrator` does it, on a copy and with the cache that the next boot would have; whether they fail, and whether the
//! partition has room for what comes out, is known before a set is cleared for them.

mod refused;

pub use refused::Refused;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use host_io::{Paths, swap};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::tell::events::{Event, Phase, Progress};

/// How `migrator` is asked to try.
const REHEARSE: &str = "--rehearse";

/// The answer of `migrator --rehearse --json`, as far as it counts here.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    settings: Option<String>,
    rehearsal: Option<Tried>,
    kept: Option<Vec<Different>>,
    error: Option<Failed>,
}

#[derive(Debug, Deserialize)]
struct Tried {
    no_way_back: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Different {
    key: String,
}

#[derive(Debug, Deserialize)]
struct Failed {
    code: String,
    message: String,
}

/// What was rehearsed last, so that it is not done twice with the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rehearsed {
    cache: String,
    settings: String,
}

/// Tries the migrations to `version` of the cached set `cache`, which is not in force yet.
///
/// # Errors
/// When they fail, leave what does not fit, or need more room than there is. A way back that fails is told and no
/// reason: a rollback has the settings that are kept.
pub fn run(context: &Context, version: &Version, cache: &str) -> Result<(), Refused> {
    let Some(answer) = ask(context, version, cache, REHEARSE)? else { return Ok(()) };
    if let Some(Tried { no_way_back: Some(why) }) = answer.rehearsal {
        tracing::warn!(
            "settings could not be carried back from {version}: {why}; a rollback would take those that are kept"
        );
    }
    if let Some(settings) = answer.settings {
        let rehearsed = Rehearsed { cache: cache.to_owned(), settings };
        let text = serde_json::to_vec(&rehearsed).expect("two texts");
        if let Err(error) = swap::replace_file(&*context.fs, &file(&context.paths), &text, 0o644) {
            tracing::warn!("what was rehearsed is forgotten: {error}");
        }
    }
    Ok(())
}

/// [`run`] with the set that is in force, where settings have changed since.
///
/// # Errors
/// As [`run`].
pub fn again(context: &Context, version: &Version) -> Result<(), Refused> {
    let link = context.paths.cache().join("current");
    let Some(cache) = context.fs.read_link(&link).ok().and_then(|id| id.to_str().map(str::to_owned)) else {
        return Ok(());
    };
    // Room is looked at in any case: that may have changed without the settings.
    let Some(answer) = ask(context, version, &cache, "--dry-run")? else { return Ok(()) };
    let read = || serde_json::from_slice::<Rehearsed>(&context.fs.read(&file(&context.paths)).ok()?).ok();
    match (answer.settings, read()) {
        (Some(settings), Some(known)) if known.cache == cache && known.settings == settings => Ok(()),
        (Some(_), _) => run(context, version, &cache),
        // Nothing to carry, or a migrator that tells no digest.
        (None, _) => Ok(()),
    }
}

/// The names of the settings that `version` had otherwise when it was left; `None` where that is not known. Values stay
/// where they are: this ends in messages and in the history.
#[must_use]
pub fn kept_differ(context: &Context, version: &Version) -> Option<Vec<String>> {
    let output = migrator(&context.paths, version, &context.paths.cache().join("current"), "--compare-kept");
    let answer: Answer = serde_json::from_slice(&output.ok()?.stdout).ok()?;
    Some(answer.kept?.into_iter().map(|different| different.key).collect())
}

fn file(paths: &Paths) -> PathBuf {
    paths.record().join("rehearsed.json")
}

/// What `migrator` answers; `None` where there is nothing to ask it, or it cannot be asked.
fn ask(context: &Context, version: &Version, cache: &str, how: &str) -> Result<Option<Answer>, Refused> {
    let paths = &context.paths;
    // Without settings there is nothing to carry, whatever lies beside.
    if !matches!(context.fs.kind(&paths.datastore().join("current")), Ok(Some(_))) {
        return Ok(None);
    }
    if how == REHEARSE {
        // A long way takes long, and nothing moves meanwhile that would tell of it.
        let (phase, image) = (Phase::Rehearse, "settings");
        context.events.tell(&Event::Progress(Progress {
            phase,
            image,
            bytes: 0,
            total: None,
            rate: 0,
            eta: None,
        }));
    }
    let output = match migrator(paths, version, &paths.cache().join(cache), how) {
        Ok(output) => output,
        Err(error) => {
            tracing::warn!("the migrations to {version} are not rehearsed: migrator does not start: {error}");
            return Ok(None);
        }
    };
    let answer: Answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match (output.status.code(), answer) {
        (Some(0), answer) => Ok(Some(answer)),
        (_, Answer { error: Some(Failed { code, message }), .. }) => {
            Err(Refused { version: version.clone(), why: message, code })
        }
        // One that does not know how to rehearse.
        (Some(2), _) => {
            tracing::warn!("the migrations to {version} are not rehearsed: this migrator cannot");
            Ok(None)
        }
        (_, _) => {
            let said =
                String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
            let why = format!("migrator ended with {}: {said}", output.status);
            Err(Refused { version: version.clone(), why, code: "failed".to_owned() })
        }
    }
}

fn migrator(paths: &Paths, version: &Version, set: &Path, how: &str) -> io::Result<Output> {
    let mut arguments: Vec<OsString> = [how, "--json", "--log-level", "warn"].map(OsString::from).into();
    if paths.is_rooted() {
        arguments.extend(["--root".into(), paths.root().into()]);
    }
    for (flag, path) in [
        ("--datastore-path", paths.datastore().join("current")),
        ("--root-path", paths.trusted_root()),
        ("--metadata-directory", set.join("metadata")),
        ("--migration-directory", set.join("targets")),
    ] {
        arguments.extend([flag.into(), path.into()]);
    }
    arguments.extend(["--migrate-to-version".into(), version.to_string().into()]);
    Command::new(Paths::program("migrator")).args(arguments).stdin(Stdio::null()).output()
}

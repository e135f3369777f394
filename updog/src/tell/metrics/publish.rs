//! The file that `node_exporter` reads, and the tally beside it.

use std::path::Path;

use host_io::{Advise as _, DirLock, Fs, Paths, public_file, report, swap};

use super::facts::Facts;
use super::page::Page;
use super::tally::{Run, Stage, Tally};
use crate::config;
use crate::context::Context;
use crate::error::Error;

/// The largest tally that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// Everything that is known now. What is counted is a part of it where the settings say so: otherwise it stands still.
#[must_use]
pub fn page(context: &Context) -> Page {
    let tally = wanted(context).unwrap_or_default().then(|| load(&*context.fs, &context.paths));
    whole(&Facts::read(context), tally.as_ref())
}

fn whole(facts: &Facts, tally: Option<&Tally>) -> Page {
    let mut page = Page::default();
    facts.say(&mut page);
    if let Some(tally) = tally {
        tally.say(&mut page, facts.running());
    }
    page
}

/// Counts the run at hand, which ended so, and writes the file anew. Where the settings do not want it there is none.
pub fn after(context: &Context, command: &'static str, error: Option<&Error>) {
    let _page = refresh(context, |tally| {
        let ended = context.evidence.ended();
        tally.with(&Run {
            command,
            failed: error
                .and_then(|error| failed(command, error, ended.as_ref().is_some_and(|it| it.to.is_some()))),
            asked: context.seen.last(),
            evidence: ended.as_ref(),
            fetched: context.account.settled(),
            millis: u64::try_from(context.seen.took().as_millis()).unwrap_or(u64::MAX),
        })
    });
}

/// Writes the file as things are now, or takes it away where the settings do not want it. Gives what was written.
pub fn now(context: &Context) -> Option<Page> {
    refresh(context, |tally| tally)
}

fn refresh(context: &Context, count: impl FnOnce(Tally) -> Tally) -> Option<Page> {
    let root = context.paths.root();
    let (dir, name) = (Path::new(Paths::METRICS_DIR), Paths::METRICS_NAME);
    let failed = |why: String| {
        tracing::warn!("the metrics of this host are not brought up to date: failed to {why}");
    };
    // Who does not know what is wanted changes nothing.
    if !wanted(context)? {
        // What nobody renews any more would be taken for the state of now.
        public_file::remove(root, dir, name).unwrap_or_else(|error| failed(report::chain(&error)));
        return None;
    }
    // Two runs that end at one time are both counted, and the older page does not take the place of the newer.
    let (tally, _lock) = counted(context, count);
    let page = whole(&Facts::read(context), Some(&tally));
    public_file::replace(root, dir, name, page.text().as_bytes())
        .unwrap_or_else(|error| failed(report::chain(&error)));
    Some(page)
}

/// The tally, counted on and kept, under its lock. One that cannot be kept costs what was counted and nothing else.
fn counted(context: &Context, count: impl FnOnce(Tally) -> Tally) -> (Tally, Option<DirLock>) {
    let (fs, path) = (&*context.fs, context.paths.metrics_tally());
    let dir = path.parent().expect("it lies in a directory of its own");
    let uncounted = |why: &str| {
        tracing::warn!("this run is not counted in the metrics: failed to write {}: {why}", path.display());
        load(fs, &context.paths)
    };
    let lock = match swap::make_dirs(fs, dir, 0o700) {
        Ok(()) => DirLock::acquire(dir).map_err(|error| report::chain(&error)),
        Err(error) => Err(error.to_string()),
    };
    let lock = match lock {
        Ok(lock) => lock,
        Err(why) => return (uncounted(&why), None),
    };
    let before = load(fs, &context.paths);
    let tally = count(before.clone());
    if tally != before {
        let bytes = serde_json::to_vec(&tally).expect("a tally is plain data");
        if let Err(error) = swap::replace_file(fs, &path, &bytes, 0o600) {
            return (uncounted(&error.to_string()), Some(lock));
        }
    }
    (tally, Some(lock))
}

/// One that cannot be read begins anew, as counters may.
fn load(fs: &dyn Fs, paths: &Paths) -> Tally {
    let bytes = fs.read_regular(&paths.metrics_tally(), LARGEST).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Whether the settings want metrics; `None` where they cannot be read.
fn wanted(context: &Context) -> Option<bool> {
    config::load_quietly(&*context.fs, &context.paths).ok().map(|config| config.metrics)
}

/// How far a run came that failed, and why. Finding nothing to do, or another run at work, is no failure.
fn failed(command: &str, error: &Error, chosen: bool) -> Option<(Stage, &'static str)> {
    let code = error.code();
    if error.is_stop() || matches!(code, "no_update" | "held" | "locked" | "nothing_to_cancel") {
        return None;
    }
    let stage = match (command, error) {
        (_, Error::AfterClear { .. } | Error::AfterClearOfIdle { .. }) => Stage::Install,
        ("confirm-boot", _) => Stage::Confirm,
        ("check-update", _) => Stage::Check,
        ("update" | "update-image", _) if chosen => Stage::Prepare,
        ("update" | "update-image", _) => Stage::Check,
        _ => Stage::Flip,
    };
    Some((stage, code))
}

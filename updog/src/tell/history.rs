//! The newest evidence records, one file each.
//!
//! They lie on the partition that both releases share, so they are few and small, and nothing that boots, falls back or
//! updates waits for one: what cannot be written is said and forgotten.

use std::path::PathBuf;

use host_io::{DirLock, Fs, Paths, swap};

use crate::tell::evidence::{Evidence, Id, Outcome};

/// How many records are kept.
pub const KEPT: usize = 32;
/// The largest record, in bytes.
pub const LARGEST: usize = 64 << 10;

/// All records, newest first. One that cannot be read is left out, with a warning.
#[must_use]
pub fn load(fs: &dyn Fs, paths: &Paths) -> Vec<Evidence> {
    let dir = paths.history();
    let read = |id: &Id| -> Option<Evidence> {
        let path = dir.join(format!("{id}.json"));
        let parsed = fs.read(&path).and_then(|bytes| Ok(serde_json::from_slice::<Evidence>(&bytes)?));
        match parsed {
            Ok(evidence) => Some(Evidence { id: id.clone(), ..evidence }),
            Err(error) => {
                tracing::warn!(
                    "one record of the history is left out: failed to read {}: {error}",
                    path.display()
                );
                None
            }
        }
    };
    ids(fs, paths).iter().rev().filter_map(read).collect()
}

/// Keeps a record and removes the oldest ones above [`KEPT`]. It is named when it is kept for the first time; later it
/// takes the place of its earlier state. A run that changed nothing, after one that ended in the same way, takes that
/// one's place.
pub fn keep(fs: &dyn Fs, paths: &Paths, evidence: &mut Evidence) {
    match try_keep(fs, paths, evidence.clone()) {
        Ok(id) => evidence.id = id,
        Err(error) => tracing::warn!("this run will not be in the history: {error}"),
    }
}

fn try_keep(fs: &dyn Fs, paths: &Paths, mut evidence: Evidence) -> std::io::Result<Id> {
    let dir = paths.history();
    swap::make_dirs(fs, &dir, 0o755)?;
    // Two boots may be confirmed side by side: a number is free only for whoever holds this.
    let _lock = DirLock::acquire(&dir).map_err(|error| std::io::Error::other(error.to_string()))?;
    let path_of = |id: &Id| -> PathBuf { dir.join(format!("{id}.json")) };
    let mut others = ids(fs, paths);
    if evidence.id == Id::default() {
        let newest = others.last().and_then(Id::number).unwrap_or_default();
        evidence.id = Id::new(newest.saturating_add(1), evidence.started);
    }
    others.retain(|id| *id != evidence.id);
    // Room first: what is removed may be what makes the new record fit.
    let mut gone = others[..(others.len() + 1).saturating_sub(KEPT)].to_vec();
    let before = others.last().and_then(|id| fs.read(&path_of(id)).ok().map(|bytes| (id, bytes)));
    if let Some((id, bytes)) = before
        && let Ok(before) = serde_json::from_slice::<Evidence>(&bytes)
        && repeats(&before, &evidence)
    {
        evidence.repeats = before.repeats.saturating_add(1);
        gone.push(id.clone());
    }
    for id in gone {
        fs.remove_file(&path_of(&id))?;
    }
    swap::replace_file(fs, &path_of(&evidence.id), &text(&mut evidence), 0o644)?;
    Ok(evidence.id)
}

/// Whether a run did no more than the one before it: nothing, for the same reason.
fn repeats(before: &Evidence, evidence: &Evidence) -> bool {
    let changed_nothing = |evidence: &Evidence| {
        matches!(evidence.outcome, Outcome::Nothing | Outcome::Failed) && evidence.bytes.written == 0
    };
    let reason = |evidence: &Evidence| {
        (
            evidence.outcome,
            evidence.command.clone(),
            evidence.to.clone(),
            evidence.set.clone(),
            evidence.error.clone().map(|error| error.code),
        )
    };
    changed_nothing(before) && changed_nothing(evidence) && reason(before) == reason(evidence)
}

/// The record as it is stored, within its limit: what people read goes first, where there is too much of it.
fn text(evidence: &mut Evidence) -> Vec<u8> {
    let render = |evidence: &Evidence| serde_json::to_vec(evidence).expect("evidence is plain data");
    let bytes = render(evidence);
    if bytes.len() <= LARGEST {
        return bytes;
    }
    evidence.notes = vec!["what was noted beside this was too long to keep".to_owned()];
    if let Some(error) = &mut evidence.error {
        error.message = error.message.chars().take(4096).collect();
        error.help = None;
    }
    evidence.timings.clear();
    render(evidence)
}

/// The names of all records, oldest first.
fn ids(fs: &dyn Fs, paths: &Paths) -> Vec<Id> {
    let entries = fs.list(&paths.history()).unwrap_or_default();
    let mut ids: Vec<Id> = entries
        .into_iter()
        .filter_map(|entry| Id::of_file(&entry.name))
        .filter(|id| id.number().is_some())
        .collect();
    ids.sort_by_key(Id::number);
    ids
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};
    use std::thread;

    use chrono::{DateTime, Utc};
    use host_io::{SystemClock, SystemFs};

    use super::*;
    use crate::tell::evidence::Failure;
    use crate::tell::recorder::Recorder;

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2024-06-01T{hour:02}:00:00Z").parse().unwrap()
    }

    fn run(paths: &Paths, outcome: Outcome, code: Option<&str>) {
        let error = code.map(|code| Failure { code: code.to_owned(), ..Failure::default() });
        keep(&SystemFs, paths, &mut Evidence { started: at(1), outcome, error, ..Evidence::default() });
    }

    #[test]
    fn the_newest_are_kept_also_when_the_clock_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        assert!(load(&SystemFs, &paths).is_empty());
        for number in 0..40u32 {
            let mut evidence = Evidence {
                started: at(23 - number % 24),
                command: number.to_string(),
                outcome: Outcome::Staged,
                ..Evidence::default()
            };
            keep(&SystemFs, &paths, &mut evidence);
            keep(&SystemFs, &paths, &mut evidence);
        }
        let kept = load(&SystemFs, &paths);
        assert_eq!(kept.len(), KEPT);
        assert_eq!((kept[0].command.as_str(), kept[31].command.as_str()), ("39", "8"));
        assert!(kept[0].id.is("40") && kept[0].id.is("000040") && kept[0].id.is(&kept[0].id.to_string()));
        assert!(!kept[0].id.is("4") && !kept[0].id.is(""));
    }

    #[test]
    fn a_timer_that_finds_nothing_every_hour_does_not_push_out_what_was_done() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        run(&paths, Outcome::Staged, None);
        for _ in 0..50 {
            run(&paths, Outcome::Nothing, None);
        }
        for _ in 0..50 {
            run(&paths, Outcome::Failed, Some("unreachable"));
        }
        run(&paths, Outcome::Failed, Some("expired"));
        let told: Vec<(Outcome, u32)> =
            load(&SystemFs, &paths).iter().map(|record| (record.outcome, record.repeats)).collect();
        assert_eq!(
            told,
            [(Outcome::Failed, 0), (Outcome::Failed, 49), (Outcome::Nothing, 49), (Outcome::Staged, 0)]
        );
    }

    #[test]
    fn a_record_has_a_limit_and_a_broken_one_does_not_hide_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let message = "x".repeat(200_000);
        let error = Some(Failure { message, ..Failure::default() });
        keep(&SystemFs, &paths, &mut Evidence { error, outcome: Outcome::Failed, ..Evidence::default() });
        run(&paths, Outcome::Staged, None);
        std::fs::write(paths.history().join("000003-x.json"), "{").unwrap();
        std::fs::write(paths.history().join("README"), "hello").unwrap();
        let kept = load(&SystemFs, &paths);
        assert_eq!(kept.len(), 2);
        for entry in std::fs::read_dir(paths.history()).unwrap() {
            assert!(entry.unwrap().metadata().unwrap().len() <= LARGEST as u64);
        }
        run(&paths, Outcome::Staged, None);
        assert!(load(&SystemFs, &paths)[0].id.is("4"));
    }

    #[test]
    fn runs_side_by_side_have_a_record_each() {
        const RUNS: usize = 8;
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let begun = Barrier::new(RUNS);
        thread::scope(|scope| {
            for _ in 0..RUNS {
                scope.spawn(|| {
                    let recorder =
                        Recorder::new(Arc::new(SystemFs), Arc::new(SystemClock), &paths, "confirm-boot");
                    recorder.begin();
                    begun.wait();
                    recorder.keep();
                    begun.wait();
                    recorder.end(Outcome::Confirmed, None);
                });
            }
        });
        let kept = load(&SystemFs, &paths);
        let numbers: Vec<u64> = kept.iter().rev().filter_map(|record| record.id.number()).collect();
        assert_eq!(numbers, (1..=RUNS as u64).collect::<Vec<_>>());
        assert!(kept.iter().all(|record| record.outcome == Outcome::Confirmed));
    }

    #[test]
    fn where_nothing_can_be_written_the_run_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        std::fs::create_dir_all(paths.record()).unwrap();
        std::fs::write(paths.history(), "in the way").unwrap();
        run(&paths, Outcome::Staged, None);
        assert!(load(&SystemFs, &paths).is_empty());
    }
}

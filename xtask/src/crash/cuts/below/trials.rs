//! Some of the points, started in the machine that was recorded: what it shows is held against the same promises, and
//! against what the simulated host makes of the same disk.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::going::{Booted, Seen};
use super::super::judge::{self, Invariant};
use super::super::table::Violation;
use super::look::Looking;
use super::point::Point;
use super::replay::Replay;
use crate::vm::trial::{Shown, Trials};

/// Where points are started.
pub(super) struct Place {
    /// Where what the machine says is kept.
    pub(super) logs: PathBuf,
    /// Where its disk lies meanwhile.
    pub(super) disks: PathBuf,
    /// The port of the repository on the loopback.
    pub(super) repository: u16,
}

/// What the machine has shown.
#[derive(Default)]
pub(super) struct Started {
    shown: Vec<(Point, Result<Shown, String>)>,
    /// Starts of the machine.
    starts: usize,
}

/// What was made of that.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) points: usize,
    /// Starts of the machine.
    pub(super) starts: usize,
    /// Points of which the machine has shown what the simulated host shows.
    pub(super) agree: usize,
    pub(super) violations: Vec<Violation>,
    /// What the simulated host shows otherwise.
    pub(super) differ: Vec<String>,
}

/// Starts every one of these points, unless nobody wants to know it any more.
pub(super) fn start(
    replay: &Replay<'_>,
    points: &[Point],
    place: &Place,
    over: &AtomicBool,
    told: impl Fn(&Point, &str),
) -> Result<Started, Box<dyn Error>> {
    fs::create_dir_all(&place.logs)?;
    let versions = replay.recording.releases.iter().map(|release| release.version.clone()).collect();
    let mut trials = Trials { dir: place.logs.clone(), repository: place.repository, versions, starts: 0 };
    let mut shown = Vec::new();
    for point in points.iter().take_while(|_| !over.load(Ordering::Relaxed)) {
        let disk = replay.disk_of(point, &place.disks)?;
        let one = trials.start(&disk);
        match &one {
            Ok(shown) => told(point, &format!("{} stays, after {} lost starts", shown.version, shown.lost)),
            Err(how) => told(point, how),
        }
        shown.push((point.clone(), one));
        fs::remove_file(disk)?;
    }
    Ok(Started { shown, starts: trials.starts })
}

/// Holds what the machine has shown against the promises, and against the simulated host.
pub(super) fn judge(looking: &mut Looking<'_>, started: Started) -> Result<Tried, Box<dyn Error>> {
    let mut tried = Tried { points: started.shown.len(), starts: started.starts, ..Tried::default() };
    for (point, shown) in started.shown {
        let violation = |invariant, how: String| Violation {
            invariant,
            state: point.to_string(),
            how: format!("in the machine: {how}"),
        };
        let seen = match shown {
            Ok(shown) => seen(shown),
            Err(how) => {
                tried.violations.push(violation(Invariant::Boots, how));
                continue;
            }
        };
        let (state, simulated) = looking.simulated(&point)?;
        let broken = judge::of_seen(&state, &seen, &looking.acts[point.act].expected);
        tried.violations.extend(broken.into_iter().map(|one| violation(one.invariant, one.how)));
        let alike = |seen: &Seen| (seen.booted.version.clone(), seen.booted.set, seen.settings.clone());
        match alike(&seen) == alike(&simulated) {
            true => tried.agree += 1,
            false => tried.differ.push(format!(
                "{point}: the machine shows {:?} {}, the simulated host {:?} {}",
                seen.booted, seen.settings, simulated.booted, simulated.settings
            )),
        }
    }
    Ok(tried)
}

/// What a machine shows, as the judge wants it.
fn seen(shown: Shown) -> Seen {
    let booted = Booted { version: Some(shown.version), set: Some(shown.set), failed: Vec::new() };
    Seen {
        booted,
        settings: shown.settings,
        status: shown.status,
        bits: shown.bits,
        healed: shown.whole == [true, true],
    }
}

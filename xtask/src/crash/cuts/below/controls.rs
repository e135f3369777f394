//! Mistakes on purpose: a reader that ignores flushes has to find promises broken, or it could not find one.

use std::error::Error;

use super::super::hands::{Everywhere, Reach};
use super::super::table::Caught;
use super::look::Looking;
use super::point::{Kept, Point, writes};
use crate::vm::recording::{INSTALLED, SETTING, WAY_BACK};
use crate::vm::writes::Step;

/// Where the ends of the disk are, on which the table is.
const END: u64 = 1 << 20;

/// What is kept of an act all of whose flushes are ignored.
#[derive(Debug, Clone, Copy)]
enum Keeps {
    Nothing,
    Table,
    /// All but the table.
    Rest,
}

/// A mistake: the act whose flushes are ignored, and what is kept of it although it had ended.
struct Control {
    name: &'static str,
    act: &'static str,
    keeps: Keeps,
}

const CONTROLS: [Control; 4] = [
    Control {
        name: "no flush counts while a setting is written, and all of it is lost",
        act: SETTING,
        keeps: Keeps::Nothing,
    },
    Control {
        name: "no flush counts while a release is installed, and only the table lands",
        act: INSTALLED,
        keeps: Keeps::Table,
    },
    Control {
        name: "no flush counts while a release is installed, and only the table is lost",
        act: INSTALLED,
        keeps: Keeps::Rest,
    },
    Control {
        name: "no flush counts while a person goes back, and all of it is lost",
        act: WAY_BACK,
        keeps: Keeps::Nothing,
    },
];

/// Makes every mistake, and tells which promise each has broken.
pub(super) fn make(looking: &mut Looking<'_>) -> Result<Vec<Caught>, Box<dyn Error>> {
    CONTROLS.iter().map(|control| control.make(looking)).collect()
}

impl Control {
    fn make(&self, looking: &mut Looking<'_>) -> Result<Caught, Box<dyn Error>> {
        let point = self.point(looking)?;
        let found = looking.only(
            &[point],
            Reach { ends: [usize::MAX, 0], everywhere: Everywhere::Nowhere, one_is_enough: true },
        )?;
        let by = found.violations.first().cloned();
        Ok(Caught { name: self.name.to_owned(), states: 1, by })
    }

    /// The moment at which the act has ended, by the promises of the next one.
    fn point(&self, looking: &Looking<'_>) -> Result<Point, Box<dyn Error>> {
        let replay = looking.replay;
        let acts = &replay.recording.acts;
        let number = acts.iter().position(|act| act.name == self.act);
        let number = number.ok_or_else(|| format!("find \"{}\" in the recording", self.act))?;
        let (act, record) = (&acts[number], &replay.records[acts[number].cycle]);
        let durable = record.last_flush(act.from).map_or(0, |at| at + 1);
        let last = replay.disk_len - END;
        let kept = writes(record, durable, act.to).map(|step| {
            let Step::Write { at, .. } = step else { return Kept::Lost };
            let is_table = at < END || at >= last;
            match self.keeps {
                Keeps::Table if is_table => Kept::Whole,
                Keeps::Rest if !is_table => Kept::Whole,
                Keeps::Nothing | Keeps::Table | Keeps::Rest => Kept::Lost,
            }
        });
        Ok(Point { act: number + 1, durable, cut: act.to, kept: kept.collect() })
    }
}

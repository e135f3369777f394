//! Power that goes at any moment of an update.
//!
//! The update is played once, with every write to the disk recorded. Each round takes a moment of the record, makes the
//! disk what it could have been then, and starts the machine from it.

use std::path::PathBuf;

use crate::vm::dice::Dice;
use crate::vm::stage::Stage;
use crate::vm::stage::recipe::good;
use crate::vm::unmet::Unmet;
use crate::vm::writes::{Cut, Record};

/// As often as a machine may start until a set stays: a try, and the set that returns.
const STARTS: usize = 3;

/// A part of the story, and what must be so when the power went in it.
struct Phase {
    name: &'static str,
    record: usize,
    from: usize,
    to: usize,
    versions: &'static [&'static str],
    mottos: &'static [&'static str],
}

/// The update as it was played.
struct Story {
    bases: [PathBuf; 2],
    records: [Record; 2],
    phases: Vec<Phase>,
}

pub(super) fn power_cut(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    let story = play(stage)?;
    let (rounds, seed) = stage.rounds();
    control(stage, &story)?;
    let mut dice = Dice::new(seed);
    for round in 1..=rounds {
        let phase = &story.phases[usize::try_from(dice.below(story.phases.len() as u64)).expect("an index")];
        let span = phase.to - phase.from;
        let steps = phase.from + usize::try_from(dice.below(span as u64)).expect("an index") + 1;
        let (version, motto) = after(stage, &story, phase.record, Cut { steps, pretended: None }, &mut dice)?;
        let as_it_should = phase.versions.contains(&&*version) && phase.mottos.contains(&&*motto);
        stage.expect(
            as_it_should,
            &format!("round {round}: cut at write {steps}, {}: {version} runs with {motto:?}", phase.name),
        )?;
        stage.count(phase.name);
    }
    Ok(())
}

/// Plays an update, recording what is written, and when.
fn play(stage: &mut Stage<'_>) -> Result<Story, Unmet> {
    stage.factory(good("1.0.0"))?;
    stage.boots_into("1.0.0")?;
    stage.apiclient(&["set", "motd=before"])?;
    stage.power_off()?;

    let first = stage.record("first")?;
    stage.boots_into("1.0.0")?;
    let up = Record::len(&first.record);
    stage.apiclient(&["set", "motd=after"])?;
    let set = Record::len(&first.record);
    stage.publish(good("1.1.0"))?;
    stage.apiclient(&["update", "apply", "--check"])?;
    let applied = Record::len(&first.record);
    stage.apiclient(&["reboot"])?;
    stage.is_reset()?;
    let reset = Record::len(&first.record);

    let second = stage.record("second")?;
    stage.power_on()?;
    stage.shows("guest: settings are carried over")?;
    let migrated = Record::len(&second.record);
    stage.shows("guest: 1.1.0 is marked good")?;
    let proven = Record::len(&second.record);
    stage.apiclient(&["set", "motd=later"])?;
    let end = Record::len(&second.record);
    stage.cut_power()?;
    stage.stop_recording();

    let phase = |name, record, from, to, versions, mottos| Phase { name, record, from, to, versions, mottos };
    let (old, both, new): (&[_], &[_], &[_]) = (&["1.0.0"], &["1.0.0", "1.1.0"], &["1.1.0"]);
    let mut phases = vec![
        phase("while 1.0.0 starts", 0, 0, up, old, &["before"]),
        phase("while a setting is written", 0, up, set, old, &["before", "after"]),
        phase("while 1.1.0 is installed", 0, set, applied, both, &["after"]),
        phase("before the reboot", 0, applied, reset, new, &["after"]),
        phase("while 1.1.0 starts for the first time", 1, 0, migrated, both, &["after"]),
        phase("before 1.1.0 is marked good", 1, migrated, proven, both, &["after"]),
        phase("when 1.1.0 is marked good", 1, proven, end, new, &["after", "later"]),
    ];
    phases.retain(|phase| phase.to > phase.from);
    let open =
        |path: &PathBuf| Record::open(path).map_err(|error| Unmet::new(format!("read a record: {error}")));
    let records = [open(&first.record)?, open(&second.record)?];
    stage.say(&format!(
        "{} and {} writes and flushes are recorded",
        records[0].steps.len(),
        records[1].steps.len()
    ));
    Ok(Story { bases: [first.base, second.base], records, phases })
}

/// A disk that only pretends to flush must be found out, or none of this shows anything: the setting that was answered for
/// is then gone.
fn control(stage: &mut Stage<'_>, story: &Story) -> Result<(), Unmet> {
    let setting = story.phases.iter().find(|phase| phase.name == "while a setting is written");
    let setting = setting.ok_or_else(|| Unmet::new("a setting makes the guest write"))?;
    let mut end = setting.to;
    // Somebody else in the guest may have flushed last.
    for _ in 0..3 {
        let Some(flush) = story.records[0].last_flush(end).filter(|flush| *flush >= setting.from) else {
            break;
        };
        let cut = Cut { steps: setting.to, pretended: Some(flush) };
        let (_, motto) = after(stage, story, 0, cut, &mut Dice::new(0))?;
        if motto == "before" {
            stage.say(
                "✓ a disk that pretends one flush is found out: the setting that was answered for is gone",
            );
            return Ok(());
        }
        end = flush;
    }
    Err(Unmet::new("a disk that pretends a flush loses the setting that was answered for"))
}

/// Makes the disk of a cut and starts it: the version that stays, and a setting of it.
fn after(
    stage: &mut Stage<'_>,
    story: &Story,
    record: usize,
    cut: Cut,
    dice: &mut Dice,
) -> Result<(String, String), Unmet> {
    let disk = stage.dir().join("cut.img");
    story.records[record]
        .rebuild(&story.bases[record], &disk, cut, dice)
        .map_err(|error| Unmet::new(format!("make the disk of a cut: {error}")))?;
    stage.use_disk(disk)?;
    for _ in 0..STARTS {
        stage.power_on()?;
        let marks = ["guest: 1.0.0 is marked good", "guest: 1.1.0 is marked good"];
        let Some(which) = stage.machine()?.shows_one_of(&marks)? else { continue };
        let motto = stage.setting("motd")?.as_str().unwrap_or_default().to_owned();
        stage.cut_power()?;
        stage.judge_quietly()?;
        return Ok((["1.0.0", "1.1.0"][which].to_owned(), motto));
    }
    Err(Unmet::new(format!("some set stays within {STARTS} starts, cut at write {}", cut.steps)))
}

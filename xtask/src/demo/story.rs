//! The steps, in the order in which they happen to a host, and what each must show.

use chrono::{Duration, Utc};
use serde_json::json;
use testdata::{BootBits, BootFault, Fault, HostOptions, Release, Set};

use super::report::{Step, StepReport, Unmet};
use super::stage::Stage;

type Play = fn(&mut Stage) -> StepReport;

/// The story.
pub(crate) const STEPS: [Play; 6] = [
    |stage| play(stage, "a", "a host on 1.0.0 learns of 1.1.0", learn),
    |stage| play(stage, "b", "it updates, and its settings come along", update),
    |stage| play(stage, "c", "a person rolls it back, and forward again", roll_back),
    |stage| play(stage, "d", "1.2.0 does not boot: the host returns by itself", bad_release),
    |stage| play(stage, "e", "an attacker swaps the root image of 1.3.0", attack),
    |stage| play(stage, "f", "1.4.0 comes in waves", waves),
];

fn play(
    stage: &mut Stage,
    letter: &'static str,
    title: &'static str,
    act: fn(&mut Stage, &mut Step) -> Result<(), Unmet>,
) -> StepReport {
    let before = stage.world.server().bytes_sent();
    let mut step = Step::begin(stage.voice, letter, title);
    let outcome = act(stage, &mut step);
    let fetched = stage.world.server().bytes_sent() - before;
    step.end(outcome, stage.host.version(), stage.active(), fetched)
}

fn learn(stage: &mut Stage, step: &mut Step) -> Result<(), Unmet> {
    let report = stage.host.boot();
    step.expect(report.booted().is_some() && stage.runs("1.0.0", Set::A), "1.0.0 boots from set A")?;
    let set = stage.run(step, "apiclient", &["set", "motd=the night shift was here"]);
    step.expect(set.ok(), "a person made a setting")?;
    let shown = stage.run(step, "apiclient", &["-u", "/settings"]);
    step.expect(
        shown.ok() && shown.json()["motd"] == "the night shift was here",
        "the API shows the setting",
    )?;
    stage.world.publish(Release::new("1.1.0").framed());
    step.say("the author publishes 1.1.0");
    let checked = stage.run(step, "apiclient", &["update", "check"]);
    step.expect(checked.ok(), "the check ends well")?;
    let status = checked.json();
    step.expect(
        status["update_state"] == "Available" && status["chosen_update"]["version"] == "1.1.0",
        "1.1.0 is chosen",
    )
}

fn update(stage: &mut Stage, step: &mut Step) -> Result<(), Unmet> {
    let applied = stage.apply(step);
    step.expect(applied.ok(), "the update is fetched, checked, written, read back and activated")?;
    let status = stage.run(step, "apiclient", &["update", "status"]);
    step.expect(
        status.stdout.contains("Ready: the next boot starts the update")
            && stage.host.signpost_status().contains("Next:    Set B"),
        "set B boots next, once on trial",
    )?;
    let report = stage.reboot(step)?;
    step.expect(
        report.attempts.len() == 1 && stage.runs("1.1.0", Set::B),
        "1.1.0 boots from set B at the first start",
    )?;
    step.expect(
        stage.host.bits(Set::B) == BootBits { priority: 2, tries: 0, successful: true },
        "its try was spent before the start, and the boot is marked good",
    )?;
    step.expect(stage.host.setting("motd") == "the night shift was here", "a person's setting came along")?;
    step.expect(stage.host.setting("ntp.mode") == "iburst", "a value that 1.1.0 renamed was renamed")?;
    step.expect(
        stage.host.setting("metrics.send-metrics") == false,
        "a setting that 1.1.0 brought has its default",
    )
}

fn roll_back(stage: &mut Stage, step: &mut Step) -> Result<(), Unmet> {
    let flipped = stage.run(step, "apiclient", &["update", "rollback", "--yes"]);
    step.expect(flipped.ok(), "the sets are flipped")?;
    stage.reboot(step)?;
    step.expect(stage.runs("1.0.0", Set::A), "1.0.0 runs again")?;
    step.expect(
        stage.host.setting("ntp.mode") == "burst"
            && stage.host.setting("metrics").is_null()
            && stage.host.setting("motd") == "the night shift was here",
        "its settings are back in its own words, and the person's is still there",
    )?;
    let flipped = stage.run(step, "apiclient", &["update", "rollback", "--yes"]);
    step.expect(flipped.ok(), "the sets are flipped again")?;
    stage.reboot(step)?;
    step.expect(
        stage.runs("1.1.0", Set::B) && stage.host.setting("ntp.mode") == "iburst",
        "1.1.0 runs again, with its settings",
    )
}

fn bad_release(stage: &mut Stage, step: &mut Step) -> Result<(), Unmet> {
    stage.world.publish(Release::new("1.2.0").framed().boot_fault(BootFault::PanicAfterMigrations));
    step.say("the author publishes 1.2.0, which panics once its settings are migrated");
    let settings = stage.host.settings();
    let store = store(stage);
    let checked = stage.host.run("apiclient", &["update", "check"]);
    step.expect(checked.ok() && checked.json()["chosen_update"]["version"] == "1.2.0", "1.2.0 is chosen")?;
    step.expect(stage.apply(step).ok(), "it is correctly signed, so it is installed")?;
    let report = stage.reboot(step)?;
    let failed = report.failed().filter(|attempt| attempt.version.as_deref() == Some("1.2.0")).count();
    step.expect(
        failed == 1 && report.attempts.len() == 2,
        "1.2.0 was started exactly once; the next start was the old set's",
    )?;
    step.expect(stage.runs("1.1.0", Set::B), "the host is back on 1.1.0 by itself")?;
    step.expect(stage.host.settings() == settings, "the settings are as they were")?;
    step.expect(
        self::store(stage) == store,
        "they are the very store of before: no migration ran on the way back",
    )?;
    let status = stage.run(step, "apiclient", &["update", "status"]);
    let told = stage.update_status();
    step.expect(
        status.ok() && told["failed_update"]["image"]["version"] == "1.2.0",
        "the status says that 1.2.0 failed here",
    )?;
    step.expect(told["update_state"] == "Idle", "and does not claim that anything is staged")
}

fn attack(stage: &mut Stage, step: &mut Step) -> Result<(), Unmet> {
    let release = Release::new("1.3.0");
    let images = stage.world.images(&release);
    let published = stage.world.publish(release);
    let signed = published.targets.iter().find(|target| target.name.ends_with("-root.lz4"));
    let frame = testdata::image::attack::tampered_frame(&images.root).unwrap_or_default();
    step.expect(
        signed.is_some_and(|signed| !frame.is_empty() && frame.len() as u64 <= signed.length),
        "1.3.0 is published; its root image has a rival: a valid LZ4 frame, not longer than the signed one",
    )?;
    stage.world.server().fault("1.3.0-root.lz4", Fault::Swap(frame));
    let updated = stage.run(step, "apiclient", &["update", "apply", "--check"]);
    step.expect(updated.code() == Some(1), "the server sends the rival, and the update is refused")?;
    step.expect(
        stage.host.bits(Set::A) == BootBits { priority: 0, tries: 0, successful: false },
        "the inactive set stays cleared: nothing of the attacker's can ever boot",
    )?;
    stage.reboot(step)?;
    step.expect(stage.runs("1.1.0", Set::B), "the host still boots 1.1.0")?;
    stage.world.server().heal();
    let updated = stage.run(step, "apiclient", &["update", "apply", "--check", "--reboot"]);
    step.expect(updated.ok(), "with an honest server the same update goes through")?;
    let _ = stage.host.reboot_if_requested();
    step.expect(stage.runs("1.3.0", Set::A), "1.3.0 runs from set A")
}

fn waves(stage: &mut Stage, step: &mut Step) -> Result<(), Unmet> {
    let policy = "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 5\n\
                  [[waves]]\nstart_after = '1 day'\nfleet_percentage = 50\n\
                  [[waves]]\nstart_after = '3 days'\nfleet_percentage = 100\n";
    let start = now() - Duration::hours(3);
    stage.world.publish(Release::new("1.4.0").framed().migrations("1.3.0", &[]).waves(policy, start));
    step.say("the author publishes 1.4.0 in waves: from 2 hours ago over 3 days");
    let seeded = |seed| {
        let mut host =
            stage.world.host_with("1.3.0", HostOptions { seed: Some(seed), ..HostOptions::default() });
        let report = host.boot();
        (host, report.booted().is_some())
    };
    let ((early, early_boots), (late, late_boots)) = (seeded(1), seeded(2000));
    step.expect(early_boots && late_boots, "two more hosts on 1.3.0 run, with seeds 1 and 2000")?;
    let ran = early.run("apiclient", &["update", "check"]);
    step.show("apiclient update check   # seed 1", ran.stderr.trim_end());
    step.expect(
        ran.ok() && ran.json()["chosen_update"]["version"] == json!("1.4.0"),
        "the early host gets it now",
    )?;
    let ran = early.run("apiclient", &["update", "apply"]);
    step.expect(ran.ok(), "and installs it")?;
    let ran = late.run("apiclient", &["update", "check"]);
    step.show("apiclient update check   # seed 2000", ran.stderr.trim_end());
    step.expect(ran.ok() && ran.json()["update_state"] == json!("Idle"), "the late host does not")?;
    let ran = late.run("apiclient", &["update", "explain"]);
    step.show("apiclient update explain   # seed 2000", ran.stdout.trim_end());
    step.expect(ran.ok() && ran.stdout.contains("1.4.0    waiting"), "and is told when it will")
}

/// The directory that the live settings lie in.
fn store(stage: &Stage) -> Option<std::path::PathBuf> {
    stage.host.paths().datastore().join("current").canonicalize().ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the waves of the demo are around the time at which it is played"
)]
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}

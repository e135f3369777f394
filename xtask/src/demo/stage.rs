//! The world that the demo is played in: one repository, one host, and the voice that tells what happens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use testdata::{BootReport, Host, HostOptions, Outcome, Ran, Set, Size, World, WorldOptions};

use super::report::{Step, Unmet, Voice};

/// How often the bar looks at what the server has sent.
const BAR_EVERY: Duration = Duration::from_millis(50);

/// Everything that the steps work with.
pub(crate) struct Stage {
    pub(crate) voice: Voice,
    /// The host of the story. Before the world: its programs end before the server does.
    pub(crate) host: Host,
    pub(crate) world: World,
}

impl Stage {
    /// A repository with release 1.0.0, and a host that has it from the factory and is still off.
    pub(crate) fn set(voice: Voice, dir: Option<PathBuf>) -> Self {
        let world = World::with(WorldOptions { size: Size::Demo, dir });
        world.publish(testdata::Release::new("1.0.0"));
        let host = world.host_with("1.0.0", HostOptions { logs: true, ..HostOptions::default() });
        Self { voice, host, world }
    }

    /// The set that runs now, as people name it.
    pub(crate) fn active(&self) -> Option<String> {
        self.host.active_set().map(|set| format!("{set:?}"))
    }

    /// Runs a program on the host and shows what it answered.
    pub(crate) fn run(&self, step: &Step, program: &str, args: &[&str]) -> Ran {
        let ran = self.host.run(program, args);
        // Where there is no answer, what was narrated is what a person sees.
        let has_answer = ran.ok() && !ran.stdout.is_empty();
        let said = if has_answer { ran.stdout.clone() } else { format!("{}{}", ran.stdout, ran.stderr) };
        step.show(&format!("{program} {}", args.join(" ")), said.trim_end());
        ran
    }

    /// Applies an update through the API, with a bar over the bytes that the server sends.
    pub(crate) fn apply(&self, step: &Step) -> Ran {
        let before = self.world.server().bytes_sent();
        let running = self.host.spawn("apiclient", &["update", "apply"]);
        let done = self.with_bar(before, || running.wait());
        step.show("apiclient update apply", format!("{}{}", done.stdout, done.stderr).trim_end());
        done
    }

    /// Runs `work` while a bar follows the bytes that the server has sent.
    fn with_bar<T: Send>(&self, before: u64, work: impl FnOnce() -> T + Send) -> T {
        if self.voice == Voice::Json {
            return work();
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(
            ProgressStyle::with_template("   {spinner} {elapsed} {bytes} fetched, {binary_bytes_per_sec}")
                .expect("the template is valid"),
        );
        std::thread::scope(|scope| {
            let work = scope.spawn(work);
            while !work.is_finished() {
                bar.set_position(self.world.server().bytes_sent() - before);
                std::thread::sleep(BAR_EVERY);
            }
            bar.finish_and_clear();
            work.join().expect("the work does not panic")
        })
    }

    /// Asks for a reboot through the API and boots, telling each start.
    pub(crate) fn reboot(&mut self, step: &mut Step) -> Result<BootReport, Unmet> {
        let asked = self.run(step, "apiclient", &["reboot"]);
        step.expect(asked.ok() && self.host.reboot_requested(), "the host asked for a reboot")?;
        let report = self.host.reboot();
        for attempt in &report.attempts {
            let version = attempt.version.as_deref().unwrap_or("an unknown version");
            step.say(&match &attempt.outcome {
                Outcome::Booted => {
                    format!("firmware: set {:?} with {version} started, and runs", attempt.set)
                }
                Outcome::Failed { stage, reason } => {
                    format!(
                        "firmware: set {:?} with {version} started, and failed ({stage:?}): {reason}",
                        attempt.set
                    )
                }
            });
        }
        Ok(report)
    }

    /// Whether the host runs `version` from its set `set`.
    pub(crate) fn runs(&self, version: &str, set: Set) -> bool {
        self.host.version().as_deref() == Some(version) && self.host.active_set() == Some(set)
    }

    /// The update status as a fleet tool reads it.
    pub(crate) fn update_status(&self) -> Value {
        self.host.run("apiclient", &["raw", "-u", "/updates/status"]).json()
    }

    /// Leaves everything behind and says how to go on by hand.
    pub(crate) fn leave(mut self, voice: Voice, dir: &Path) {
        let root = self.host.paths().root().to_owned();
        self.host.power_off();
        if voice == Voice::Json {
            return;
        }
        let programs = testdata::program("updog");
        let programs = programs.parent().unwrap_or(Path::new(".")).display();
        let (root, dir) = (root.display(), dir.display());
        let (variant, arch) = (testdata::world::VARIANT, std::env::consts::ARCH);
        println!(
            "\nKept in {dir}: the host below {root}, its disk {root}/disk.img, its logs {root}/logs, the repository {dir}/repo.\n\
             To go on by hand on the same host:\n\
             \n  P={programs} H={root}\
             \n  $P/signpost --root $H status\
             \n  $P/apiserver --root $H &\
             \n  $P/apiclient -s $H/run/api.sock get settings\
             \n  $P/apiclient -s $H/run/api.sock set updates.metadata-base-url=file://{dir}/repo/{variant}/{arch}/ \\\
             \n      updates.targets-base-url=file://{dir}/repo/targets/\
             \n  $P/apiclient -s $H/run/api.sock update check\
             \n  $P/apiclient -s $H/run/api.sock update apply\
             \n  kill %1"
        );
    }
}

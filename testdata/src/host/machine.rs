//! The host as tests use it: boot it, run something, look at it, boot it again.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use host_io::Paths;
use serde_json::Value;
use verity::RootHash;

use super::Ear;
use super::boot::{Attempt, BootReport, Failure, Outcome, Picked, Stage, fail, root_hash};
use super::firmware::{self, Pick};
use super::programs::{Programs, Ran, Running, Service, put};
use crate::disk::{BootBits, DiskImage, Layout, Set};
use crate::image::Images;
use crate::image::root::Marker;

/// A reset loop ends here: a test wants to see it, not to live in it.
const STARTS: usize = 6;
/// How long the API may take to answer after its start. A server that ends is noticed at once, so that this only ends a test
/// whose server stands still; on a machine whose medium syncs for other work a start has been seen to take half a minute.
const API_PATIENCE: Duration = Duration::from_secs(180);

/// How often any host was started by this process.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// Another one each time.
fn name_of_a_boot() -> String {
    let (process, start) = (std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
    uuid::Uuid::from_u64_pair(u64::from(process), start).to_string()
}

/// The same one each time, by where the host lies.
fn name_of_machine(root: &Path) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, root.as_os_str().as_bytes());
    hex::encode(&digest.as_ref()[..16])
}

/// How one host differs from another.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Its place in the rollout; drawn by the host itself when absent.
    pub seed: Option<u32>,
    /// Settings that are made right after its first boot, as `key` and `value` of `apiclient set`.
    pub settings: Vec<(String, String)>,
    /// Its disk.
    pub layout: Layout,
    /// Whether the words of every program are kept in `DIR/logs`.
    pub logs: bool,
    /// Roots of a format that is not read here, by their hash, each with a directory that has what lies in it.
    pub known_roots: Vec<(RootHash, PathBuf)>,
}

/// Whether a boot is marked good once it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Mark,
    Leave,
}

/// A simulated host. Dropping it ends its programs; its directory stays as long as its world does.
#[derive(Debug)]
pub struct Host {
    paths: Paths,
    disk: DiskImage,
    options: HostOptions,
    programs: Programs,
    api: Option<Service>,
    set: Option<Set>,
    configured: bool,
}

impl Host {
    /// A new host in `dir`, with `images` installed in set A as by a factory. It is off.
    ///
    /// # Errors
    /// When the disk cannot be made, or the images do not fit.
    pub fn install(dir: &Path, images: &Images, options: HostOptions) -> io::Result<Self> {
        fs::create_dir_all(dir.join("var"))?;
        let disk = DiskImage::create(&dir.join("disk.img"), &options.layout, &dir.to_string_lossy())?;
        if options.layout.table == crate::disk::Table::Gpt {
            disk.install(Set::A, images)?;
        }
        Ok(Self { configured: false, ..Self::with_disk(dir, disk, options) })
    }

    /// The host in `dir`, whose disk and persistent partition are there already, and which has been configured. It is off.
    #[must_use]
    pub fn found_in(dir: &Path, options: HostOptions) -> Self {
        Self::with_disk(dir, DiskImage::at(dir.join("disk.img")), options)
    }

    fn with_disk(dir: &Path, disk: DiskImage, options: HostOptions) -> Self {
        Self {
            paths: Paths::under(dir),
            programs: Programs::new(dir, options.logs.then(|| dir.join("logs"))),
            disk,
            options,
            api: None,
            set: None,
            configured: true,
        }
    }

    /// From now on everything that programs and the firmware change on this host, and what programs look at, is recorded
    /// in this directory, or nowhere.
    pub fn recorded_in(&mut self, dir: Option<&Path>) {
        self.programs.recorded_in(dir.map(Path::to_owned));
    }

    /// Turns it on: starts sets until one of them runs and its boot is confirmed, or nothing is left to start.
    pub fn boot(&mut self) -> BootReport {
        self.start_up(Proof::Mark)
    }

    /// [`Host::boot`], but the boot is not marked good: the running set stays unproven.
    pub fn boot_unproven(&mut self) -> BootReport {
        self.start_up(Proof::Leave)
    }

    /// Shuts it down and turns it on again.
    pub fn reboot(&mut self) -> BootReport {
        self.boot()
    }

    /// [`Host::reboot`], but the boot is not marked good.
    pub fn reboot_unproven(&mut self) -> BootReport {
        self.boot_unproven()
    }

    /// Reboots when a program has asked for it.
    pub fn reboot_if_requested(&mut self) -> Option<BootReport> {
        self.reboot_requested().then(|| self.reboot())
    }

    /// Whether a program has asked for a reboot.
    #[must_use]
    pub fn reboot_requested(&self) -> bool {
        self.paths.reboot_request().exists()
    }

    /// Turns it on, and cuts its power before the kernel runs: the firmware has spent a try by then. It is off. What the
    /// firmware picked is returned.
    ///
    /// # Panics
    /// When the disk cannot be used.
    pub fn lose_power_in_boot(&mut self) -> Option<Set> {
        self.reset();
        let pick = firmware::pick(&self.disk).expect("a readable partition table");
        pick.and_then(|pick| Picked::find(&self.disk, &pick).ok()).map(|picked| picked.set)
    }

    /// Turns it off. What lay in memory (`run`, `proc`, `etc`) is gone with the next start.
    pub fn power_off(&mut self) {
        self.api = None;
        self.set = None;
    }

    /// Runs a program on this host and waits for its end.
    pub fn run(&self, program: &str, args: &[&str]) -> Ran {
        self.spawn(program, args).wait()
    }

    /// Starts a program on this host.
    pub fn spawn(&self, program: &str, args: &[&str]) -> Running {
        self.programs.spawn(program, args)
    }

    /// Runs a program whose stdout and stderr both lead to `ear`, and waits for its end.
    pub fn run_heard_by(&self, ear: Ear, program: &str, args: &[&str]) -> Ran {
        self.programs.spawn_heard_by(ear, program, args).wait()
    }

    /// From now on `ear` hears what every program of this host says on stderr, also in a boot.
    pub fn heard_by(&mut self, ear: Ear) {
        self.programs.heard_by(ear);
    }

    /// From now on `ear` hears the log of its API server.
    pub fn log_heard_by(&mut self, ear: Ear) {
        self.programs.log_heard_by(ear);
    }

    /// Makes a setting as a person does: `host.set("motd", "hello")`.
    ///
    /// # Panics
    /// When the host refuses.
    pub fn set(&self, key: &str, value: &str) {
        let _ = self.run("apiclient", &["set", &format!("{key}={value}")]).expect_ok();
    }

    /// All settings, as `apiclient -u /settings` shows them.
    ///
    /// # Panics
    /// When the API does not answer.
    #[must_use]
    pub fn settings(&self) -> Value {
        self.run("apiclient", &["-u", "/settings"]).expect_ok().json()
    }

    /// One setting by its dotted name without `settings.`; [`Value::Null`] when it is not there.
    #[must_use]
    pub fn setting(&self, key: &str) -> Value {
        let settings = self.settings();
        let mut value = &settings;
        for segment in key.split('.') {
            value = &value[segment];
        }
        value.clone()
    }

    /// What `signpost status` says.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn signpost_status(&self) -> String {
        self.run("signpost", &["status"]).expect_ok().stdout
    }

    /// The running version, as its os-release has it; `None` when the host is off.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        self.set.and_then(|_| self.unpacked_version())
    }

    /// The running set; `None` when the host is off.
    #[must_use]
    pub fn active_set(&self) -> Option<Set> {
        self.set
    }

    /// The boot bits of a set, read without `signpost`.
    #[must_use]
    pub fn bits(&self, set: Set) -> BootBits {
        self.disk.bits(set)
    }

    /// Its disk.
    #[must_use]
    pub fn disk(&self) -> &DiskImage {
        &self.disk
    }

    /// Its files.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Kills its API server and nothing that it started, as a crash would, and starts it again, as a service manager
    /// would.
    ///
    /// # Errors
    /// Why it did not come up again.
    pub fn crash_api(&mut self) -> Result<(), String> {
        if let Some(api) = self.api.take() {
            api.crash();
        }
        self.start_api().map_err(|failure| failure.reason)
    }

    /// Starts its API server again where it has ended, as a service manager would.
    ///
    /// # Errors
    /// Why it did not come up again.
    pub fn serve_again(&mut self) -> Result<(), String> {
        match self.api.as_ref().and_then(Service::ended) {
            Some(_last_words) => self.crash_api(),
            None => Ok(()),
        }
    }

    /// The process id of its API server.
    #[must_use]
    pub fn api_process(&self) -> Option<u32> {
        self.api.as_ref().map(Service::id)
    }

    fn start_up(&mut self, proof: Proof) -> BootReport {
        let mut report = BootReport::default();
        let mut stopped = format!("{STARTS} starts failed");
        for _ in 0..STARTS {
            self.reset();
            let picked = match firmware::pick_recorded(&self.disk, self.programs.record()) {
                Ok(Some(pick)) => pick,
                Ok(None) => {
                    "no set is bootable".clone_into(&mut stopped);
                    break;
                }
                Err(error) => {
                    stopped = format!("the disk has no readable partition table: {error}");
                    break;
                }
            };
            let (set, outcome) = self.start(&picked, proof);
            let booted = outcome == Outcome::Booted;
            report.attempts.push(Attempt { set, version: self.unpacked_version(), outcome });
            if booted {
                self.set = Some(set);
                self.configure();
                return report;
            }
        }
        self.reset();
        report.stopped = Some(stopped);
        report
    }

    /// Everything that does not outlive a reset.
    fn reset(&mut self) {
        self.power_off();
        for volatile in ["run", "etc", "proc", "usr"] {
            let dir = self.paths.root().join(volatile);
            match fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    panic!("wipe {}: {error}", dir.display())
                }
                _ => {}
            }
        }
        fs::create_dir_all(self.paths.root().join("run")).expect("the host's directory is ours");
    }

    fn start(&mut self, pick: &Pick, proof: Proof) -> (Set, Outcome) {
        let found = Picked::find(&self.disk, pick);
        let set = found.as_ref().map_or(Set::A, |found| found.set);
        let outcome = match found.and_then(|found| self.run_set(&found, pick, proof)) {
            Ok(()) => Outcome::Booted,
            Err(Failure { stage, reason }) => Outcome::Failed { stage, reason },
        };
        (set, outcome)
    }

    fn run_set(&mut self, picked: &Picked, pick: &Pick, proof: Proof) -> Result<(), Failure> {
        let loaded = picked.load(&self.disk)?;
        picked.verify(&self.disk, &loaded.command_line).map_err(|failure| self.panicked(failure))?;
        let hash = root_hash(&loaded.command_line);
        let known = self.options.known_roots.iter().find(|(known, _)| Some(*known) == hash);
        let marker =
            picked.unpack(&self.disk, self.paths.root(), known.map(|(_, unpacked)| unpacked.as_path()))?;
        let described = || -> io::Result<()> {
            put(
                &self.paths.kernel_command_line(),
                &format!("{} signpost.boot=PARTUUID={}\n", loaded.command_line, pick.guid),
            )?;
            // A kernel names each boot anew, and the machine keeps its name.
            put(&self.paths.boot_id(), &format!("{}\n", name_of_a_boot()))?;
            put(&self.paths.machine_id(), &format!("{}\n", name_of_machine(self.paths.root())))?;
            put(&self.paths.signpost_config(), &format!("disk = \"{}\"\n", self.disk.path().display()))
        };
        described().map_err(|error| fail(Stage::Unpack, error.to_string()))?;
        if marker == Some(Marker::Early) {
            return Err(self.panicked(fail(Stage::Start, "the kernel panicked, as this image asks for")));
        }
        self.migrate()?;
        if marker == Some(Marker::AfterMigrations) {
            return Err(self.panicked(fail(Stage::System, "the system panicked, as this image asks for")));
        }
        self.start_api()?;
        match proof {
            Proof::Mark => self.must(Stage::MarkGood, "updog", &["confirm-boot"]),
            Proof::Leave => Ok(()),
        }
    }

    /// What a kernel that panics leaves where the next one finds it.
    fn panicked(&self, failure: Failure) -> Failure {
        let [dir, _] = self.paths.crash_dumps();
        let number = fs::read_dir(&dir).map_or(0, Iterator::count);
        let words = format!("<0>[    1.204] Kernel panic - not syncing: {}\n", failure.reason);
        put(&dir.join(format!("dmesg-ramoops-{number}")), &words).expect("the host's directory is ours");
        failure
    }

    fn migrate(&self) -> Result<(), Failure> {
        let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        self.must(
            Stage::Migrate,
            "migrator",
            &[
                "--datastore-path",
                &text(self.paths.datastore().join("current")),
                "--migration-directory",
                &text(self.paths.migrations_cache()),
                "--root-path",
                &text(self.paths.trusted_root()),
                "--metadata-directory",
                &text(self.paths.metadata_cache()),
                "--migrate-to-version-from-os-release",
            ],
        )
    }

    #[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
    fn start_api(&mut self) -> Result<(), Failure> {
        let datastore = self.paths.datastore().join("current");
        let api = self.programs.serve("apiserver", &["--datastore-path", &datastore.to_string_lossy()]);
        let give_up = Instant::now() + API_PATIENCE;
        while UnixStream::connect(self.paths.api_socket()).is_err() {
            if let Some(words) = api.ended() {
                return Err(fail(Stage::Api, format!("apiserver {words}")));
            }
            if Instant::now() > give_up {
                return Err(fail(Stage::Api, format!("apiserver did not answer within {API_PATIENCE:?}")));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.api = Some(api);
        Ok(())
    }

    /// What a person or a fleet tool sets on a new host, once it stands for the first time.
    fn configure(&mut self) {
        if self.configured {
            return;
        }
        self.configured = true;
        if let Some(seed) = self.options.seed {
            self.set("updates.seed", &seed.to_string());
        }
        for (key, value) in &self.options.settings {
            self.set(key, value);
        }
    }

    fn must(&self, stage: Stage, program: &str, args: &[&str]) -> Result<(), Failure> {
        let ran = self.run(program, args);
        if ran.ok() { Ok(()) } else { Err(fail(stage, ran.complaint())) }
    }

    fn unpacked_version(&self) -> Option<String> {
        let text = fs::read_to_string(self.paths.os_release()).ok()?;
        text.lines().find_map(|line| Some(line.strip_prefix("VERSION_ID=")?.trim_matches('"').to_owned()))
    }
}

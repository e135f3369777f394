//! What happens to a machine, and what each must show: one scenario a function, each step a line.

mod boot_program;
mod demo;
mod disks;
mod failures;
mod firmware;
mod host;
mod outcome;
mod power;
mod update;

use clap::ValueEnum;

use super::host::ContainerHost;
use super::stage::Stage;
use super::unmet::Unmet;

type OnStage = fn(&mut Stage<'_>) -> Result<(), Unmet>;
type OnHost = fn(&mut ContainerHost<'_>) -> Result<(), Unmet>;

/// What a scenario is played with.
#[derive(Clone, Copy)]
pub(super) enum Play {
    /// The scenarios' own small system.
    Small(OnStage),
    /// The container host of `examples/`.
    Host(OnHost),
}

/// The kinds of machines that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The scenarios' own small system
    Small,
    /// The container host of `examples/`
    Host,
}

/// One scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether every change must pass it.
    pub(super) ci: bool,
    pub(super) play: Play,
}

impl Scenario {
    /// What it is played with.
    pub(super) fn kind(&self) -> Kind {
        match self.play {
            Play::Small(_) => Kind::Small,
            Play::Host(_) => Kind::Host,
        }
    }
}

/// All of them.
pub(super) const SCENARIOS: &[Scenario] = &[
    ci("update", "applied from outside, booted, settings carried over, marked good", update::update),
    ci(
        "panic-in-init",
        "a release that panics: the old set returns, with its settings",
        failures::panic_in_init,
    ),
    ci(
        "corrupt-root",
        "a root that does not verify: the old set returns, and nobody gets a shell",
        failures::corrupt_root,
    ),
    ci(
        "power-cut",
        "power that goes at any write of an update: a good set stays, with its settings",
        power::power_cut,
    ),
    ci(
        "secure-boot",
        "only what is signed starts; an altered image does not, and the other set does",
        firmware::secure_boot,
    ),
    more("demo", "the demo of the README, on a machine that really boots", demo::demo),
    more("first-boot", "a persistent partition with nothing on it", update::first_boot),
    more("manual-rollback", "a person goes back; settings come along", update::manual_rollback),
    more(
        "bad-kernel",
        "a BOOT without a kernel: the old set is started by the same boot",
        firmware::bad_kernel,
    ),
    more(
        "aarch64",
        "the boot program on 64-bit Arm: picks, pays, starts, and says what became of it",
        firmware::other_processor,
    ),
    more(
        "hang",
        "a program before the kernel, a first process and a health check that stand still are reset",
        failures::hang,
    ),
    more(
        "proven-rot",
        "a proven set that rots is left after three starts; power cuts do not count",
        failures::proven_rot,
    ),
    more("unhealthy", "a health check says no: the deadline resets", failures::unhealthy),
    more(
        "failed-migration",
        "settings that cannot be carried over: the old ones return",
        failures::failed_migration,
    ),
    more(
        "torn-primary",
        "both copies of the table are valid and differ: the primary counts",
        disks::torn_primary,
    ),
    more("torn-backup", "the same with an older backup", disks::torn_backup),
    more("grown-disk", "a disk that grew: boots, updates, and is mended", disks::grown_disk),
    more(
        "bootpick-update",
        "power that goes while the boot program is installed: the old one or the new one starts",
        boot_program::bootpick_update,
    ),
    more(
        "lost-boot-entries",
        "firmware that forgets its entries starts all the same, and gets them back",
        boot_program::lost_boot_entries,
    ),
    more(
        "loader-time",
        "how long the boot program has the machine, beside systemd's that starts the same system",
        boot_program::loader_time,
    ),
    more(
        "bit-rot",
        "a rotten block in the running root: the update fetches what it cannot copy",
        disks::bit_rot,
    ),
    ci_host(
        "host-update",
        "the container host: boots with containerd, takes a release by its timer, marks it good",
        host::update,
    ),
    ci_host(
        "host-admin",
        "its admin container: switched on, entered at a terminal, asked, switched off",
        host::admin,
    ),
    host(
        "host-twice",
        "its images, built twice from the same packages, byte for byte; nothing is started",
        host::twice,
    ),
    host(
        "host-fallback",
        "a release whose health check says no: the old set returns, the timer lets it be",
        host::fallback,
    ),
    host(
        "host-full",
        "a release that fills the persistent partition: the old set returns, and goes on once there is room",
        host::full,
    ),
    host(
        "host-readonly",
        "whoever may do everything tries: seen from outside, nothing of a release has changed",
        host::readonly,
    ),
    host(
        "host-sandbox",
        "what its containers reach of it, and how exposed our services are there",
        host::sandbox,
    ),
    host(
        "host-time",
        "a clock that begins with 1970: a release in waves waits until somebody tells the time",
        host::time,
    ),
    host(
        "host-user-data",
        "settings for a first boot that are wrong are told on the console; then each way to give some",
        host::user_data,
    ),
    host(
        "host-secure-boot",
        "boot program and releases signed: boots and updates where the firmware starts nothing else",
        host::secure_boot,
    ),
    host(
        "host-demo",
        "built, booted, updated, its admin container entered, back from a bad release",
        host::demo,
    ),
];

const fn ci(name: &'static str, about: &'static str, play: OnStage) -> Scenario {
    Scenario { name, about, ci: true, play: Play::Small(play) }
}

const fn more(name: &'static str, about: &'static str, play: OnStage) -> Scenario {
    Scenario { name, about, ci: false, play: Play::Small(play) }
}

const fn ci_host(name: &'static str, about: &'static str, play: OnHost) -> Scenario {
    Scenario { name, about, ci: true, play: Play::Host(play) }
}

const fn host(name: &'static str, about: &'static str, play: OnHost) -> Scenario {
    Scenario { name, about, ci: false, play: Play::Host(play) }
}

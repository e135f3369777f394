//! Every metric there is. `docs/metrics.md` has a row for each, and a test that compares.
//!
//! Names and units are by Prometheus' conventions: base units, `_total` for what only grows, `_info` for a 1 that carries
//! words. Labels take their values from short lists; only versions, variants and architectures are words of a release, and of
//! those there are as many as there are releases on this host.

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows, and begins at 0 again when what was counted is lost.
    Counter,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name, without what all of them begin with.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// What all names begin with.
pub const PREFIX: &str = "update_stack_";

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, labels, help }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, labels, help }
}

/// All of them, in the order of the page.
pub static FAMILIES: [Family; 31] = [
    gauge("release_info", &["variant", "arch", "version", "set"], "The release that runs here."),
    gauge("boot_proven", &[], "Whether a boot of the running set was marked good."),
    gauge(
        "other_set_info",
        &["set", "version", "state"],
        "What the set holds that does not run: staged, activated, earlier, failed or cleared.",
    ),
    gauge("next_boot_info", &["set", "why"], "That the other set boots next, and why."),
    gauge("disk_readable", &[], "Whether the partition sets could be looked at."),
    gauge("chosen_release_info", &["version"], "The release that the last check chose for this host."),
    gauge(
        "wave_opens_timestamp_seconds",
        &[],
        "When this host's wave opens, where the last check found a release that waits for it.",
    ),
    gauge("last_check_timestamp_seconds", &[], "When the repository was asked last."),
    gauge("last_check_info", &["result"], "How that ended: ok, or the code of the error."),
    gauge(
        "last_successful_check_timestamp_seconds",
        &[],
        "When the repository was asked last and could be used.",
    ),
    gauge("last_check_duration_seconds", &[], "How long it took to ask."),
    gauge("window_configured", &[], "Whether this host looks for updates by itself in a window alone."),
    gauge(
        "hold_until_timestamp_seconds",
        &[],
        "Until when it does not look by itself, where updates are held.",
    ),
    counter("checks_total", &["result"], "How often the repository was asked."),
    counter("runs_total", &["command", "outcome"], "Runs that change something, by how they ended."),
    counter(
        "failures_total",
        &["stage", "code"],
        "Runs that failed, by how far they came and the code of the error.",
    ),
    gauge("last_run_duration_seconds", &["command"], "How long the last run of a command took."),
    counter("phase_duration_seconds_total", &["phase"], "Time spent in each phase of updates."),
    counter("network_bytes_total", &[], "Bytes received over the network, by checks and updates."),
    counter(
        "image_bytes_total",
        &["source"],
        "Bytes of images by where they came from: network, running_set or in_place.",
    ),
    counter("written_bytes_total", &[], "Bytes written to the set that does not run."),
    gauge("held_releases", &[], "Releases that this host does not take now, for what became of them here."),
    gauge(
        "withheld_releases",
        &[],
        "Releases for this host that a role for holds withheld at the last check.",
    ),
    gauge(
        "release_failed_boots",
        &["version", "stage"],
        "Boots of a release that failed here, by how far the last one came.",
    ),
    gauge(
        "role_expiry_timestamp_seconds",
        &["role"],
        "When trusted metadata expires; of delegated roles the first.",
    ),
    gauge(
        "repository_unchanged_since_timestamp_seconds",
        &[],
        "When the timestamp role was first seen that is trusted now.",
    ),
    gauge("trust_readable", &[], "Whether the remembered trust can be read."),
    gauge(
        "clock_floor_timestamp_seconds",
        &[],
        "The time before which no clock can be right, by verified metadata.",
    ),
    gauge("health_checks_broken", &[], "Health checks that would fail because they cannot run."),
    gauge("persistent_free_bytes", &[], "Room on the partition that both sets share."),
    gauge("persistent_free_files", &[], "Files that can still be made there, where that is bounded."),
];

/// The one of this name.
///
/// # Panics
/// When there is none: names are written in this crate alone.
#[must_use]
pub fn of(name: &str) -> &'static Family {
    FAMILIES.iter().find(|family| family.name == name).expect("a name of the list")
}

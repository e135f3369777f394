//! Where things lie on a host.
//!
//! Every program takes a hidden `--root DIR`; with it the whole host lives under that directory, which is how the
//! simulated host of the tests runs unprivileged. The locations are those of `docs/compatibility.md`, "Files".

use std::path::{Path, PathBuf};

/// The file layout of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// The layout of the machine that this program runs on.
    #[must_use]
    pub fn system() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// The same layout below `dir`.
    #[must_use]
    pub fn under(dir: impl Into<PathBuf>) -> Self {
        Self { root: dir.into() }
    }

    /// [`Paths::under`] when a directory is given, else [`Paths::system`]: what a program does with `--root`.
    #[must_use]
    pub fn from_option(dir: Option<PathBuf>) -> Self {
        dir.map_or_else(Self::system, Self::under)
    }

    /// The directory that everything lies below; `/` on a real host.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this is a host below a directory and not the machine itself.
    #[must_use]
    pub fn is_rooted(&self) -> bool {
        self.root != Path::new("/")
    }

    /// `path` as seen from the host: an absolute path is taken below the root.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn at(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Configuration of `updog`, rendered from the settings by `apiserver`.
    #[must_use]
    pub fn updog_config(&self) -> PathBuf {
        self.at("etc/updog.toml")
    }

    /// Which disk carries the partition sets, where the running system cannot tell. Optional.
    #[must_use]
    pub fn signpost_config(&self) -> PathBuf {
        self.at("etc/signpost.toml")
    }

    /// What the image says of itself.
    #[must_use]
    pub fn os_release(&self) -> PathBuf {
        self.at("usr/lib/os-release")
    }

    /// The TUF root role that the image ships: the trust anchor.
    #[must_use]
    pub fn trusted_root(&self) -> PathBuf {
        self.at("usr/share/updog/root.json")
    }

    /// The settings that this image knows: types and defaults.
    #[must_use]
    pub fn settings_model(&self) -> PathBuf {
        self.at("usr/share/bottlerocket/settings.toml")
    }

    /// The templates of the files that `apiserver` makes from settings.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.at("usr/share/bottlerocket/templates")
    }

    /// TUF metadata for the next boot's migrator; a link into [`Paths::cache`].
    #[must_use]
    pub fn metadata_cache(&self) -> PathBuf {
        self.at("var/cache/bottlerocket-metadata")
    }

    /// Migrations and manifest for the next boot's migrator; a link into [`Paths::cache`].
    #[must_use]
    pub fn migrations_cache(&self) -> PathBuf {
        self.at("var/lib/bottlerocket-migrations")
    }

    /// The directory that holds the datastores and the link `current`.
    #[must_use]
    pub fn datastore(&self) -> PathBuf {
        self.at("var/lib/bottlerocket/datastore")
    }

    /// What updates keep: trust, cache and record. It is closed to everybody else, so that nobody takes their locks.
    #[must_use]
    pub fn update_state(&self) -> PathBuf {
        self.at("var/lib/bottlerocket/update")
    }

    /// Remembered trust: what TUF metadata was last verified, per anchor and repository.
    #[must_use]
    pub fn trust(&self) -> PathBuf {
        self.at("var/lib/bottlerocket/update/trust")
    }

    /// Metadata and migrations staged for the next boot, one directory per staged update and the link `current`.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.at("var/lib/bottlerocket/update/cache")
    }

    /// What was installed where, and what became of it.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.at("var/lib/bottlerocket/update/record")
    }

    /// What was done lately, and how it went.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.record().join("history")
    }

    /// The lock that is held for a whole update, by whichever program started it.
    #[must_use]
    pub fn operation_lock(&self) -> PathBuf {
        self.at("run/lock/thar-be-updates.lock")
    }

    /// The state of updates as the API tells it.
    #[must_use]
    pub fn update_status(&self) -> PathBuf {
        self.at("run/cache/thar-be-updates/status.json")
    }

    /// The latest event of the `updog` that works, or worked last.
    #[must_use]
    pub fn progress(&self) -> PathBuf {
        self.at("run/updog/progress.json")
    }

    /// The directory of [`Paths::metrics`], as seen from the root. The image fixes it: whoever could name another one would
    /// have root write there.
    pub const METRICS_DIR: &str = "run/update-stack";
    /// The name of that file; `node_exporter` takes whatever ends so.
    pub const METRICS_NAME: &str = "update-stack.prom";

    /// What monitoring reads of this host's updates, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.at(Self::METRICS_DIR).join(Self::METRICS_NAME)
    }

    /// What has been counted for [`Paths::metrics`], over reboots.
    #[must_use]
    pub fn metrics_tally(&self) -> PathBuf {
        self.record().join("metrics/tally.json")
    }

    /// The numbers that health checks have told in earlier boots.
    #[must_use]
    pub fn health_baseline(&self) -> PathBuf {
        self.record().join("health-baseline.json")
    }

    /// Says that this boot's are among them.
    #[must_use]
    pub fn health_baseline_told(&self) -> PathBuf {
        self.at("run/updog/health-baseline-told")
    }

    /// What is gone after each boot; on most systems it lies in memory.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.at("run")
    }

    /// The socket of `apiserver`.
    #[must_use]
    pub fn api_socket(&self) -> PathBuf {
        self.at("run/api.sock")
    }

    /// Says that `apiserver` has been ready once since the machine started: `/run` is empty after each boot.
    #[must_use]
    pub fn api_started(&self) -> PathBuf {
        self.at("run/cache/apiserver/started")
    }

    /// What each service was last brought in line with, one file per service; gone after each boot, as the services are.
    #[must_use]
    pub fn applied(&self) -> PathBuf {
        self.at("run/cache/apiserver/applied")
    }

    /// Where a host below a directory notes the commands that would restart services.
    #[must_use]
    pub fn service_requests(&self) -> PathBuf {
        self.at("run/service-requests")
    }

    /// Where the kernel, and after it the system's manager, keep what a crashed kernel said last.
    #[must_use]
    pub fn crash_dumps(&self) -> [PathBuf; 2] {
        [self.at("sys/fs/pstore"), self.at("var/lib/systemd/pstore")]
    }

    /// The health checks of the image, and those of the host: the latter take the place of the former by name.
    #[must_use]
    pub fn health_checks(&self) -> [PathBuf; 2] {
        [self.at("usr/lib/updog/health.d"), self.at("etc/updog/health.d")]
    }

    /// Where a host below a directory notes that it wants to reboot.
    #[must_use]
    pub fn reboot_request(&self) -> PathBuf {
        self.at("run/reboot-request")
    }

    /// The hooks that run before a reboot into an update: the image's, and those of the host.
    #[must_use]
    pub fn pre_reboot_hooks(&self) -> [PathBuf; 2] {
        [self.at("usr/lib/updog/pre-reboot.d"), self.at("etc/updog/pre-reboot.d")]
    }

    /// The hooks that run after the boot that follows.
    #[must_use]
    pub fn post_boot_hooks(&self) -> [PathBuf; 2] {
        [self.at("usr/lib/updog/post-boot.d"), self.at("etc/updog/post-boot.d")]
    }

    /// What is kept of a turn to reboot that was asked for and not given back yet.
    #[must_use]
    pub fn reboot_turn(&self) -> PathBuf {
        self.at("var/lib/bottlerocket/update/turn")
    }

    /// Says which boot was confirmed; gone after each boot.
    #[must_use]
    pub fn confirmed(&self) -> PathBuf {
        self.at("run/updog/confirmed")
    }

    /// The kernel's name of this boot, another one each time.
    #[must_use]
    pub fn boot_id(&self) -> PathBuf {
        self.at("proc/sys/kernel/random/boot_id")
    }

    /// The name of this machine, the same in every boot.
    #[must_use]
    pub fn machine_id(&self) -> PathBuf {
        self.at("etc/machine-id")
    }

    /// The kernel's command line of this boot.
    #[must_use]
    pub fn kernel_command_line(&self) -> PathBuf {
        self.at("proc/cmdline")
    }

    /// A program of ours: the one beside the running program, else the one of that name on the search path.
    #[must_use]
    pub fn program(name: &str) -> PathBuf {
        std::env::current_exe()
            .ok()
            .and_then(|own| Some(own.parent()?.join(name)))
            .filter(|beside| beside.is_file())
            .unwrap_or_else(|| PathBuf::from(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rooted_host_keeps_everything_below_its_directory() {
        let paths = Paths::under("/tmp/host");
        assert_eq!(paths.trusted_root(), Path::new("/tmp/host/usr/share/updog/root.json"));
        assert_eq!(paths.resolve(Path::new("/etc/updog.toml")), paths.updog_config());
        assert!(paths.is_rooted());
        assert!(!Paths::system().is_rooted());
    }
}

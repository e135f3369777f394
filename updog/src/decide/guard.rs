//! What is refused before anything changes: rules over the boot bits and the record.
//!
//! An update takes the inactive set away, and a flip leaves the running one. Both are safe only while the running set
//! is proven: until then the other set may be the only one that boots (`docs/design.md`, "The partition table").

use std::path::{Path, PathBuf};

use host_io::{Advise, Fs, Paths};
use semver::Version;
use signpost::{Set, SetName, Status};
use thiserror::Error;
use verity::RootHash;

use crate::after::health::Entries;
use crate::flip::next_boot::{self, Why};
use crate::flip::record::{Entry, Record};

/// Why a command is not for this moment. Nothing was changed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The disk has one set only.
    #[error("find an inactive partition set: this disk has only one set")]
    OneSet,
    /// The running set was never marked good.
    #[error("leave set {active} as the only way back: this boot is not proven yet")]
    Unproven {
        /// The running set.
        active: SetName,
    },
    /// The inactive set holds nothing that could be activated.
    #[error("activate set {inactive}: {why}")]
    NotStaged {
        /// The inactive set.
        inactive: SetName,
        /// What it holds instead.
        why: NotStaged,
    },
    /// The inactive set boots next already.
    #[error("activate set {inactive}: it boots next already")]
    AlreadyActivated {
        /// The inactive set.
        inactive: SetName,
    },
    /// A person goes back to the inactive set, and has not booted it yet.
    #[error("take set {inactive} for an update: the host goes back to what it holds with the next boot")]
    RollbackWaits {
        /// The inactive set.
        inactive: SetName,
    },
    /// The version is below the floor that is set for this host.
    #[error("take version {version}: it is below the minimum version {floor}")]
    BelowFloor {
        /// The version.
        version: Version,
        /// The setting.
        floor: Version,
    },
    /// The new release would not be marked good, for a reason that is known now.
    #[error("install a release that would not be marked good: {0}")]
    WouldFail(String),
    /// The running set boots next anyway.
    #[error("cancel an upgrade: there is nothing to cancel, set {active} boots next anyway")]
    NothingToCancel {
        /// The running set.
        active: SetName,
    },
}

/// What the inactive set holds instead of a staged image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStaged {
    /// It is cleared, or an update was cut short.
    Cleared,
    /// Its first boot failed.
    FailedBoot,
    /// A release that ran here before.
    Proven,
    /// An image that this program did not write, or that changed since.
    NotRecorded,
}

impl std::fmt::Display for NotStaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cleared => "it holds no complete image",
            Self::FailedBoot => "the image that it holds was tried and did not boot",
            Self::Proven => "it holds a release that ran here before, and no new image",
            Self::NotRecorded => "its hash partition is not the one of a recorded image",
        })
    }
}

impl Advise for Refusal {
    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::OneSet => {
                    "updates in place need two sets of boot, root and hash partitions; reinstall this host"
                }
                Self::Unproven { .. } => "wait for this boot to be marked good, or reboot",
                Self::NotStaged { why: NotStaged::Proven, .. } => {
                    "to go back to it run \"updog rollback\"; to install an update run \"updog update\""
                }
                Self::NotStaged { .. } => "run \"updog update-image\" first",
                Self::AlreadyActivated { .. } => {
                    "reboot to start it, or take it back with \"updog update-revert\""
                }
                Self::RollbackWaits { .. } => {
                    "reboot to go back, or stay with what runs: \"updog update-revert\" takes it back"
                }
                Self::BelowFloor { .. } => {
                    "the setting updates.minimum-version forbids it; ask for a newer one with --image, or lower the setting"
                }
                Self::WouldFail(_) => "mend that health check, or take it away; \"updog status\" names all that cannot run",
                Self::NothingToCancel { .. } => "see \"updog status\"",
            }
            .to_owned(),
        )
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OneSet
            | Self::AlreadyActivated { .. }
            | Self::RollbackWaits { .. }
            | Self::BelowFloor { .. } => "disallowed",
            Self::NothingToCancel { .. } => "nothing_to_cancel",
            Self::WouldFail(_) => "unhealthy",
            Self::Unproven { .. } => "unproven",
            Self::NotStaged { .. } => "not_staged",
        }
    }
}

/// Refuses a version below the floor of this host. A lower one than the running one is taken otherwise, if a person or the
/// repository asks for it.
///
/// # Errors
/// [`Refusal::BelowFloor`].
pub fn above_floor(version: &Version, floor: Option<&Version>) -> Result<(), Refusal> {
    match floor {
        Some(floor) if version < floor => {
            Err(Refusal::BelowFloor { version: version.clone(), floor: floor.clone() })
        }
        _ => Ok(()),
    }
}

/// The persistent partition has no room for what the next boot needs. Nothing was changed.
#[derive(Debug, Error)]
#[error("keep the migrations for the next boot below {path}: they need {need} bytes, and {have} are free")]
pub struct NoRoom {
    /// Where they would lie.
    pub path: PathBuf,
    /// What they need.
    pub need: u64,
    /// What is free.
    pub have: u64,
}

/// What a file system takes for each file besides its bytes, and for a few directories.
const OVERHEAD_PER_FILE: u64 = 8192;
const OVERHEAD: u64 = 64 * 1024;

/// Refuses when `bytes` in `files` files do not fit below `dir`, before anything is written there.
///
/// # Errors
/// [`NoRoom`]. A file system that does not tell what is free is asked by the write itself.
pub fn room_for(fs: &dyn Fs, dir: &Path, bytes: u64, files: u64) -> Result<(), NoRoom> {
    let need = bytes + files * OVERHEAD_PER_FILE + OVERHEAD;
    // The directory may not be there yet; the one that it will be made in is.
    let have = dir.ancestors().find_map(|dir| fs.free_bytes(dir).ok()).unwrap_or(u64::MAX);
    if have < need { Err(NoRoom { path: dir.to_owned(), need, have }) } else { Ok(()) }
}

/// Refuses while a health check of this host, which stays from release to release, cannot run: the new release would fall
/// back over it, however good it is. A check of the image goes with the image.
///
/// # Errors
/// [`Refusal::WouldFail`].
pub fn checks_can_run(paths: &Paths) -> Result<(), Refusal> {
    let found = Entries::find(paths);
    if let Some(broken) = found.broken_of_the_host(paths) {
        return Err(Refusal::WouldFail(broken.to_string()));
    }
    for broken in &found.broken {
        tracing::warn!("{broken}; it is the image's, and the next release brings its own");
    }
    Ok(())
}

/// The set that an update may clear and write, with the running set proven.
///
/// # Errors
/// When there is no other set, the running one is not proven, or a person goes back to the other one.
pub fn inactive_for_update(status: &Status) -> Result<&Set, Refusal> {
    let inactive = status.inactive().ok_or(Refusal::OneSet)?;
    proven(status)?;
    match next_boot::other(status) {
        Some((set, Why::Rollback)) => Err(Refusal::RollbackWaits { inactive: set.name }),
        Some((_, Why::Update | Why::FallbackExpected)) | None => Ok(inactive),
    }
}

/// A set that holds a complete image which waits to be booted. Holding one is a proof that flipping asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    set: SetName,
    entry: Entry,
}

impl Staged {
    /// The image in the inactive set, when it may be booted next. `root_hash` is the one computed from its HASH
    /// partition.
    ///
    /// # Errors
    /// When the inactive set holds none, or already boots next, or the running set is not proven.
    pub fn find(status: &Status, record: &Record, root_hash: Option<RootHash>) -> Result<Self, Refusal> {
        let Set { name: inactive, bits, .. } = *status.inactive().ok_or(Refusal::OneSet)?;
        let not_staged = |why| Err(Refusal::NotStaged { inactive, why });
        if status.next == Some(inactive) {
            return Err(Refusal::AlreadyActivated { inactive });
        }
        proven(status)?;
        if bits.successful {
            return not_staged(NotStaged::Proven);
        }
        if bits.tries == 0 {
            return not_staged(if bits.priority > 0 { NotStaged::FailedBoot } else { NotStaged::Cleared });
        }
        match record.holds(inactive, root_hash) {
            Some(entry) => Ok(Self { set: inactive, entry: entry.clone() }),
            None => not_staged(NotStaged::NotRecorded),
        }
    }

    /// Which set it is.
    #[must_use]
    pub fn set(&self) -> SetName {
        self.set
    }

    /// What it holds.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// The set whose flip may be taken back.
///
/// # Errors
/// When the running set boots next anyway, there is no other one, or the running set is not proven.
pub fn activated(status: &Status) -> Result<&Set, Refusal> {
    let inactive = status.inactive().ok_or(Refusal::OneSet)?;
    if status.next != Some(inactive.name) {
        return Err(Refusal::NothingToCancel { active: status.active });
    }
    proven(status)?;
    Ok(inactive)
}

fn proven(status: &Status) -> Result<(), Refusal> {
    if status.active().bits.successful { Ok(()) } else { Err(Refusal::Unproven { active: status.active }) }
}

#[cfg(test)]
mod tests {
    use host_io::explore::CutFs;
    use signpost::BootBits;

    use super::*;
    use crate::testing::{entry, hash, status};

    const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };
    const UNPROVEN: BootBits = BootBits { priority: 2, tries: 0, successful: false };
    const CLEAR: BootBits = BootBits::CLEAR;
    const VALID: BootBits = BootBits { priority: 0, tries: 1, successful: false };
    const ACTIVATED: BootBits = BootBits { priority: 2, tries: 1, successful: false };
    const FAILED: BootBits = BootBits { priority: 2, tries: 0, successful: false };

    #[test]
    fn an_update_needs_a_second_set_and_a_proven_running_one() {
        assert_eq!(inactive_for_update(&status(PROVEN, Some(CLEAR))).unwrap().name, SetName::B);
        assert_eq!(inactive_for_update(&status(PROVEN, None)), Err(Refusal::OneSet));
        assert_eq!(
            inactive_for_update(&status(UNPROVEN, Some(PROVEN))),
            Err(Refusal::Unproven { active: SetName::A })
        );
        let goes_back = BootBits { priority: 2, ..PROVEN };
        assert_eq!(
            inactive_for_update(&status(PROVEN, Some(goes_back))),
            Err(Refusal::RollbackWaits { inactive: SetName::B })
        );
        assert_eq!(inactive_for_update(&status(goes_back, Some(PROVEN))).unwrap().name, SetName::B);
        assert_eq!(inactive_for_update(&status(PROVEN, Some(ACTIVATED))).unwrap().name, SetName::B);
    }

    #[test]
    fn a_floor_stops_what_is_below_it_and_nothing_else() {
        let version = |text: &str| Version::parse(text).unwrap();
        assert_eq!(above_floor(&version("0.9.0"), None), Ok(()));
        let floor = version("1.0.0");
        assert_eq!(above_floor(&version("1.0.0"), Some(&floor)), Ok(()));
        let refused = above_floor(&version("1.0.0-rc.1"), Some(&floor)).unwrap_err();
        assert_eq!(refused.code(), "disallowed");
        assert!(refused.to_string().contains("1.0.0-rc.1"), "{refused}");
    }

    #[test]
    fn a_full_persistent_partition_is_found_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("not/there/yet");
        let fs = |free| CutFs::counting().with_free_bytes(free);
        let need = 1000 + 2 * OVERHEAD_PER_FILE + OVERHEAD;
        room_for(&fs(need), &cache, 1000, 2).unwrap();
        let refused = room_for(&fs(need - 1), &cache, 1000, 2).unwrap_err();
        assert_eq!((refused.need, refused.have), (need, need - 1));
        assert_eq!(fs(need - 1).changes(), 0);
        assert!(!cache.exists());
    }

    #[test]
    fn only_a_complete_recorded_image_may_be_activated() {
        let record = Record::default().with(SetName::B, entry("1.1.0", hash('1')));
        let find = |active, inactive, found| {
            Staged::find(&status(active, inactive), &record, found)
                .map(|staged| staged.entry.version.to_string())
        };
        let not_staged = |why| Err(Refusal::NotStaged { inactive: SetName::B, why });
        let right = Some(hash('1'));
        assert_eq!(find(PROVEN, Some(VALID), right), Ok("1.1.0".to_owned()));
        assert_eq!(find(PROVEN, Some(VALID), Some(hash('2'))), not_staged(NotStaged::NotRecorded));
        assert_eq!(find(PROVEN, Some(VALID), None), not_staged(NotStaged::NotRecorded));
        assert_eq!(find(PROVEN, Some(CLEAR), right), not_staged(NotStaged::Cleared));
        assert_eq!(find(PROVEN, Some(FAILED), right), not_staged(NotStaged::FailedBoot));
        assert_eq!(
            find(BootBits { priority: 2, ..PROVEN }, Some(PROVEN), right),
            not_staged(NotStaged::Proven)
        );
        assert_eq!(
            find(PROVEN, Some(ACTIVATED), right),
            Err(Refusal::AlreadyActivated { inactive: SetName::B })
        );
        assert_eq!(find(UNPROVEN, Some(VALID), right), Err(Refusal::Unproven { active: SetName::A }));
        assert_eq!(find(PROVEN, None, right), Err(Refusal::OneSet));
    }

    #[test]
    fn only_a_flip_can_be_taken_back() {
        assert_eq!(activated(&status(PROVEN, Some(ACTIVATED))).unwrap().name, SetName::B);
        for inactive in [CLEAR, VALID, FAILED] {
            assert_eq!(
                activated(&status(PROVEN, Some(inactive))),
                Err(Refusal::NothingToCancel { active: SetName::A })
            );
        }
        assert_eq!(activated(&status(PROVEN, None)), Err(Refusal::OneSet));
        // The running set is unproven and the other one is preferred: cancelling could leave nothing that boots.
        let unproven = BootBits { priority: 1, tries: 0, successful: false };
        assert_eq!(
            activated(&status(unproven, Some(BootBits { priority: 2, ..PROVEN }))),
            Err(Refusal::Unproven { active: SetName::A })
        );
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Refusal::RollbackWaits { inactive: SetName::B },
                "take set B for an update: the host goes back to what it holds with the next boot",
            ),
            (
                Refusal::BelowFloor { version: "1.2.0".parse().unwrap(), floor: "2.0.0".parse().unwrap() },
                "take version 1.2.0: it is below the minimum version 2.0.0",
            ),
            (Refusal::WouldFail("x".into()), "install a release that would not be marked good: x"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }

    #[test]
    fn no_room_is_told_in_these_words() {
        assert_eq!(
            NoRoom { path: "/data/file".into(), need: 2000, have: 1000 }.to_string(),
            "keep the migrations for the next boot below /data/file: they need 2000 bytes, and 1000 are free"
        );
    }
}

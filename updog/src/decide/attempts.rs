//! Releases that were booted here and did not stay, and when one of them may be tried again: a rule over values.
//!
//! A release whose boot fails is not installed again at the next check, or a bad release would take the host down once a
//! night. A boot that failed for a reason that is known (the kernel panicked, a migration or a health check failed) is
//! not tried again until a person says so. One that left no reason may have been a power cut: it is tried again after
//! 1, 6 and 24 hours, and then no more (`docs/design.md`, "Boot"). What is remembered is a release, by its version and
//! the root hash of its images: a newer one, or the same version with other images, has done nothing yet.

use chrono::{DateTime, TimeDelta, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};
use verity::RootHash;

use crate::decide::machine::Barred;

/// How long an unexplained failure keeps a release away: after the first one, the second, the third.
const PATIENCE: [TimeDelta; 3] = [TimeDelta::hours(1), TimeDelta::hours(6), TimeDelta::hours(24)];
/// How many releases are remembered.
const KEPT: usize = 16;

/// One release, as a host knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Which flavour of the system.
    pub variant: String,
    /// For which architecture.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// The root hash of its tree, where it is known.
    #[serde(default, with = "root_hash_text")]
    pub root_hash: Option<RootHash>,
}

impl Release {
    /// Whether both are the same release, as far as both are known.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let agree = |ours: Option<RootHash>, theirs: Option<RootHash>| {
            ours.zip(theirs).is_none_or(|(ours, theirs)| ours == theirs)
        };
        self.variant == other.variant
            && self.arch == other.arch
            && self.version == other.version
            && agree(self.root_hash, other.root_hash)
    }
}

/// All that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    #[serde(default)]
    releases: Vec<Tried>,
}

/// What is remembered of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which one.
    #[serde(flatten)]
    pub release: Release,
    /// It was activated, and how its boot went is not known yet.
    #[serde(default)]
    awaited: Option<Awaited>,
    /// Why it did not stay.
    #[serde(default)]
    pub mark: Option<Mark>,
}

/// A first boot that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Awaited {
    since: DateTime<Utc>,
    /// The crash dumps that were there already.
    #[serde(default)]
    dumps: Vec<String>,
}

/// Why a release did not stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What is known of it.
    pub cause: Cause,
    /// How far its last boot came.
    #[serde(default)]
    pub stage: String,
    /// Why it went no further, as a sentence without a final stop.
    #[serde(default)]
    pub reason: String,
    /// How many boots of it failed.
    #[serde(default)]
    pub attempts: u32,
    /// How many of them without a reason that is known.
    #[serde(default)]
    unexplained: u32,
    /// When this was found.
    pub recorded: DateTime<Utc>,
}

/// What is known of why a release did not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its boot failed, and why is known.
    Failed,
    /// Its boot failed without a word.
    Unexplained,
    /// A person went back from it.
    Left,
    /// It runs, and its image calls itself by another name.
    Misnamed,
    /// A newer program has another cause. It is kept away.
    #[serde(other)]
    Other,
}

/// How a boot that failed ended, as far as it can be told afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Whether it is known why.
    pub cause: Cause,
    /// How far it came.
    pub stage: String,
    /// Why it went no further.
    pub reason: String,
}

impl Mark {
    /// From when on the release may be tried again; `None` until a person says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<DateTime<Utc>> {
        let patience = match self.cause {
            Cause::Failed | Cause::Left | Cause::Misnamed | Cause::Other => None,
            Cause::Unexplained => usize::try_from(self.unexplained)
                .ok()
                .and_then(|failures| PATIENCE.get(failures.saturating_sub(1))),
        };
        self.recorded.checked_add_signed(*patience?)
    }
}

impl Attempts {
    /// `release` boots next. `dumps` are the crash dumps that are there before it.
    #[must_use]
    pub fn activated(mut self, release: &Release, dumps: Vec<String>, now: DateTime<Utc>) -> Self {
        let tried = self.entry(release);
        tried.release = release.clone();
        tried.awaited = Some(Awaited { since: now, dumps });
        self.bounded()
    }

    /// `release` does not boot next after all, or it came up and was marked good.
    #[must_use]
    pub fn settled(mut self, release: &Release, how: Settled) -> Self {
        match how {
            Settled::TakenBack => {
                let same = self.releases.iter_mut().filter(|tried| tried.release.is(release));
                same.for_each(|tried| tried.awaited = None);
            }
            Settled::Good => self.releases.retain(|tried| !tried.release.is(release)),
        }
        self
    }

    /// `release` was activated, was started, and is not what runs. Told again of the same boot, nothing changes.
    #[must_use]
    pub fn failed(mut self, release: &Release, fate: &Fate, now: DateTime<Utc>) -> Self {
        let known = self.releases.iter().find(|tried| tried.release.is(release));
        if known.is_some_and(|tried| tried.awaited.is_none()) {
            return self;
        }
        let tried = self.entry(release);
        tried.awaited = None;
        let (attempts, unexplained) =
            tried.mark.as_ref().map_or((0, 0), |mark| (mark.attempts, mark.unexplained));
        tried.mark = Some(Mark {
            cause: fate.cause,
            stage: fate.stage.clone(),
            reason: fate.reason.clone(),
            attempts: attempts.saturating_add(1),
            unexplained: unexplained.saturating_add(u32::from(fate.cause == Cause::Unexplained)),
            recorded: now,
        });
        self.bounded()
    }

    /// `release` was installed under its name, and is what runs, and its image calls itself by another one: as long as
    /// that is so it would be installed again and again. Told again of the same boot, nothing changes.
    #[must_use]
    pub fn misnamed(mut self, release: &Release, reason: String, now: DateTime<Utc>) -> Self {
        let known = self.releases.iter().find(|tried| tried.release.is(release));
        if known.is_some_and(|tried| tried.awaited.is_none()) {
            return self;
        }
        let tried = self.entry(release);
        tried.awaited = None;
        let (stage, recorded) = ("misnamed".to_owned(), now);
        tried.mark =
            Some(Mark { cause: Cause::Misnamed, stage, reason, attempts: 0, unexplained: 0, recorded });
        self.bounded()
    }

    /// A person goes back from `release`.
    #[must_use]
    pub fn left(mut self, release: &Release, now: DateTime<Utc>) -> Self {
        let tried = self.entry(release);
        tried.awaited = None;
        let attempts = tried.mark.as_ref().map_or(0, |mark| mark.attempts);
        tried.mark = Some(Mark {
            cause: Cause::Left,
            stage: "left".to_owned(),
            reason: "it was left by \"updog rollback\"".to_owned(),
            attempts,
            unexplained: 0,
            recorded: now,
        });
        self.bounded()
    }

    /// A person does not go back from `release` after all.
    #[must_use]
    pub fn not_left(mut self, release: &Release) -> Self {
        let same = self.releases.iter_mut().filter(|tried| tried.release.is(release));
        for tried in same.filter(|tried| tried.mark.as_ref().is_some_and(|mark| mark.cause == Cause::Left)) {
            tried.mark = None;
        }
        self
    }

    /// A person lets every release be tried again. The disk still shows a boot that failed; it does not count any more.
    #[must_use]
    pub fn cleared(mut self) -> Self {
        self.releases.iter_mut().for_each(|tried| tried.mark = None);
        self
    }

    /// The crash dumps that were there before the boot of `release` that is awaited.
    #[must_use]
    pub fn dumps_before(&self, release: &Release) -> Option<&[String]> {
        let tried = self.releases.iter().find(|tried| tried.release.is(release))?;
        tried.awaited.as_ref().map(|awaited| awaited.dumps.as_slice())
    }

    /// Whether the boot of any release is awaited.
    #[must_use]
    pub fn awaits_any(&self) -> bool {
        self.releases.iter().any(|tried| tried.awaited.is_some())
    }

    /// Every release that did not stay, the last one first.
    #[must_use]
    pub fn marked(&self) -> Vec<(&Release, &Mark)> {
        let mut marked: Vec<_> =
            self.releases.iter().filter_map(|tried| Some((&tried.release, tried.mark.as_ref()?))).collect();
        marked.sort_by_key(|(_, mark)| std::cmp::Reverse(mark.recorded));
        marked
    }

    /// The releases that may not be tried at the time `now`.
    #[must_use]
    pub fn bars(&self, now: DateTime<Utc>) -> Vec<Barred> {
        let barred = |(release, mark): (&Release, &Mark)| {
            let until = mark.retry_after();
            until.is_none_or(|until| now < until).then(|| Barred {
                variant: release.variant.clone(),
                arch: release.arch.clone(),
                version: release.version.clone(),
                until,
                reason: mark.reason.clone(),
            })
        };
        self.marked().into_iter().filter_map(barred).collect()
    }

    /// What is remembered of `release`, made where there is nothing yet.
    fn entry(&mut self, release: &Release) -> &mut Tried {
        let at = self.releases.iter().position(|tried| tried.release.is(release)).unwrap_or_else(|| {
            self.releases.push(Tried { release: release.clone(), awaited: None, mark: None });
            self.releases.len() - 1
        });
        &mut self.releases[at]
    }

    /// The one that was dealt with last is always kept; of the others the oldest go.
    fn bounded(mut self) -> Self {
        while self.releases.len() > KEPT {
            let age = |tried: &Tried| {
                let marked = tried.mark.as_ref().map(|mark| mark.recorded);
                marked.max(tried.awaited.as_ref().map(|awaited| awaited.since))
            };
            let oldest =
                (0..self.releases.len()).min_by_key(|&at| age(&self.releases[at])).unwrap_or_default();
            self.releases.remove(oldest);
        }
        self
    }
}

/// How a boot that was awaited turned out well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The flip was taken back: it never came to it.
    TakenBack,
    /// It was marked good.
    Good,
}

/// A root hash is written as it is printed.
mod root_hash_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use verity::RootHash;

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        hash: &Option<RootHash>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match hash {
            Some(hash) => serializer.collect_str(hash),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<RootHash>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hash;

    pub(super) fn hour(hours: i64) -> DateTime<Utc> {
        "2024-06-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
    }

    pub(super) fn release(version: &str, root_hash: char) -> Release {
        Release {
            variant: "metal".to_owned(),
            arch: "x86_64".to_owned(),
            version: Version::parse(version).unwrap(),
            root_hash: Some(hash(root_hash)),
        }
    }

    pub(super) fn fate(cause: Cause) -> Fate {
        Fate { cause, stage: "boot".to_owned(), reason: "why".to_owned() }
    }

    /// Whether `release` is kept away, and until when.
    pub(super) fn barred(
        attempts: &Attempts,
        version: &str,
        now: DateTime<Utc>,
    ) -> Option<Option<DateTime<Utc>>> {
        attempts
            .bars(now)
            .iter()
            .find(|barred| barred.version.to_string() == version)
            .map(|barred| barred.until)
    }

    #[test]
    fn a_failure_that_is_explained_is_held_at_once_and_for_good() {
        let bad = release("1.1.0", '1');
        let attempts = Attempts::default().activated(&bad, Vec::new(), hour(0)).failed(
            &bad,
            &fate(Cause::Failed),
            hour(1),
        );
        for later in [1, 25, 10_000] {
            assert_eq!(barred(&attempts, "1.1.0", hour(later)), Some(None));
        }
        assert_eq!(barred(&attempts, "1.2.0", hour(1)), None, "a newer release has done nothing");
        let again = attempts.clone().failed(&bad, &fate(Cause::Failed), hour(2));
        assert_eq!(again, attempts, "the same boot counts once");
    }

    #[test]
    fn a_power_cut_is_forgiven_three_times() {
        let mut attempts = Attempts::default();
        let unlucky = release("1.1.0", '1');
        let mut now = 0;
        for wait in [1, 6, 24] {
            attempts = attempts.activated(&unlucky, Vec::new(), hour(now));
            assert_eq!(barred(&attempts, "1.1.0", hour(now)), None);
            attempts = attempts.failed(&unlucky, &fate(Cause::Unexplained), hour(now));
            assert_eq!(barred(&attempts, "1.1.0", hour(now)), Some(Some(hour(now + wait))));
            now += wait;
            assert_eq!(barred(&attempts, "1.1.0", hour(now)), None);
        }
        attempts = attempts.activated(&unlucky, Vec::new(), hour(now)).failed(
            &unlucky,
            &fate(Cause::Unexplained),
            hour(now),
        );
        assert_eq!(barred(&attempts, "1.1.0", hour(now + 10_000)), Some(None));
        assert_eq!(attempts.marked()[0].1.attempts, 4);
    }

    #[test]
    fn a_release_under_a_wrong_name_is_held_until_a_person_or_other_images_say_so() {
        let wrong = release("1.1.0", '1');
        let told = |attempts: Attempts| attempts.misnamed(&wrong, "why".to_owned(), hour(2));
        let attempts = told(Attempts::default().activated(&wrong, Vec::new(), hour(1)));
        assert_eq!(barred(&attempts, "1.1.0", hour(10_000)), Some(None));
        // Marked good under the other name, it is held still.
        let attempts = attempts.settled(&release("1.0.0", '1'), Settled::Good);
        assert_eq!(told(attempts.clone()), attempts, "the same boot counts once");
        let cleared = told(attempts.cleared());
        assert_eq!(barred(&cleared, "1.1.0", hour(3)), None, "a person has said so");
        let again = told(cleared.activated(&wrong, Vec::new(), hour(4)));
        assert_eq!(barred(&again, "1.1.0", hour(5)), Some(None));
    }

    #[test]
    fn the_same_version_with_other_images_is_another_release() {
        let (bad, mended) = (release("1.1.0", '1'), release("1.1.0", '2'));
        let attempts = Attempts::default().failed(&bad, &fate(Cause::Failed), hour(0));
        let attempts = attempts.activated(&mended, Vec::new(), hour(1)).settled(&mended, Settled::Good);
        assert_eq!(attempts.marked().len(), 1);
        assert_eq!(attempts.marked()[0].0, &bad);
    }

    #[test]
    fn what_is_written_by_newer_programs_is_read() {
        let text = r#"{"releases":[{"variant":"metal","arch":"x86_64","version":"1.1.0","new":1,
            "mark":{"cause":"cursed","recorded":"2024-06-01T00:00:00Z","more":[]}}],"next":{}}"#;
        let attempts: Attempts = serde_json::from_str(text).unwrap();
        assert_eq!(barred(&attempts, "1.1.0", hour(1)), Some(None), "what is not understood keeps it away");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let attempts = (0..40).fold(Attempts::default(), |attempts, minor| {
            attempts.failed(&release(&format!("1.{minor}.0"), '1'), &fate(Cause::Failed), hour(minor))
        });
        let versions: Vec<u64> = attempts.marked().iter().map(|(release, _)| release.version.minor).collect();
        assert_eq!(versions, (24..40).rev().collect::<Vec<u64>>());
    }
}

//! What Prometheus is asked of the hosts and one release, in its own language.
//!
//! A host is a target: one job and one instance. Each question counts targets, whatever labels and however many series a
//! target makes up for itself, and a target that says that it failed is not counted as running the release as well. Only
//! hosts that came from another release count: one that was set up with this one has not tried anything, and a fleet that
//! grows would hide failures. The metrics are those of `docs/metrics.md`.

use chrono::TimeDelta;
use semver::Version;

/// Two series are of one host when these are the same.
const HOST: &str = "(job, instance)";
/// How far a boot came that was ended by a person, or for want of room: no failure of the release.
const NO_FAILURE: &str = "no-room|left";
/// How far a boot came that left no word.
const NO_WORD: &str = "boot";

/// Which hosts and which release are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The release.
    pub version: Version,
    /// More label matchers for every series, as PromQL has them between braces; empty for none.
    pub matching: String,
    /// How long a host may be silent before nothing is heard of it.
    pub grace: TimeDelta,
    /// How far before that it was heard of, to be missed now.
    pub lookback: TimeDelta,
}

/// The questions, each with one number as its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    /// Hosts of this kind that are heard of now.
    pub heard: String,
    /// The release failed on them.
    pub failed: String,
    /// It came back once without a word.
    pub wordless: String,
    /// It did not stay for want of room.
    pub no_room: String,
    /// They run it.
    pub running: String,
    /// They run it and have marked it good.
    pub proven: String,
    /// They were about to boot it or ran it, and are not heard of any more.
    pub lost: String,
    /// Hosts that the release does not concern, and that were heard of a while ago.
    pub others: String,
    /// Of these: not heard of any more.
    pub others_lost: String,
}

impl Questions {
    /// The questions about `subject`.
    #[must_use]
    pub fn about(subject: &Subject) -> Self {
        let Subject { variant, arch, version, .. } = subject;
        let series = |name: &str, labels: &str| subject.series(name, labels);
        let kind = format!(r#"variant="{variant}",arch="{arch}""#);
        let of_kind = series("release_info", &kind);
        let this = series("release_info", &format!(r#"{kind},version="{version}""#));
        let failed_boots =
            |stage: &str| series("release_failed_boots", &format!(r#"version="{version}",stage{stage}"#));
        let (grace, before) = (span(subject.grace), subject.before());
        // Of two vectors on either side of "or" a target may be in both: it is counted once.
        let hosts = |vector: &str| format!("max by {HOST} ({vector})");
        let over = |series: &str, time: &str| format!("max_over_time({series}{time})");

        let told = format!(
            "{} >= 1 or {} >= 2",
            failed_boots(&format!(r#"!~"{NO_FAILURE}|{NO_WORD}""#)),
            failed_boots(&format!(r#"="{NO_WORD}""#)),
        );
        let failed = hosts(&told);
        let wordless = hosts(&format!("{} == 1", failed_boots(&format!(r#"="{NO_WORD}""#))));
        let no_room = hosts(&failed_boots(r#"="no-room""#));
        // One that was set up with this release has nothing in its other set.
        let running = format!(
            r#"{} and on {HOST} {} unless on {HOST} {failed}"#,
            hosts(&this),
            series("other_set_info", r#"state!="cleared""#),
        );
        let leads_there = [
            over(&series("chosen_release_info", &format!(r#"version="{version}""#)), &before),
            over(
                &series("other_set_info", &format!(r#"version="{version}",state=~"staged|activated""#)),
                &before,
            ),
            over(&this, &before),
        ];
        let concerned = hosts(&leads_there.join(" or "));
        let known = hosts(&over(&of_kind, &before));
        let any_failure = over(&series("release_failed_boots", &format!(r#"version="{version}""#)), &before);
        let others = format!("{known} unless on {HOST} {concerned} unless on {HOST} {any_failure}");
        let heard_lately = over(&of_kind, &format!("[{grace}]"));
        let count = |hosts: &str| format!("count({hosts})");
        let here = |hosts: &str| count(&format!("{hosts} and on {HOST} {of_kind}"));
        Self {
            heard: count(&hosts(&of_kind)),
            failed: here(&failed),
            wordless: here(&format!("{wordless} unless on {HOST} {failed} unless on {HOST} {this}")),
            no_room: here(&no_room),
            proven: count(&format!("{running} and on {HOST} {} == 1", series("boot_proven", ""))),
            running: count(&running),
            lost: count(&format!("{known} and on {HOST} {concerned} unless on {HOST} {heard_lately}")),
            others: count(&others),
            others_lost: count(&format!("{others} unless on {HOST} {heard_lately}")),
        }
    }

    /// Whether an alert fires.
    #[must_use]
    pub fn firing(alert: &str) -> String {
        let name = alert.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        format!(r#"count(ALERTS{{alertname="{name}",alertstate="firing"}})"#)
    }
}

impl Subject {
    fn series(&self, name: &str, labels: &str) -> String {
        let matchers = [labels, self.matching.trim()];
        let matchers: Vec<&str> = matchers.into_iter().filter(|matcher| !matcher.is_empty()).collect();
        format!("update_stack_{name}{{{}}}", matchers.join(","))
    }

    /// The time in which a host was heard of that is missed now.
    fn before(&self) -> String {
        format!("[{}] offset {}", span(self.lookback), span(self.grace))
    }
}

/// A length of time as PromQL has it; a range of nothing is none.
fn span(time: TimeDelta) -> String {
    format!("{}s", time.num_seconds().max(1))
}

//! What is to be done about a turn that was taken, in the boot at hand: a rule over values.
//!
//! A slot is never given back before this boot was confirmed and whatever was drained is back, and it stays with a host
//! whose new release did not: so a group stops at the first host that a release harms.

use chrono::{DateTime, TimeDelta, Utc};

use super::note::{Kept, Note, Stage};
use crate::decide::attempts::Release;

/// A reboot that was asked for comes within this: services have their time to stop, and the watchdog ends what does not.
const COMES: TimeDelta = TimeDelta::minutes(10);

/// What the rule needs to know beside the note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now<'a> {
    /// The boot at hand.
    pub boot: &'a str,
    /// The time.
    pub at: DateTime<Utc>,
    /// Whether this boot was confirmed: it is healthy, and its set is marked good.
    pub confirmed: bool,
    /// What runs.
    pub running: &'a Release,
    /// The releases that were started here and did not stay.
    pub did_not_stay: &'a [Release],
    /// For how long a slot is kept then.
    pub keep: TimeDelta,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Nothing is held: the note may go.
    Forget,
    /// Nothing is held; the note says when to ask again.
    Rest,
    /// The reboot is on its way.
    Coming,
    /// This boot was not confirmed yet.
    Unconfirmed,
    /// Hooks bring this host back; then the rule is asked again.
    BringBack,
    /// The slot stays with this host until then, or until a person clears what failed.
    Keep {
        /// Since when, and for which release.
        kept: Kept,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The slot is given back; then the note goes.
    GiveBack,
}

/// What is to be done about `note`.
#[must_use]
pub fn due(note: &Note, now: &Now<'_>) -> Due {
    let same_boot = note.boot == now.boot;
    match (note.stage, same_boot) {
        (Stage::Refused, true) => return Due::Rest,
        (Stage::Refused, false) if note.kept.is_none() => return Due::Forget,
        (Stage::Reboots, true) if is_coming(note, now.at) => return Due::Coming,
        (Stage::Refused | Stage::Reboots | Stage::Asked | Stage::Held | Stage::Kept | Stage::Other, _) => {}
    }
    // In the boot that asked, a process ended before the reboot: what it began is undone.
    if !same_boot && !now.confirmed {
        return Due::Unconfirmed;
    }
    if note.drained {
        return Due::BringBack;
    }
    // A clock that was ahead when it was noted keeps it no longer than one that was right.
    let kept = kept(note, now).map(|kept| Kept { since: kept.since.min(now.at), ..kept });
    match kept.filter(|_| note.slot.is_some()) {
        Some(kept) if now.at < kept.since.checked_add_signed(now.keep).unwrap_or(now.at) => {
            let until = kept.since.checked_add_signed(now.keep).unwrap_or(now.at);
            Due::Keep { kept, until }
        }
        Some(_) | None => Due::GiveBack,
    }
}

/// For which release the slot is to be kept, whatever the time.
fn kept(note: &Note, now: &Now<'_>) -> Option<Kept> {
    let failed = |release: &Release| now.did_not_stay.iter().any(|failed| failed.is(release));
    let before = || note.kept.clone().filter(|kept| failed(&kept.release));
    // In the boot that asked nothing new can have failed, and what is kept was judged before.
    if note.boot == now.boot || note.stage == Stage::Kept {
        return before();
    }
    match &note.to {
        Some(to) if to.is(now.running) => None,
        Some(to) if failed(to) && note.kept.as_ref().is_none_or(|kept| !kept.release.is(to)) => {
            Some(Kept { release: to.clone(), since: now.at })
        }
        Some(_) | None => before(),
    }
}

/// Whether the reboot of this note, which was asked for in the boot at hand, is still to be expected.
#[must_use]
pub fn is_coming(note: &Note, now: DateTime<Utc>) -> bool {
    if note.stage != Stage::Reboots {
        return false;
    }
    let asked = note.reboot_at.unwrap_or(note.since);
    asked <= now && now < asked + COMES
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::testing::{entry, hash};
    use crate::turn::note::Slot;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2024-06-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn release() -> Release {
        Release::from(&entry("1.1.0", hash('1')))
    }

    fn note(stage: Stage) -> Note {
        let slot =
            Slot { server: "http://lock/".to_owned(), group: "default".to_owned(), id: "x".to_owned() };
        let reboot_at = (stage == Stage::Reboots).then(|| at(0));
        Note {
            stage,
            to: Some(release()),
            slot: Some(slot),
            drained: true,
            reboot_at,
            ..Note::new("b1", at(0))
        }
    }

    static OLD: LazyLock<Release> = LazyLock::new(|| Release::from(&entry("1.0.0", hash('0'))));
    static NEW: LazyLock<Release> = LazyLock::new(release);
    static FAILED: LazyLock<[Release; 1]> = LazyLock::new(|| [release()]);

    /// The release of the note runs.
    fn now(boot: &str, minutes: i64) -> Now<'_> {
        let keep = TimeDelta::hours(24);
        Now { boot, at: at(minutes), confirmed: true, running: &NEW, did_not_stay: &[], keep }
    }

    #[test]
    fn a_reboot_that_is_on_its_way_is_left_alone_and_one_that_never_came_is_undone() {
        let reboots = note(Stage::Reboots);
        assert_eq!(due(&reboots, &now("b1", 9)), Due::Coming);
        assert_eq!(due(&reboots, &now("b1", 10)), Due::BringBack);
        assert_eq!(due(&reboots, &now("b1", -1)), Due::BringBack, "the clock went back");
        let back = Note { drained: false, ..reboots };
        assert_eq!(due(&back, &now("b1", 10)), Due::GiveBack);
    }

    #[test]
    fn a_process_that_ended_between_the_question_and_the_reboot_leaves_nothing_for_ever() {
        for stage in [Stage::Asked, Stage::Held, Stage::Other] {
            assert_eq!(due(&note(stage), &now("b1", 1)), Due::BringBack, "{stage:?}");
            let idle = Note { drained: false, ..note(stage) };
            let unconfirmed = Now { confirmed: false, ..now("b1", 1) };
            assert_eq!(
                due(&idle, &unconfirmed),
                Due::GiveBack,
                "{stage:?}: this boot was proven when it asked"
            );
        }
    }

    #[test]
    fn after_the_boot_nothing_is_given_back_before_it_is_confirmed_and_brought_back() {
        for stage in [Stage::Asked, Stage::Held, Stage::Reboots, Stage::Kept, Stage::Other] {
            let unconfirmed = Now { confirmed: false, ..now("b2", 1) };
            for drained in [true, false] {
                let note = Note { drained, ..note(stage) };
                assert_eq!(due(&note, &unconfirmed), Due::Unconfirmed, "{stage:?}");
            }
            assert_eq!(due(&note(stage), &now("b2", 1)), Due::BringBack, "{stage:?}");
            assert_eq!(due(&Note { drained: false, ..note(stage) }, &now("b2", 1)), Due::GiveBack);
        }
    }

    #[test]
    fn after_a_release_that_did_not_stay_the_slot_is_kept_over_reboots_for_a_day() {
        let fell_back = Now { running: &OLD, did_not_stay: &*FAILED, ..now("b2", 5) };
        let reboots = note(Stage::Reboots);
        assert_eq!(due(&reboots, &fell_back), Due::BringBack, "what was drained comes back all the same");
        let back = Note { drained: false, ..reboots };
        let kept = Kept { release: release(), since: at(5) };
        let until = at(5 + 24 * 60);
        assert_eq!(due(&back, &fell_back), Due::Keep { kept: kept.clone(), until });
        let note = Note { stage: Stage::Kept, kept: Some(kept.clone()), boot: "b2".to_owned(), ..back };
        for boot in ["b2", "b3"] {
            for minutes in [6, 5 + 24 * 60 - 1] {
                let later = Now { boot, at: at(minutes), ..fell_back };
                assert_eq!(due(&note, &later), Due::Keep { kept: kept.clone(), until }, "{boot} {minutes}");
            }
            let back = Kept { since: at(-100), ..kept.clone() };
            let until_then = at(24 * 60 - 100);
            let ahead = due(&note, &Now { boot, at: at(-100), ..fell_back });
            assert_eq!(
                ahead,
                Due::Keep { kept: back, until: until_then },
                "{boot}: the clock had been ahead"
            );
            assert_eq!(due(&note, &Now { boot, at: until, ..fell_back }), Due::GiveBack, "{boot}");
            let cleared = Now { boot, did_not_stay: &[], ..fell_back };
            assert_eq!(due(&note, &cleared), Due::GiveBack, "{boot}: a person has cleared it");
        }
        // A next turn that comes to nothing does not lift it, and one that goes well does.
        let next = Release::from(&entry("1.2.0", hash('2')));
        let asked =
            Note { stage: Stage::Reboots, to: Some(next.clone()), reboot_at: Some(at(0)), ..note.clone() };
        assert!(matches!(due(&asked, &Now { boot: "b2", at: at(60), ..fell_back }), Due::Keep { .. }));
        assert_eq!(due(&asked, &Now { boot: "b3", running: &next, ..fell_back }), Due::GiveBack);
        // A next one that does not stay either is kept for from then on.
        let both = [release(), next.clone()];
        let again = due(&asked, &Now { boot: "b3", at: at(60), did_not_stay: &both, ..fell_back });
        let kept = Kept { release: next, since: at(60) };
        assert_eq!(again, Due::Keep { kept, until: at(60 + 24 * 60) });
        // Without a server there is nothing to keep.
        assert_eq!(due(&Note { slot: None, ..note }, &fell_back), Due::GiveBack);
    }

    #[test]
    fn a_host_that_was_refused_holds_nothing() {
        let refused = Note { drained: false, ..note(Stage::Refused) };
        assert_eq!(due(&refused, &now("b1", 1)), Due::Rest);
        assert_eq!(due(&refused, &Now { confirmed: false, ..now("b2", 1) }), Due::Forget);
    }
}

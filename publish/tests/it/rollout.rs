//! Rollouts that are paused, resumed, recalled and removed, as hosts see it.

use chrono::{DateTime, Duration, Utc};
use publish::rollout::{Action, RolloutReport, rollout};
use publish::{Desk, Error, Lifetimes};

use crate::check::{check, two_releases};
use crate::fixture::{ARCH, Fixture, VARIANT, pubrepo, today};

pub(crate) fn desk(fixture: &Fixture) -> Desk {
    Desk {
        repo: fixture.path("repo"),
        keys: fixture.path("keys").into(),
        variant: VARIANT.to_owned(),
        arch: ARCH.to_owned(),
    }
}

async fn act(fixture: &Fixture, action: Action, at: DateTime<Utc>) -> RolloutReport {
    let version = "1.1.0".parse().expect("a version");
    rollout(&desk(fixture), action, &version, Lifetimes::default(), at, |_| Ok(true)).await.expect("done")
}

/// Version and highest version of what is on offer.
async fn on_offer(fixture: &Fixture) -> Vec<String> {
    let manifest = fixture.open().await.manifest().await.expect("a manifest");
    manifest.updates.iter().map(|update| format!("{} of {}", update.version, update.max_version)).collect()
}

#[tokio::test]
async fn a_paused_release_is_not_offered_and_goes_on_where_it_stood() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let report = act(&fixture, Action::Pause, today()).await;
    assert_eq!(report.effect[0], "no host takes 1.1.0 from its next check on");
    assert_eq!(on_offer(&fixture).await, ["1.0.0 of 1.1.0"], "hosts on 1.1.0 may stay there");
    let report = act(&fixture, Action::Resume, today() + Duration::hours(2)).await;
    assert!(report.effect[1].contains("120 minutes later"), "{:?}", report.effect);
    assert_eq!(on_offer(&fixture).await, ["1.0.0 of 1.1.0", "1.1.0 of 1.1.0"]);
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn hosts_go_back_from_a_recalled_release_and_stay_on_a_removed_one() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let report = act(&fixture, Action::Recall, today()).await;
    assert_eq!(report.effect[1], "hosts that run 1.1.0 go back to 1.0.0 at their next check");
    assert_eq!(on_offer(&fixture).await, ["1.0.0 of 1.0.0"]);

    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    act(&fixture, Action::Remove, today()).await;
    assert_eq!(on_offer(&fixture).await, ["1.0.0 of 1.1.0"]);
    // Its name stays taken.
    let other = fixture.release("1.1.0", 9);
    assert!(matches!(fixture.add(&other).await, Err(Error::Republished { .. })));
}

#[tokio::test]
async fn nothing_changes_unless_somebody_agrees_to_the_effect() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let before = fixture.published();
    let place = ["--repo", "repo", "--keys", "keys", "--variant", "metal", "--arch", "x86_64"];
    let refused = pubrepo(&fixture, &[&["recall", "1.1.0"], &place[..]].concat());
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).expect("text");
    assert!(said.contains("  - hosts that run 1.1.0 go back to 1.0.0"), "{said}");
    assert!(said.ends_with("help: give --yes to do it without being asked\n"), "{said}");
    assert_eq!(fixture.published(), before);

    let done = pubrepo(&fixture, &[&["pause", "1.1.0", "--yes", "--json"], &place[..]].concat());
    assert!(done.status.success(), "{done:?}");
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one object");
    assert_eq!((&report["action"], &report["version"]), (&"pause".into(), &"1.1.0".into()));
    let again = pubrepo(&fixture, &[&["pause", "1.1.0", "--yes"], &place[..]].concat());
    assert_eq!(again.status.code(), Some(1), "it is paused already: {again:?}");
    for (line, why) in [
        (["resume", "1.0.0", "--yes"], "failed to resume 1.0.0: it is not paused, and hosts take it"),
        (
            ["resume", "9.9.9", "--yes"],
            "failed to resume 9.9.9: no such release of metal on x86_64 is offered or paused",
        ),
        (
            ["recall", "9.9.9", "--yes"],
            "failed to recall 9.9.9: no such release of metal on x86_64 is offered or paused",
        ),
    ] {
        let refused = pubrepo(&fixture, &[&line[..], &place[..]].concat());
        let said = String::from_utf8(refused.stderr).expect("text");
        assert!(said.contains(why) && said.contains("help: ") && said.contains("pubrepo list"), "{said}");
    }
}

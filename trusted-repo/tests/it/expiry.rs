//! Expiry, at the time that is passed in.

use chrono::DateTime;

use crate::fixture::{Fixture, assert_refused, days, today};

#[tokio::test]
async fn expired_metadata_is_refused_with_role_date_and_clock() {
    let fixture = Fixture::new();
    let opened = fixture.open_at(today() + days(8)).await;
    assert_refused(
        opened,
        "expired",
        "its timestamp metadata expired on 2026-06-08T12:00:00Z, 24 hours ago: this host's clock says 2026-06-09T12:00:00Z",
    );
}

#[tokio::test]
async fn each_role_is_named_when_it_expires() {
    for role in ["snapshot", "targets"] {
        let mut fixture = Fixture::new();
        let past = today() - days(1);
        match role {
            "snapshot" => fixture.expiries.snapshot = past,
            _ => fixture.expiries.targets = past,
        }
        fixture.sign();
        assert_refused(
            fixture.open().await,
            "expired",
            &format!("its {role} metadata expired on 2026-05-31"),
        );
    }
    let fixture = Fixture::new();
    assert_refused(fixture.open_at(today() + days(400)).await, "expired", "its root metadata expired");
}

#[tokio::test]
async fn expired_roles_are_not_remembered() {
    let mut fixture = Fixture::new();
    fixture.open().await.expect("version 1");
    let before = fixture.remembered();
    fixture.expiries.timestamp = today() - days(1);
    fixture.sign();
    assert_refused(fixture.open().await, "expired", "timestamp");
    assert_eq!(fixture.remembered(), before);
}

#[tokio::test]
async fn clock_at_1970_neither_refuses_nor_brings_expired_metadata_back() {
    let mut fixture = Fixture::new();
    let stale = fixture.metadata();
    let later = today() + days(30);
    fixture.expiries.timestamp = later + days(7);
    fixture.expiries.snapshot = later + days(7);
    fixture.expiries.targets = later + days(7);
    fixture.sign();
    fixture.open_at(later).await.expect("the floor rises");

    let repository = fixture.open_at(DateTime::UNIX_EPOCH).await.expect("a wrong clock does not refuse");
    let now = repository.now().expect("opened online");
    assert!(now.clock_is_behind());
    assert_eq!(now.time(), later);

    // The stale metadata is from before the floor. Without rollback protection expiry alone has to stop it.
    let index = fixture.memory().join("timestamp.json");
    assert!(index.exists());
    fixture.put_back(&stale);
    assert_refused(fixture.open_at(DateTime::UNIX_EPOCH).await, "untrusted", "timestamp");
    fixture.expiries.timestamp = later - days(1);
    fixture.sign_after(5, 5, 5);
    assert_refused(
        fixture.open_at(DateTime::UNIX_EPOCH).await,
        "expired",
        "clock says 1970-01-01T00:00:00Z, which is wrong: it was 2026-07-01T12:00:00Z here already",
    );
}

#[tokio::test]
async fn clock_that_was_ahead_for_one_check_does_not_lock_the_host_out() {
    let mut fixture = Fixture::new();
    fixture.open_at(today() + days(6)).await.expect("ahead, but not expired");
    fixture.sign();
    let repository = fixture.open().await.expect("back to the right time");
    assert!(repository.now().expect("online").clock_is_behind());
    assert_eq!(repository.now().expect("online").time(), today() + days(6));
}

#[tokio::test]
async fn failed_check_never_raises_the_floor() {
    let fixture = Fixture::new();
    fixture.open().await.expect("opened");
    assert!(fixture.open_at(today() + days(3650)).await.is_err());
    let repository = fixture.open().await.expect("opened");
    assert_eq!(repository.now().expect("online").time(), today());
}

#[tokio::test]
async fn repository_that_has_not_moved_for_weeks_is_told_until_it_moves() {
    let mut fixture = Fixture::new();
    let far = today() + days(100);
    fixture.expiries = trusted_repo::author::Expiries { targets: far, snapshot: far, timestamp: far };
    fixture.sign();
    let still = async |fixture: &Fixture, day| {
        fixture.open_at(today() + days(day)).await.expect("opened").still_for_days()
    };
    assert_eq!(still(&fixture, 0).await, None);
    assert_eq!(still(&fixture, 13).await, None);
    assert_eq!(still(&fixture, 15).await, Some(15), "counted from the first sight, not from the last check");
    assert_eq!(still(&fixture, 40).await, Some(40));
    fixture.sign();
    assert_eq!(still(&fixture, 41).await, None);
    assert_eq!(still(&fixture, 56).await, Some(15));
}

#[tokio::test]
async fn check_that_finds_nothing_new_writes_nothing_but_a_floor_each_hour() {
    let fixture = Fixture::new();
    fixture.open().await.expect("opened");
    let before = fixture.remembered();
    fixture.open_at(today() + chrono::TimeDelta::minutes(59)).await.expect("opened");
    assert_eq!(fixture.remembered(), before);
    fixture.open_at(today() + chrono::TimeDelta::minutes(61)).await.expect("opened");
    assert_ne!(fixture.remembered(), before);
}

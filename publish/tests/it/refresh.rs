//! New dates, expiry seen in time, and two publishers at once.

use chrono::Duration;
use host_io::lock::DirLock;
use publish::refresh::{expiring, refresh};
use publish::rollout::{Action, rollout};
use publish::{Error, Lifetimes};

use crate::check::{check, options, two_releases};
use crate::fixture::{Fixture, pubrepo, today};
use crate::rollout::desk;

#[tokio::test]
async fn a_refresh_renews_the_dates_and_touches_no_target() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let targets = |fixture: &Fixture| -> Vec<_> {
        fixture
            .published()
            .into_iter()
            .filter(|(path, _)| path.parent().expect("a directory").ends_with("targets"))
            .collect()
    };
    let (before, old) = (targets(&fixture), fixture.open().await.roles());
    let later = today() + Duration::days(10);
    let report = refresh(&desk(&fixture), Lifetimes::default(), later).await.expect("signed");
    assert_eq!(targets(&fixture), before);
    let new = fixture.open().await.roles();
    assert_eq!(new.timestamp.version, old.timestamp.version + 1);
    assert_eq!(new.targets.version, old.targets.version + 1);
    assert_eq!(new.timestamp.expires, later + Duration::weeks(1));
    assert_eq!(report.timestamp_version, new.timestamp.version);
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn a_refresh_says_what_still_keeps_hosts_away() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let report = refresh(&desk(&fixture), Lifetimes::default(), today()).await.expect("signed");
    assert_eq!(report.still_missing, [""; 0]);
    let (lost, _) = fixture
        .published()
        .into_iter()
        .find(|(path, _)| path.display().to_string().ends_with("1.0.0-root.lz4"))
        .expect("a root image");
    std::fs::remove_file(&lost).expect("removed");
    let much_later = today() + Duration::days(400);
    let report = refresh(&desk(&fixture), Lifetimes::default(), much_later).await.expect("signed");
    let [root, file] = &report.still_missing[..] else { panic!("{report}") };
    assert!(root.contains("the root role expired on") && root.contains("root rotate"), "{root}");
    assert!(file.contains("1.0.0-root.lz4 is not there"), "{file}");
    assert!(report.to_string().contains("hosts still cannot use this repository:"), "{report}");
}

#[tokio::test]
async fn what_expires_soon_is_told_by_name() {
    let fixture = Fixture::new().await;
    let place = options(&fixture).place;
    let within = |days| expiring(&place, Duration::days(days), today());
    assert_eq!(within(6).await.expect("opened").expiring, [""; 0]);
    assert_eq!(within(7).await.expect("opened").expiring, ["timestamp"]);
    assert_eq!(within(400).await.expect("opened").expiring, ["root", "timestamp", "snapshot", "targets"]);
}

#[tokio::test]
async fn the_program_refreshes_by_a_policy_and_a_monitor_sees_it() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let place = ["--variant", "metal", "--arch", "x86_64"];
    let look = ["expiring", "repo", "--trusted-root", "keys/root.json", "--within", "10d"];
    let soon = pubrepo(&fixture, &[&look[..], &place].concat());
    assert_eq!(soon.status.code(), Some(1), "{soon:?}");
    assert!(String::from_utf8_lossy(&soon.stdout).contains(": timestamp\n"), "{soon:?}");
    let policy =
        b"snapshot_expiration = '30 days'\ntargets_expiration = '30 days'\ntimestamp_expiration = '20 days'\n";
    fixture.write("expiration.toml", policy);
    let refresh = ["refresh", "--repo", "repo", "--keys", "keys", "--expiration-policy", "expiration.toml"];
    let done = pubrepo(&fixture, &[&refresh[..], &place].concat());
    assert!(done.status.success(), "{done:?}");
    let later = pubrepo(&fixture, &[&look[..], &place].concat());
    assert_eq!(later.status.code(), Some(0), "{later:?}");
    fixture.write("expiration.toml", b"root_expiration = '1 day'\n");
    let odd = pubrepo(&fixture, &[&refresh[..], &place].concat());
    assert_eq!(odd.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&odd.stderr).contains("root_expiration"), "{odd:?}");
}

#[tokio::test]
async fn a_second_publisher_on_this_machine_is_told_to_wait() {
    let fixture = Fixture::new().await;
    let first = DirLock::acquire(&fixture.path("repo")).expect("nobody else");
    let second = refresh(&desk(&fixture), Lifetimes::default(), today()).await;
    assert!(matches!(second, Err(Error::Busy(_))), "{second:?}");
    drop(first);
    refresh(&desk(&fixture), Lifetimes::default(), today()).await.expect("its turn");
}

#[tokio::test]
async fn a_publisher_on_another_machine_is_not_written_over() {
    let fixture = Fixture::new().await;
    two_releases(&fixture).await;
    let version = "1.1.0".parse().expect("a version");
    let timestamp = fixture.path("repo/metal/x86_64/timestamp.json");
    let theirs = {
        let mut bytes = std::fs::read(&timestamp).expect("there");
        bytes.push(b'\n');
        bytes
    };
    // While somebody reads what a pause would do, the other machine publishes.
    let desk = desk(&fixture);
    let overtaken = rollout(&desk, Action::Pause, &version, Lifetimes::default(), today(), |_| {
        std::fs::write(&timestamp, &theirs).expect("written");
        Ok(true)
    });
    assert!(matches!(overtaken.await, Err(Error::Overtaken { .. })));
    assert_eq!(std::fs::read(&timestamp).expect("there"), theirs);
    assert!(check(&fixture).await.is_good(), "it reads as the other one left it");
    assert_eq!(fixture.open().await.manifest().await.expect("a manifest").updates.len(), 2);
}

//! Teams with keys of their own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Duration;
use host_io::SystemFs;
use publish::mirror::{MirrorOptions, mirror};
use publish::progress::{Progress, Silent};
use publish::prune::{PruneOptions, prune};
use publish::refresh::{expiring, refresh};
use publish::{Desk, Error, Keys, Lifetimes, Place, delegate};
use semver::Version;
use trusted_repo::author::{Delegation, Editor, KeyPair, PublicKey, Purpose, SignedRoot};

use crate::check::{check, options};
use crate::fixture::{Fixture, VARIANT, done, pubrepo, refused, today};
use crate::rollout::desk;

const TEAM: &str = "team-a";

/// A team with a directory of keys in which the one of the targets role is not.
struct Team {
    key: KeyPair,
    first: PathBuf,
}

impl Team {
    async fn new(fixture: &Fixture) -> Self {
        let key = KeyPair::generate().expect("random");
        for file in ["root.json", "snapshot.pem", "timestamp.pem"] {
            let bytes = std::fs::read(fixture.path("keys").join(file)).expect("made by init");
            fixture.write(&format!("team/{file}"), &bytes);
        }
        key.save(&SystemFs, &fixture.path("team/team-a.pem")).expect("written");
        let first = fixture.path("team-a.json");
        let expires = today() + Duration::days(14);
        let keys = [KeyPair::load(&SystemFs, &fixture.path("team/team-a.pem")).expect("a key")];
        delegate::first(TEAM, &keys, &first, expires).await.expect("signed");
        Self { key, first }
    }

    fn delegation(&self, fixture: &Fixture, paths: &[&str]) -> Delegation {
        let public = fixture.write("team-a.pub", self.key.public_pem().as_bytes());
        Delegation {
            name: TEAM.to_owned(),
            keys: vec![PublicKey::load(&SystemFs, &public).expect("a key")],
            threshold: 1,
            purpose: Purpose::Targets(paths.iter().map(|path| (*path).to_owned()).collect()),
            terminating: false,
        }
    }

    fn desk(fixture: &Fixture) -> Desk {
        let keys = Keys::in_dir(fixture.path("team")).of_team(Some(TEAM.to_owned()));
        Desk { keys, ..desk(fixture) }
    }
}

const OWN: &[&str] = &["manifest-metal.json", "ours-metal-*", "migrate*"];

/// A repository with 1.0.0 of the targets role, and a team that may publish what comes next.
async fn handed_over() -> (Fixture, Team) {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let team = Team::new(&fixture).await;
    let delegation = team.delegation(&fixture, OWN);
    let desk = desk(&fixture);
    let report = delegate::add(&desk, &delegation, &team.first, Lifetimes::default(), today());
    let report = report.await.expect("delegated");
    assert!(report.to_string().contains("team-a: manifest-metal.json ours-metal-* migrate*"), "{report}");
    (fixture, team)
}

fn v(version: &str) -> Version {
    version.parse().expect("well formed")
}

/// The versions that hosts of the variant are offered, and those in the manifest of all.
async fn on_offer(fixture: &Fixture) -> (Vec<Version>, Vec<Version>) {
    let repository = fixture.open().await;
    let versions = |manifest: update_metadata::Manifest| {
        let mut versions: Vec<Version> = manifest.updates.into_iter().map(|update| update.version).collect();
        versions.sort();
        versions
    };
    let (ours, _) = repository.manifest_for(VARIANT).await.expect("a manifest");
    (versions(ours), versions(repository.manifest().await.expect("a manifest")))
}

async fn publish_as_team(fixture: &Fixture) -> Result<publish::AddReport, Error> {
    let mut release = fixture.release("1.1.0", 2);
    release.keys = Team::desk(fixture).keys;
    fixture.add(&release).await
}

#[tokio::test]
async fn a_team_publishes_for_its_variant_without_the_key_of_the_targets_role() {
    let (fixture, _team) = handed_over().await;
    assert_eq!(on_offer(&fixture).await, (vec![v("1.0.0")], vec![v("1.0.0")]));
    let targets = fixture.open().await.roles().targets;
    publish_as_team(&fixture).await.expect("published");
    assert_eq!(on_offer(&fixture).await, (vec![v("1.0.0"), v("1.1.0")], vec![v("1.0.0")]));
    assert_eq!(fixture.open().await.roles().targets, targets, "the targets role is as it was");
    let report = check(&fixture).await;
    assert!(report.is_good(), "{report}");
    assert_eq!(report.advice, []);
    assert_eq!(report.versions.len(), 2);
    // New dates by either of them leave the other one's as they are.
    refresh(&desk(&fixture), Lifetimes::default(), today()).await.expect("signed");
    refresh(&Team::desk(&fixture), Lifetimes::default(), today()).await.expect("signed");
    assert_eq!(on_offer(&fixture).await, (vec![v("1.0.0"), v("1.1.0")], vec![v("1.0.0")]));
    assert!(check(&fixture).await.is_good());
}

/// How much was worked through.
#[derive(Default)]
struct Count {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress for Count {
    fn done(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    fn total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    fn finish(&self) {}
}

#[tokio::test]
async fn what_stands_in_the_manifest_of_a_team_as_well_is_checked_once() {
    let (fixture, _team) = handed_over().await;
    publish_as_team(&fixture).await.expect("published");
    let count = Arc::new(Count::default());
    let report = publish::check(&options(&fixture), today(), Arc::clone(&count) as Arc<dyn Progress>).await;
    assert!(report.expect("it can be opened").is_good());
    let (done, total) = (count.done.load(Ordering::Relaxed), count.total.load(Ordering::Relaxed));
    assert!(done > 0 && done <= total, "{done} of {total} bytes");
}

#[tokio::test]
async fn what_is_wrong_with_a_migration_is_told_once_though_a_team_has_it_in_its_manifest_as_well() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let release = fixture.with_migration(fixture.release("1.1.0", 2), "1.0.0");
    fixture.write("migrations/migrate_v1.1.0_settings", b"#!/bin/python3\n");
    fixture.add(&release).await.expect("published");
    let told = async || {
        let report = check(&fixture).await;
        let all = report.errors.iter().chain(&report.advice);
        all.filter(|finding| finding.code == "migration_needs")
            .map(|one| one.what.clone())
            .collect::<Vec<_>>()
    };
    let before = told().await;
    assert!(!before.is_empty(), "nobody can tell whether the older release has it");
    let team = Team::new(&fixture).await;
    let delegation = team.delegation(&fixture, OWN);
    let desk = desk(&fixture);
    let added = delegate::add(&desk, &delegation, &team.first, Lifetimes::default(), today());
    let _report = added.await.expect("delegated");
    let mut release = fixture.release("1.2.0", 3);
    release.keys = Team::desk(&fixture).keys;
    fixture.add(&release).await.expect("published by the team");
    assert_eq!(told().await, before);
}

#[tokio::test]
async fn what_a_team_has_published_goes_with_it() {
    let (fixture, _team) = handed_over().await;
    publish_as_team(&fixture).await.expect("published");
    let report =
        delegate::remove(&desk(&fixture), TEAM, Lifetimes::default(), today()).await.expect("taken back");
    assert!(report.to_string().ends_with("nothing is delegated"), "{report}");
    assert_eq!(on_offer(&fixture).await, (vec![v("1.0.0")], vec![v("1.0.0")]));
    assert!(publish_as_team(&fixture).await.is_err(), "it may not come back by itself");
    assert!(delegate::remove(&desk(&fixture), TEAM, Lifetimes::default(), today()).await.is_err());
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn a_team_that_would_reach_for_what_is_not_its_own_is_refused() {
    let fixture = Fixture::new().await;
    let team = Team::new(&fixture).await;
    let before = fixture.published();
    let add = async |delegation: Delegation| {
        let report =
            delegate::add(&desk(&fixture), &delegation, &team.first, Lifetimes::default(), today()).await;
        let error = report.expect_err("refused");
        host_io::report::chain(&error)
    };
    for (path, why) in [
        ("*", "manifest.json, which no team may list"),
        ("manifest.jso?", "manifest.json"),
        ("hold-*", "hold-*"),
        ("h*", "hold-*"),
    ] {
        let said = add(team.delegation(&fixture, &["manifest-metal.json", path])).await;
        assert!(said.contains("delegate to \"team-a\": "), "{said}");
        assert!(said.contains(why), "{said}");
    }
    let sound = team.delegation(&fixture, OWN);
    for (delegation, why) in [
        (Delegation { name: "targets".to_owned(), ..sound.clone() }, "another role"),
        (Delegation { name: "../x".to_owned(), ..sound.clone() }, "small letters"),
        (Delegation { threshold: 2, ..sound.clone() }, "2 of 1 keys"),
        (Delegation { threshold: 0, ..sound.clone() }, "0 of 1 keys"),
        (Delegation { purpose: Purpose::Targets(vec![]), ..sound.clone() }, "no targets"),
    ] {
        let said = add(delegation).await;
        assert!(said.contains(why), "{said}");
    }
    let expired = fixture.path("expired.json");
    let keys = [KeyPair::load(&SystemFs, &fixture.path("team/team-a.pem")).expect("a key")];
    delegate::first(TEAM, &keys, &expired, today()).await.expect("signed");
    let report = delegate::add(&desk(&fixture), &sound, &expired, Lifetimes::default(), today()).await;
    let said = host_io::report::chain(&report.expect_err("hosts would refuse it"));
    assert!(said.contains("its first version expired"), "{said}");
    let stranger = KeyPair::generate().expect("random");
    let public = fixture.write("stranger.pub", stranger.public_pem().as_bytes());
    let keys = vec![PublicKey::load(&SystemFs, &public).expect("a key")];
    let said = add(Delegation { keys, ..sound }).await;
    assert!(said.contains("is not signed by these keys"), "{said}");
    assert_eq!(fixture.published(), before);
}

#[tokio::test]
async fn a_team_lists_nothing_beside_its_own_targets() {
    let (fixture, team) = handed_over().await;
    let narrow =
        Delegation { name: "narrow".to_owned(), ..team.delegation(&fixture, &["manifest-metal.json"]) };
    let keys = [KeyPair::load(&SystemFs, &fixture.path("team/team-a.pem")).expect("a key")];
    let first = fixture.path("narrow.json");
    delegate::first("narrow", &keys, &first, today() + Duration::days(14)).await.expect("signed");
    delegate::add(&desk(&fixture), &narrow, &first, Lifetimes::default(), today()).await.expect("delegated");
    std::fs::copy(fixture.path("team/team-a.pem"), fixture.path("team/narrow.pem")).expect("copied");
    let mut release = fixture.release("1.1.0", 2);
    release.keys = Keys::in_dir(fixture.path("team")).of_team(Some("narrow".to_owned()));
    let error = fixture.add(&release).await.expect_err("its images are not its own");
    let said = host_io::report::chain(&error);
    assert!(said.contains("none of the targets that are delegated to it"), "{said}");
    // Who only asks hears it as well.
    let error = fixture.add(&publish::AddOptions { dry_run: true, ..release }).await.expect_err("the same");
    assert_eq!(host_io::report::chain(&error), said);
    assert_eq!(on_offer(&fixture).await.0, [v("1.0.0")]);
}

#[tokio::test]
async fn a_mirror_has_the_roles_that_its_targets_need() {
    let (fixture, _team) = handed_over().await;
    publish_as_team(&fixture).await.expect("published");
    let place = options(&fixture).place;
    let copy = MirrorOptions { place: place.clone(), out: fixture.path("copy"), versions: vec![] };
    mirror(&copy, today(), Arc::new(Silent)).await.expect("copied");
    assert!(fixture.path("copy/metal/x86_64/2.team-a.json").exists());
    let mut look = options(&fixture);
    look.place = Place { base: fixture.path("copy").display().to_string(), ..place };
    let report = publish::check(&look, today(), Arc::new(Silent)).await.expect("it can be opened");
    assert!(report.errors.iter().all(|finding| finding.what.contains("1.0.0")), "{report}");
}

#[tokio::test]
async fn a_check_names_a_team_whose_role_has_expired_or_is_gone() {
    let (fixture, _team) = handed_over().await;
    publish_as_team(&fixture).await.expect("published");
    let later = today() + Duration::days(15);
    let report = publish::check(&options(&fixture), later, Arc::new(Silent)).await.expect("it can be opened");
    let named = |report: &publish::CheckReport, why: &str| {
        report.errors.iter().any(|finding| finding.what.contains(TEAM) && finding.what.contains(why))
    };
    assert!(named(&report, "expired on"), "{report}");
    std::fs::remove_file(fixture.path("repo/metal/x86_64/2.team-a.json")).expect("lost");
    let report = check(&fixture).await;
    assert!(named(&report, "fetch 2.team-a.json"), "{report}");
    // A monitor hears of it, and of all other roles.
    let report = expiring(&options(&fixture).place, Duration::days(3650), today()).await.expect("opened");
    assert!(report.unknown.len() == 1 && report.unknown[0].contains(TEAM), "{report}");
    assert!(report.expiring.contains(&"root".into()), "{report}");
}

#[tokio::test]
async fn the_commands_lead_from_a_key_to_a_release_of_a_team() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let at = ["--repo", "repo", "--keys", "keys", "--variant", "metal", "--arch", "x86_64"];
    let run = |args: &[&str]| pubrepo(&fixture, args);
    done(run(&["root", "new-key", "--out", "keys/team-a.pem", "--public", "team-a.pub"]));
    done(run(&["delegate", "sign", "team-a", "--key", "keys/team-a.pem", "--out", "team-a.json"]));
    refused(
        &run(&["delegate", "sign", "team-a", "--key", "keys/team-a.pem", "--out", "team-a.json"]),
        "team-a.json",
    );
    let add = ["delegate", "add", "team-a", "--first", "team-a.json", "--public-key", "team-a.pub"];
    let paths = ["--path", "manifest-metal.json", "--path", "ours-metal-*"];
    let said = done(run(&[&add[..], &paths, &at].concat()));
    assert!(said.contains("team-a: manifest-metal.json ours-metal-*"), "{said}");
    refused(&run(&[&add[..], &["--path", "*"], &at].concat()), "which no team may list");
    done(run(&[&["refresh", "--team", "team-a"], &at[..]].concat()));
    done(run(&[&["delegate", "remove", "team-a"], &at[..]].concat()));
}

#[tokio::test]
async fn a_team_does_not_publish_what_hosts_would_take_from_the_targets_role_instead() {
    let (fixture, _team) = handed_over().await;
    let mut release = fixture.release("1.0.0", 7);
    release.keys = Team::desk(&fixture).keys;
    let error = fixture.add(&release).await.expect_err("other bytes under a name that is taken");
    let said = host_io::report::chain(&error);
    assert!(said.contains("published with other bytes before"), "{said}");
    assert_eq!(on_offer(&fixture).await, (vec![v("1.0.0")], vec![v("1.0.0")]));
}

#[tokio::test]
async fn nobody_publishes_other_bytes_under_a_name_that_another_role_lists() {
    let (fixture, team) = handed_over().await;
    publish_as_team(&fixture).await.expect("published");
    let said =
        |result: Result<publish::AddReport, Error>| host_io::report::chain(&result.expect_err("refused"));
    let other = said(fixture.add(&fixture.release("1.1.0", 9)).await);
    assert!(other.contains("published with other bytes before"), "{other}");
    // Nor may a second team, which hosts ask later, publish what they never see.
    let second = Delegation { name: "team-b".to_owned(), ..team.delegation(&fixture, OWN) };
    let keys = [KeyPair::load(&SystemFs, &fixture.path("team/team-a.pem")).expect("a key")];
    let first = fixture.path("team-b.json");
    delegate::first("team-b", &keys, &first, today() + Duration::days(14)).await.expect("signed");
    delegate::add(&desk(&fixture), &second, &first, Lifetimes::default(), today()).await.expect("delegated");
    std::fs::copy(fixture.path("team/team-a.pem"), fixture.path("team/team-b.pem")).expect("copied");
    let mut release = fixture.release("1.2.0", 3);
    release.keys = Keys::in_dir(fixture.path("team")).of_team(Some("team-b".to_owned()));
    let hidden = said(fixture.add(&release).await);
    assert!(hidden.contains("team-a lists manifest-metal.json as well, and is asked before it"), "{hidden}");
    assert_eq!(on_offer(&fixture).await, (vec![v("1.0.0"), v("1.1.0")], vec![v("1.0.0")]));
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn a_team_publishes_no_root_role_and_signs_with_no_other_key() {
    let (fixture, _team) = handed_over().await;
    let bytes = std::fs::read(fixture.path("keys/root.json")).expect("made by init");
    let root = SignedRoot::parse(&bytes).expect("a root role");
    let metadata = fixture.path("repo/metal/x86_64");
    let mut editor =
        Editor::load_as(&SystemFs, &metadata, &root, Some(TEAM)).await.expect("the role of the team");
    let error = editor.add_root(root).expect_err("the targets role would not be signed under it");
    assert!(error.to_string().contains("a team publishes no root role"), "{error}");
    let before = fixture.published();
    let stranger = KeyPair::generate().expect("random");
    std::fs::remove_file(fixture.path("team/team-a.pem")).expect("there");
    stranger.save(&SystemFs, &fixture.path("team/team-a.pem")).expect("written");
    let refused = refresh(&Team::desk(&fixture), Lifetimes::default(), today()).await;
    let said = host_io::report::chain(&refused.expect_err("a key of nobody"));
    assert!(said.contains("delegate to \"team-a\": the key at hand is none"), "{said}");
    assert_eq!(fixture.published(), before);
}

#[tokio::test]
async fn hosts_of_every_version_find_their_way_after_a_team_took_over() {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    let release = fixture.with_migration(fixture.release("1.1.0", 2), "1.0.0");
    fixture.add(&release).await.expect("published");
    let team = Team::new(&fixture).await;
    let (desk, delegation) = (desk(&fixture), team.delegation(&fixture, OWN));
    delegate::add(&desk, &delegation, &team.first, Lifetimes::default(), today()).await.expect("delegated");
    let mut release = fixture.release("1.2.0", 3);
    release.keys = Team::desk(&fixture).keys;
    fixture.add(&release).await.expect("published");
    let repository = fixture.open().await;
    let (manifest, _) = repository.manifest_for(VARIANT).await.expect("the team's");
    let way = update_metadata::migration_path(&manifest.migrations, &v("1.0.0"), &v("1.2.0"));
    assert_eq!(way.expect("a way"), ["migrate_v1.1.0_settings.lz4"]);
    repository.fetch("migrate_v1.1.0_settings.lz4", 1 << 20).await.expect("the targets role still lists it");
    let report = check(&fixture).await;
    assert!(report.is_good(), "{report}");
}

#[tokio::test]
async fn pruning_leaves_what_a_team_lists_and_a_monitor_hears_of_its_expiry() {
    let (fixture, _team) = handed_over().await;
    publish_as_team(&fixture).await.expect("published");
    let what = PruneOptions { repo: fixture.path("repo"), grace: Duration::zero(), dry_run: false };
    let _pruned = prune(&what, today() + Duration::days(2)).expect("pruned");
    let report = check(&fixture).await;
    assert!(report.is_good(), "{report}");
    let place = options(&fixture).place;
    let lifetimes = Lifetimes { targets: Duration::days(30), ..Lifetimes::default() };
    refresh(&desk(&fixture), lifetimes, today()).await.expect("signed");
    let report = expiring(&place, Duration::days(14), today()).await.expect("opened");
    assert!(report.expiring.contains(&TEAM.into()), "{report}");
    assert!(!report.expiring.contains(&"targets".into()), "{report}");
}

//! Targets that teams list: in the set for the next boot, from another mirror, and as long as nothing changes.

use std::path::Path;

use chrono::TimeDelta;
use host_io::{Paths, SystemFs};
use testdata::FaultyServer;
use trusted_repo::author::{
    Delegation, Editor, Expiries, KeyPair, PublicKey, Purpose, SignedRoot, Signers, first_delegated, targets,
};
use trusted_repo::{Error, Mirror, Repository, make_current, open_offline};
use url::Url;

use crate::fixture::{Fixture, assert_refused, days, system_fs, today};

/// The public half of a key.
fn public(fixture: &Fixture, key: &KeyPair) -> PublicKey {
    let path = fixture.path("team.pub");
    std::fs::write(&path, key.public_pem()).expect("written");
    PublicKey::load(&SystemFs, &path).expect("a key")
}

fn duplicate(fixture: &Fixture, key: &KeyPair) -> KeyPair {
    let path = fixture.path("key.pem");
    key.save(&SystemFs, &path).expect("written");
    KeyPair::load(&SystemFs, &path).expect("a key")
}

/// A repository that delegates `a-*` to team-a and `b-*` to team-b, and whose teams have published one target each.
async fn with_two_teams() -> Fixture {
    let (fixture, _keys) = with_teams_until(days(7)).await;
    fixture
}

/// The same, where what the teams have signed holds for so long; and their keys.
async fn with_teams_until(hold: TimeDelta) -> (Fixture, Vec<(&'static str, KeyPair)>) {
    let mut fixture = Fixture::new();
    let mut keys = Vec::new();
    for name in ["team-a", "team-b"] {
        let key = KeyPair::generate().expect("random");
        let first = first_delegated(name, &[&key], today() + days(7)).await.expect("signed");
        let delegation = Delegation {
            name: name.to_owned(),
            keys: vec![public(&fixture, &key)],
            threshold: 1,
            purpose: Purpose::Targets(vec![format!("{}-*", &name[5..])]),
            terminating: false,
        };
        fixture.editor.delegate(&delegation, first, today()).expect("delegated");
        keys.push((name, key));
    }
    fixture.sign();
    for (name, key) in &keys {
        let anchor = SignedRoot::parse(&fixture.anchor).expect("a root");
        let metadata = fixture.path("repo/metadata");
        let mut editor =
            Editor::load_as(&SystemFs, &metadata, &anchor, Some(*name)).await.expect("the team's role");
        let target = format!("{}-target", &name[5..]);
        let dir = fixture.path("repo/targets");
        let info = targets::publish(&SystemFs, &dir, &target, target.as_bytes()).expect("written");
        editor.add_target(info.clone()).expect("its own");
        let foreign = trusted_repo::TargetInfo { name: "c-target".to_owned(), ..info };
        assert!(editor.add_target(foreign).is_err(), "not its own");
        let signers = Signers {
            targets: duplicate(&fixture, key),
            snapshot: duplicate(&fixture, &fixture.signers.snapshot),
            timestamp: duplicate(&fixture, &fixture.signers.timestamp),
        };
        let expiries = Expiries { targets: today() + hold, ..fixture.expiries };
        let signed = editor.sign(&signers, &expiries).expect("signed");
        signed.write(&SystemFs, &metadata).expect("written");
    }
    (fixture, keys)
}

/// The team signs its role again, as it is.
async fn sign_again(fixture: &Fixture, name: &str, key: &KeyPair) {
    let anchor = SignedRoot::parse(&fixture.anchor).expect("a root");
    let metadata = fixture.path("repo/metadata");
    let editor = Editor::load_as(&SystemFs, &metadata, &anchor, Some(name)).await.expect("the team's role");
    let signers = Signers {
        targets: duplicate(fixture, key),
        snapshot: duplicate(fixture, &fixture.signers.snapshot),
        timestamp: duplicate(fixture, &fixture.signers.timestamp),
    };
    let signed = editor.sign(&signers, &fixture.expiries).expect("signed");
    signed.write(&SystemFs, &metadata).expect("written");
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn set_for_the_next_boot_has_the_roles_that_its_targets_need_pinned_and_no_others() {
    let fixture = with_two_teams().await;
    let repository = fixture.open().await.expect("opened");
    let ours = repository.fetch("a-target", 100).await.expect("of team-a");
    repository.fetch("b-target", 100).await.expect("of team-b, and not for the next boot");
    let manifest = repository.fetch("manifest.json", 1 << 20).await.expect("a manifest");
    let paths = Paths::under(fixture.path("host"));
    let id = repository.staged(vec![manifest, ours]).write(&SystemFs, &paths.cache()).expect("written");
    make_current(&SystemFs, &paths, &id).expect("swapped");
    let staged = names(&paths.metadata_cache());
    assert!(staged.contains(&"2.team-a.json".to_owned()), "{staged:?}");
    assert!(!staged.contains(&"2.team-b.json".to_owned()), "{staged:?}");

    let open = async || -> Result<Repository, Error> {
        let (metadata, targets) = (paths.metadata_cache(), paths.migrations_cache());
        open_offline(system_fs(), &fixture.anchor, &metadata, &targets).await
    };
    let offline = open().await.expect("opened");
    assert_eq!(offline.fetch("a-target", 100).await.expect("without a network").bytes(), b"a-target");
    assert_refused(offline.fetch("b-target", 100).await, "missing_target", "2.team-b.json");
    // The role is pinned like everything else.
    let role = paths.metadata_cache().join("2.team-a.json");
    let mut bytes = std::fs::read(&role).expect("staged");
    bytes.push(b'\n');
    std::fs::write(&role, bytes).expect("attacked");
    assert_refused(open().await, "tampered", "2.team-a.json is not the file that was pinned");
}

#[tokio::test]
async fn what_was_never_delegated_is_not_taken_back_and_changes_nothing() {
    let mut fixture = Fixture::new();
    assert!(fixture.editor.undelegate("nobody").is_err());
    fixture.target("target", b"bytes");
    fixture.sign();
    fixture.open().await.expect("hosts can read it").fetch("target", 100).await.expect("listed");
}

#[tokio::test]
async fn unchanged_repository_with_a_delegated_target_costs_two_requests() {
    let fixture = with_two_teams().await;
    let server = FaultyServer::start(fixture.repo());
    let base = Url::parse(&server.url("")).expect("an address");
    let ask = async || {
        let repository = fixture.open_from(fixture.source_at(&base), &fixture.anchor, today()).await?;
        repository.target("a-target").await
    };
    ask().await.expect("listed by team-a");
    let asked: Vec<String> = server.requests().iter().map(|request| request.path_only().to_owned()).collect();
    assert!(asked.contains(&"/metadata/2.team-a.json".to_owned()), "{asked:?}");
    assert!(!asked.iter().any(|path| path.contains("team-b")), "{asked:?}");
    server.clear_log();
    ask().await.expect("from memory");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn delegated_role_that_one_place_lacks_comes_from_another() {
    let fixture = with_two_teams().await;
    let server = FaultyServer::start(fixture.repo());
    server.fault("team-a.json", testdata::Fault::Status(404));
    let base = Url::parse(&server.url("")).expect("an address");
    let mut source = fixture.source_at(&base);
    let repository = fixture.open_from(source.clone(), &fixture.anchor, today()).await.expect("opened");
    assert_refused(repository.target("a-target").await, "missing_target", "fetch 2.team-a.json");
    let directory = fixture.source();
    source.mirrors = vec![Mirror {
        metadata_base_url: directory.metadata_base_url,
        targets_base_url: directory.targets_base_url,
    }];
    let repository = fixture.open_from(source, &fixture.anchor, today()).await.expect("opened");
    repository.target("a-target").await.expect("the mirror has it");
}

#[tokio::test]
async fn remembered_role_that_expires_meanwhile_counts_no_more_until_its_team_signs_it_again() {
    let (fixture, keys) = with_teams_until(days(3)).await;
    fixture.open().await.expect("opened").target("a-target").await.expect("in force");
    let later = async || fixture.open_at(today() + days(5)).await.expect("the roles above are in force");
    assert_refused(later().await.target("a-target").await, "expired", "its team-a metadata expired");
    later().await.target("manifest.json").await.expect("which needs no team");
    let (name, key) = &keys[0];
    sign_again(&fixture, name, key).await;
    later().await.target("a-target").await.expect("signed again");
    // The other team is as late as before, and as little in the way.
    assert_refused(later().await.target("b-target").await, "expired", "its team-b metadata expired");
}

#[tokio::test]
async fn memory_has_the_roles_that_were_needed_and_no_other_byte() {
    let fixture = with_two_teams().await;
    fixture.open().await.expect("opened").target("manifest.json").await.expect("listed");
    let size = || -> usize { fixture.remembered().iter().map(|(_, bytes)| bytes.len()).sum() };
    let before = size();
    fixture.open().await.expect("opened").target("a-target").await.expect("listed");
    let role = std::fs::read(fixture.path("repo/metadata/2.team-a.json")).expect("published");
    let (found, grown) = (fixture.memory().join("team-a.json"), size() - before);
    assert_eq!(std::fs::read(found).expect("remembered"), role);
    // Beside the role there is its line in the index of what is remembered.
    assert!((role.len()..role.len() + 1024).contains(&grown), "{grown} for {}", role.len());
    assert!(!fixture.memory().join("team-b.json").exists());
}

#[tokio::test]
async fn manifest_of_a_variant_is_not_given_up_for_that_of_all_when_too_many_teams_may_have_it() {
    let mut fixture = Fixture::new();
    let key = KeyPair::generate().expect("random");
    for number in 0..33 {
        let name = format!("team-{number}");
        let first = first_delegated(&name, &[&key], today() + days(7)).await.expect("signed");
        let delegation = Delegation {
            name,
            keys: vec![public(&fixture, &key)],
            threshold: 1,
            purpose: Purpose::Targets(vec!["manifest-*.json".to_owned()]),
            terminating: false,
        };
        if number == 32 {
            fixture.sign();
            let repository = fixture.open().await.expect("opened");
            let (_, signed) = repository.manifest_for("metal").await.expect("no team has one: that of all");
            assert_eq!(signed.name, "manifest.json");
        }
        fixture.editor.delegate(&delegation, first, today()).expect("delegated");
    }
    fixture.sign();
    let repository = fixture.open().await.expect("opened");
    let refused = repository.manifest_for("metal").await;
    assert_refused(refused, "missing_target", "the search ends before \"team-32\"");
}

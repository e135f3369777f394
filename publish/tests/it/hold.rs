//! Releases that are withheld: by a role that can do nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::Duration;
use host_io::{Clock as _, SystemClock, SystemFs};
use publish::mirror::{MirrorOptions, mirror};
use publish::progress::Silent;
use publish::prune::{PruneOptions, prune};
use publish::refresh::refresh;
use publish::rollout::rollout;
use publish::{Desk, Error, Keys, Lifetimes, Place, delegate, hold};
use semver::Version;
use trusted_repo::author::{Delegation, KeyPair, PublicKey, Purpose};

use crate::check::{check, options};
use crate::fixture::{Fixture, done, pubrepo, refused, today};
use crate::rollout::desk;

fn v(version: &str) -> Version {
    version.parse().expect("well formed")
}

/// Whoever keeps a role for holds, with a directory of keys that has those of snapshot and timestamp beside its own.
async fn guard(fixture: &Fixture, role: &str) -> Desk {
    let below = |file: &str| format!("{role}/{file}");
    let key = KeyPair::generate().expect("random");
    for file in ["root.json", "snapshot.pem", "timestamp.pem"] {
        let bytes = std::fs::read(fixture.path("keys").join(file)).expect("made by init");
        fixture.write(&below(file), &bytes);
    }
    let pem: PathBuf = fixture.path(&below(&format!("{role}.pem")));
    key.save(&SystemFs, &pem).expect("written");
    let public = fixture.write(&below("public"), key.public_pem().as_bytes());
    let first = fixture.path(&below("first.json"));
    delegate::first(role, &[key], &first, today() + Duration::days(14)).await.expect("signed");
    let delegation = Delegation {
        name: role.to_owned(),
        keys: vec![PublicKey::load(&SystemFs, &public).expect("a key")],
        threshold: 1,
        purpose: Purpose::Holds,
        terminating: false,
    };
    let added = delegate::add(&desk(fixture), &delegation, &first, Lifetimes::default(), today()).await;
    assert!(added.expect("delegated").to_string().contains(&format!("{role}: hold-*.json")));
    let keys = Keys::in_dir(fixture.path(role)).of_team(Some(role.to_owned()));
    Desk { keys, ..desk(fixture) }
}

pub(crate) async fn guarded() -> (Fixture, Desk) {
    let fixture = Fixture::new().await;
    fixture.add(&fixture.release("1.0.0", 1)).await.expect("published");
    fixture.add(&fixture.release("1.1.0", 2)).await.expect("published");
    let desk = guard(&fixture, "guard").await;
    (fixture, desk)
}

async fn withhold(desk: &Desk, version: &str) -> Result<hold::HoldReport, Error> {
    hold::add(desk, &v(version), "it hangs", Lifetimes::default(), today()).await
}

fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    host_io::report::chain(&result.expect_err("refused"))
}

#[tokio::test]
async fn a_guard_withholds_a_release_with_its_own_key_and_everybody_who_looks_hears_of_it() {
    let (fixture, guard) = guarded().await;
    let targets = fixture.open().await.roles().targets;
    let report = withhold(&guard, "1.1.0").await.expect("withheld");
    assert!(report.to_string().contains("Bottlerocket's own hosts take no notice of holds"), "{report}");
    assert_eq!(fixture.open().await.roles().targets, targets, "the targets role is as it was");
    let holds = fixture.open().await.holds().await.expect("readable");
    let [signed] = &holds[..] else { panic!("{holds:?}") };
    assert_eq!((signed.role.as_str(), signed.file.name.as_str()), ("guard", "hold-guard.json"));
    let [held] = &signed.holds.holds[..] else { panic!("{signed:?}") };
    assert_eq!(held.version, Some(v("1.1.0")));
    assert!(held.root_hash.as_ref().is_some_and(|root| root.len() == 64), "{held:?}");

    let place = options(&fixture).place;
    let listed = publish::list::list(&place).await.expect("opened").to_string();
    let row = listed.lines().find(|line| line.starts_with("1.1.0")).expect("listed");
    assert!(row.contains("withheld by guard since 2026-06-01T12:00:00Z: it hangs"), "{row}");
    assert!(!listed.lines().any(|line| line.starts_with("1.0.0") && line.contains("withheld")), "{listed}");
    let shown = hold::held(&place).await.expect("opened").to_string();
    assert_eq!(shown, "metal x86_64 1.1.0 by guard since 2026-06-01T12:00:00Z: it hangs");
    let report = check(&fixture).await;
    assert!(report.is_good() && report.advice.is_empty(), "{report}");

    hold::remove(&guard, &v("1.1.0"), Lifetimes::default(), today()).await.expect("ended");
    assert_eq!(hold::held(&place).await.expect("opened").to_string(), "nothing is withheld");
}

#[tokio::test]
async fn a_guard_gives_nobody_a_release_and_nobody_else_withholds_one() {
    let (fixture, guard) = guarded().await;
    let before = fixture.published();
    let mut release = fixture.release("1.2.0", 3);
    release.keys = guard.keys.clone();
    let refused = said(fixture.add(&release).await);
    assert!(refused.contains("none of the targets that are delegated to it"), "{refused}");
    let refused = said(withhold(&desk(&fixture), "1.1.0").await);
    assert!(refused.contains("change holds as targets: it is no role for holds"), "{refused}");
    for (version, why) in [("9.9.9", "no release of this version"), ("1.1.0", "no reason is given")] {
        let reason = if version == "1.1.0" { " " } else { "why" };
        let refused = said(hold::add(&guard, &v(version), reason, Lifetimes::default(), today()).await);
        assert!(refused.contains(why), "{refused}");
    }
    let refused = said(hold::remove(&guard, &v("1.1.0"), Lifetimes::default(), today()).await);
    assert!(refused.contains("guard does not withhold it"), "{refused}");
    assert_eq!(offered(&fixture).await, [v("1.0.0"), v("1.1.0")]);
    let metadata = |files: &[(PathBuf, Vec<u8>)]| {
        files.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "json")).count()
    };
    assert_eq!(metadata(&fixture.published()), metadata(&before));
    withhold(&guard, "1.1.0").await.expect("withheld");
    let refused = said(withhold(&guard, "1.1.0").await);
    assert!(refused.contains("guard withholds it already, since"), "{refused}");
}

async fn offered(fixture: &Fixture) -> Vec<Version> {
    let manifest = fixture.open().await.manifest().await.expect("a manifest");
    let mut versions: Vec<Version> = manifest.updates.into_iter().map(|update| update.version).collect();
    versions.sort();
    versions
}

#[tokio::test]
async fn two_guards_withhold_each_on_its_own_and_one_that_ends_leaves_the_other() {
    let (fixture, first) = guarded().await;
    let second = guard(&fixture, "second").await;
    withhold(&first, "1.1.0").await.expect("withheld");
    withhold(&second, "1.0.0").await.expect("withheld");
    withhold(&second, "1.1.0").await.expect("withheld twice, by two");
    let place = options(&fixture).place;
    assert_eq!(hold::held(&place).await.expect("opened").held.len(), 3);
    hold::remove(&first, &v("1.1.0"), Lifetimes::default(), today()).await.expect("ended");
    let held = hold::held(&place).await.expect("opened").to_string();
    assert_eq!(held.matches("by second").count(), 2, "{held}");
    assert!(check(&fixture).await.is_good());
}

#[tokio::test]
async fn a_hold_outlives_releases_refreshes_and_pruning_and_a_mirror_has_it() {
    let (fixture, guard) = guarded().await;
    withhold(&guard, "1.1.0").await.expect("withheld");
    fixture.add(&fixture.release("1.2.0", 3)).await.expect("published");
    refresh(&desk(&fixture), Lifetimes::default(), today()).await.expect("signed");
    refresh(&guard, Lifetimes::default(), today()).await.expect("signed");
    let what = PruneOptions { repo: fixture.path("repo"), grace: Duration::zero(), dry_run: false };
    let _pruned = prune(&what, today() + Duration::days(30)).expect("pruned");
    let place = options(&fixture).place;
    assert_eq!(hold::held(&place).await.expect("opened").held.len(), 1);
    let copy = MirrorOptions { place: place.clone(), out: fixture.path("copy"), versions: vec![] };
    mirror(&copy, today(), Arc::new(Silent)).await.expect("copied");
    let mirrored = Place { base: fixture.path("copy").display().to_string(), ..place };
    assert_eq!(hold::held(&mirrored).await.expect("opened").held.len(), 1);
    let mut look = options(&fixture);
    look.place = mirrored;
    let report = publish::check(&look, today(), Arc::new(Silent)).await.expect("opened");
    assert!(report.is_good(), "{report}");
}

#[tokio::test]
async fn a_check_tells_of_holds_that_nobody_can_read_and_of_those_that_withhold_nothing() {
    let (fixture, guard) = guarded().await;
    withhold(&guard, "1.1.0").await.expect("withheld");
    let (owner, gone) = (desk(&fixture), v("1.1.0"));
    let remove = publish::rollout::Action::Remove;
    let removed = rollout(&owner, remove, &gone, Lifetimes::default(), today(), |_| Ok(true));
    removed.await.expect("removed");
    let report = check(&fixture).await;
    let advice = report.advice.iter().find(|finding| finding.code == "hold").expect("told");
    assert!(advice.what.contains("guard withholds metal x86_64 1.1.0, which nobody is offered"), "{report}");
    withhold(&self::guard(&fixture, "watch").await, "1.0.0").await.expect("withheld");
    std::fs::remove_file(fixture.path("repo/metal/x86_64/2.guard.json")).expect("lost");
    let report = check(&fixture).await;
    let unused = report.advice.iter().find(|finding| finding.what.contains("hold-"));
    assert_eq!(unused, None, "what another role withholds is in use");
    let error = report.errors.iter().find(|finding| finding.code == "holds").expect("told");
    assert!(
        error.what.contains("no host takes an update: failed to learn what the role for holds"),
        "{report}"
    );
    let listed = publish::list::list(&options(&fixture).place).await.expect("opened").to_string();
    assert!(
        listed.contains("hosts take nothing, as nobody knows what is withheld: failed to learn"),
        "{listed}"
    );
}

#[tokio::test]
async fn the_commands_lead_from_a_key_to_a_hold() {
    let fixture = Fixture::empty();
    fixture.init_now().await;
    let mut release = fixture.release("1.1.0", 2);
    release.keys = fixture.path("keys").into();
    publish::add(&release, SystemClock.now()).await.expect("published");
    let of = ["--variant", "metal", "--arch", "x86_64"];
    let at = [&["--repo", "repo", "--keys", "keys"][..], &of].concat();
    let run = |args: &[&str]| pubrepo(&fixture, args);
    done(run(&["root", "new-key", "--out", "keys/guard.pem", "--public", "guard.pub"]));
    done(run(&["delegate", "sign", "guard", "--key", "keys/guard.pem", "--out", "guard.json"]));
    let add = ["delegate", "add", "guard", "--first", "guard.json", "--public-key", "guard.pub"];
    refused(&run(&[&add[..], &["--path", "hold-*.json"], &at].concat()), "which no team may list");
    assert_eq!(run(&[&add[..], &["--holds", "--path", "x"], &at].concat()).status.code(), Some(2));
    let said = done(run(&[&add[..], &["--holds"], &at].concat()));
    assert!(said.contains("guard: hold-*.json"), "{said}");
    let hold = ["hold", "add", "1.1.0", "--reason", "it hangs"];
    refused(&run(&[&hold[..], &at].concat()), "it is no role for holds");
    // All that its keeper needs.
    for file in ["guard.pem", "snapshot.pem", "timestamp.pem", "root.json"] {
        let bytes = std::fs::read(fixture.path("keys").join(file)).expect("there");
        fixture.write(&format!("guard/{file}"), &bytes);
    }
    let at = [&["--repo", "repo", "--keys", "guard"][..], &of].concat();
    let said = done(run(&[&hold[..], &["--team", "guard"], &at].concat()));
    assert!(said.contains("nor boots into it where it waits and nobody chose it by name"), "{said}");
    assert!(said.contains("withheld: metal x86_64 1.1.0: it hangs"), "{said}");
    let look = [&["hold", "list", "repo", "--trusted-root", "keys/root.json"][..], &of].concat();
    assert!(done(run(&look)).contains("metal x86_64 1.1.0 by guard since"));
    let told: serde_json::Value =
        serde_json::from_str(&done(run(&[&look[..], &["--json"]].concat()))).unwrap();
    assert_eq!(
        (&told["held"][0]["role"], &told["held"][0]["hold"]["reason"]),
        (&"guard".into(), &"it hangs".into())
    );
    let said = done(run(&[&["hold", "remove", "1.1.0", "--team", "guard"], &at[..]].concat()));
    assert!(said.contains("guard withholds nothing now"), "{said}");
}

//! The first release of a disk that nothing runs from.

use std::path::Path;
use std::process::{Command, Output};

use testdata::{BootBits, Host, Release, Set, World, program};

use crate::support::served;

const FACTORY: BootBits = BootBits { priority: 1, tries: 0, successful: true };

/// A world that offers 1.1.0, and a host that is off and whose disk is as `signpost create` leaves it.
fn blank() -> (World, Host) {
    let world = World::new();
    world.publish(Release::new("1.1.0"));
    let host = world.host("1.0.0");
    for set in [Set::A, Set::B] {
        host.disk().set_bits(set, BootBits::default());
        for role in ["BOOT", "ROOT", "HASH"] {
            let len = host.disk().read_all(&set.label(role)).len();
            host.disk().write(&set.label(role), 0, &vec![0xa5; len]);
        }
    }
    (world, host)
}

/// `updog install`, from the directory that is served.
fn install(world: &World, host: &Host, root: &Path, more: &[&str]) -> Output {
    let root_role = world.dir().join("root-role.json");
    std::fs::write(&root_role, world.trusted_root()).unwrap();
    Command::new(program("updog"))
        .arg("--root")
        .arg(root)
        .args(["install", "--variant", "metal-dev", "--disk"])
        .arg(host.disk().path())
        .arg("--repo")
        .arg(world.repo_dir())
        .arg("--trusted-root")
        .arg(root_role)
        .args(more)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn bits(host: &Host) -> [BootBits; 2] {
    [host.bits(Set::A), host.bits(Set::B)]
}

#[test]
fn the_first_release_is_written_read_back_and_boots_as_from_a_factory() {
    let (world, mut host) = blank();
    let elsewhere = tempfile::tempdir().unwrap();
    let persistent = host.paths().resolve(Path::new("/var/lib/bottlerocket"));
    std::fs::create_dir_all(&persistent).unwrap();
    let done = install(&world, &host, elsewhere.path(), &["--persistent", persistent.to_str().unwrap()]);
    assert!(done.status.success(), "{}", said(&done));
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        told.starts_with("Installed: metal-dev 1.1.0 in set A of ") && told.contains("Root hash: "),
        "{told}"
    );
    assert_eq!(bits(&host), [FACTORY, BootBits::default()]);
    let images = world.images(&Release::new("1.1.0"));
    for (role, file) in [("BOOT", images.boot), ("ROOT", images.root), ("HASH", images.hash)] {
        let image = std::fs::read(file).unwrap();
        assert!(host.disk().read(&Set::A.label(role), image.len() as u64) == image, "{role}");
    }
    assert!(host.paths().cache().join("current/pin.json").exists(), "the pinned metadata");
    let record = std::fs::read_to_string(host.paths().record().join("sets.json")).unwrap();
    assert!(record.contains("\"1.1.0\"") && record.contains("\"A\""), "{record}");

    assert_eq!(host.boot().version_at_once(), Some("1.1.0"));
    world.publish(Release::new("1.2.0"));
    let _ = host.run("updog", &["update"]).expect_ok();
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
    let status = host.run("updog", &["status", "--json"]).expect_ok().json();
    assert_eq!(status["inactive"]["version"], "1.1.0");
}

#[test]
fn what_must_not_be_overwritten_is_refused_and_nothing_is_changed() {
    let (world, host) = blank();
    let elsewhere = tempfile::tempdir().unwrap();
    host.disk().set_bits(Set::B, FACTORY);
    let before = std::fs::read(host.disk().path()).unwrap();
    let refused = |host: &Host, root: &Path, more: &[&str], why: &str| {
        let ran = install(&world, host, root, more);
        assert_eq!(ran.status.code(), Some(1), "{}", said(&ran));
        assert!(said(&ran).contains(why), "{why}: {}", said(&ran));
    };
    refused(&host, elsewhere.path(), &[], "set B of it is proven");
    let stranger = World::new();
    let root = stranger.dir().join("stranger.json");
    std::fs::write(&root, stranger.trusted_root()).unwrap();
    refused(
        &host,
        elsewhere.path(),
        &["--force", "--trusted-root", root.to_str().unwrap()],
        "failed to trust",
    );
    refused(&host, elsewhere.path(), &["--force", "--image", "9.9.9"], "the repository offers 1.1.0");
    refused(&host, elsewhere.path(), &["--force", "--persistent", "/nowhere"], "/nowhere");
    for (repo, why) in [
        (
            "https://updates.example/?seed=1",
            "updates.example/?…\": its query has \"seed\", which every request",
        ),
        ("http:///updates.example", "updates.example\": its host does not follow right behind two slashes"),
    ] {
        refused(&host, elsewhere.path(), &["--force", "--repo", repo], why);
    }
    // What was typed is named as it was typed.
    let no_root = host.disk().path().to_str().unwrap();
    let why = format!("failed to read the root role {no_root}: it is none (");
    refused(&host, elsewhere.path(), &["--force", "--trusted-root", no_root], &why);
    let inside = world.metadata_dir();
    let inside = inside.to_str().unwrap();
    let why = |flavour: &str, place: &str| {
        format!(
            "find a repository for {} in {place}: {flavour}/timestamp.json is not there",
            flavour.replace('/', " ")
        )
    };
    let (typed, arch) = (world.repo_dir(), std::env::consts::ARCH);
    let typed = typed.to_str().unwrap();
    refused(
        &host,
        elsewhere.path(),
        &["--force", "--repo", inside],
        &why(&format!("metal-dev/{arch}"), inside),
    );
    refused(&host, elsewhere.path(), &["--force", "--arch", "riscv"], &why("metal-dev/riscv", typed));
    assert!(std::fs::read(host.disk().path()).unwrap() == before);

    // Not even by force from a host that runs from it.
    let mut running = world.host("1.1.0");
    running.boot();
    refused(&running, running.paths().root(), &["--force"], "this host runs from it");
}

#[test]
fn an_image_that_is_not_the_signed_one_leaves_nothing_that_boots_and_the_next_run_goes_on() {
    let (world, host) = blank();
    let elsewhere = tempfile::tempdir().unwrap();
    let (path, good) = served(&world, "1.1.0-root.lz4");
    let file = world.repo_dir().join(path.trim_start_matches('/'));
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &bad).unwrap();
    host.disk().set_bits(Set::B, FACTORY);
    let ran = install(&world, &host, elsewhere.path(), &["--force"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(said(&ran).contains("failed to install 1.1.0 in set A"), "{}", said(&ran));
    assert!(
        said(&ran).contains("help: nothing on that disk boots; run the same command again"),
        "{}",
        said(&ran)
    );
    assert_eq!(bits(&host), [BootBits::default(); 2]);
    std::fs::write(&file, &good).unwrap();
    let ran = install(&world, &host, elsewhere.path(), &["--set", "B"]);
    assert!(ran.status.success(), "{}", said(&ran));
    assert_eq!(bits(&host), [BootBits::default(), FACTORY]);
}

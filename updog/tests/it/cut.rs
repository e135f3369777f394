//! An update that ends at any change of what both sets share: remembered trust, the migrations for the next boot, the
//! record. No program and no disk of a host does anything after that.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use host_io::explore::{CutFs, PowerCut};
use testdata::{BootBits, Host, Release, Set, World};
use updog::context::{Context, Run};
use updog::error::Error;
use updog::tell::events::Format;
use updog::update::{self, Asked, Finish, Outcome};

use crate::support::{Snapshot, done, offered_again};

/// So many of the changes are tried, spread over all of them, the last one included.
const CUTS: usize = 9;

/// `updog update` with `fs`; what it says if it does not end before.
fn update(host: &Host, fs: &CutFs) -> Option<Result<Outcome, Box<Error>>> {
    let root = Some(host.paths().root().to_owned());
    let run = || {
        let mut context =
            Context::new(Run { command: "update", format: Format::Json, root, at: None }).unwrap();
        context.fs = Arc::new(fs.clone());
        update::run(&context, &Asked::default(), Finish::Activated).map_err(Box::new)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Some(result),
        Err(ended) => {
            assert!(ended.is::<PowerCut>(), "it ended in another way");
            None
        }
    }
}

/// What an update changes of a host, to be put back.
struct Kept {
    dir: tempfile::TempDir,
    disk: PathBuf,
    shared: PathBuf,
}

impl Kept {
    fn of(host: &Host) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let kept = Self {
            dir,
            disk: host.disk().path().to_owned(),
            shared: host.paths().cache().parent().unwrap().to_owned(),
        };
        copy(&kept.disk, &kept.dir.path().join("disk"));
        copy(&kept.shared, &kept.dir.path().join("shared"));
        kept
    }

    fn put_back(&self) {
        fs::remove_dir_all(&self.shared).unwrap();
        copy(&self.dir.path().join("shared"), &self.shared);
        copy(&self.dir.path().join("disk"), &self.disk);
    }
}

fn copy(from: &PathBuf, to: &PathBuf) {
    let copied = Command::new("cp")
        .args(["--archive", "--no-target-directory", "--sparse=always"])
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}

/// Set A holds all of 1.2.0.
fn is_installed(world: &World, host: &Host) -> bool {
    let images = world.images(&Release::new("1.2.0"));
    [("BOOT", images.boot), ("ROOT", images.root), ("HASH", images.hash)].into_iter().all(|(role, file)| {
        let image = fs::read(file).unwrap();
        host.disk().read(&Set::A.label(role), image.len() as u64) == image
    })
}

#[test]
fn a_power_cut_at_any_change_of_what_is_shared_leaves_what_boots_and_the_next_run_goes_on() {
    let (world, mut host) = offered_again();
    let (before, kept) = (Snapshot::of(&host), Kept::of(&host));
    let (way_back, live) = (host.bits(Set::A), host.paths().cache().join("current"));
    let migrations = fs::read_link(&live).unwrap();
    let counting = CutFs::counting();
    assert!(matches!(update(&host, &counting), Some(Ok(Outcome::Installed { .. }))));
    let changes = counting.changes();
    let (mut untouched, mut cleared, mut staged) = (0, 0, 0);
    for cut in (0..changes).rev().step_by(changes.div_ceil(CUTS)) {
        kept.put_back();
        let cutting = CutFs::after(cut).ending();
        assert!(update(&host, &cutting).is_none() && cutting.was_cut(), "cut {cut} of {changes}");
        let bits = host.bits(Set::A);
        if bits == way_back {
            untouched += 1;
            // Nothing but the clear takes the way back away: what it needs is still the live one.
            assert_eq!(fs::read_link(&live).unwrap(), migrations, "cut {cut}");
        } else if bits == BootBits::default() {
            cleared += 1;
        } else {
            staged += 1;
            assert!(is_installed(&world, &host), "cut {cut}: a set that may boot holds something else");
        }
        // Which one boots next is never in doubt, and the next run takes it from there.
        let status = host.run("updog", &["status", "--json"]).expect_ok().json();
        assert_eq!(status["active"]["next_to_boot"], bits.priority < 2, "cut {cut}: {status}");
        let _ = done(&host.run("updog", &["update", "--json"]));
        assert!(is_installed(&world, &host), "cut {cut}");
        assert_eq!(host.bits(Set::A), BootBits { priority: 2, tries: 1, successful: false }, "cut {cut}");
    }
    before.assert_running_set_untouched(&host);
    assert!(
        untouched > 0 && cleared > 0,
        "{untouched} before the clear, {cleared} after it, {staged} staged"
    );
    assert_eq!(host.reboot().version_at_once(), Some("1.2.0"));
}

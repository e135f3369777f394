//! The stories that are cut: what is there before, what is then done, and what is done again after a cut.

use signpost::SetName;
use testdata::{BootBits, BootFault, Host, Release, Set, World};

use super::boot_program::Loads;
use super::going::Typed;

/// One thing that is done while everything is recorded.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// A command that succeeds.
    Run(Typed),
    /// A command that ends with this exit code, as documented.
    Ends(Typed, i32),
    /// A reset, and a boot that is marked good.
    Boot,
    /// A reset, and a boot that is not marked good.
    BootUnproven,
    /// A reset, and the boot program's own work, up to the start of this set. Then the power goes away.
    BootProgram(Loads, SetName),
    /// Something happens at the publisher's.
    Publish(fn(&World)),
    /// From here on the persistent partition has room for so many bytes and no more.
    Fill(u64),
    /// Somebody has made room.
    Free,
}

/// A story.
pub(super) struct Story {
    pub(super) name: &'static str,
    /// Every release that a set may hold.
    pub(super) releases: fn() -> Vec<Release>,
    /// A host that runs, in a world of its own.
    pub(super) before: fn(&World) -> Host,
    pub(super) acts: &'static [Act],
    /// What a person types again after the cut.
    pub(super) again: &'static [Typed],
    /// What on the persistent partition tells how it came about: parts of paths.
    pub(super) history: &'static [&'static str],
}

const UPDATE: Typed = ("updog", &["update", "--json"]);
/// What takes back what waits for the next boot.
const REVERT: Typed = ("updog", &["update-revert"]);
const ROLLBACK: Typed = ("updog", &["rollback"]);
const SET: Typed = ("apiclient", &["set", "updates.ignore-waves=true"]);
const UNSET: Typed = ("apiclient", &["unset", "updates.ignore-waves"]);
const REVIEW: Typed = ("updog", &["check-update", "--review", "--json"]);
const CHECK: Typed = ("updog", &["check-update", "--json"]);
const CLEAR: Typed = ("signpost", &["clear-inactive"]);
const REPAIR: Typed = ("signpost", &["repair"]);
const PICK: Typed = ("signpost", &["pick", "--spend"]);

impl Story {
    /// The commands one of whose programs is killed, and which are then typed again: what is typed in the story itself. None
    /// where something else happens in between, as each command has a story without that.
    pub(super) fn killed(&self) -> Vec<Typed> {
        let is_apart = |act: &Act| matches!(act, Act::Fill(_) | Act::BootUnproven | Act::BootProgram(..));
        if self.acts.iter().any(is_apart) {
            return Vec::new();
        }
        let typed = self.acts.iter().filter_map(|act| match act {
            // Each pick is a start of its own.
            Act::Run(typed) | Act::Ends(typed, _) if *typed != PICK => Some(*typed),
            _ => None,
        });
        typed.collect()
    }
}

/// All of them.
pub(super) const STORIES: &[Story] = &[
    Story {
        name: "first-update",
        releases: good,
        before: |world| offered(world, Release::new("1.1.0")),
        acts: &[Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "first-update-framed",
        releases: good,
        before: |world| offered(world, Release::new("1.1.0").framed()),
        acts: &[Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "first-update-packed",
        releases: good,
        before: |world| {
            world.publish(Release::new("1.0.0").framed());
            offered(world, Release::new("1.1.0").packed())
        },
        acts: &[Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "resumed-update",
        releases: good,
        before: half_written,
        acts: &[Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "repeated-update",
        releases: good,
        before: updated,
        acts: &[Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "newer-over-half",
        releases: good,
        before: |world| {
            let host = half_written(world);
            world.publish(Release::new("1.2.0"));
            host
        },
        acts: &[Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "update-over-way-back",
        releases: good,
        before: |world| {
            let host = updated_twice_booted(world);
            world.publish(Release::new("1.2.0"));
            host
        },
        acts: &[Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "cancelled-update",
        releases: good,
        before: |world| offered(world, Release::new("1.1.0")),
        acts: &[Act::Run(UPDATE), Act::Run(REVERT)],
        again: &[UPDATE, REVERT],
        history: &[],
    },
    Story {
        name: "migration-forward",
        releases: good,
        before: updated,
        acts: &[Act::Boot],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "clear-before-proof",
        releases: good,
        before: updated,
        acts: &[Act::BootUnproven, Act::Ends(CLEAR, 1)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "failed-boot",
        releases: || vec![Release::new("1.0.0"), bad()],
        before: |world| {
            let host = offered(world, bad());
            let _ = host.run(UPDATE.0, UPDATE.1).expect_ok();
            host
        },
        acts: &[Act::Boot],
        again: &[CHECK],
        // Whether its first boot was cut off or has failed is told there; that it is held either way, by the last exit code.
        history: &["/record/attempts.json", "/record/boot/"],
    },
    Story {
        name: "rollback",
        releases: good,
        before: updated_twice_booted,
        acts: &[Act::Run(ROLLBACK), Act::Boot],
        again: &[],
        history: &[],
    },
    Story {
        name: "rollback-taken-back",
        releases: good,
        before: updated_twice_booted,
        acts: &[Act::Run(ROLLBACK), Act::Run(REVERT)],
        again: &[],
        history: &[],
    },
    Story {
        name: "rollback-to-snapshot",
        releases: good,
        before: updated_twice_booted,
        acts: &[Act::Run(("updog", &["rollback", "--restore-snapshot"])), Act::Boot],
        again: &[],
        history: &[],
    },
    Story {
        name: "recalled-update",
        releases: good,
        before: updated,
        // There is no update any more, which is what its exit code says.
        acts: &[Act::Publish(|world| world.recall("1.1.0")), Act::Ends(REVIEW, 1)],
        again: &[REVIEW],
        history: &[],
    },
    Story {
        name: "root-rotation",
        releases: good,
        before: updated,
        acts: &[Act::Publish(World::rotate_root), Act::Run(CHECK)],
        again: &[CHECK],
        history: &[],
    },
    Story {
        name: "settings",
        releases: good,
        before: |world| offered(world, Release::new("1.1.0")),
        acts: &[Act::Boot, Act::Run(SET), Act::Run(UNSET)],
        again: &[SET, UNSET],
        history: &[],
    },
    Story {
        name: "repair",
        releases: good,
        before: |world| {
            let host = offered(world, Release::new("1.1.0"));
            host.disk().damage_table();
            host
        },
        acts: &[Act::Run(REPAIR)],
        again: &[REPAIR],
        history: &[],
    },
    Story {
        name: "full-update",
        releases: good,
        before: |world| offered(world, Release::new("1.1.0")),
        acts: &[Act::Fill(0), Act::Ends(UPDATE, 1), Act::Free, Act::Run(UPDATE)],
        again: &[UPDATE],
        history: &[],
    },
    Story {
        name: "full-settings",
        releases: good,
        before: |world| offered(world, Release::new("1.1.0")),
        acts: &[Act::Boot, Act::Fill(0), Act::Ends(SET, 1), Act::Boot, Act::Free, Act::Run(SET)],
        again: &[SET],
        history: &[],
    },
    Story {
        name: "full-first-boot",
        releases: good,
        before: updated,
        acts: &[Act::Fill(20_000), Act::Boot, Act::Free],
        again: &[],
        // Whether its first boot was cut off or had no room is told there.
        history: &["/record/attempts.json", "/record/boot/"],
    },
    Story {
        name: "boot-pick",
        releases: good,
        before: updated,
        acts: &[Act::Run(PICK)],
        again: &[],
        history: &[],
    },
    Story {
        name: "boot-program",
        releases: good,
        before: |world| {
            let host = updated(world);
            host.disk().damage_table();
            host
        },
        acts: &[Act::BootProgram(Loads::Both, SetName::B)],
        again: &[],
        history: &[],
    },
    Story {
        name: "boot-program-puts-aside",
        releases: good,
        before: updated,
        acts: &[Act::BootProgram(Loads::OnlyA, SetName::A)],
        again: &[],
        history: &[],
    },
];

/// What every story but one is about.
fn good() -> Vec<Release> {
    ["1.0.0", "1.1.0", "1.2.0"].map(Release::new).to_vec()
}

/// A release whose system does not come up once settings are migrated.
fn bad() -> Release {
    Release::new("1.1.0").boot_fault(BootFault::PanicAfterMigrations)
}

/// A host on 1.0.0 that is proven and has a setting of its own, in a world that offers this release.
fn offered(world: &World, release: Release) -> Host {
    world.publish(release);
    let mut host = world.host("1.0.0");
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));
    host.set("motd", "kept");
    host
}

/// [`offered`], with 1.1.0 in set B that boots next.
fn updated(world: &World) -> Host {
    let host = offered(world, Release::new("1.1.0"));
    let _ = host.run(UPDATE.0, UPDATE.1).expect_ok();
    host
}

/// [`updated`], and booted: both sets are proven.
fn updated_twice_booted(world: &World) -> Host {
    let mut host = updated(world);
    assert_eq!(host.reboot().version_at_once(), Some("1.1.0"));
    host
}

/// [`offered`], where an update was stopped after half of its root.
fn half_written(world: &World) -> Host {
    let host = updated(world);
    let cleared = BootBits::default();
    host.disk().set_bits(Set::B, cleared);
    let image = world.images(&Release::new("1.1.0")).root;
    let half = std::fs::metadata(&image).expect("built before").len() / 2;
    let nothing = vec![0; usize::try_from(half).expect("small")];
    host.disk().write(&Set::B.label("ROOT"), half, &nothing);
    host.disk().set_bits(Set::A, BootBits { priority: 1, tries: 0, successful: true });
    host
}

//! What a scenario is played with: a repository, one machine with its disk, and verbs that read like what happens.
//!
//! - [`author`]: whoever builds releases and publishes them
//! - [`arm`]: a machine with another processor

mod arm;
pub(super) mod author;
pub(super) mod recipe;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use testdata::{BootBits, DiskImage, Set, World, WorldOptions};

use super::disk;
use super::firmware::Firmware;
use super::image::Workshop;
use super::machine::{Ending, Machine, MachineSize, Parts};
use super::signer::Signer;
use super::unmet::Unmet;
use crate::bench::tools::{command, said};
use recipe::Recipe;

/// A scenario's stage.
pub(super) struct Stage<'a> {
    workshop: &'a Workshop,
    world: World,
    dir: PathBuf,
    /// The boot program; without one there is no firmware either.
    bootpick: Option<PathBuf>,
    /// Signs what starts, under Secure Boot.
    signer: Option<Signer>,
    aloud: bool,
    firmware: Option<Firmware>,
    machine: Option<Machine>,
    boots: usize,
    disk: PathBuf,
    /// Where the next boot's writes are recorded.
    record: Option<PathBuf>,
    rounds: (u32, u64),
    until: Option<Instant>,
    counts: BTreeMap<&'static str, u32>,
}

/// What a boot is recorded in.
pub(super) struct Recorded {
    /// The disk as it was before.
    pub(super) base: PathBuf,
    /// What was written to it.
    pub(super) record: PathBuf,
}

impl<'a> Stage<'a> {
    /// An empty repository, and no machine yet.
    pub(super) fn set(
        workshop: &'a Workshop,
        dir: &Path,
        bootpick: Option<&Path>,
        aloud: bool,
    ) -> Result<Self, Box<dyn Error>> {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir)?;
        let world = World::with(WorldOptions { dir: Some(dir.join("world")), ..WorldOptions::default() });
        Ok(Self {
            workshop,
            world,
            dir: dir.to_owned(),
            bootpick: bootpick.map(Path::to_owned),
            signer: None,
            aloud,
            firmware: None,
            machine: None,
            boots: 0,
            disk: dir.join("disk.img"),
            record: None,
            rounds: (3, 1),
            until: None,
            counts: BTreeMap::new(),
        })
    }

    /// How many rounds a scenario of chance plays, and from what they are drawn.
    pub(super) fn with_rounds(mut self, rounds: u32, seed: u64) -> Self {
        self.rounds = (rounds, seed);
        self
    }

    /// When the time for all scenarios is over.
    pub(super) fn with_end(mut self, until: Option<Instant>) -> Self {
        self.until = until;
        self
    }

    /// Those rounds.
    pub(super) fn rounds(&self) -> (u32, u64) {
        self.rounds
    }

    /// Counts a round by what it was.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Notes a figure beside what is counted.
    pub(super) fn figure(&mut self, what: &'static str, value: u32) {
        self.counts.insert(what, value);
    }

    /// What was counted.
    pub(super) fn counts(&self) -> &BTreeMap<&'static str, u32> {
        &self.counts
    }

    /// How often the machine was started.
    pub(super) fn boots(&self) -> usize {
        self.boots
    }

    /// Where everything lies.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Tells what happens.
    pub(super) fn say(&self, words: &str) {
        if self.aloud {
            println!("  {words}");
        }
    }

    /// What must be so.
    pub(super) fn expect(&self, is: bool, what: &str) -> Result<(), Unmet> {
        if !is {
            return Err(Unmet::new(what));
        }
        self.say(&format!("✓ {what}"));
        Ok(())
    }

    /// Makes the machine one whose firmware starts only what is signed, and signs from now on.
    pub(super) fn secure_boot(&mut self) -> Result<(), Unmet> {
        let firmware = self.boot_program()?.to_owned();
        let signed = || -> Result<(Signer, PathBuf), Box<dyn Error>> {
            let signer = Signer::prepare(&self.dir)?;
            let own = self.dir.join("BOOTX64.EFI");
            fs::copy(firmware, &own)?;
            signer.sign(&own)?;
            Ok((signer, own))
        };
        let (signer, own) =
            signed().map_err(|error| Unmet::new(format!("sign the boot program: {error}")))?;
        (self.signer, self.bootpick) = (Some(signer), Some(own));
        Ok(())
    }

    /// The boot program, for scenarios that need one.
    pub(super) fn boot_program(&self) -> Result<&Path, Unmet> {
        self.bootpick
            .as_deref()
            .ok_or_else(|| Unmet::new("the machine starts from its firmware; leave out --direct"))
    }

    /// Makes the machine's disk with a release in set A, as it leaves a factory.
    pub(super) fn factory(&mut self, recipe: Recipe) -> Result<(), Unmet> {
        let images = self.images(recipe)?;
        let made = || -> Result<Firmware, Box<dyn Error>> {
            let disk = disk::factory(&self.disk.clone(), &images, self.bootpick.as_deref())?;
            if self.bootpick.is_none() {
                return Ok(Firmware::Direct { disk: disk.path().to_owned() });
            }
            Ok(Firmware::uefi(&self.dir, self.signer.is_some())?)
        };
        self.firmware = Some(made().map_err(|error| Unmet::new(format!("make the disk: {error}")))?);
        self.say(&format!("a machine leaves the factory with {}", recipe.version));
        Ok(())
    }

    /// Powers the machine on.
    pub(super) fn power_on(&mut self) -> Result<(), Unmet> {
        self.boots += 1;
        let disk = self.disk.clone();
        let firmware = self.firmware.clone().ok_or_else(|| Unmet::new("the machine was made"))?;
        let parts = Parts {
            disk: &disk,
            firmware: &firmware,
            repository: self.world.server().address().port(),
            writes: self.record.as_deref(),
            number: self.boots,
            dir: &self.dir,
            until: self.until,
            size: MachineSize::Small,
            more: &[],
        };
        self.machine = Some(Machine::start(&parts)?);
        Ok(())
    }

    /// The machine that is on.
    pub(super) fn machine(&mut self) -> Result<&mut Machine, Unmet> {
        self.machine.as_mut().ok_or_else(|| Unmet::new("the machine is on"))
    }

    /// Waits until the console shows some words.
    pub(super) fn shows(&mut self, words: &str) -> Result<(), Unmet> {
        self.machine()?.shows(words)?;
        self.say(&format!("✓ the console shows: {words}"));
        Ok(())
    }

    /// Powers on and waits until `version` is marked good.
    pub(super) fn boots_into(&mut self, version: &str) -> Result<(), Unmet> {
        self.power_on()?;
        self.shows(&format!("guest: {version} is marked good"))
    }

    /// Waits until the machine is reset.
    pub(super) fn is_reset(&mut self) -> Result<String, Unmet> {
        let machine = self.machine()?;
        let ending = machine.ends()?;
        let console = machine.console();
        self.machine = None;
        self.expect(ending == Ending::Reset, "the machine is reset")?;
        Ok(console)
    }

    /// Types at the console for a shell until the machine is reset; gives what the console showed.
    pub(super) fn is_reset_while_typed_at(&mut self, line: &str) -> Result<String, Unmet> {
        let machine = self.machine()?;
        let ending = machine.typed_at_until_it_ends(line)?;
        let console = machine.console();
        self.machine = None;
        self.expect(ending == Ending::Reset, "the machine is reset, whatever is typed")?;
        Ok(console)
    }

    /// Has the guest power off.
    pub(super) fn power_off(&mut self) -> Result<(), Unmet> {
        let machine = self.machine.take().ok_or_else(|| Unmet::new("the machine is on"))?;
        machine.power_off()
    }

    /// Cuts the power.
    pub(super) fn cut_power(&mut self) -> Result<(), Unmet> {
        let machine = self.machine.take().ok_or_else(|| Unmet::new("the machine is on"))?;
        machine.cut();
        Ok(())
    }

    /// Runs a line of shell in the guest, which must succeed.
    pub(super) fn guest(&mut self, line: &str) -> Result<String, Unmet> {
        let (said, status) = self.machine()?.shell(line)?;
        if status == 0 {
            Ok(said)
        } else {
            Err(Unmet::new(format!("the guest runs {line:?}: {status}: {said}")))
        }
    }

    /// Runs `apiclient` outside of the guest, which must succeed.
    pub(super) fn apiclient(&mut self, args: &[&str]) -> Result<String, Unmet> {
        let socket = self.machine()?.api().to_owned();
        let mut call = command(&testdata::program("apiclient").to_string_lossy());
        let output = call
            .arg("-s")
            .arg(socket)
            .args(args)
            .output()
            .map_err(|error| Unmet::new(format!("start apiclient: {error}")))?;
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = format!("apiclient {}", args.join(" "));
        let said = format!("{}{}", words(&output.stdout), words(&output.stderr));
        let _ = fs::write(
            self.dir.join(format!("boot-{}-{}.log", self.boots, args.join("-").replace(['/', ' '], "_"))),
            &said,
        );
        if !output.status.success() {
            return Err(Unmet::new(format!("{line} succeeds; {}: {said}", output.status)));
        }
        self.say(&format!("$ {line}"));
        Ok(words(&output.stdout))
    }

    /// Installs what the repository offers from outside, and has the guest reboot into it.
    pub(super) fn update(&mut self) -> Result<(), Unmet> {
        self.apiclient(&["update", "apply", "--check"])?;
        self.apiclient(&["reboot"])?;
        self.is_reset().map(drop)
    }

    /// The value of a setting, as JSON.
    pub(super) fn setting(&mut self, key: &str) -> Result<serde_json::Value, Unmet> {
        let said = self.apiclient(&["raw", "-u", &format!("/settings?keys=settings.{key}")])?;
        let settings: serde_json::Value = serde_json::from_str(&said)
            .map_err(|error| Unmet::new(format!("the API tells {key}: {error}: {said}")))?;
        Ok(key.split('.').fold(settings, |value, part| value[part].clone()))
    }

    /// What the API says of updates.
    pub(super) fn status(&mut self) -> Result<serde_json::Value, Unmet> {
        let said = self.apiclient(&["raw", "-u", "/updates/status"])?;
        serde_json::from_str(&said)
            .map_err(|error| Unmet::new(format!("the API tells the status: {error}: {said}")))
    }

    /// The disk.
    pub(super) fn disk(&self) -> DiskImage {
        DiskImage::at(self.disk.clone())
    }

    /// The bytes of both EFI system partitions.
    pub(super) fn esps(&self) -> [Vec<u8>; 2] {
        disk::ESPS.map(|label| self.disk().read_all(label))
    }

    /// The boot bits of a set.
    pub(super) fn bits(&self, set: Set) -> BootBits {
        self.disk().bits(set)
    }

    /// Has other people's tools judge the disk. The machine must be off.
    pub(super) fn judge(&self) -> Result<(), Unmet> {
        self.judge_quietly()?;
        self.say("✓ sgdisk finds no fault with the table, veritysetup verifies every set that boots");
        Ok(())
    }

    /// [`Stage::judge`] without a word where all is well.
    pub(super) fn judge_quietly(&self) -> Result<(), Unmet> {
        disk::judge(&self.disk(), None, &self.dir).map_err(Unmet::new)
    }

    /// [`Stage::judge`] where a set was made to rot, which the same tools must see.
    pub(super) fn judge_with_rotten(&self, set: Set) -> Result<(), Unmet> {
        disk::judge(&self.disk(), Some(set), &self.dir).map_err(Unmet::new)?;
        self.say(&format!("✓ sgdisk finds no fault with the table, veritysetup finds set {set:?} rotten and the other one whole"));
        Ok(())
    }

    /// Records what the next boots write, until told otherwise. The machine must be off.
    pub(super) fn record(&mut self, name: &str) -> Result<Recorded, Unmet> {
        let recorded = Recorded {
            base: self.dir.join(format!("{name}.base")),
            record: self.dir.join(format!("{name}.writes")),
        };
        said(command("cp").arg("--sparse=always").arg(&self.disk).arg(&recorded.base))
            .and_then(|_| Ok(fs::write(&recorded.record, "")?))
            .map_err(|error| Unmet::new(format!("copy the disk: {error}")))?;
        self.record = Some(recorded.record.clone());
        Ok(recorded)
    }

    /// Records nothing any more.
    pub(super) fn stop_recording(&mut self) {
        self.record = None;
    }

    /// Has the firmware forget all that it remembered. The machine must be off.
    pub(super) fn firmware_forgets(&mut self) -> Result<(), Unmet> {
        self.say("the firmware forgets its entries");
        self.use_disk(self.disk.clone())
    }

    /// The boot program in both places of each EFI system partition, whose file systems must be whole.
    pub(super) fn boot_programs(&self) -> Result<Vec<Vec<u8>>, Unmet> {
        let mut all = Vec::new();
        for label in disk::ESPS {
            let programs = disk::boot_programs(&self.disk(), label, &self.dir)
                .map_err(|error| Unmet::new(format!("{label} is whole, with the boot program: {error}")))?;
            all.extend(programs);
        }
        Ok(all)
    }

    /// Puts systemd's boot program where the firmware looks first, with the system of set A. The machine must be off.
    pub(super) fn systemd_boot(&mut self) -> Result<(), Unmet> {
        disk::systemd_boot(&self.disk(), &self.dir)
            .map_err(|error| Unmet::new(format!("install systemd-boot: {error}")))?;
        self.say("systemd-boot is installed in the place of ours");
        self.use_disk(self.disk.clone())
    }

    /// Overwrites the first EFI system partition.
    pub(super) fn lose_first_esp(&mut self) -> Result<(), Unmet> {
        let label = disk::ESPS[0];
        let len = self.disk().partition(label).len;
        self.disk().write(label, 0, &vec![0; usize::try_from(len).expect("a partition fits into memory")]);
        self.say("the first EFI system partition is gone");
        Ok(())
    }

    /// Puts another disk into the machine, which forgets what its firmware remembered. It must be off.
    pub(super) fn use_disk(&mut self, disk: PathBuf) -> Result<(), Unmet> {
        self.firmware = Some(match self.bootpick {
            None => Firmware::Direct { disk: disk.clone() },
            Some(_) => Firmware::uefi(&self.dir, self.signer.is_some())
                .map_err(|error| Unmet::new(format!("make variables: {error}")))?,
        });
        self.disk = disk;
        Ok(())
    }
}

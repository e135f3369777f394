//! The container host of `examples/container-host`, as whoever owns it would make it and watch it.
//!
//! - [`client`]: the API's client, outside of the machine
//! - [`make`]: packages, releases, a repository and a disk, by the scripts that the example has
//! - [`watch`]: what the releases here have beside the example, so that it can be seen from outside

mod client;
mod make;
mod watch;

pub(super) use watch::{FIRST_BOOT, MACHINE_ID};

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::distribution::{Distribution, told};
use super::machine::Machine;
use super::unmet::Unmet;
use crate::bench::tools::{Tool, missing_packages, tool};
use crate::dist;
use make::Workbench;

/// What it is made with beside all that a VM is made with.
const TOOLS: [Tool; 4] = [
    tool("apt-get", "apt"),
    tool("dpkg-scanpackages", "dpkg-dev"),
    tool("fakeroot", "fakeroot"),
    tool("mmdebstrap", "mmdebstrap"),
];

/// The Debian packages that are missing here.
pub(crate) fn missing() -> Vec<&'static str> {
    missing_packages(&TOOLS)
}

/// What else is missing here, which no Debian package has.
pub(crate) fn missing_others() -> Vec<String> {
    dist::missing_packer()
}

/// A container host, its publisher, and its machine.
pub(super) struct ContainerHost<'a> {
    bench: Workbench,
    on: Distribution<'a>,
    machine: Option<Machine>,
    aloud: bool,
}

impl<'a> ContainerHost<'a> {
    /// A publisher with keys and nothing published, in the empty directory `dir`. What takes long to fetch is kept in
    /// `cache`.
    pub(super) fn set(
        dir: &'a Path,
        cache: &Path,
        bootpick: Option<&Path>,
        (aloud, until): (bool, Option<Instant>),
    ) -> Result<Self, Unmet> {
        let bootpick: PathBuf = bootpick
            .ok_or_else(|| Unmet::not_run("this machine starts from its firmware: leave out --direct"))?
            .to_owned();
        if !rustix::process::geteuid().is_root() {
            return Err(Unmet::not_run("only root can put the tree of a Debian together"));
        }
        let lacks = [missing().join(" "), missing_others().join(" ")].join(" ");
        if !lacks.trim().is_empty() {
            return Err(Unmet::not_run(format!(
                "{} is missing; \"cargo xtask setup --for host --install\" fetches it",
                lacks.trim()
            )));
        }
        let failed = |error: Box<dyn Error>| Unmet::new(format!("make what the host is made of: {error}"));
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).map_err(|error| failed(error.into()))?;
        let bench = Workbench::set_up(dir, cache, bootpick).map_err(failed)?;
        let on = Distribution::begin(dir, until)?;
        Ok(Self { bench, on, machine: None, aloud })
    }

    /// How often the machine was started.
    pub(super) fn boots(&self) -> usize {
        self.on.starts()
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
            let unmet = Unmet::new(what);
            return Err(match &self.machine {
                Some(machine) => told(unmet, machine),
                None => unmet,
            });
        }
        self.say(&format!("✓ {what}"));
        Ok(())
    }

    /// Builds the images of a release.
    pub(super) fn build(&self, version: &str) -> Result<(), Unmet> {
        self.bench
            .release(version, version)
            .map_err(|error| Unmet::new(format!("build {version}: {error}")))?;
        self.say(&format!("{version} is built of Debian's packages and ours"));
        Ok(())
    }

    /// Builds a release again, from the same packages: the same bytes have to come out.
    pub(super) fn build_again(&self, version: &str) -> Result<(), Unmet> {
        let again = format!("{version}-again");
        let built = self.bench.release(version, &again).and_then(|()| self.bench.different(version, &again));
        let different = built.map_err(|error| Unmet::new(format!("build {version} again: {error}")))?;
        if different.is_empty() {
            self.say(&format!("✓ {version} is built again, and all three images have the same bytes"));
            return Ok(());
        }
        Err(Unmet::new(format!(
            "{version}, built again, has the same bytes; different: {}",
            different.join(", ")
        )))
    }

    /// Publishes it.
    pub(super) fn publish(&self, version: &str) -> Result<(), Unmet> {
        self.bench.publish(version).map_err(|error| Unmet::new(format!("publish {version}: {error}")))?;
        self.say(&format!("{version} is published"));
        Ok(())
    }

    /// Lays the machine's disk out, with the release that was published.
    pub(super) fn install(&self) -> Result<(), Unmet> {
        self.bench
            .disk(&self.on.disk)
            .map_err(|error| Unmet::new(format!("install the first release: {error}")))?;
        self.say("a disk is laid out, and the release is installed on it");
        Ok(())
    }

    /// Gives the instance settings, in the way of a cloud: a credential in the machine's tables.
    pub(super) fn give(&mut self, settings: &str) -> Result<(), Unmet> {
        let coded = self.bench.base64(settings);
        let coded = coded.map_err(|error| Unmet::new(format!("encode {settings:?}: {error}")))?;
        self.on.write_into_tables(format!("io.systemd.credential.binary:user-data.toml={coded}"));
        self.say(&format!("the instance is given: {}", settings.trim().replace('\n', ", ")));
        Ok(())
    }

    /// Powers the machine on.
    pub(super) fn power_on(&mut self) -> Result<(), Unmet> {
        self.machine = Some(self.on.start()?);
        Ok(())
    }

    /// Powers on with the first release and waits until it is marked good.
    pub(super) fn first_boot(&mut self) -> Result<(), Unmet> {
        self.power_on()?;
        let machine = self.machine.as_mut().expect("it is on");
        self.on.first_is_good(machine)?;
        self.say("✓ the first release is up, and marked good");
        Ok(())
    }

    /// Powers on and waits until the set with this place is marked good.
    pub(super) fn boots_into(&mut self, version: &str, set: usize) -> Result<(), Unmet> {
        self.power_on()?;
        let machine = self.machine.as_mut().expect("it is on");
        self.on.is_good(version, set, machine)?;
        self.say(&format!("✓ {version} is up, and marked good"));
        Ok(())
    }

    /// Waits until the console shows some words.
    pub(super) fn shows(&mut self, words: &str) -> Result<(), Unmet> {
        let machine = self.machine.as_mut().ok_or_else(|| Unmet::new("the machine is on"))?;
        machine.shows(words).map_err(|unmet| told(unmet, machine))?;
        self.say(&format!("✓ the console shows: {words}"));
        Ok(())
    }

    /// What the console has shown in this power cycle.
    pub(super) fn console(&self) -> String {
        self.machine.as_ref().map(Machine::console).unwrap_or_default()
    }

    /// Runs `apiclient`, or one of the names that it has in a control container, outside of the machine, with `typed` at a
    /// terminal of its own where there is something to type. It has to succeed; all that it says is given.
    pub(super) fn call(&mut self, name: &str, args: &[&str], typed: Option<&str>) -> Result<String, Unmet> {
        let line = format!("{name} {}", args.join(" "));
        let machine = self.machine.as_ref().ok_or_else(|| Unmet::new("the machine is on"))?;
        let called = client::call(self.on.dir, machine.api(), name, args, typed);
        let (well, said) = called.map_err(|error| Unmet::new(format!("run {line}: {error}")))?;
        if !well {
            return Err(told(Unmet::new(format!("{} succeeds: {said}", line.trim())), machine));
        }
        self.say(&format!("$ {line}"));
        Ok(said)
    }

    /// Waits until the machine has taken a release by itself, into the set with this place, and reboots.
    pub(super) fn takes(&mut self, version: &str, set: usize) -> Result<(), Unmet> {
        let mut machine = self.machine.take().ok_or_else(|| Unmet::new("the machine is on"))?;
        self.on.takes(version, set, &mut machine)?;
        self.say(&format!("✓ it took {version} by itself, and reboots; no unit has failed"));
        Ok(())
    }
}

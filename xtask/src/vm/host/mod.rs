//! The container host of `examples/container-host`, as whoever owns it would make it and watch it.
//!
//! - [`client`]: the API's client, outside of the machine
//! - [`outside`]: its disk, as others see it
//! - [`user_data`]: the ways in which an instance is given its settings
//! - [`health`]: how well a release is
//! - [`make`]: packages, releases, a repository and a disk, by the scripts that the example has
//! - [`watch`]: what the releases here have beside the example, so that it can be seen from outside

mod client;
mod health;
mod make;
mod outside;
mod user_data;
mod watch;

pub(super) use health::Health;
use make::Signed;
pub(super) use make::Workbench;
pub(super) use outside::Kept;
pub(super) use user_data::Way;
pub(super) use watch::{FIRST_BOOT, MACHINE_ID};

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use testdata::DiskImage;

use super::distribution::{Distribution, told};
use super::machine::{Ending, Machine};
use super::place::home;
use super::unmet::Unmet;
use crate::bench::tools::{Tool, missing_packages, tool};
use crate::dist;

/// Where a host that has lost the time finds somebody to ask.
pub(super) const TIME_SERVER: &str = "10.0.3.2";

/// The repository of a scenario, in its directory.
const REPO: &str = "repo";

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
    let mut lacks = dist::missing_packer();
    let packages = make::missing_packages(&home());
    if packages > 0 {
        lacks.push(format!("{packages} of the packages in examples/container-host/packages.lock"));
    }
    lacks
}

/// Fetches that.
pub(crate) fn fetch() -> Result<(), Box<dyn Error>> {
    dist::fetch_packer()?;
    make::fetch(&home()).map(drop)
}

/// The place to make releases at, which is set up in the directory `dir` where it is not there yet, if there is everything
/// here that this takes. What takes long to fetch is kept in `cache`.
pub(super) fn ready<'a>(
    bench: &'a mut Option<Workbench>,
    dir: &Path,
    cache: &Path,
    bootpick: Option<&Path>,
) -> Result<&'a Workbench, Unmet> {
    if bench.is_none() {
        *bench = Some(set_up(dir, cache, bootpick)?);
    }
    Ok(bench.as_ref().expect("it is there now"))
}

fn set_up(dir: &Path, cache: &Path, bootpick: Option<&Path>) -> Result<Workbench, Unmet> {
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
    Workbench::set_up(dir, cache, bootpick).map_err(failed)
}

fn failed(error: Box<dyn Error>) -> Unmet {
    Unmet::new(format!("make what the host is made of: {error}"))
}

/// A container host, its publisher, and its machine.
pub(super) struct ContainerHost<'a> {
    bench: &'a Workbench,
    on: Distribution<'a>,
    machine: Option<Machine>,
    signed: Signed,
    aloud: bool,
    began: Instant,
}

impl<'a> ContainerHost<'a> {
    /// A publisher who has published nothing, in the empty directory `dir`.
    #[expect(clippy::disallowed_methods, reason = "whoever watches is told when each thing happened")]
    pub(super) fn set(
        dir: &'a Path,
        bench: &'a Workbench,
        (aloud, until): (bool, Option<Instant>),
    ) -> Result<Self, Unmet> {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir_all(dir).map_err(|error| failed(error.into()))?;
        bench.repository(&dir.join(REPO)).map_err(failed)?;
        let on = Distribution::begin(dir, until)?;
        Ok(Self { bench, on, machine: None, signed: Signed::No, aloud, began: Instant::now() })
    }

    /// Its firmware starts only what is signed from now on, and all that is made is. It was not started yet.
    pub(super) fn secure_boot(&mut self) -> Result<(), Unmet> {
        self.signed = Signed::Yes;
        self.on.secure()?;
        self.say("the firmware of this machine starts only what is signed");
        Ok(())
    }

    /// How often the machine was started.
    pub(super) fn boots(&self) -> usize {
        self.on.starts()
    }

    /// Tells what happens.
    pub(super) fn say(&self, words: &str) {
        if self.aloud {
            println!("  {:>4} s  {words}", self.began.elapsed().as_secs());
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

    /// Builds the images of a release, unless they are there already.
    pub(super) fn build(&self, version: &str) -> Result<(), Unmet> {
        self.build_as(version, Health::Good)
    }

    /// Builds a release that is as healthy as this.
    pub(super) fn build_as(&self, version: &str, health: Health) -> Result<(), Unmet> {
        let built = self.bench.release(version, health, self.signed);
        let (_, new) = built.map_err(|error| Unmet::new(format!("build {version}: {error}")))?;
        if new {
            self.say(&format!("{version} is built of Debian's packages and ours"));
        }
        Ok(())
    }

    /// Builds a release again, from the same packages: the same bytes have to come out.
    pub(super) fn build_again(&self, version: &str) -> Result<(), Unmet> {
        let different = self.bench.different(version, Health::Good);
        let different = different.map_err(|error| Unmet::new(format!("build {version} again: {error}")))?;
        if different.is_empty() {
            self.say(&format!(
                "✓ {version} is built twice more, of its packages and of what was kept of them: all three images have the same bytes"
            ));
            return Ok(());
        }
        Err(Unmet::new(format!(
            "{version}, built again, has the same bytes; different: {}",
            different.join(", ")
        )))
    }

    /// Publishes it for everybody.
    pub(super) fn publish(&self, version: &str) -> Result<(), Unmet> {
        self.publish_with(version, &[])
    }

    /// Publishes it, with more words for `pubrepo add`.
    pub(super) fn publish_with(&self, version: &str, words: &[&str]) -> Result<(), Unmet> {
        let published = self.bench.publish(version, self.signed, &self.on.dir.join(REPO), words);
        published.map_err(|error| Unmet::new(format!("publish {version}: {error}")))?;
        self.say(&format!("{version} is published"));
        Ok(())
    }

    /// Lays the machine's disk out, with the release that was published.
    pub(super) fn install(&self) -> Result<(), Unmet> {
        self.bench
            .disk(&self.on.disk, &self.on.dir.join(REPO), self.signed)
            .map_err(|error| Unmet::new(format!("install the first release: {error}")))?;
        self.say("a disk is laid out, and the release is installed on it");
        Ok(())
    }

    /// Gives the instance settings in one of the ways that there are, from its next start on.
    pub(super) fn give(&mut self, way: Way, settings: &str) -> Result<(), Unmet> {
        let words = user_data::lay(way, settings, &self.on.disk)
            .map_err(|error| Unmet::new(format!("give the instance {settings:?}: {error}")))?;
        self.on.take_away();
        self.on.add(&words.iter().map(String::as_str).collect::<Vec<_>>());
        self.say(&format!("the instance is given {}: {}", way.what(), settings.trim().replace('\n', ", ")));
        Ok(())
    }

    /// The machine's clock has lost the time from now on: it is 1970 when it starts. There is a network beside the first
    /// one, in which whoever asks [`TIME_SERVER`] asks this machine.
    pub(super) fn forgets_the_time(&mut self) {
        self.on.add(&["-rtc", "base=1970-01-01T00:00:00"]);
        self.on.add(&["-netdev", "user,id=t,net=10.0.3.0/24", "-device", "virtio-net-pci,netdev=t,romfile="]);
        self.say("the machine's clock has lost the time: it begins with 1970");
    }

    /// Powers the machine on.
    pub(super) fn power_on(&mut self) -> Result<(), Unmet> {
        self.machine = Some(self.on.start()?);
        Ok(())
    }

    /// The power goes.
    pub(super) fn cut_power(&mut self) {
        if let Some(machine) = self.machine.take() {
            machine.cut();
            self.say("the power goes");
        }
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

    /// Calls `apiclient`, which must fail, and gives what it says.
    pub(super) fn is_refused(&mut self, args: &[&str]) -> Result<String, Unmet> {
        let line = args.join(" ");
        let machine = self.machine.as_ref().ok_or_else(|| Unmet::new("the machine is on"))?;
        let called = client::call(self.on.dir, machine.api(), "apiclient", args, None);
        let (well, said) = called.map_err(|error| Unmet::new(format!("run {line}: {error}")))?;
        if well {
            return Err(told(Unmet::new(format!("apiclient {line} fails: {said}")), machine));
        }
        self.say(&format!("$ apiclient {line}: fails, as it must"));
        Ok(said)
    }

    /// Waits until a command can be run in a host container, or cannot be any more.
    pub(super) fn answers(&mut self, container: &str, wanted: bool) -> Result<(), Unmet> {
        let dir = self.on.dir;
        let machine = self.machine.as_mut().ok_or_else(|| Unmet::new("the machine is on"))?;
        let api = machine.api().to_owned();
        let what = format!("a command can {}be run in {container}", if wanted { "" } else { "not " });
        let is_so = || {
            let called = client::call(dir, &api, "apiclient", &["exec", container, "true"], None);
            called.is_ok_and(|(well, _)| well == wanted)
        };
        machine.sees(&what, is_so).map_err(|unmet| told(unmet, machine))?;
        self.say(&format!("✓ {what}"));
        Ok(())
    }

    /// What the API says of updates.
    pub(super) fn status(&mut self) -> Result<Value, Unmet> {
        let said = self.call("apiclient", &["raw", "-u", "/updates/status"], None)?;
        serde_json::from_str(&said)
            .map_err(|error| Unmet::new(format!("the API tells the status: {error}: {said}")))
    }

    /// The machine is reset, by itself or because it was asked to.
    pub(super) fn is_reset(&mut self) -> Result<(), Unmet> {
        let mut machine = self.machine.take().ok_or_else(|| Unmet::new("the machine is on"))?;
        match machine.ends().map_err(|unmet| told(unmet, &machine))? {
            Ending::Reset => Ok(()),
            Ending::PowerOff => Err(told(Unmet::new("it is reset; it was switched off"), &machine)),
        }
    }

    /// Waits until the timer has looked so often for a release in this power cycle, and taken none.
    pub(super) fn has_looked(&mut self, times: usize) -> Result<(), Unmet> {
        let machine = self.machine.as_mut().ok_or_else(|| Unmet::new("the machine is on"))?;
        machine.shows_often(watch::LOOKED, times).map_err(|unmet| told(unmet, machine))?;
        self.say(&format!("✓ the timer has looked {times} times, and taken nothing"));
        Ok(())
    }

    /// Waits until a set that is marked good already is up again.
    pub(super) fn boots_again(&mut self, version: &str) -> Result<(), Unmet> {
        self.power_on()?;
        self.shows(&format!("VERSION_ID={version}"))
    }

    /// Keeps the disk as it is, to compare it later. The machine must be off.
    pub(super) fn keep(&self) -> Result<Kept, Unmet> {
        Kept::keep(&self.on.disk).map_err(|error| Unmet::new(format!("keep the disk: {error}")))
    }

    /// What has changed on it that must not.
    pub(super) fn changed(&self, since: &Kept) -> Result<Vec<String>, Unmet> {
        since.changed(&self.on.disk).map_err(|error| Unmet::new(format!("compare the disk: {error}")))
    }

    /// The disk, as others see it.
    pub(super) fn disk(&self) -> DiskImage {
        DiskImage::at(&self.on.disk)
    }

    /// Waits until the machine has taken a release by itself, into the set with this place, and reboots.
    pub(super) fn takes(&mut self, version: &str, set: usize) -> Result<(), Unmet> {
        let mut machine = self.machine.take().ok_or_else(|| Unmet::new("the machine is on"))?;
        self.on.takes(version, set, &mut machine)?;
        self.say(&format!("✓ it took {version} by itself, and reboots; no unit has failed"));
        Ok(())
    }

    /// The same, where its timer had reason to fail before that.
    pub(super) fn takes_at_last(&mut self, version: &str, set: usize) -> Result<(), Unmet> {
        let mut machine = self.machine.take().ok_or_else(|| Unmet::new("the machine is on"))?;
        self.on.takes_at_last(version, set, &mut machine)?;
        self.say(&format!("✓ it took {version} by itself, and reboots"));
        Ok(())
    }
}

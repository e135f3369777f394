//! One power cycle of the VM: QEMU from power-on until the guest powers off, resets, or loses its power.
//!
//! Always emulated (TCG), never KVM, so that it runs the same everywhere. A reset ends QEMU as well: each boot is a process
//! with a serial log of its own. Success is what the guest says or does; time only bounds failure.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::door::Door;
use super::firmware::Firmware;
use super::unmet::Unmet;
use crate::bench::tools::command;

/// How long anything may take that is waited for. Machines are shared and emulation is slow.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the serial log is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The same where it is measured when something is shown.
const SHARP_LOOK: Duration = Duration::from_millis(1);
/// Where the guest finds the repository.
pub(crate) const REPOSITORY: &str = "10.0.2.100";

/// What the machine is started with.
pub(super) struct Parts<'a> {
    pub(super) disk: &'a Path,
    pub(super) firmware: &'a Firmware,
    /// The port of the repository on the loopback.
    pub(super) repository: u16,
    /// Where all writes to the disk are recorded.
    pub(super) writes: Option<&'a Path>,
    /// The number of this boot, for the names of its files.
    pub(super) number: usize,
    /// Where its logs go.
    pub(super) dir: &'a Path,
    /// When the time for all scenarios is over.
    pub(super) until: Option<Instant>,
    /// How large the machine is.
    pub(super) size: MachineSize,
    /// What else it has, in QEMU's words.
    pub(super) more: &'a [String],
}

/// How large a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineSize {
    /// For the scenarios' own small system.
    Small,
    /// For a distribution: twice the memory, two processors, and patience.
    Distribution,
}

/// A VM that is on. Dropping it cuts its power.
pub(super) struct Machine {
    child: Child,
    serial: PathBuf,
    words: PathBuf,
    console: PathBuf,
    control: PathBuf,
    talk: Option<UnixStream>,
    door: Door,
    until: Option<Instant>,
    patience: Duration,
    /// Sockets have short paths, so they lie elsewhere.
    _sockets: tempfile::TempDir,
}

/// How a power cycle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The guest powered off.
    PowerOff,
    /// The guest, its kernel, a watchdog or the firmware reset the machine.
    Reset,
}

impl Machine {
    /// Powers on.
    pub(super) fn start(parts: &Parts<'_>) -> Result<Self, Unmet> {
        let sockets =
            tempfile::tempdir().map_err(|error| Unmet::new(format!("make a directory: {error}")))?;
        let file = |what: &str| parts.dir.join(format!("boot-{}.{what}", parts.number));
        let (serial, words) = (file("serial"), file("qemu"));
        let control = sockets.path().join("control");
        let port = free_port().map_err(|error| Unmet::new(format!("find a free port: {error}")))?;
        let mut qemu = command(parts.firmware.emulator());
        match parts.size {
            MachineSize::Small => qemu.args(["-m", "512", "-smp", "1"]),
            MachineSize::Distribution => qemu.args(["-m", "1024", "-smp", "2"]),
        };
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot"]);
        parts.firmware.describe(&mut qemu, parts.dir)?;
        disk(&mut qemu, parts);
        let console = sockets.path().join("console");
        qemu.arg("-chardev").arg(format!(
            "socket,id=console,path={},server=on,wait=off,logfile={},logappend=off",
            console.display(),
            serial.display()
        ));
        qemu.args(["-serial", "chardev:console"]);
        qemu.arg("-serial").arg(format!("unix:{},server=on,wait=off", control.display()));
        qemu.args(["-device", "virtio-net-pci,netdev=n,romfile="]).arg("-netdev").arg(format!(
            "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80,guestfwd=tcp:{REPOSITORY}:80-cmd:busybox nc 127.0.0.1 {}",
            parts.repository
        ));
        qemu.args(parts.more);
        let patience = match parts.size {
            MachineSize::Small => PATIENCE,
            MachineSize::Distribution => 4 * PATIENCE,
        };
        let child = start(&mut qemu, &words)?;
        let door = Door::open(&sockets.path().join("api.sock"), port)
            .map_err(|error| Unmet::new(format!("open a door to the API: {error}")))?;
        Ok(Self {
            child,
            serial,
            words,
            console,
            control,
            talk: None,
            door,
            until: parts.until,
            patience,
            _sockets: sockets,
        })
    }

    /// Everything that the serial console has shown so far.
    pub(super) fn console(&self) -> String {
        // A kernel ends its lines as terminals want it.
        String::from_utf8_lossy(&fs::read(&self.serial).unwrap_or_default()).replace('\r', "")
    }

    /// Waits until the console shows `words`.
    pub(super) fn shows(&mut self, words: &str) -> Result<(), Unmet> {
        self.shows_often(words, 1)
    }

    /// Waits until the console has shown `words` so often.
    pub(super) fn shows_often(&mut self, words: &str, times: usize) -> Result<(), Unmet> {
        self.wait_for(words, |machine| {
            let shown = |machine: &Self| machine.console().matches(words).count() >= times;
            if shown(machine) {
                return Ok(Some(()));
            }
            match machine.ended()? {
                // Its last words may have come after the look.
                Some(_) if shown(machine) => Ok(Some(())),
                Some(ending) => {
                    Err(Unmet::new(format!("the console shows {words:?}; the machine ended ({ending:?})")))
                }
                None => Ok(None),
            }
        })
    }

    /// Waits until the console shows one of several words, and says which; `None` when the machine was reset before.
    pub(super) fn shows_one_of(&mut self, words: &[&str]) -> Result<Option<usize>, Unmet> {
        self.wait_for(&words.join(", or "), |machine| {
            let ended = machine.ended()?;
            let console = machine.console();
            let found = words.iter().position(|words| console.contains(words));
            Ok(if found.is_some() || ended.is_some() { Some(found) } else { None })
        })
    }

    /// How long it takes from when the console shows some words to when it shows others.
    pub(super) fn time_between(&mut self, first: &str, second: &str) -> Result<Duration, Unmet> {
        let began = self.shown_at(first)?;
        Ok(self.shown_at(second)?.duration_since(began))
    }

    #[expect(clippy::disallowed_methods, reason = "it is a clock that is wanted")]
    fn shown_at(&mut self, words: &str) -> Result<Instant, Unmet> {
        self.wait_looking(SHARP_LOOK, words, |machine| {
            match (machine.console().contains(words), machine.ended()?) {
                (true, _) => Ok(Some(Instant::now())),
                (false, None) => Ok(None),
                (false, Some(ending)) => {
                    Err(Unmet::new(format!("the console shows {words:?}; the machine ended ({ending:?})")))
                }
            }
        })
    }

    /// Types at the console until the power cycle is over, as somebody would who wants a shell.
    pub(super) fn typed_at_until_it_ends(&mut self, line: &str) -> Result<Ending, Unmet> {
        let console = self.console.clone();
        let mut keyboard = None;
        self.wait_for("the machine ends", |machine| {
            if keyboard.is_none() {
                keyboard = UnixStream::connect(&console).ok();
                // QEMU says nothing more, not even to the log, once nobody takes what it says.
                if let Some(mut screen) = keyboard.as_ref().and_then(|keyboard| keyboard.try_clone().ok()) {
                    std::thread::spawn(move || io::copy(&mut screen, &mut io::sink()));
                }
            }
            if let Some(keyboard) = &mut keyboard {
                // Nobody may be left to read it.
                let _ =
                    keyboard.set_write_timeout(Some(LOOK)).and_then(|()| keyboard.write_all(line.as_bytes()));
            }
            machine.ended()
        })
    }

    /// Waits until something is so that can be seen from outside, while the machine is on.
    pub(super) fn sees(&mut self, what: &str, is_so: impl Fn() -> bool) -> Result<(), Unmet> {
        self.wait_for(what, |machine| match (is_so(), machine.ended()?) {
            (true, _) => Ok(Some(())),
            (false, None) => Ok(None),
            (false, Some(ending)) => Err(Unmet::new(format!("{what}; the machine ended ({ending:?})"))),
        })
    }

    /// Waits until the power cycle is over.
    pub(super) fn ends(&mut self) -> Result<Ending, Unmet> {
        self.wait_for("the machine ends", Self::ended)
    }

    /// Cuts the power.
    pub(super) fn cut(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Runs a line of shell in the guest: what it says, and its exit status.
    pub(super) fn shell(&mut self, line: &str) -> Result<(String, i32), Unmet> {
        self.shows("guest: the second serial line is heard")?;
        let failed = |error: io::Error| Unmet::new(format!("the guest runs {line:?}: {error}"));
        if self.talk.is_none() {
            let talk = UnixStream::connect(&self.control).map_err(failed)?;
            talk.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
            self.talk = Some(talk);
        }
        let talk = self.talk.as_mut().expect("it was connected");
        talk.write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
        let mut said = Vec::new();
        let mut byte = [0];
        loop {
            if talk.read(&mut byte).map_err(failed)? == 0 {
                return Err(Unmet::new(format!("the guest runs {line:?}: the machine ended")));
            }
            said.push(byte[0]);
            let text = String::from_utf8_lossy(&said);
            let end = text.rfind("\n\u{1}").filter(|_| text.ends_with('\n'));
            if let Some((at, status)) = end.and_then(|at| Some((at, text[at + 2..].trim().parse().ok()?))) {
                return Ok((text[..at].to_owned(), status));
            }
        }
    }

    /// Has the guest power off, and waits until it did.
    pub(super) fn power_off(mut self) -> Result<(), Unmet> {
        self.shows("guest: the second serial line is heard")?;
        if self.talk.is_none() {
            self.shell("true")?;
        }
        let failed = |error: io::Error| Unmet::new(format!("the guest powers off: {error}"));
        let talk = self.talk.as_mut().expect("it was connected");
        talk.write_all(b"sync; poweroff -f\n").map_err(failed)?;
        match self.ends()? {
            Ending::PowerOff => Ok(()),
            Ending::Reset => Err(Unmet::new("the guest powers off; it was reset")),
        }
    }

    /// The socket that leads to the guest's API.
    pub(super) fn api(&self) -> &Path {
        self.door.socket()
    }

    fn ended(&mut self) -> Result<Option<Ending>, Unmet> {
        let Some(status) =
            self.child.try_wait().map_err(|error| Unmet::new(format!("wait for QEMU: {error}")))?
        else {
            return Ok(None);
        };
        if !status.success() {
            let words = fs::read_to_string(&self.words).unwrap_or_default();
            return Err(Unmet::new(format!("QEMU runs: {status}: {}", words.trim())));
        }
        let off = self.console().contains("reboot: Power down");
        Ok(Some(if off { Ending::PowerOff } else { Ending::Reset }))
    }

    fn wait_for<T>(
        &mut self,
        what: &str,
        look: impl FnMut(&mut Self) -> Result<Option<T>, Unmet>,
    ) -> Result<T, Unmet> {
        self.wait_looking(LOOK, what, look)
    }

    #[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
    fn wait_looking<T>(
        &mut self,
        every: Duration,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, Unmet>,
    ) -> Result<T, Unmet> {
        let give_up = Instant::now() + self.patience;
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            let now = Instant::now();
            if self.until.is_some_and(|until| now > until) {
                return Err(Unmet::not_run("the time was over in the middle of it"));
            }
            if now > give_up {
                return Err(Unmet::new(format!("within {} s: {what}", self.patience.as_secs())));
            }
            std::thread::sleep(every);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn disk(qemu: &mut Command, parts: &Parts<'_>) {
    // Nobody cuts the power of the machine that all of this runs on: whatever the guest flushes need not outlive that.
    let file = |path: &Path, name: &str| {
        format!("driver=file,filename={},node-name={name},cache.no-flush=on", path.display())
    };
    match parts.writes {
        None => {
            qemu.arg("-blockdev").arg(file(parts.disk, "disk"));
        }
        Some(writes) => {
            qemu.arg("-blockdev").arg(file(parts.disk, "file"));
            qemu.arg("-blockdev").arg(file(writes, "log"));
            // The record counts what it has after each write: how far the machine is can be seen while it runs.
            qemu.args([
                "-blockdev",
                "driver=blklogwrites,node-name=disk,file=file,log=log,log-sector-size=512,log-super-update-interval=1",
            ]);
        }
    }
    qemu.args(["-device", "virtio-blk-pci,drive=disk,bootindex=1"]);
}

fn start(qemu: &mut Command, words: &Path) -> Result<Child, Unmet> {
    let failed = |error: io::Error| Unmet::new(format!("start QEMU: {error}"));
    let file = fs::File::create(words).map_err(failed)?;
    let both = file.try_clone().map_err(failed)?;
    qemu.stdin(Stdio::null()).stdout(both).stderr(file).spawn().map_err(failed)
}

/// A port of the loopback that is free at this moment. QEMU refuses to start where somebody else was faster.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

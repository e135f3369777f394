//! A host goes on: it boots, is looked at, is told to do something, and boots once more.

use std::io;

use host_io::explore::record::Record;
use serde_json::Value;
use testdata::{BootBits, Host, Ran, Set};

use super::published::Class;
use super::tree::Delta;

/// A command line.
pub(super) type Typed = (&'static str, &'static [&'static str]);

/// What goes wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    Nothing,
    /// The power goes away once more when the firmware has picked, and paid.
    BootLost,
    /// Of what is typed the program is killed that is about to make a change after so many others. Then the same is typed
    /// again; the power stays.
    Killed(u64),
}

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Booted {
    pub(super) version: Option<String>,
    pub(super) set: Option<Set>,
    /// Starts that failed before, or why nothing starts any more.
    pub(super) failed: Vec<String>,
}

/// What was seen of a state that boots.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) booted: Booted,
    pub(super) settings: Value,
    pub(super) status: Value,
    pub(super) bits: [BootBits; 2],
    pub(super) healed: bool,
}

impl Seen {
    /// Whether both are the same; what programs say may have times in it.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self.booted == other.booted && self.settings == other.settings && self.bits == other.bits
    }

    /// What [`Seen::agrees`] is about, as text.
    pub(super) fn shown(&self) -> String {
        let Self { booted, settings, bits, .. } = self;
        format!("{booted:?} {settings} {bits:?}")
    }
}

/// What came of typing something on it, and booting once more.
#[derive(Debug, Clone)]
pub(super) struct Came {
    pub(super) seen: Seen,
    /// What the API says of updates once the boot is marked good and it has looked for one, and the bits then.
    pub(super) api: (Value, [BootBits; 2]),
    /// What was typed, with the exit code and the last words.
    pub(super) typed: Vec<(String, Option<i32>, String)>,
    pub(super) booted: Booted,
    pub(super) settings: Value,
    pub(super) bits: [BootBits; 2],
    pub(super) classes: Vec<Class>,
    /// What differs on the persistent partition after everything.
    pub(super) delta: Delta,
    pub(super) turn: Turn,
}

/// When the way took its turn.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turn {
    /// So many lines the record had when somebody was killed, or when there was room again, where there had been none.
    pub(super) lines: usize,
    /// After how many changes more somebody would have been killed, where nobody was.
    pub(super) spared: Option<u64>,
}

impl Came {
    /// The exit code of what was typed last, if that was not only the mark and the check that come before.
    pub(super) fn code(&self) -> Option<i32> {
        self.typed.iter().skip(2).last().and_then(|(_, code, _)| *code)
    }

    /// Whether both came to the same.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let codes = |came: &Self| came.typed.iter().map(|(_, code, _)| *code).collect::<Vec<_>>();
        self.seen.agrees(&other.seen)
            && codes(self) == codes(other)
            && self.booted == other.booted
            && self.settings == other.settings
            && self.bits == other.bits
            && self.classes == other.classes
    }
}

/// Lets a host boot and looks at it.
pub(super) fn look(host: &mut Host) -> Seen {
    let booted = boot(host, false);
    let asked = |program, args: &[&str]| match booted.version {
        Some(_) => answer(&host.run(program, args)),
        None => Value::Null,
    };
    Seen {
        settings: asked("apiclient", &["-u", "/settings"]),
        status: asked("updog", &["status", "--json"]),
        bits: bits(host),
        healed: host.disk().whole_tables() == [true, true],
        booted,
    }
}

/// Types what is to be typed on a host that was `seen`, and lets it boot once more. `is_missed` tells of an update whether a
/// release that was lost is newer than what it came to.
pub(super) fn go_on(
    host: &mut Host,
    seen: Seen,
    typed: &[Typed],
    (mishap, record): (Mishap, &Record),
    is_missed: impl Fn(&Host) -> bool,
) -> io::Result<Came> {
    let mut words = Words::default();
    let mut api = (Value::Null, seen.bits);
    let mut turn = Turn::default();
    if seen.booted.version.is_some() {
        words.say(host, ("updog", &["confirm-boot"]));
        // A server that was asked for nothing since its start has nothing to say.
        words.say(host, ("apiclient", &["update", "check"]));
        api = (answer(&host.run("apiclient", &["raw", "-u", "/updates/status"])), bits(host));
        let killing = record.killing();
        if let Mishap::Killed(after) = mishap {
            killing.after(after)?;
        }
        for &command in typed {
            let waits = killing.left().is_some();
            let mut told = words.say(host, command);
            if waits && killing.left().is_none() {
                turn.lines = record.lines()?.len();
                host.serve_again().map_err(io::Error::other)?;
                told = words.say(host, command);
            }
            let insists = match command.1.first() {
                // Who only asks, or goes back, is told, and lets nothing go.
                Some(&("check-update" | "rollback")) => false,
                // Who wants the newest has nothing new, or an older one meanwhile.
                Some(&"update") => is_missed(host),
                _ => told,
            };
            if insists {
                words.say(host, ("updog", &["clear-failed"]));
                words.say(host, command);
            }
        }
        turn.spared = killing.left();
        killing.stop()?;
    }
    let booted = if seen.booted.version.is_some() { boot(host, true) } else { seen.booted.clone() };
    let settings = match booted.version {
        Some(_) => answer(&host.run("apiclient", &["-u", "/settings"])),
        None => Value::Null,
    };
    let (bits, typed) = (bits(host), words.0);
    Ok(Came { seen, api, typed, booted, settings, bits, classes: Vec::new(), delta: Delta::new(), turn })
}

/// What was typed, with the exit code and the last words.
#[derive(Default)]
struct Words(Vec<(String, Option<i32>, String)>);

impl Words {
    /// Types a command. Whether it told of `clear-failed`: what did not stay up when it was cut off is held, and whoever is
    /// told so is told how to insist.
    fn say(&mut self, host: &Host, (program, args): Typed) -> bool {
        let ran = host.run(program, args);
        let words = if ran.ok() { String::new() } else { ran.complaint() };
        self.0.push((ran.command.clone(), ran.code(), words));
        [&ran.stdout, &ran.stderr].iter().any(|words| words.contains("clear-failed"))
    }
}

/// Whether a release is not taken for what became of it here.
pub(super) fn is_held(host: &Host) -> bool {
    let status = answer(&host.run("updog", &["status", "--json"]));
    status["held"].as_array().is_some_and(|held| !held.is_empty())
}

/// The bits of both sets; of a disk without a whole copy of its table there are none.
fn bits(host: &Host) -> [BootBits; 2] {
    match host.disk().whole_tables() {
        [false, false] => [BootBits::default(); 2],
        _ => [Set::A, Set::B].map(|set| host.bits(set)),
    }
}

fn boot(host: &mut Host, marked: bool) -> Booted {
    let report = if marked { host.reboot() } else { host.boot_unproven() };
    let failed = report.failed().map(|attempt| format!("{attempt:?}"));
    Booted {
        version: report.booted().and_then(|attempt| attempt.version.clone()),
        set: report.booted().map(|attempt| attempt.set),
        failed: failed.chain(report.stopped.clone()).collect(),
    }
}

/// A program's JSON, or its last words.
fn answer(ran: &Ran) -> Value {
    let json = serde_json::from_str(&ran.stdout).ok().filter(|_| ran.ok());
    json.unwrap_or_else(|| Value::String(ran.complaint()))
}

//! The child that a migration becomes: this program once more, which gives up what a migration has no business with and
//! then turns into the program in sealed memory.
//!
//! What a kernel or the caller's rights do not allow is left out and said: an old kernel must not keep a host from its
//! settings. What never fails is the rest: sealed bytes, no environment but `TMPDIR`, no
//! input, limits.
//!
//! The first line of the child's standard error is its [`Report`], and is taken off by [`crate::exec`].

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use host_io::say;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::Limits;

/// The first argument of this program when it is such a child.
pub const MARK: &str = "run-sandboxed";

/// The user and group of migrations: of the numbers that nobody gives out, above those of dynamic users.
pub const OWN_USER: u32 = 65_530;

/// Begins a line of the child that is not the migration's.
const OURS: char = '\u{1}';

/// What the child ends with when the program could not be started; the reason is its second line.
const NOT_STARTED: u8 = 125;

/// What a migration may read and run: the system's programs and libraries, and what its loader looks at.
const SYSTEM: [&str; 13] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/os-release",
    "/etc/localtime",
];

/// Devices that hold nothing.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// What the child is to do, as its arguments say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orders {
    /// The one directory that the migration may change.
    pub scratch: PathBuf,
    /// Whether it gets a user of its own; the directory is then that user's.
    pub user: Option<u32>,
    /// What it may use.
    pub limits: Limits,
}

/// What confines a migration, and what this system did not allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In force.
    pub in_force: Vec<String>,
    /// Left out, each with the reason.
    pub missing: Vec<String>,
}

impl Orders {
    /// These orders, and what the program is to get, as arguments of this program.
    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(&self, of_program: &[A]) -> Vec<OsString> {
        // How much all of it may be is watched from outside.
        let Limits { time, memory, file_size, growth: _ } = self.limits;
        let user = self.user.map_or_else(|| "-".to_owned(), |user| user.to_string());
        let numbers = [user, time.as_secs().to_string(), memory.to_string(), file_size.to_string()];
        [OsString::from(MARK), self.scratch.clone().into()]
            .into_iter()
            .chain(numbers.map(OsString::from))
            .chain(of_program.iter().map(|argument| argument.as_ref().to_owned()))
            .collect()
    }

    /// The orders in the arguments after [`MARK`], and those that are the program's.
    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<(Self, Vec<OsString>)> {
        let scratch = PathBuf::from(arguments.next()?);
        let mut text = || arguments.next()?.into_string().ok();
        let user = text()?;
        let user = if user == "-" { None } else { Some(user.parse().ok()?) };
        let mut number = || text()?.parse().ok();
        let (time, memory, file_size) = (number()?, number()?, number()?);
        let limits =
            Limits { time: std::time::Duration::from_secs(time), memory, file_size, ..Limits::USUAL };
        Some((Self { scratch, user, limits }, arguments.collect()))
    }
}

impl Report {
    fn note(&mut self, what: &str, done: Result<(), String>) {
        match done {
            Ok(()) => self.in_force.push(what.to_owned()),
            Err(why) => self.missing.push(format!("{what} ({why})")),
        }
    }

    /// The report in what a child said, what the migration itself said, and why it was not started, if it was not.
    #[must_use]
    pub fn split(said: &str) -> (Option<Self>, Option<String>, String) {
        let (first, rest) = said.split_once('\n').unwrap_or((said, ""));
        let Some(line) = first.strip_prefix(OURS) else { return (None, None, said.to_owned()) };
        let list = |text: &str| text.split("; ").filter(|one| !one.is_empty()).map(str::to_owned).collect();
        let (in_force, missing) = line.split_once('|').unwrap_or((line, ""));
        let report = Self { in_force: list(in_force), missing: list(missing) };
        match rest.strip_prefix(OURS) {
            Some(why) => (Some(report), Some(why.trim_end().to_owned()), String::new()),
            None => (Some(report), None, rest.to_owned()),
        }
    }

    fn line(&self) -> String {
        format!("{OURS}{}|{}", self.in_force.join("; "), self.missing.join("; "))
    }
}

/// Becomes the program that standard input holds, as the arguments after [`MARK`] say. It returns only when it cannot.
#[must_use]
pub fn become_migration(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some((orders, arguments)) = Orders::read(arguments) else {
        say::line("migrator: failed to read the orders of a sandbox: migrator alone gives them");
        return ExitCode::from(2);
    };
    let mut report = Report::default();
    let started = enter(&orders, &mut report).map(|program| {
        say::to_our_parent(&report.line());
        turn_into(&program, &arguments, &orders.scratch)
    });
    let error = match started {
        Ok(error) => error,
        Err(error) => {
            say::to_our_parent(&report.line());
            error
        }
    };
    say::to_our_parent(&format!("{OURS}{error}"));
    ExitCode::from(NOT_STARTED)
}

/// Gives up everything, in an order in which each step is still allowed, and returns the program.
fn enter(orders: &Orders, report: &mut Report) -> io::Result<OwnedFd> {
    let program = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    limit(orders)?;
    report.in_force.push("limits of time, memory and file size".to_owned());
    report.note("no network", without_network());
    if let Some(user) = orders.user {
        report.note("a user of its own", as_user(user));
    } else {
        report
            .missing
            .push("a user of its own (the caller's rights, or its directories, do not allow it)".to_owned());
    }
    report.note("no file but the system's and its own", only_files(&orders.scratch));
    Ok(program)
}

fn limit(orders: &Orders) -> io::Result<()> {
    let Limits { time, memory, file_size, growth: _ } = orders.limits;
    // Whoever started migrator may allow less; to raise that would take a right that it may not have.
    let at_most = |resource, limit: u64| {
        let limit = Some(getrlimit(resource).maximum.map_or(limit, |allowed| allowed.min(limit)));
        setrlimit(resource, Rlimit { current: limit, maximum: limit })
    };
    // Seconds of a processor: never more than those of the clock that migrator waits by.
    at_most(Resource::Cpu, time.as_secs().max(1))?;
    at_most(Resource::Data, memory)?;
    at_most(Resource::Fsize, file_size)?;
    at_most(Resource::Core, 0)?;
    Ok(())
}

fn without_network() -> Result<(), String> {
    let network = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    // Who may not have a network of its own may in a user namespace of its own, where the system lets everybody.
    unshare(network)
        .or_else(|_| unshare(network | CloneFlags::CLONE_NEWUSER))
        .map_err(|errno| errno.to_string())
}

fn as_user(id: u32) -> Result<(), String> {
    let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
    setgroups(&[])
        .and_then(|()| setresgid(group, group, group))
        .and_then(|()| setresuid(user, user, user))
        .map_err(|errno| errno.to_string())
}

fn only_files(scratch: &Path) -> Result<(), String> {
    let newest = ABI::V6;
    let (read, all) = (AccessFs::from_read(newest), AccessFs::from_all(newest));
    let devices = AccessFs::from_file(newest) & !AccessFs::Execute;
    let confined = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .handle_access(AccessNet::from_all(newest))?
            .scope(Scope::from_all(newest))?
            .create()?
            .add_rules(path_beneath_rules(SYSTEM, read))?
            .add_rules(path_beneath_rules(DEVICES, devices))?
            .add_rules(path_beneath_rules([scratch], all))?
            .restrict_self()
    };
    match confined() {
        Ok(status) if status.ruleset == RulesetStatus::NotEnforced => {
            Err("the kernel has no landlock".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Never returns but with the reason why it could not.
fn turn_into(program: &OwnedFd, arguments: &[OsString], scratch: &Path) -> io::Error {
    match &beginning(program)[..] {
        b"\x7fELF" => {}
        // A script's interpreter opens it by the descriptor's name, so that must outlive the start.
        [b'#', b'!', ..] => {
            if let Err(errno) = rustix::io::fcntl_setfd(program, rustix::io::FdFlags::empty()) {
                return errno.into();
            }
        }
        // The library would hand it to a shell.
        _ => return io::Error::other("it is neither a program nor a script that names its interpreter"),
    }
    Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .args(arguments)
        .env_clear()
        // Shells put long texts into files on the way, and there is no other place where they may.
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .exec()
}

fn beginning(program: &OwnedFd) -> [u8; 4] {
    let mut beginning = [0; 4];
    // What cannot be read has no beginning that is known.
    let _read = rustix::io::pread(program, &mut beginning, 0);
    beginning
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn orders_come_back_from_their_arguments() {
        let limits =
            Limits { time: Duration::from_secs(7), memory: 1 << 30, file_size: 1 << 20, ..Limits::USUAL };
        for user in [None, Some(OWN_USER)] {
            let orders = Orders { scratch: "/run/x y".into(), user, limits };
            let mut arguments = orders.arguments(&["--forward", "a b"]).into_iter();
            assert_eq!(arguments.next(), Some(MARK.into()));
            let expected = (orders, vec!["--forward".into(), "a b".into()]);
            assert_eq!(Orders::read(arguments), Some(expected));
        }
        assert_eq!(Orders::read(["/x", "me", "1", "2", "3"].map(OsString::from).into_iter()), None);
        assert_eq!(Orders::read(std::iter::empty()), None);
    }

    #[test]
    fn a_report_is_taken_off_what_a_migration_says() {
        let mut report = Report::default();
        report.note("one", Ok(()));
        report.note("two", Ok(()));
        report.note("three", Err("not here".to_owned()));
        let said = |more: &str| format!("{}\n{more}", report.line());
        assert_eq!(
            Report::split(&said("its own\nwords")),
            (Some(report.clone()), None, "its own\nwords".to_owned())
        );
        assert_eq!(Report::split(&report.line()), (Some(report.clone()), None, String::new()));
        let not_started = Report::split(&said("\u{1}no such file\n"));
        assert_eq!(not_started, (Some(report.clone()), Some("no such file".to_owned()), String::new()));
        assert_eq!(Report::split("no report"), (None, None, "no report".to_owned()));
        assert_eq!(Report::split("no\nreport"), (None, None, "no\nreport".to_owned()));
    }
}

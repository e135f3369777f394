//! Running one program from sealed memory, within limits.
//!
//! The bytes that were verified are copied into a file in memory, which is then sealed: nobody, this process included,
//! can change them between the check and the start. The program gets its arguments and nothing else: no environment but
//! the place for its temporary files, no input, the root directory as working directory, its own process group. Between this process and the program lies
//! one of ours that gives up what a migration does not need ([`crate::sandbox`]).

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior};

use crate::amount::Amount;
use crate::limits::Limits;
use crate::sandbox::{Orders, Report};

/// How much of what a program says is kept of each of its two outputs, in bytes.
const KEPT_OUTPUT: u64 = 16 * 1024;

/// How often what a program writes is looked at while it runs. Most have ended before.
const LOOK: Duration = Duration::from_millis(200);

/// How long to wait for killed programs to be gone. Only one that left its group can take longer.
const DYING: Duration = Duration::from_secs(5);

/// Where a program works, and by whose hand it is confined.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The program of ours that turns into the sealed one: `migrator`.
    pub launcher: &'a Path,
    /// The one directory that it may change.
    pub scratch: &'a Path,
    /// Its own user, whose the directory is.
    pub user: Option<u32>,
    /// The most that may lie in that directory, whoever made it.
    pub most: Amount,
    /// What was free there when nothing lay in it, where that is known.
    pub free: Option<Amount>,
}

/// A program in memory that cannot change any more.
#[derive(Debug)]
pub struct Sealed {
    file: File,
}

/// What a program said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The beginning of its standard output.
    pub out: String,
    /// The beginning of its standard error.
    pub err: String,
    /// What confined it.
    pub confined: Report,
}

/// Why a program did not end well.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be started.
    #[error("start it")]
    Start(#[source] io::Error),
    /// It could not be waited for.
    #[error("wait for it")]
    Wait(#[source] io::Error),
    /// It, or something that it started, ran for too long and was killed.
    #[error("it was killed after {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// It wrote more than it may, and was killed if it had not ended.
    #[error("it filled its directory with more than {most}")]
    Overfilled {
        /// What is possible.
        most: Amount,
    },
    /// It ended with an error or by a signal.
    #[error("it ended with {status}{}", words(said))]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        said: Box<Said>,
    },
}

impl Sealed {
    /// Copies a program into sealed memory; `name` is what the kernel shows for it.
    ///
    /// # Errors
    /// When the system refuses, for want of memory or by policy.
    pub fn new(name: &str, program: &[u8]) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know the flag, and newer ones may be set up to want it.
        let file = memfd_create(name, flags | MemfdFlags::EXEC).or_else(|_| memfd_create(name, flags))?;
        let mut file = File::from(file);
        file.write_all(program)?;
        fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        Ok(Self { file })
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// When it cannot be started, takes too long, or ends badly. Nothing of it is running any more then, but for a helper that left
    /// its process group.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        place: Place<'_>,
        limits: Limits,
    ) -> Result<Said, Error> {
        let orders = Orders { scratch: place.scratch.to_owned(), user: place.user, limits };
        let mut child = Command::new(place.launcher)
            .args(orders.arguments(arguments))
            .env_clear()
            .current_dir("/")
            .stdin(self.file.try_clone().map_err(Error::Start)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::Start)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let mut end = std::pin::pin!(end_of(&mut child, group));
        let ended = tokio::select! {
            ended = tokio::time::timeout(limits.time, &mut end) => ended.map_err(|_| Error::TimedOut(limits.time)),
            () = overfilled(place) => Err(Error::Overfilled { most: place.most }),
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // The whole group: a helper that it started must not go on writing to the copy.
                kill(group);
                // A kill takes effect a little later; whoever has let go of the outputs writes nothing any more.
                let _ended_or_out_of_reach = tokio::time::timeout(DYING, end).await;
                return Err(error);
            }
        };
        let (status, mut said) = ended.map_err(Error::Wait)?;
        let (confined, not_started, err) = Report::split(&said.err);
        (said.confined, said.err) = (confined.unwrap_or_default(), err);
        match not_started {
            Some(why) => Err(Error::Start(io::Error::other(match self.interpreter() {
                Some(interpreter) if !Path::new(&interpreter).exists() => {
                    format!("{interpreter}, which its first line names: {why}")
                }
                Some(_) | None => why,
            }))),
            None if is_overfilled(place) => Err(Error::Overfilled { most: place.most }),
            None if status.success() => Ok(said),
            None => Err(Error::Ended { status, said: Box::new(said) }),
        }
    }

    /// What the first line of a script names, as far as a message has use for it.
    fn interpreter(&self) -> Option<String> {
        let mut beginning = [0; 256];
        let read = self.file.read_at(&mut beginning, 0).ok()?;
        let text = String::from_utf8_lossy(&beginning[..read]).into_owned();
        let named = text.strip_prefix("#!")?.lines().next()?.split_whitespace().next()?;
        Some(named.to_owned())
    }
}

/// Ends everything in a group of processes. Its number is as good as never another one's yet, also where its first process
/// has been waited for: the kernel gives out all others before it.
fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        let _gone_already = kill_process_group(group, Signal::KILL);
    }
}

/// Waits until more lies in the directory of a program than may; where that does not come, for ever.
async fn overfilled(place: Place<'_>) {
    let mut looks = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
    // To look takes time as well, and is no work of its own.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if is_overfilled(place) {
            return;
        }
    }
}

fn is_overfilled(place: Place<'_>) -> bool {
    // To count is as much work as a migration has itself. While far less is taken of the file system, nobody has to.
    if let (Some(free), Some(now)) = (place.free, Amount::free(place.scratch))
        && !free.less(now).times(2).exceeds(place.most)
    {
        return false;
    }
    Amount::below(place.scratch, place.most).exceeds(place.most)
}

/// Waits until the program has ended and its outputs are closed, which is when nothing that it started is left. What it
/// left running in its group is ended with it: it could still write, and may hold the outputs open for as long as it likes.
/// What left the group and holds them is waited for, up to the limit of time.
async fn end_of(child: &mut Child, group: Option<Pid>) -> io::Result<(ExitStatus, Said)> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let status = child.wait().await;
        kill(group);
        status
    };
    let (out, err, status) = tokio::join!(beginning(out), beginning(err), ended);
    Ok((status?, Said { out: out?, err: err?, confined: Report::default() }))
}

/// Reads a stream to its end and keeps its beginning.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut kept = Vec::new();
    (&mut stream).take(KEPT_OUTPUT).read_to_end(&mut kept).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&kept).trim_end().to_owned())
}

fn words(said: &Said) -> String {
    let said = if said.err.is_empty() { &said.out } else { &said.err };
    if said.is_empty() { String::new() } else { format!(", saying {said:?}") }
}

//! The engine's command, started, with one stream each way.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use api_model::exec::{Size, TtyInit};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::engine::Call;

/// Understood everywhere, and asks nothing back of a terminal that is far away.
const TERMINAL: &str = "screen";
/// Where the engine looks for programs of its own.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long a command may take to end once it is asked to.
const LAST_STEPS: Duration = Duration::from_secs(3);

/// What a command says: both of its outputs in one stream.
pub type Output = Pin<Box<dyn AsyncRead + Send>>;
/// What it is told.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A command that runs.
pub struct Running {
    child: Child,
    /// The server's side of its terminal, where it has one.
    terminal: Option<OwnedFd>,
}

/// Starts the engine's command.
///
/// # Errors
/// When the system refuses pipes, a terminal or the program.
pub fn start(call: &Call, tty: Option<TtyInit>) -> io::Result<(Running, Input, Output)> {
    match tty {
        Some(tty) => with_terminal(call, tty),
        None => with_pipes(call),
    }
}

fn with_pipes(call: &Call) -> io::Result<(Running, Input, Output)> {
    let (ours, theirs) = io::pipe()?;
    let mut command = Command::new(&call.program);
    command
        .args(&call.arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("TERM", TERMINAL)
        .current_dir(&call.dir)
        .stdin(Stdio::piped())
        .stdout(theirs.try_clone()?)
        .stderr(theirs)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    // The command has its ends; while ours of the same were open, its output would never end.
    drop(command);
    let input = child.stdin.take().expect("asked for");
    let output = pipe::Receiver::from_owned_fd(ours.into())?;
    Ok((Running { child, terminal: None }, Box::pin(input), Box::pin(output)))
}

fn with_terminal(call: &Call, tty: TtyInit) -> io::Result<(Running, Input, Output)> {
    let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
    if let Some(Size { rows, cols }) = tty.size {
        pty.resize(pty_process::Size::new(rows, cols)).map_err(io::Error::other)?;
    }
    let terminal = pty.as_fd().try_clone_to_owned()?;
    let child = pty_process::Command::new(&call.program)
        .args(&call.arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("TERM", TERMINAL)
        .current_dir(&call.dir)
        .kill_on_drop(true)
        .spawn(pts)
        .map_err(io::Error::other)?;
    let (output, input) = pty.into_split();
    Ok((Running { child, terminal: Some(terminal) }, Box::pin(input), Box::pin(output)))
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Gives its terminal another size; the system tells the command. Without a terminal nothing happens.
    pub fn resize(&self, Size { rows, cols }: Size) {
        let Some(terminal) = &self.terminal else { return };
        let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        // A wrong size is a nuisance and the next change mends it.
        if let Err(error) = tcsetwinsize(terminal, size) {
            tracing::debug!("the terminal keeps its size: {error}");
        }
    }

    /// Asks it to end, and ends it when it does not.
    pub async fn stop(mut self) {
        drop(self.terminal.take());
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && kill_process(pid, Signal::TERM).is_ok()
            && tokio::time::timeout(LAST_STEPS, self.child.wait()).await.is_ok()
        {
            return;
        }
        if let Err(error) = self.child.kill().await {
            tracing::debug!("the command has ended already: {error}");
        }
    }
}

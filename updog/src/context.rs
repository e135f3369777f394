//! What every command has at hand: the host, and how to speak to whoever asked.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use host_io::clock::FixedClock;
use host_io::{Clock, Fs, Host, Paths, SystemClock, SystemHost};
use trusted_repo::Account;

use crate::error::Error;
use crate::tell::events::{Events, Format};
use crate::tell::metrics::seen::Seen;
use crate::tell::recorder::Recorder;
use crate::wait::Waiter;
use crate::write::install::WriteCount;

/// The seams to one host, and the voice of this run.
pub struct Context {
    /// Where things lie.
    pub paths: Paths,
    /// Files on the persistent partition.
    pub fs: Arc<dyn Fs>,
    /// What the host is, and its reboot.
    pub host: Box<dyn Host>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Waiting, and being told to stop.
    pub waiter: Waiter,
    /// What happens, as it happens.
    pub events: Events,
    /// What this run decided and did, for later.
    pub evidence: Recorder,
    /// What this run sees that only the metrics are for.
    pub seen: Seen,
    /// What this run fetches, and how much that may be.
    pub account: Account,
    /// What this run writes to a set.
    pub written: WriteCount,
    /// How answers are written.
    pub format: Format,
}

/// What was typed that concerns every command.
#[derive(Debug, Clone)]
pub struct Run {
    /// The subcommand's name.
    pub command: &'static str,
    /// How answers are written.
    pub format: Format,
    /// The host below this directory, instead of the machine.
    pub root: Option<PathBuf>,
    /// The time, for a host below a directory.
    pub at: Option<DateTime<Utc>>,
}

impl Context {
    /// The machine itself, or the host below a directory.
    ///
    /// # Errors
    /// When the system refuses threads or signal handlers.
    pub fn new(run: Run) -> Result<Self, Error> {
        let Run { command, format, root, at } = run;
        let paths = Paths::from_option(root);
        let fs = host_io::machine::file_system();
        let clock: Arc<dyn Clock> = match at {
            Some(at) => Arc::new(FixedClock(at)),
            None => Arc::new(SystemClock),
        };
        let (account, written) = (Account::default(), WriteCount::default());
        let recorder = Recorder::new(Arc::clone(&fs), Arc::clone(&clock), &paths, command);
        Ok(Self {
            host: Box::new(SystemHost::new(paths.clone())),
            waiter: Waiter::new().map_err(Error::Start)?,
            events: Events::new(format, Arc::clone(&fs), Arc::clone(&clock), &paths, command),
            evidence: recorder.counting(account.clone(), written.clone()),
            seen: Seen::default(),
            account,
            written,
            fs,
            clock,
            paths,
            format,
        })
    }
}

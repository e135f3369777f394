//! What every command has at hand: the host, and how to speak to whoever asked.

use std::path::PathBuf;
use std::sync::Arc;

use host_io::{Clock, Fs, Host, Paths, SystemClock, SystemFs, SystemHost};

use crate::error::Error;
use crate::events::Events;
use crate::wait::Waiter;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: `--json`.
    Json,
}

/// The seams to one host, and the voice of this run.
pub struct Context {
    /// Where things lie.
    pub paths: Paths,
    /// Files on the persistent partition.
    pub fs: Arc<dyn Fs>,
    /// What the host is, and its reboot.
    pub host: Box<dyn Host>,
    /// The time.
    pub clock: Box<dyn Clock>,
    /// Waiting, and being told to stop.
    pub waiter: Waiter,
    /// What happens, as it happens.
    pub events: Events,
    /// How answers are written.
    pub format: Format,
}

impl Context {
    /// The machine itself, or the host below `root`.
    ///
    /// # Errors
    /// When the system refuses threads or signal handlers.
    pub fn new(root: Option<PathBuf>, format: Format) -> Result<Self, Error> {
        let paths = Paths::from_option(root);
        Ok(Self {
            host: Box::new(SystemHost::new(paths.clone())),
            paths,
            fs: Arc::new(SystemFs),
            clock: Box::new(SystemClock),
            waiter: Waiter::new().map_err(Error::Start)?,
            events: match format {
                Format::Text => Events::for_people(),
                Format::Json => Events::json(),
            },
            format,
        })
    }
}

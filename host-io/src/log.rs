//! Narration on stderr. stdout is for answers only.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;

use crate::say;

/// How much a program narrates: `--log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Nothing.
    Off,
    /// Only failures.
    Error,
    /// And what a person should know.
    Warn,
    /// And what is being done.
    #[default]
    Info,
    /// And how.
    Debug,
    /// And everything.
    Trace,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is not one of off, error, warn, info, debug, trace"))
    }
}

/// Starts narration for this program. Libraries below us are quiet unless something is wrong or `level` is at least
/// debug. No time stamps: the journal has them.
pub fn init(level: Level) {
    let filter = match level {
        Level::Debug | Level::Trace => level.as_str().to_owned(),
        Level::Off | Level::Error => level.as_str().to_owned(),
        Level::Warn | Level::Info => {
            format!("{level},tough=warn,hyper=warn,hyper_util=warn,reqwest=warn,h2=warn,rustls=warn")
        }
    };
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(|| say::Stderr)
        // Its own complaints go to stderr by a way that panics when nobody reads.
        .log_internal_errors(false)
        .with_ansi(say::stderr_in_colour())
        .with_target(false)
        .without_time()
        .try_init();
}

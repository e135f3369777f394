//! The command line of `apiserver`.

use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser};
use host_io::{Paths, log::Level};

/// Serve the host's API on a unix socket.
///
/// On a host's first boot this makes the datastore, fills it with the defaults of the image and draws the host's place
/// in the fleet, all before anybody can connect.
#[derive(Debug, Clone, Parser)]
#[command(
    version,
    after_help = "Examples:\n  apiserver --socket-gid 274\n  apiserver --datastore-path /var/lib/bottlerocket/datastore/current --log-level debug"
)]
pub struct Args {
    /// The datastore: its directory, or the link "current" in it [default: the host's own]
    #[arg(long, value_name = "PATH")]
    pub datastore_path: Option<PathBuf>,

    /// Where to listen [default: /run/api.sock]
    #[arg(long, value_name = "PATH")]
    pub socket_path: Option<PathBuf>,

    /// The group that may connect, as a number; on a Bottlerocket host that is 274
    #[arg(long, value_name = "GID")]
    pub socket_gid: Option<u32>,

    /// Where the engine of host containers listens, for engines that are told
    #[arg(long, value_name = "PATH", default_value = "/run/host-containerd/containerd.sock")]
    pub exec_socket_path: PathBuf,

    /// How much to narrate: off, error, warn, info, debug, trace
    #[arg(long, default_value_t, value_name = "LEVEL")]
    pub log_level: Level,

    /// The directory that holds the whole host.
    #[arg(long, hide = true, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// How many seconds an answer of the repository is given again, for tests.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 60)]
    pub refresh_age: u64,

    /// The program that does the work of updates, for tests.
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub updog: Option<PathBuf>,
}

/// The grammar of the command line, for its manual page and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    Args::command()
}

impl Args {
    /// The layout of this host.
    #[must_use]
    pub fn paths(&self) -> Paths {
        Paths::from_option(self.root.clone())
    }

    /// The directory that holds the datastores. Units of older systems name the link in it.
    #[must_use]
    pub fn datastore(&self) -> PathBuf {
        match &self.datastore_path {
            None => self.paths().datastore(),
            Some(path) if path.file_name().is_some_and(|name| name == "current") => {
                path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
            }
            Some(path) => path.clone(),
        }
    }

    /// Where to listen.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.socket_path.clone().unwrap_or_else(|| self.paths().api_socket())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datastore(args: &[&str]) -> PathBuf {
        Args::try_parse_from([&["apiserver"], args].concat()).unwrap().datastore()
    }

    #[test]
    fn the_datastore_is_named_by_its_directory_or_by_its_link() {
        assert_eq!(datastore(&[]), Path::new("/var/lib/bottlerocket/datastore"));
        assert_eq!(datastore(&["--root", "/h"]), Path::new("/h/var/lib/bottlerocket/datastore"));
        assert_eq!(datastore(&["--datastore-path", "/d/current"]), Path::new("/d"));
        assert_eq!(datastore(&["--datastore-path", "/d"]), Path::new("/d"));
    }
}

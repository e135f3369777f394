//! The command line of `apiclient`.
//!
//! Without a subcommand it is `raw`, as it always was: `apiclient -u /settings`. A subcommand is only what stands in its
//! place, so a value such as that of `-d` is never taken for one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use host_io::{Paths, log::Level};

use crate::commands::{admin_container, apply, exec, get, raw, set, unset, update};

/// Ask the host's API.
///
/// Without a subcommand: one request, as "raw" does it.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "apiclient",
    version,
    args_override_self = true,
    after_help = "Examples:
  apiclient -u /settings
  apiclient get settings.motd os.
  apiclient set motd=\"hello\" updates.ignore-waves=true
  apiclient set --json '{\"network\": {\"no-proxy\": [\"localhost\"]}}'
  apiclient unset network.https-proxy host-containers.old
  apiclient apply file:///etc/site.toml
  apiclient update check
  apiclient update apply --check --reboot
  apiclient raw -m POST -u /actions/reboot"
)]
struct Cli {
    #[command(flatten)]
    global: Global,

    #[command(flatten)]
    bare: Bare,

    #[command(subcommand)]
    command: Option<Command>,
}

/// What goes for every subcommand.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Where the server listens [default: /run/api.sock]
    #[arg(short, long, global = true, value_name = "PATH")]
    pub socket_path: Option<PathBuf>,

    /// How much to narrate: off, error, warn, info, debug, trace
    #[arg(long, global = true, default_value_t, value_name = "LEVEL")]
    pub log_level: Level,

    /// Narrate how things are done
    #[arg(short, long, global = true)]
    pub verbose: bool,

    /// The directory that holds the whole host.
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

impl Global {
    /// Where the server listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.socket_path.clone().unwrap_or_else(|| Paths::from_option(self.root.clone()).api_socket())
    }

    /// How much to narrate.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.verbose { Level::Debug } else { self.log_level }
    }
}

/// `raw` without its name.
#[derive(Debug, Clone, clap::Args)]
struct Bare {
    /// What to ask for, such as /settings
    #[arg(short, long)]
    uri: Option<String>,

    /// How to ask
    #[arg(short, long, short_alias = 'X', requires = "uri")]
    method: Option<reqwest::Method>,

    /// The body to send
    #[arg(short, long, allow_hyphen_values = true, requires = "uri")]
    data: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Send one request and print the answer as it is
    Raw(raw::Args),
    /// Print settings and what the host says of itself
    Get(get::Args),
    /// Change settings: all of them, or none when one is wrong
    Set(set::Args),
    /// Take settings away: all of them, or none when one is wrong
    Unset(unset::Args),
    /// Change settings to those of files or addresses: all of them, or none when one is wrong
    Apply(apply::Args),
    /// Look for, install, or take back an update
    #[command(subcommand)]
    Update(update::Command),
    /// Reboot the host
    Reboot,
    /// Run a command in a host container
    Exec(exec::Args),
    /// The admin container's commands
    #[command(flatten)]
    AdminContainer(admin_container::Command),
}

/// A command line that was understood.
#[derive(Debug, Clone)]
pub struct Args {
    /// What goes for every subcommand.
    pub global: Global,
    /// What to do.
    pub command: Command,
}

/// A command line that starts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCommand {
    /// Help was asked for, or is needed.
    Usage(String),
    /// The version was asked for.
    Version(String),
}

/// Understands a command line; the first word is the program's name.
///
/// # Errors
/// With the text to show, when there is nothing to do.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, NoCommand> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    if let Some(program) = words.first().filter(|program| admin_container::is_called_by_name(program)) {
        // A link with the name of a subcommand is that subcommand.
        let name = Path::new(program).file_name().unwrap_or_default().to_owned();
        words.insert(1, name);
    }
    let Cli { global, bare, command } = Cli::try_parse_from(words).map_err(|error| {
        let text = lines(&error);
        if error.kind() == ErrorKind::DisplayVersion {
            NoCommand::Version(text)
        } else {
            NoCommand::Usage(text)
        }
    })?;
    let usage = |kind, message: &str| NoCommand::Usage(lines(&Cli::command().error(kind, message)));
    let command = match (command, bare) {
        (Some(command), Bare { uri: None, .. }) => command,
        (Some(_), Bare { uri: Some(_), .. }) => {
            return Err(usage(
                ErrorKind::ArgumentConflict,
                "--uri stands before a subcommand; give it after \"raw\", or leave the subcommand out",
            ));
        }
        (None, Bare { uri: Some(uri), method, data }) => {
            Command::Raw(raw::Args { uri, method: method.unwrap_or(reqwest::Method::GET), data })
        }
        (None, Bare { uri: None, .. }) => {
            return Err(usage(ErrorKind::MissingSubcommand, "there is neither a subcommand nor --uri"));
        }
    };
    if let Command::Get(args) = &command {
        get::check(args).map_err(|message| usage(ErrorKind::ArgumentConflict, message))?;
    }
    if let Command::Exec(args) = &command {
        args.what().map_err(|message| usage(ErrorKind::MissingRequiredArgument, message))?;
    }
    Ok(Args { global, command })
}

/// The grammar of the command line, for its manual pages and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// The text of clap, which ends its last line or not.
fn lines(error: &clap::Error) -> String {
    format!("{}\n", error.render().to_string().trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::terminal::Tty;

    fn parsed(words: &[&str]) -> Result<Args, NoCommand> {
        parse(["apiclient"].iter().chain(words).map(OsString::from))
    }

    fn raw(words: &[&str]) -> raw::Args {
        match parsed(words).unwrap().command {
            Command::Raw(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_subcommand_is_raw() {
        assert_eq!(raw(&["-u", "/settings"]), raw(&["raw", "--uri", "/settings"]));
        assert_eq!(
            raw(&["-m", "POST", "-u", "/x", "-d", "{}"]),
            raw(&["raw", "-X", "POST", "-u", "/x", "-d", "{}"])
        );
        assert_eq!(raw(&["-u", "/x"]).method, reqwest::Method::GET);
    }

    #[test]
    fn of_a_flag_that_is_given_twice_the_last_one_counts() {
        assert_eq!(
            raw(&["-u", "/a", "-m", "GET", "-u", "/b", "-m", "POST"]),
            raw(&["raw", "-u", "/b", "-m", "POST"])
        );
        let args = parsed(&["-s", "/1", "get", "-v", "-v", "-s", "/2"]).unwrap();
        assert_eq!(args.global.socket(), PathBuf::from("/2"));
        let args = parsed(&["set", "a=1", "b=2", "--json", "{}"]);
        assert!(args.is_err(), "one way or the other");
    }

    #[test]
    fn a_value_is_never_taken_for_a_subcommand_or_a_flag() {
        let args = raw(&["-u", "/settings", "-m", "PATCH", "-d", "set"]);
        assert_eq!(args.data.as_deref(), Some("set"));
        assert_eq!(raw(&["-u", "/x", "-d", "-v"]).data.as_deref(), Some("-v"));
        let args = parsed(&["raw", "-u", "reboot"]).unwrap();
        assert!(matches!(args.command, Command::Raw(raw::Args { uri, .. }) if uri == "reboot"));
    }

    #[test]
    fn global_flags_stand_before_a_subcommand_or_among_its_flags() {
        for words in [["-s", "/s", "-v", "get"], ["get", "-v", "-s", "/s"]] {
            let args = parsed(&words).unwrap();
            assert_eq!(args.global.socket(), PathBuf::from("/s"));
            assert_eq!(args.global.level(), Level::Debug);
        }
        assert_eq!(
            parsed(&["--root", "/h", "reboot"]).unwrap().global.socket(),
            PathBuf::from("/h/run/api.sock")
        );
        assert_eq!(parsed(&["reboot"]).unwrap().global.socket(), PathBuf::from("/run/api.sock"));
    }

    fn exec(words: &[&str]) -> exec::Args {
        match parsed(words).unwrap().command {
            Command::Exec(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_after_the_container_belongs_to_the_command() {
        for words in [
            &["ls", "-v"][..],
            &["x", "-s", "/s", "--help", "--", "-t"],
            &["sh", "-c", "set"],
            &["-v"],
            &["--log-level", "x"],
            &["get", "--version", "--root=/"],
        ] {
            for before in [&["exec", "admin"][..], &["-v", "exec", "-T", "admin"]] {
                let (target, command) = exec(&[before, words].concat()).what().unwrap();
                assert_eq!((target.as_str(), command), ("admin", words.iter().map(OsString::from).collect()));
            }
        }
        let args = parsed(&["-s", "/a", "exec", "admin", "x", "-s", "/b"]).unwrap();
        assert_eq!((args.global.socket(), args.global.level()), (PathBuf::from("/a"), Level::Info));
    }

    #[test]
    fn a_link_is_the_subcommand_whose_name_it_has() {
        let called = |words: &[&str]| parse(words.iter().map(OsString::from)).unwrap().command;
        assert!(matches!(
            called(&["/usr/bin/enable-admin-container"]),
            Command::AdminContainer(admin_container::Command::EnableAdminContainer)
        ));
        let entered = called(&["enter-admin-container", "--wait", "7", "-v"]);
        let Command::AdminContainer(admin_container::Command::EnterAdminContainer(args)) = entered else {
            panic!("{entered:?}")
        };
        assert_eq!(args.wait, 7);
    }

    #[test]
    fn the_last_wish_for_a_terminal_counts() {
        assert_eq!(exec(&["exec", "admin", "x", "-t"]).tty(), Tty::Auto);
        assert_eq!(exec(&["exec", "-T", "-t", "admin", "x"]).tty(), Tty::Always);
        assert_eq!(exec(&["exec", "--tty", "--no-tty", "admin", "x"]).tty(), Tty::Never);
    }

    #[test]
    fn wrong_usage_and_help_are_text() {
        let wrong: [&[&str]; 13] = [
            &["exec"],
            &["exec", "admin"],
            &[],
            &["frobnicate"],
            &["-m", "POST"],
            &["raw"],
            &["-u", "/x", "get"],
            &["get", "os.", "/settings"],
            &["set"],
            &["set", "motd"],
            &["update"],
            &["--log-level", "loud", "get"],
            &["update", "apply", "extra"],
        ];
        for words in wrong {
            let Err(NoCommand::Usage(text)) = parsed(words) else { panic!("{words:?}") };
            assert!(text.contains("Usage:") || text.contains("error:"), "{words:?}: {text}");
        }
        assert!(matches!(parsed(&["--help"]), Err(NoCommand::Usage(text)) if text.contains("Examples:")));
        assert!(matches!(parsed(&["set", "--help"]), Err(NoCommand::Usage(_))));
        assert!(
            matches!(parsed(&["--version"]), Err(NoCommand::Version(text)) if text.starts_with("apiclient "))
        );
    }
}

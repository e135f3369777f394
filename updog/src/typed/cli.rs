//! What was typed and what it means, decided in one place.
//!
//! Flags are read in any position and with any subcommand, as scripts out there write them
//! (`docs/compatibility.md`, "updog"); each subcommand takes those that concern it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use host_io::log::{self, Level};
use host_io::say;
use semver::Version;

use crate::context::{Context, Run};
use crate::error::Error;
use crate::tell::events::Format;
use crate::tell::metrics::publish;
use crate::typed::commands::{
    check_update, clear_failed, confirm_boot, end_turn, explain, history, install, metrics, plan, prepare,
    reboot_in_turn, rollback, status, trust, tuf, update, update_apply, update_image, update_revert,
};
use crate::typed::exit;
use crate::update::Asked;

const EXAMPLES: &str = "\
Examples:
  updog check-update               which update this host would take
  updog check-update --all --json  everything that is offered, as a JSON array
  updog plan                       what that would fetch, copy and write
  updog update --reboot            install it, then reboot into it
  updog update --max-bytes 50000000  unless that takes more from the network
  updog update-image               install it, and decide later:
  updog update-apply               ... let it boot next
  updog update-revert              ... or not after all
  updog update --image 1.1.0       this version and no other
  updog status                     which version is in which set
  updog explain                    what becomes of every version, and why
  updog history                    what was done lately; \"updog history 7\" tells one run in full
  updog confirm-boot               mark this boot good if the system works
  updog reboot-in-turn             reboot into the update when the lock server lets this host go
  updog rollback --dry-run         what going back to the other set would change
  updog install --help             the first release, into a disk that nothing runs from
  updog clear-failed               let a release be tried again that failed here
  updog trust show                 which metadata is trusted, and since when

Exit status: 0 when done, or when no update is required; 1 otherwise.";

/// Updates this host: choose, fetch, write, flip.
#[derive(Debug, Parser)]
#[command(name = "updog", version, after_help = EXAMPLES, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Everything that is offered, newest first (check-update)
    #[arg(short, long, global = true)]
    all: bool,
    /// This version and no other (check-update, update, update-image)
    #[arg(short, long, global = true, value_name = "VERSION", value_parser = host_io::host::typed_version)]
    image: Option<Version>,
    /// Do not wait for this host's turn (check-update, update, update-image)
    #[arg(short = 'n', long = "ignore-waves", visible_alias = "now", global = true)]
    ignore_waves: bool,
    /// Another flavour than the running one (check-update, update, update-image)
    #[arg(long, global = true)]
    variant: Option<String>,
    /// Only say what it would take, or change (update, update-image, rollback)
    #[arg(long, global = true)]
    dry_run: bool,
    /// Refuse an update that takes more than so many bytes from the network (plan, update, update-image)
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    max_bytes: Option<u64>,
    /// Reboot in the end (update, update-apply, rollback)
    #[arg(short, long, global = true)]
    reboot: bool,
    /// Also against what was told of it (update-apply)
    #[arg(long, global = true)]
    insist: bool,
    /// The rule has chosen the version, not a person (update-image)
    #[arg(long, global = true, hide = true)]
    offered: bool,
    /// Take back what boots next where it may not any more (check-update)
    #[arg(long, global = true, hide = true)]
    review: bool,
    /// Answers and events as JSON
    #[arg(short, long, global = true)]
    json: bool,
    /// How much to narrate: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", default_value_t)]
    log_level: Level,
    /// The host lives below this directory
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The time on such a host
    #[arg(long, global = true, hide = true, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum Command {
    /// Say which update this host would take
    #[command(
        visible_alias = "whats",
        after_help = "Examples:\n  updog check-update                     the one that this host would take now\n  updog check-update --all --json        everything that is offered, as a JSON array"
    )]
    CheckUpdate,
    /// Do nothing (kept for scripts)
    #[command(
        after_help = "Examples:\n  updog prepare                          nothing: an update prepares itself\n  updog prepare --json                   the same"
    )]
    Prepare,
    /// Say what the update would fetch, copy and write
    #[command(
        after_help = "Examples:\n  updog plan                             what an update would fetch, copy and write\n  updog plan --image 1.2.0 --json        the same of one version, in bytes"
    )]
    Plan,
    /// Install the update and let it boot next
    #[command(
        after_help = "Examples:\n  updog update --reboot                  install what is due, and start it\n  updog update --max-bytes 50000000      not if it takes more from the network"
    )]
    Update,
    /// Install the update
    #[command(
        after_help = "Examples:\n  updog update-image                     install it, and decide later\n  updog update-image --dry-run           only say what that would take"
    )]
    UpdateImage,
    /// Let what was installed boot next
    #[command(
        after_help = "Examples:\n  updog update-apply                     let it boot next\n  updog update-apply --reboot            now"
    )]
    UpdateApply,
    /// Let the running set boot next after all
    #[command(
        after_help = "Examples:\n  updog update-revert                    the running set boots next after all\n  updog update-revert --json             the same, told in fields"
    )]
    UpdateRevert,
    /// Say which version is in which set
    #[command(
        after_help = "Examples:\n  updog status                           which version is in which set\n  updog status --verify                  read the whole hash tree of the other set"
    )]
    Status {
        /// Read the whole hash tree of the other set, and not only its top
        #[arg(long)]
        verify: bool,
    },
    /// Say what this host makes of every version, and why
    #[command(
        after_help = "Examples:\n  updog explain                          every version, and what speaks for or against it\n  updog explain --json                   the same in fields"
    )]
    Explain,
    /// Say what was done lately, or tell one run in full
    #[command(
        after_help = "Examples:\n  updog history                          what was done lately\n  updog history 7                        one run in full"
    )]
    History {
        /// The run, by its number
        id: Option<String>,
    },
    /// Tell monitoring about this host, in the text format of Prometheus
    #[command(
        after_help = "Examples:\n  updog metrics                          everything that is known now\n  updog metrics --write                  also into the file that node_exporter reads"
    )]
    Metrics {
        /// Bring the file that node_exporter reads up to date as well
        #[arg(long)]
        write: bool,
    },
    /// Mark this boot good, once the API answers and the health checks pass
    ConfirmBoot(confirm_boot::Args),
    /// Write the first release into a disk that nothing runs from
    Install(Box<install::Args>),
    /// Reboot into the update that waits for it, in this host's turn
    RebootInTurn(reboot_in_turn::Args),
    /// Bring this host back after such a reboot, and let the next one go
    EndTurn(end_turn::Args),
    /// Let releases be tried again that failed here
    #[command(
        after_help = "Examples:\n  updog clear-failed                     try again what failed here\n  updog clear-failed --json              what was forgotten, in fields"
    )]
    ClearFailed,
    /// Go back to the release in the other set
    #[command(
        after_help = "Examples:\n  updog rollback --dry-run               what going back would change\n  updog rollback --reboot                go back now"
    )]
    Rollback {
        /// With the settings that it had when it was left
        #[arg(long)]
        restore_snapshot: bool,
    },
    /// Say what is trusted, or forget it
    #[command(
        subcommand,
        after_help = "Examples:\n  updog trust show                       which roles are trusted here\n  updog trust reset --yes                forget what was remembered"
    )]
    Trust(trust::Action),
    /// Be a client of any TUF repository
    #[command(hide = true)]
    Tuf(Box<tuf::Args>),
}

/// Runs the program with the arguments that it was started with.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match understand(arguments) {
        // The machine itself has a clock; another time would open what its clock keeps shut.
        Ok(cli) if cli.at.is_some() && cli.root.is_none() => {
            let why = "--at is for a host below a directory: it needs --root";
            return exit::usage(&Cli::command().error(ErrorKind::ArgumentConflict, why));
        }
        Ok(cli) => cli,
        Err(Asking::Help(help)) => {
            say::outcome(&help);
            return ExitCode::SUCCESS;
        }
        Err(Asking::Clap(error)) => return exit::usage(&error),
    };
    log::init(cli.log_level);
    let format = if cli.json { Format::Json } else { Format::Text };
    exit::finish(dispatch(cli, format), format)
}

/// Flags are taken with every subcommand, and shown with those that they concern.
const CONCERN: [(&str, &[&str]); 8] = [
    ("all", &["check-update"]),
    ("image", &["check-update", "plan", "update", "update-image", "install", "explain"]),
    ("ignore_waves", &["check-update", "plan", "update", "update-image", "explain"]),
    ("variant", &["check-update", "plan", "update", "update-image", "install", "explain"]),
    ("dry_run", &["update", "update-image", "rollback"]),
    ("max_bytes", &["plan", "update", "update-image"]),
    ("reboot", &["update", "update-apply", "rollback"]),
    ("insist", &["update-apply"]),
];

fn bytes(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "it has to be a whole number of bytes, such as 50000000".to_owned())
}

/// The grammar of the command line, for its help, its manual pages and for shells that complete it.
#[must_use]
pub fn grammar() -> clap::Command {
    let mut grammar = Cli::command();
    // From then on each subcommand has the flags that go for all of them.
    grammar.build();
    for sub in grammar.get_subcommands_mut() {
        let name = sub.get_name().to_owned();
        show_its_own(sub, &name);
    }
    grammar
}

/// Hides what does not concern the subcommand `name`, below it as well. Of what is left its page need not say whom it is for.
fn show_its_own(sub: &mut clap::Command, name: &str) {
    for (flag, concerns) in CONCERN {
        if !sub.get_arguments().any(|argument| argument.get_id() == flag) {
            continue;
        }
        *sub = std::mem::take(sub).mut_arg(flag, |argument| {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let own = help.rsplit_once(" (").map_or(help.as_str(), |(own, _for_whom)| own).to_owned();
            argument.hide(!concerns.contains(&name)).help(own)
        });
    }
    for below in sub.get_subcommands_mut() {
        show_its_own(below, name);
    }
}

/// What was typed. Only the help is made from [`grammar`]: what is taken is what the definition says.
fn understand(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Asking> {
    let words: Vec<OsString> = arguments.into_iter().collect();
    Cli::try_parse_from(&words).map_err(|error| {
        if error.kind() != ErrorKind::DisplayHelp {
            return Asking::Clap(error);
        }
        let mut about = &grammar();
        let mut rest = words.as_slice();
        // Into the subcommand that was named, and into the one of that. `help update` asks for what `update --help` does.
        while let Some((at, sub)) = named(about, rest) {
            rest = &rest[at + 1..];
            if sub.get_name() != "help" {
                about = sub;
            }
        }
        match about.get_name() {
            "updog" => Asking::Clap(error),
            _ => Asking::Help(about.clone().render_help().to_string()),
        }
    })
}

/// The first of `words` that is a subcommand of `command`.
fn named<'a>(command: &'a clap::Command, words: &[OsString]) -> Option<(usize, &'a clap::Command)> {
    let is = |word: &OsString, sub: &clap::Command| {
        word == sub.get_name() || sub.get_all_aliases().any(|alias| word == alias)
    };
    words
        .iter()
        .enumerate()
        .find_map(|(at, word)| Some((at, command.get_subcommands().find(|sub| is(word, sub))?)))
}

/// Why nothing is done.
#[derive(Debug)]
enum Asking {
    /// Somebody asked for the help of a subcommand.
    Help(String),
    /// Wrong usage, or what else is asked of any program.
    Clap(clap::Error),
}

fn dispatch(cli: Cli, format: Format) -> Result<(), Error> {
    let Cli { command, all, image, ignore_waves, variant, dry_run, max_bytes, reboot, root, at, .. } = cli;
    let (insist, review) = (cli.insist, cli.review);
    let asked = Asked { image, variant, ignore_waves, max_bytes, by_rule: cli.offered };
    let name = command.name();
    let context = Context::new(Run { command: name, format, root, at })?;
    let only_asks = dry_run || command == Command::Plan;
    let counts = !dry_run && command.counts();
    let result = match command {
        Command::CheckUpdate => check_update::run(&context, &check_update::Args { all, asked, review }),
        Command::Prepare => {
            prepare::run();
            Ok(())
        }
        Command::Plan => plan::run(&context, &plan::Args { asked, command: name }),
        Command::Update | Command::UpdateImage if dry_run => {
            plan::run(&context, &plan::Args { asked, command: name })
        }
        Command::Update => update::run(&context, &update::Args { asked, reboot }),
        Command::UpdateImage => update_image::run(&context, &update_image::Args { asked }),
        Command::UpdateApply => update_apply::run(&context, &update_apply::Args { reboot, insist }),
        Command::UpdateRevert => update_revert::run(&context),
        Command::Status { verify } => status::run(&context, status::Args { verify }),
        Command::Explain => explain::run(&context, &explain::Args { asked }),
        Command::History { id } => history::run(&context, &history::Args { id }),
        Command::Metrics { write } => metrics::run(&context, write),
        Command::ConfirmBoot(args) => confirm_boot::run(&context, &args),
        Command::Install(args) => install::run(&context, *args, asked.variant, asked.image),
        Command::RebootInTurn(args) => reboot_in_turn::run(&context, &args),
        Command::EndTurn(args) => end_turn::run(&context, &args),
        Command::ClearFailed => clear_failed::run(&context),
        Command::Rollback { restore_snapshot } => {
            rollback::run(&context, rollback::Args { dry_run, restore_snapshot, reboot })
        }
        Command::Trust(action) => trust::run(&context, &action),
        Command::Tuf(args) => tuf::run(&context, &args),
    };
    if let Err(error) = &result {
        context.events.failed(&exit::event(error));
    }
    let unwritten = context.events.close();
    if counts {
        publish::after(&context, name, result.as_ref().err());
    }
    context.waiter.close();
    match (result, unwritten) {
        // With --json the events are the answer.
        (Ok(()), Some(error)) if only_asks => {
            Err(Error::Answer(std::io::Error::new(error.kind(), error.to_string())))
        }
        (Ok(()), Some(error)) => {
            tracing::warn!("what was done could not be written to stdout: {error}");
            Ok(())
        }
        (result, _) => result,
    }
}

impl Command {
    /// Whether monitoring is told of it: it looks for a release, or changes something. What gives a boot up has no time.
    fn counts(&self) -> bool {
        match self {
            Self::CheckUpdate
            | Self::Update
            | Self::UpdateImage
            | Self::UpdateApply
            | Self::UpdateRevert
            | Self::ClearFailed
            | Self::Rollback { .. } => true,
            Self::ConfirmBoot(args) => args.give_up.is_none(),
            Self::Prepare
            | Self::Plan
            | Self::Status { .. }
            | Self::Explain
            | Self::History { .. }
            | Self::Metrics { .. }
            | Self::Install(_)
            | Self::RebootInTurn(_)
            | Self::EndTurn(_)
            | Self::Trust(_)
            | Self::Tuf(_) => false,
        }
    }

    /// Its name as it is typed.
    fn name(&self) -> &'static str {
        match self {
            Self::CheckUpdate => "check-update",
            Self::Prepare => "prepare",
            Self::Plan => "plan",
            Self::Update => "update",
            Self::UpdateImage => "update-image",
            Self::UpdateApply => "update-apply",
            Self::UpdateRevert => "update-revert",
            Self::Status { .. } => "status",
            Self::Explain => "explain",
            Self::History { .. } => "history",
            Self::Metrics { .. } => "metrics",
            Self::ConfirmBoot(_) => "confirm-boot",
            Self::Install(_) => "install",
            Self::RebootInTurn(_) => "reboot-in-turn",
            Self::EndTurn(_) => "end-turn",
            Self::ClearFailed => "clear-failed",
            Self::Rollback { .. } => "rollback",
            Self::Trust(_) => "trust",
            Self::Tuf(_) => "tuf",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Result<Cli, Asking> {
        understand(std::iter::once("updog").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_subcommand_shows_its_own_flags_and_two_examples() {
        for sub in grammar().get_subcommands_mut().filter(|sub| !sub.is_hide_set()) {
            let (name, help) = (sub.get_name().to_owned(), sub.render_help().to_string());
            for (flag, concerns) in CONCERN {
                let flag = format!("--{}", flag.replace('_', "-"));
                let shown = help.lines().any(|line| line.split_whitespace().any(|word| word == flag));
                assert_eq!(shown, concerns.contains(&name.as_str()), "{name} {flag}: {help}");
            }
            let examples =
                help.lines().filter(|line| line.trim_start().starts_with(&format!("updog {name}"))).count();
            assert!(name == "help" || examples >= 2, "{name}: {help}");
        }
        for line in ["trust --help", "trust show --help", "trust reset --help"] {
            let Err(Asking::Help(help)) = typed(line) else { panic!("{line}") };
            assert!(!help.contains("--max-bytes") && !help.contains("--insist"), "{line}: {help}");
            let examples = help.lines().filter(|line| line.starts_with("  updog trust ")).count();
            assert!(examples >= 2, "{line}: {help}");
        }
        let Err(Asking::Help(help)) = typed("update --help") else { panic!("no help") };
        assert!(!help.contains("(plan, update"), "one page is about one subcommand: {help}");
        // And what is not shown is taken.
        assert!(typed("update-revert --max-bytes 5 --all --image 1.0.0").is_ok());
        assert!(typed("status --json --root /host").is_ok());
        assert!(
            matches!(typed("whats --help"), Err(Asking::Help(help)) if help.contains("updog check-update"))
        );
    }

    #[test]
    fn flags_stand_anywhere_and_with_any_subcommand() {
        for line in ["-j whats --all", "whats -j -a", "--json -a whats", "check-update --all --json -j"] {
            let cli = typed(line).unwrap();
            assert!(cli.json && cli.all, "{line}");
            assert_eq!(cli.command, Command::CheckUpdate, "{line}");
        }
        let cli = typed("-i 1.2.3 update --now -r --log-level debug --variant metal").unwrap();
        assert!(cli.ignore_waves && cli.reboot);
        assert_eq!((cli.image, cli.log_level), (Some(Version::new(1, 2, 3)), Level::Debug));
        assert_eq!(cli.variant.as_deref(), Some("metal"));
        assert!(typed("update-apply --all -n").is_ok());
        for spelled in ["-n", "--now", "--ignore-waves"] {
            assert!(typed(&format!("update {spelled}")).unwrap().ignore_waves, "{spelled}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in
            ["", "frobnicate", "update -i v1.2.3", "update -i 1.2", "update-image -t 2024-01-01", "update x"]
        {
            assert!(typed(line).is_err(), "{line:?}");
        }
    }
}

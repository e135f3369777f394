//! `update`: looking for, installing, taking back an update.

use api_model::{CommandType, UpdateState, UpdateStatus};

use crate::api::Api;
use crate::commands::reboot;
use crate::error::Error;
use crate::run::answer_json;
use crate::update::{plan, wait};

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Look which updates there are, and print the state of updates
    Check,
    /// Install the chosen update; it starts with the next boot
    Apply(ApplyArgs),
    /// Take an applied update back; the next boot starts what runs now
    Cancel,
}

/// How to apply.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ApplyArgs {
    /// Look for updates first, and stop when there is nothing to do
    #[arg(short, long)]
    pub check: bool,

    /// Reboot into the update when it is applied
    #[arg(short, long)]
    pub reboot: bool,
}

/// Does it.
///
/// # Errors
/// When the server refuses, does not answer, or its work fails.
pub async fn run(api: &Api, command: Command) -> Result<(), Error> {
    match command {
        Command::Check => check(api).await,
        Command::Apply(args) => apply(api, &args).await,
        Command::Cancel => cancel(api).await,
    }
}

async fn check(api: &Api) -> Result<(), Error> {
    let status = wait::run(api, CommandType::Refresh).await?;
    eprintln!("{}", summary(&status));
    answer_json(&status)
}

async fn apply(api: &Api, args: &ApplyArgs) -> Result<(), Error> {
    let status = if args.check {
        Some(wait::run(api, CommandType::Refresh).await?)
    } else {
        wait::status(api).await?
    };
    for command in match plan::apply(status.as_ref(), args.check)? {
        plan::Apply::Nothing => {
            eprintln!("{}", status.as_ref().map_or_else(String::new, summary));
            return Ok(());
        }
        plan::Apply::Commands(commands) => commands,
    } {
        match command {
            CommandType::Prepare => eprintln!("Installing the update to the other partition set"),
            _ => eprintln!("Letting the next boot start it"),
        }
        wait::run(api, *command).await?;
    }
    if args.reboot {
        eprintln!("Update applied; rebooting into it");
        return reboot::run(api).await;
    }
    eprintln!("Update applied; it starts with the next boot: apiclient reboot");
    Ok(())
}

async fn cancel(api: &Api) -> Result<(), Error> {
    wait::run(api, CommandType::Deactivate).await?;
    eprintln!("Update taken back; the next boot starts what runs now");
    Ok(())
}

/// The state of updates in one line.
fn summary(status: &UpdateStatus) -> String {
    let staged = status.staging_partition.as_ref().map(|staged| &staged.image.version);
    let chosen = status.chosen_update.as_ref().map(|chosen| &chosen.version);
    match (status.update_state, staged, chosen) {
        (UpdateState::Ready, Some(staged), _) => {
            format!("Update {staged} is applied already; it starts with the next boot: apiclient reboot")
        }
        (UpdateState::Staged, Some(staged), Some(chosen)) if staged == chosen => {
            format!("Update {staged} is installed; apply it with: apiclient update apply")
        }
        (_, _, Some(chosen)) => {
            format!("Update {chosen} is available; apply it with: apiclient update apply")
        }
        (_, _, None) => "No updates available.".to_owned(),
    }
}

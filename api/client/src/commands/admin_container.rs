//! Switching the admin container on and off, and a shell in it: what the control container offers its users, under the
//! names that they know. Linked to one of these names, the program is that command.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use api_model::exec::Initialize;
use host_io::say;
use tokio::time::Instant;

use crate::api::{Api, CallError};
use crate::commands::exec;
use crate::error::Error;
use crate::exec::connect::connect;
use crate::exec::output::Output;
use crate::exec::terminal::Tty;
use crate::exec::{input, session};
use crate::tell::outcome;
use crate::transaction::{Patch, change};

/// The container.
const ADMIN: &str = "admin";
/// How long to wait before asking again whether it runs; longer and longer, for an image may have to be fetched first.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);
/// How often a person who waits is told so.
const NOTICE: Duration = Duration::from_secs(5);

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Let the admin container run, now and after each boot
    EnableAdminContainer,
    /// Stop the admin container, and do not start it any more
    DisableAdminContainer,
    /// Let the admin container run, and start a shell in it
    EnterAdminContainer(EnterArgs),
}

/// How to enter.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct EnterArgs {
    /// How long the container may take to start; its image may have to be fetched first
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub wait: u64,
}

/// Whether the program was called by one of these commands' names.
#[must_use]
pub fn is_called_by_name(program: &OsStr) -> bool {
    let names = ["enable-admin-container", "disable-admin-container", "enter-admin-container"];
    Path::new(program).file_name().is_some_and(|name| names.iter().any(|known| name == *known))
}

/// Does it.
///
/// # Errors
/// When the server refuses or does not answer, or the container does not come up.
pub async fn run(api: &Api, command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::EnableAdminContainer => {
            outcome(if switch(api, true).await? {
                "The admin container is enabled and starts now; a shell in it: apiclient exec admin bash"
            } else {
                "The admin container was enabled already; a shell in it: apiclient exec admin bash"
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::DisableAdminContainer => {
            outcome(if switch(api, false).await? {
                "The admin container is disabled and stops now"
            } else {
                "The admin container was disabled already"
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::EnterAdminContainer(args) => {
            switch(api, true).await?;
            wait_until_it_runs(api, Duration::from_secs(args.wait)).await?;
            exec::run_in(api, ADMIN.to_owned(), vec!["bash".into()], Tty::Auto).await
        }
    }
}

/// Makes the setting `wanted`, and returns whether it was not.
async fn switch(api: &Api, wanted: bool) -> Result<bool, Error> {
    if is_enabled(api).await? == wanted {
        return Ok(false);
    }
    let pair = format!("host-containers.{ADMIN}.enabled={wanted}");
    change(api, "apiclient-set", vec![Patch::pairs(vec![pair])]).await?;
    Ok(true)
}

/// What the setting says; a container that nobody has configured is not enabled.
async fn is_enabled(api: &Api) -> Result<bool, Error> {
    let settings = api
        .get(&format!("/settings?keys=settings.host-containers.{ADMIN}.enabled"))
        .await
        .map_err(Error::call("read whether the admin container is enabled"))?;
    Ok(settings["host-containers"][ADMIN]["enabled"].as_bool().unwrap_or_default())
}

/// The setting says what shall be; only a command that runs in the container shows that it is so.
async fn wait_until_it_runs(api: &Api, patience: Duration) -> Result<(), Error> {
    let began = Instant::now();
    let mut noticed = began;
    let mut pause = FIRST;
    loop {
        match probe(api).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => return Err(Error::call("look whether the admin container runs")(error)),
        }
        if began.elapsed() >= patience {
            return Err(Error::NotUp { container: ADMIN, seconds: patience.as_secs() });
        }
        // Somebody else may have had enough of it meanwhile.
        if !is_enabled(api).await? {
            return Err(Error::SwitchedOff { container: ADMIN });
        }
        if noticed.elapsed() >= NOTICE {
            noticed = Instant::now();
            say::line(&format!("The admin container does not run yet after {} s", began.elapsed().as_secs()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Whether a command can be run in it. A session that breaks off is no answer yet: the container may be starting.
async fn probe(api: &Api) -> Result<bool, CallError> {
    let socket = connect(api).await?;
    let what = Initialize { command: vec!["true".into()], target: ADMIN.to_owned(), tty: None };
    let Ok(output) = Output::nowhere() else { return Ok(false) };
    Ok(matches!(session::run(socket, what, input::nothing(), output).await, Ok(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_known_by_its_names_wherever_they_lie() {
        assert!(is_called_by_name(OsStr::new("enter-admin-container")));
        assert!(is_called_by_name(OsStr::new("/usr/bin/disable-admin-container")));
        assert!(!is_called_by_name(OsStr::new("/usr/bin/apiclient")));
        assert!(!is_called_by_name(OsStr::new("enable-admin-container-2")));
    }
}

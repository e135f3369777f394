//! From the command line to the exit code.

use std::process::ExitCode;

use crate::api::Api;
use crate::args::{Args, Command};
use crate::commands::{admin_container, apply, exec, get, raw, reboot, set, unset, update};
use crate::error::Error;

/// Does what was asked for and returns the exit code, which only a command in a host container has a say in.
///
/// # Errors
/// When it could not be done; the error says why.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let Args { global, command } = args;
    // Programs read what raw says on stderr (`docs/compatibility.md`, "Update operator"), so nothing else may speak there.
    if !matches!(command, Command::Raw(_)) {
        host_io::log::init(global.level());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Start(error.into()))?;
    let api = Api::at(&global.socket()).map_err(|error| Error::Start(error.into()))?;
    runtime.block_on(async {
        match command {
            Command::Raw(args) => raw::run(&api, args, global.verbose).await,
            Command::Get(args) => get::run(&api, args).await,
            Command::Set(args) => set::run(&api, args).await,
            Command::Unset(args) => unset::run(&api, args).await,
            Command::Apply(args) => apply::run(&api, args).await,
            Command::Update(command) => update::run(&api, command).await,
            Command::Reboot => reboot::run(&api).await,
            Command::AdminContainer(command) => return admin_container::run(&api, command).await,
            Command::Exec(args) => return exec::run(&api, &args).await,
        }
        .map(|()| ExitCode::SUCCESS)
    })
}

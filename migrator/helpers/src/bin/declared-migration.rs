//! `declared-migration`: the program of every migration that is a list of steps. See `declared-migration --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use host_io::{SystemFs, say};
use migration_helpers::args::Args;
use migration_helpers::declared::{self, Declaration};
use migration_helpers::desk::{Command, Desk};
use migration_helpers::{Error, frame};

fn main() -> ExitCode {
    match own_program().and_then(|program| Ok((Declaration::embedded(&program)?, program))) {
        Ok((Some(list), _)) => match Args::read(std::env::args_os()) {
            Ok(args) => frame::ended(frame::transform(&SystemFs, &args, |contents, direction| {
                list.apply(contents, direction)
            })),
            Err(usage) => used_wrongly(&usage),
        },
        Ok((None, program)) => match Desk::try_parse() {
            Ok(desk) => frame::ended(work(&desk.command, &program)),
            Err(usage) => used_wrongly(&usage),
        },
        Err(error) => frame::ended(Err(error)),
    }
}

fn work(command: &Command, program: &[u8]) -> Result<(), Error> {
    let failed = |what: &str, path: &PathBuf, error: &std::io::Error| {
        Error::Other(format!("{what} {}: {error}", path.display()))
    };
    let read = |path| std::fs::read_to_string(path).map_err(|error| failed("read", path, &error));
    match command {
        Command::Pack { list, out } => {
            let packed = declared::pack(program, &read(list)?)?;
            std::fs::write(out, packed).map_err(|error| failed("write", out, &error))?;
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(out, std::fs::Permissions::from_mode(0o755))
                .map_err(|error| failed("make executable", out, &error))?;
            say::outcome(&format!("{} is a migration now\n", out.display()));
        }
        Command::Check { list } => {
            let list = Declaration::parse(&read(list)?)?;
            let steps = list.steps().iter().map(|step| format!("{step}\n"));
            let losses = list.losses().into_iter().map(|loss| format!("mind: {loss}\n"));
            say::outcome(&steps.chain(losses).collect::<String>());
        }
    }
    Ok(())
}

fn own_program() -> Result<Vec<u8>, Error> {
    std::fs::read("/proc/self/exe").map_err(|error| Error::Other(format!("read this program: {error}")))
}

fn used_wrongly(usage: &clap::Error) -> ExitCode {
    // Nowhere to say it if this fails too; the exit code says it anyway.
    let _unsaid = usage.print();
    u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

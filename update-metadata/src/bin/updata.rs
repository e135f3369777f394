//! The program `updata`: makes and changes update manifests, and says what is wrong with one.

use std::process::ExitCode;

fn main() -> ExitCode {
    update_metadata::updata::run(std::env::args_os())
}

//! What shells complete: `dist/completions/` has what the grammar of the command line says.

use std::path::Path;

use clap_complete::{Shell, generate};

use crate::golden;

#[test]
fn the_completions_that_are_shipped_are_those_of_this_command_line() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/completions");
    let files =
        [(Shell::Bash, "apiclient.bash"), (Shell::Zsh, "_apiclient"), (Shell::Fish, "apiclient.fish")];
    for (shell, file) in files {
        let mut script = Vec::new();
        generate(shell, &mut apiclient::args::grammar(), "apiclient", &mut script);
        golden::assert_at(&dir.join(file), &String::from_utf8(script).unwrap());
    }
}

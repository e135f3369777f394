//! Manual pages and completions of every program, from its command line.

use std::error::Error;
use std::fs;
use std::path::Path;

use chrono::DateTime;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

/// A program and what is known of its command line.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// Of the manual: 1 for whoever types it, 8 for whoever looks after a host.
    section: &'static str,
    grammar: fn() -> clap::Command,
}

const fn program(name: &'static str, section: &'static str, grammar: fn() -> clap::Command) -> Program {
    Program { name, section, grammar }
}

/// The programs of a host.
pub(super) const HOST: [Program; 5] = [
    program("apiclient", "1", apiclient::args::grammar),
    program("apiserver", "8", apiserver::args::grammar),
    program("migrator", "8", migrator::args::grammar),
    program("signpost", "8", signpost::cli::grammar),
    program("updog", "8", updog::typed::cli::grammar),
];

/// The programs of whoever publishes.
pub(super) const PUBLISH: [Program; 3] = [
    program("declared-migration", "1", migration_helpers::desk::grammar),
    program("pubrepo", "1", publish::command::grammar),
    program("updata", "1", update_metadata::updata::grammar),
];

/// Writes the pages and completions of `programs` below the tree `root`.
pub(super) fn write(programs: &[Program], root: &Path, epoch: i64) -> Result<(), Box<dyn Error>> {
    let date = DateTime::from_timestamp(epoch, 0).ok_or("say the day of this commit")?;
    let date = date.format("%Y-%m-%d").to_string();
    for program in programs {
        let dir = root.join(format!("usr/share/man/man{}", program.section));
        fs::create_dir_all(&dir)?;
        for page in pages(program, &date)? {
            fs::write(dir.join(format!("{}.{}", page.name, program.section)), page.text)?;
        }
        for (shell, file) in completions(program.name) {
            let file = root.join(file);
            fs::create_dir_all(file.parent().expect("it lies in a directory"))?;
            fs::write(file, completion(program, shell))?;
        }
    }
    Ok(())
}

/// A page of the manual.
struct Page {
    name: String,
    text: Vec<u8>,
}

/// The program's page, and one for each subcommand.
fn pages(program: &Program, date: &str) -> std::io::Result<Vec<Page>> {
    let mut command = (program.grammar)().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
        left.extend(shown.cloned());
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let mut text = Vec::new();
        Man::new(command)
            .section(program.section)
            .date(date)
            .manual("Update stack")
            .source(format!("{} {}", program.name, env!("CARGO_PKG_VERSION")))
            .render(&mut text)?;
        pages.push(Page { name, text });
    }
    Ok(pages)
}

/// Where each shell looks.
fn completions(name: &str) -> [(Shell, String); 3] {
    [
        (Shell::Bash, format!("usr/share/bash-completion/completions/{name}")),
        (Shell::Zsh, format!("usr/share/zsh/vendor-completions/_{name}")),
        (Shell::Fish, format!("usr/share/fish/vendor_completions.d/{name}.fish")),
    ]
}

fn completion(program: &Program, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    generate(shell, &mut (program.grammar)(), program.name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Program> {
        static ALL: [&[Program]; 2] = [&HOST, &PUBLISH];
        ALL.iter().flat_map(|programs| programs.iter())
    }

    #[test]
    fn every_subcommand_has_a_page_and_is_completed_in_every_shell() {
        for program in all() {
            let pages = pages(program, "2026-01-01").unwrap();
            let grammar = (program.grammar)();
            let shown: Vec<_> = grammar.get_subcommands().filter(|sub| !sub.is_hide_set()).collect();
            assert_eq!(pages.iter().filter(|page| page.name == program.name).count(), 1, "{}", program.name);
            for sub in shown.iter().filter(|sub| sub.get_name() != "help") {
                let wanted = format!("{}-{}", program.name, sub.get_name());
                assert!(pages.iter().any(|page| page.name == wanted), "{wanted}");
                for (shell, _) in completions(program.name) {
                    let script = String::from_utf8(completion(program, shell)).unwrap();
                    assert!(script.contains(sub.get_name()), "{shell}: {wanted}");
                }
            }
        }
    }

    #[test]
    fn what_is_hidden_on_a_command_line_is_in_no_page() {
        // Every program of a host takes a whole host as a directory, for tests.
        for program in &HOST {
            for page in pages(program, "2026-01-01").unwrap() {
                let text = String::from_utf8(page.text).unwrap();
                assert!(text.contains(r"\-\-help"), "{}", page.name);
                assert!(!text.contains(r"\-\-root\fR"), "{}", page.name);
            }
        }
    }
}

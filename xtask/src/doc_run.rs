//! `cargo xtask doc-run NAME`: runs the commands that a page of `docs/` shows, and holds them to what it shows.
//!
//! The rule for its author: commands stand in fences of `console`, each behind `$ `. They run in order, by `sh`, in one
//! temporary directory, with our programs in front of the search path and `SRC` for the source tree. Lines below a
//! command are its output, stdout and stderr together; where none are shown, none are looked at. A line `...` stands
//! for any lines, `…` for any text. All commands succeed, but for the last one of a fence with `exit=N`.

use std::path::Path;
use std::process::Command;

use clap::Parser;

use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo, workspace};
use crate::vm::walk;

/// Arguments of `cargo xtask doc-run`.
#[derive(Parser)]
#[command(after_help = "Examples:\n  cargo xtask doc-run publishing\n  cargo xtask doc-run boot")]
pub(crate) struct Args {
    /// The page, without docs/ and .md
    page: String,
}

/// One command, and what the page says of it.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line: usize,
    command: String,
    output: Vec<String>,
    exit: i32,
}

/// Runs the page's commands up to the first that does something else than shown.
pub(crate) fn run(args: &Args) -> Outcome {
    let docs = workspace().join("docs");
    // The page on writing something goes by what is written.
    let named = ["", "writing-"].map(|before| docs.join(format!("{before}{}.md", args.page)));
    let path = named.iter().find(|path| path.exists()).unwrap_or(&named[0]).clone();
    let page = path.file_name().unwrap_or_default().to_string_lossy();
    let text = std::fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
    let shown = commands(&text)?;
    if shown.is_empty() {
        return Err(format!("find a command in {}", path.display()).into());
    }
    let built = cargo().args(BUILD_PROGRAMS).status()?;
    if !built.success() {
        return Err("build the programs".into());
    }
    let boots = args.page == "boot";
    if boots {
        walk::prepare()?;
    }
    let here = std::env::current_exe()?;
    let programs = here.parent().ok_or("find our programs: no directory")?;
    let dir = tempfile::tempdir()?;
    for one in &shown {
        println!("$ {}", one.command);
        if let Err(differs) = play(one, dir.path(), programs) {
            println!("docs/{page}, line {}: {differs}", one.line);
            return Ok(false);
        }
    }
    println!("{} commands did what docs/{page} shows", shown.len());
    // That page ends with a disk, and says that it boots.
    if boots { walk::walk(dir.path()) } else { Ok(true) }
}

fn play(one: &Shown, dir: &Path, programs: &Path) -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{}", one.command)])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("SRC", workspace())
        .output()
        .map_err(|error| format!("sh does not run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() != Some(one.exit) {
        return Err(format!("it ended with {} and not with {}:\n{said}", output.status, one.exit));
    }
    let lines: Vec<&str> = said.lines().collect();
    let shown: Vec<&str> = one.output.iter().map(String::as_str).collect();
    if shown.is_empty() || lines_match(&shown, &lines) {
        return Ok(());
    }
    Err(format!("it says something else than shown:\n{said}"))
}

/// The commands of a page.
fn commands(text: &str) -> Result<Vec<Shown>, String> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut fence: Option<(usize, i32)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), fence) {
            (Some(info), None) if info.split(' ').next() == Some("console") => {
                let exit = match info.split_once("exit=") {
                    None => 0,
                    Some((_, code)) => code
                        .trim()
                        .parse()
                        .map_err(|_| format!("read line {number}: {code:?} is no exit status"))?,
                };
                fence = Some((shown.len(), exit));
            }
            (Some(_), Some((first, exit))) => {
                let last = shown[first..]
                    .last_mut()
                    .ok_or(format!("read line {number}: a fence without command"))?;
                last.exit = exit;
                fence = None;
            }
            (None, Some((first, _))) => match line.strip_prefix("$ ") {
                Some(command) => {
                    shown.push(Shown { line: number, command: command.to_owned(), output: vec![], exit: 0 });
                }
                None => match shown[first..].last_mut() {
                    Some(last) if last.output.is_empty() && last.command.ends_with('\\') => {
                        last.command = format!("{}\n{line}", last.command);
                    }
                    Some(last) => last.output.push(line.to_owned()),
                    None => return Err(format!("read line {number}: output without command")),
                },
            },
            _ => {}
        }
    }
    if fence.is_some() { Err("find the end of the last fence".to_owned()) } else { Ok(shown) }
}

fn lines_match(shown: &[&str], said: &[&str]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((&"...", rest)) => (0..=said.len()).any(|skip| lines_match(rest, &said[skip..])),
        Some((line, rest)) => said
            .split_first()
            .is_some_and(|(first, behind)| line_matches(line, first) && lines_match(rest, behind)),
    }
}

fn line_matches(shown: &str, said: &str) -> bool {
    match shown.split_once('…') {
        None => shown == said,
        Some((before, rest)) => said.strip_prefix(before).is_some_and(|behind| {
            let mut starts = behind.char_indices().map(|(at, _)| at).chain([behind.len()]);
            starts.any(|at| line_matches(rest, &behind[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_output_and_the_exit_status_that_is_shown() {
        let page = "words\n```sh\n$ not this\n```\n```console exit=1\n$ one \\\n  more\n$ two\nsaid\n```\n";
        let shown = |line, command: &str, output: &[&str], exit| Shown {
            line,
            command: command.to_owned(),
            output: output.iter().map(|&line| line.to_owned()).collect(),
            exit,
        };
        assert_eq!(
            commands(page),
            Ok(vec![shown(6, "one \\\n  more", &[], 0), shown(8, "two", &["said"], 1)])
        );
        assert!(commands("```console\n$ open\n").is_err());
        assert!(commands("```console\nno command\n```\n").is_err());
    }

    #[test]
    fn dots_stand_for_lines_and_for_text() {
        assert!(lines_match(&["a", "...", "z"], &["a", "b", "c", "z"]));
        assert!(lines_match(&["..."], &[]));
        assert!(!lines_match(&["a"], &["a", "b"]));
        assert!(!lines_match(&["...", "z"], &["a"]));
        assert!(line_matches("good until …", "good until tomorrow"));
        assert!(line_matches("read: … targets, … bytes", "read: 4 targets, 12 bytes"));
        assert!(!line_matches("read: … targets", "read: 4 bytes"));
    }

    #[test]
    fn what_differs_is_an_error() {
        let dir = std::env::temp_dir();
        let one = |command: &str, output: &str, exit| Shown {
            line: 1,
            command: command.to_owned(),
            output: vec![output.to_owned()],
            exit,
        };
        assert_eq!(play(&one("echo told >&2; exit 3", "told", 3), &dir, &dir), Ok(()));
        assert!(play(&one("echo told", "told", 3), &dir, &dir).is_err());
        assert!(play(&one("echo told", "other", 0), &dir, &dir).is_err());
    }
}

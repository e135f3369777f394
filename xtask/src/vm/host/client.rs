//! The API's client, outside of the machine, under any of its names and with or without a terminal.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bench::tools::command;

/// Runs it to its end: whether it succeeded, and all that it said.
pub(super) fn call(
    dir: &Path,
    socket: &Path,
    name: &str,
    args: &[&str],
    typed: Option<&str>,
) -> io::Result<(bool, String)> {
    let program = dir.join(name);
    if !program.exists() {
        symlink(testdata::program("apiclient"), &program)?;
    }
    let (well, said) = match typed {
        None => {
            let output = command(&program.to_string_lossy()).arg("-s").arg(socket).args(args).output()?;
            (output.status.success(), [output.stdout, output.stderr].concat())
        }
        Some(typed) => {
            let words = [program.as_os_str(), "-s".as_ref(), socket.as_os_str()];
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            // It gives a command a terminal, and types what it reads itself.
            let mut script = command("script");
            script.args(["-q", "-e", "-c", &format!("{} {}", words.join(" "), args.join(" ")), "/dev/null"]);
            at_a_terminal(&mut script, typed)?
        }
    };
    Ok((well, String::from_utf8_lossy(&said).into_owned()))
}

/// The terminal forgets what is typed before somebody takes it over, so the shell's prompt comes first.
fn at_a_terminal(script: &mut Command, typed: &str) -> io::Result<(bool, Vec<u8>)> {
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut keyboard = child.stdin.take().expect("it was asked for");
    let mut screen = child.stdout.take().expect("it was asked for");
    let mut said = Vec::new();
    let mut some = [0; 4096];
    while !String::from_utf8_lossy(&said).trim_end().ends_with(['#', '$']) {
        match screen.read(&mut some)? {
            0 => break,
            count => said.extend(&some[..count]),
        }
    }
    // It may have ended without a prompt, and says why.
    let _ = keyboard.write_all(typed.as_bytes());
    screen.read_to_end(&mut said)?;
    Ok((child.wait()?.success(), said))
}

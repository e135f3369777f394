//! What a program in sealed memory gets, and how it is ended. The program here is the machine's shell.

use std::fs;
use std::path::Path;
use std::time::Duration;

use migrator::exec::{Error, Limits, Said, Sealed};

use super::host::runtime;

const PLENTY: Limits = Limits { time: Duration::from_secs(300) };

fn shell(script: &str, limits: Limits) -> Result<Said, Error> {
    let sealed = Sealed::new("shell", &fs::read("/bin/sh").unwrap()).unwrap();
    runtime().block_on(sealed.run(&["-c", script], limits))
}

#[test]
fn a_program_gets_no_environment_no_input_and_the_root_directory() {
    // The shell itself sets PWD and the like; what it was given is in its own record.
    let said = shell("cat; pwd; tr '\\0' '\\n' < /proc/$$/environ; echo to stderr >&2", PLENTY).unwrap();
    assert_eq!(said, Said { out: "/".to_owned(), err: "to stderr".to_owned() });
}

#[test]
fn sealed_bytes_cannot_be_changed_not_even_by_the_program() {
    let said = shell("echo x 2>&1 > /proc/$$/exe || echo refused", PLENTY).unwrap();
    assert!(said.out.ends_with("refused"), "{said:?}");
}

#[test]
fn a_bad_end_is_told_with_what_was_said() {
    let error = shell("echo why >&2; exit 3", PLENTY).unwrap_err();
    assert!(matches!(&error, Error::Ended { status, said } if status.code() == Some(3) && said.err == "why"));
    let error = shell("kill -9 $$", PLENTY).unwrap_err();
    assert!(error.to_string().contains("signal: 9"), "{error}");
}

#[test]
fn much_talk_is_cut_and_does_not_block_the_program() {
    let said = shell("yes | head -c 1000000; yes no | head -c 1000000 >&2", PLENTY).unwrap();
    assert!(said.out.len() <= 16 * 1024 && said.err.len() <= 16 * 1024);
    assert!(said.out.starts_with("y\ny"));
}

#[test]
fn what_is_no_program_is_not_started() {
    let sealed = Sealed::new("text", b"no program").unwrap();
    let error = runtime().block_on(sealed.run::<&str>(&[], PLENTY)).unwrap_err();
    assert!(matches!(error, Error::Start(_)), "{error}");
}

#[test]
fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("helper");
    // Patience grows until the helper had the time to be started, however busy the machine is.
    for seconds in [1, 4, 16, 64] {
        let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", note.display());
        let error = shell(&script, Limits { time: Duration::from_secs(seconds) }).unwrap_err();
        assert!(matches!(error, Error::TimedOut(_)), "{error}");
        if note.exists() {
            break;
        }
    }
    let helper = fs::read_to_string(&note).unwrap();
    let stat = Path::new("/proc").join(helper.trim()).join("stat");
    // Its outputs are closed, so it is past its last instruction; the kernel may still be taking it apart.
    let dead = || {
        let state = fs::read_to_string(&stat).unwrap_or_default();
        state.is_empty() || state.contains(") Z") || state.contains(") X") || !state.contains("(sleep)")
    };
    assert!(
        (0..10_000).any(|_| dead() || {
            std::thread::yield_now();
            false
        }),
        "the helper still runs"
    );
}

//! What a program in sealed memory gets, and how it is ended. The program here is the machine's shell.

use std::fs;
use std::path::Path;
use std::time::Duration;

use migrator::exec::{Error, Place, Said, Sealed};
use migrator::limits::Limits;
use migrator::sandbox::OWN_USER;

use super::host::runtime;

const PLENTY: Limits = Limits::USUAL;

/// Runs what `program` holds, in a sandbox that reaches `scratch` only.
fn run(program: &[u8], arguments: &[&str], scratch: &Path, limits: Limits) -> Result<Said, Error> {
    let sealed = Sealed::new("program", program).unwrap();
    let place = Place {
        launcher: Path::new(env!("CARGO_BIN_EXE_migrator")),
        scratch,
        user: None,
        most: limits.growth,
        free: None,
    };
    runtime().block_on(sealed.run(arguments, place, limits))
}

fn shell_in(scratch: &Path, script: &str, limits: Limits) -> Result<Said, Error> {
    run(&fs::read("/bin/sh").unwrap(), &["-c", script], scratch, limits)
}

fn shell(script: &str, limits: Limits) -> Result<Said, Error> {
    shell_in(tempfile::tempdir().unwrap().path(), script, limits)
}

#[test]
fn a_program_gets_a_place_for_its_files_no_input_and_the_root_directory() {
    let dir = tempfile::tempdir().unwrap();
    // The shell itself sets PWD and the like; what it was given is in its own record.
    let script = "cat; pwd; tr '\\0' '\\n' < /proc/$$/environ; echo to stderr >&2";
    let said = shell_in(dir.path(), script, PLENTY).unwrap();
    let expected = format!("/\nTMPDIR={}", dir.path().display());
    assert_eq!((said.out, said.err.as_str()), (expected, "to stderr"));
}

#[test]
fn a_script_may_have_temporary_files() {
    let dir = tempfile::tempdir().unwrap();
    let script = b"#!/bin/sh\nset -eu\nfile=$(mktemp)\nhead -c 200000 /dev/zero > $file\nwc -c < $file\n";
    let said = run(script, &[], dir.path(), PLENTY).unwrap();
    assert_eq!(said.out.trim(), "200000");
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
#[expect(clippy::disallowed_methods, reason = "the wait is bounded")]
fn what_a_program_leaves_running_is_ended_with_it() {
    let dir = tempfile::tempdir().unwrap();
    // Whether it has let go of the outputs or not: who has ended is not waited for any more.
    for outputs in ["> /dev/null 2>&1", ""] {
        let script = format!("sleep 600 < /dev/null {outputs} & echo $!");
        let said = shell_in(dir.path(), &script, PLENTY).unwrap();
        let record = Path::new("/proc").join(&said.out).join("stat");
        let started = std::time::Instant::now();
        loop {
            // Gone, or ended and not yet collected by whoever inherited it.
            match fs::read_to_string(&record) {
                Ok(text) if !text.contains(") Z") && !text.contains(") X") => {}
                Ok(_) | Err(_) => break,
            }
            assert!(started.elapsed() < Duration::from_secs(60), "it still runs: {said:?}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_is_no_program_is_not_started() {
    let dir = tempfile::tempdir().unwrap();
    let error = run(b"no program", &[], dir.path(), PLENTY).unwrap_err();
    assert!(matches!(error, Error::Start(_)), "{error}");
}

#[test]
fn a_script_is_run_by_the_interpreter_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let said = run(b"#!/bin/sh\necho $1 from a script\n", &["--forward"], dir.path(), PLENTY).unwrap();
    assert_eq!(said.out, "--forward from a script");
    let error = run(b"#! /not/there -x\n", &[], dir.path(), PLENTY).unwrap_err();
    assert!(matches!(error, Error::Start(_)), "{error}");
    let told = host_io::report::chain(&error);
    assert!(told.contains("/not/there, which its first line names: No such file"), "{told}");
}

#[test]
fn what_confines_a_program_is_told() {
    let said = shell("exit 0", PLENTY).unwrap();
    let all = [said.confined.in_force, said.confined.missing].concat().join("; ");
    for one in ["limits", "network", "user of its own", "no file but"] {
        assert!(all.contains(one), "{one}: {all}");
    }
}

#[test]
fn files_elsewhere_are_out_of_reach_and_those_in_the_scratch_directory_are_not() {
    let (scratch, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = other.path().join("settings");
    fs::write(&secret, "secret").unwrap();
    let script = format!(
        "echo mine > {0}/new && cat {0}/new; cat {1} 2>&1 || echo cannot read; echo x > {1} || echo cannot write",
        scratch.path().display(),
        secret.display()
    );
    let said = shell_in(scratch.path(), &script, PLENTY).unwrap();
    if said.confined.in_force.iter().any(|one| one.starts_with("no file but")) {
        assert!(said.out.contains("cannot read") && said.out.contains("cannot write"), "{said:?}");
        assert!(!said.out.contains("secret"), "{said:?}");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    }
    assert!(said.out.starts_with("mine"), "{said:?}");
}

#[test]
fn there_is_no_network() {
    let said = shell("cat /proc/self/net/dev", PLENTY).unwrap();
    if said.confined.in_force.iter().any(|one| one == "no network") {
        let devices: Vec<&str> = said.out.lines().skip(2).filter_map(|line| line.split(':').next()).collect();
        assert!(devices.iter().all(|device| device.trim() == "lo"), "{devices:?}");
    }
}

#[test]
fn a_user_of_its_own_is_taken_where_the_rights_allow_it() {
    let dir = tempfile::tempdir().unwrap();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sealed = Sealed::new("shell", &fs::read("/bin/sh").unwrap()).unwrap();
    let place = Place {
        launcher: Path::new(env!("CARGO_BIN_EXE_migrator")),
        scratch: dir.path(),
        user: Some(OWN_USER),
        most: PLENTY.growth,
        free: None,
    };
    let said = runtime().block_on(sealed.run(&["-c", "id -u; id -g; id -G"], place, PLENTY)).unwrap();
    let id = OWN_USER.to_string();
    assert_eq!(said.out.split_whitespace().collect::<Vec<_>>(), [&id, &id, &id]);
}

#[test]
fn a_file_or_memory_beyond_the_limits_ends_it() {
    let scratch = tempfile::tempdir().unwrap();
    let limits = Limits { file_size: 100_000, memory: 64 << 20, ..PLENTY };
    let script = format!("head -c 1000000 /dev/zero > {}/large", scratch.path().display());
    let error = shell_in(scratch.path(), &script, limits).unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
    assert!(fs::metadata(scratch.path().join("large")).unwrap().len() <= 100_000);
    let error = shell("x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}", limits).unwrap_err();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
}

#[test]
fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("helper");
    // Patience grows until the helper had the time to be started, however busy the machine is.
    for seconds in [1, 4, 16, 64] {
        let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", note.display());
        let limits = Limits { time: Duration::from_secs(seconds), ..PLENTY };
        let error = shell_in(dir.path(), &script, limits).unwrap_err();
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

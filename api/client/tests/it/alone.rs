//! The program as a container gets it: static, in a root that has nothing else but the server's socket.
//!
//! Building it takes minutes, so this is left out unless it is asked for:
//! `cargo nextest run -p apiclient --run-ignored only`, or `cargo test -p apiclient --test it -- --ignored`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::scripted::Scripted;

/// The largest that the program may be.
const LARGEST: u64 = 8_000_000;
/// How long one question may take, start of the program included.
const LONGEST: Duration = Duration::from_millis(10);

/// Builds the static program for the target that it is packaged for; "cargo xtask setup --for dist --install" has it.
fn built() -> PathBuf {
    let target = &format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "-p", "apiclient", "--target", target])
        .status()
        .unwrap();
    assert!(status.success());
    // Beside the profile that this test was built for: TARGET_DIR/debug/apiclient.
    let target_dir = Path::new(env!("CARGO_BIN_EXE_apiclient")).parent().unwrap().parent().unwrap();
    target_dir.join(target).join("release/apiclient")
}

#[test]
#[ignore = "it builds for minutes"]
#[expect(clippy::disallowed_methods, reason = "it measures how long a question takes")]
fn the_static_program_needs_nothing_but_itself_and_the_socket() {
    let program = built();
    let size = program.metadata().unwrap().len();
    assert!(size <= LARGEST, "{size} bytes");

    let server = Scripted::new(|_, _| (200, b"{\"version_id\":\"1.0.0\"}".to_vec()));
    let socket = server.socket();
    let root = socket.parent().unwrap();
    std::fs::copy(&program, root.join("apiclient")).unwrap();
    let alone = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "chroot"]).arg(root).arg("/apiclient").args(args);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        command
    };
    let mut times: Vec<Duration> = (0..51)
        .map(|_| {
            let started = Instant::now();
            let mut question = Command::new(&program);
            question.arg("-s").arg(&socket).args(["raw", "-u", "/os"]).stdout(Stdio::null());
            assert!(question.status().unwrap().success());
            started.elapsed()
        })
        .collect();
    times.sort();
    eprintln!("{size} bytes; one question takes {:?} at best, {:?} in the median", times[0], times[25]);
    // Not the median: on a machine with other work that is the other work's.
    assert!(times[5] <= LONGEST, "{times:?}");

    if !alone(&["--version"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: this machine lets nobody change the root directory in a user namespace");
        return;
    }
    let output = alone(&["-s", "/api.sock", "raw", "-u", "/os"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "{\"version_id\":\"1.0.0\"}\n");
    assert!(output.status.success());
}

//! The host, its server, and runs of the client.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use host_io::Paths;
use serde_json::{Value, json};

/// What the image says beside the settings that are shipped.
const MODEL: &str = r#"
default = [
    { key = "settings.updates.metadata-base-url", value = "https://updates.example/m/" },
    { key = "settings.updates.targets-base-url", value = "https://updates.example/t/" },
]
"#;

/// The shipped files that this image takes in, below the image's own directory.
const SHIPPED: [&str; 7] = [
    "settings.d/host-containers.toml",
    "settings.d/motd.toml",
    "settings.d/network.toml",
    "settings.d/updates.toml",
    "templates/motd",
    "templates/proxy.env",
    "templates/updog.toml",
];

/// What `updog` does for each subcommand: it offers 1.1.0 and keeps the state of the inactive set in a file.
const UPDOG: &str = r#"
state() { echo "$1" > "$dir/state"; }
facts() {
    state=$(cat "$dir/state")
    version=null; valid=false; next=false; active=true
    case $state in staged) version='"1.1.0"'; valid=true ;; ready) version='"1.1.0"'; valid=true; next=true; active=false ;; esac
    echo "{\"active\":{\"set\":\"A\",\"variant\":\"metal\",\"arch\":\"x86_64\",\"version\":\"1.0.0\",\"proven\":true,\"next_to_boot\":$active},"
    echo "\"inactive\":{\"set\":\"B\",\"version\":$version,\"valid\":$valid,\"next_to_boot\":$next,\"failed_boot\":false,\"proven\":false}}"
}
[ "$1" = status ] || echo "$*" >> "$dir/calls"
[ ! -e "$dir/$1.sh" ] || . "$dir/$1.sh"
case "$1 $2" in
    "status "*) facts ;;
    "check-update --all") echo '[{"variant":"metal","arch":"x86_64","version":"1.1.0"}]' ;;
    "check-update "*) echo '{"variant":"metal","arch":"x86_64","version":"1.1.0"}' ;;
    "update-image "*) echo '{"event":"started"}'; state staged; echo '{"event":"done"}' ;;
    "update-apply "*) echo '{"event":"started"}'; state ready; echo '{"event":"done"}' ;;
    "reboot-in-turn "*) echo '{"event":"started"}'; mkdir -p "$dir/../run"; : > "$dir/../run/reboot-request"; echo '{"event":"done"}' ;;
    "update-revert "*) echo '{"event":"started"}'; state staged; echo '{"event":"done"}' ;;
esac
"#;

/// A host with 1.0.0 in one directory, with its server running.
pub(crate) struct Host {
    dir: tempfile::TempDir,
    server: Child,
}

/// What a run of the client left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Host {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/usr/share/bottlerocket");
        for name in SHIPPED {
            let to = dir.path().join("usr/share/bottlerocket").join(name);
            write(&to, &fs::read_to_string(dist.join(name)).unwrap());
        }
        write(&paths.settings_model(), MODEL);
        write(
            &paths.os_release(),
            "PRETTY_NAME=\"Ours OS 1.0.0\"\nVARIANT_ID=metal\nVERSION_ID=1.0.0\nBUILD_ID=abc\n",
        );
        let fake = dir.path().join("fake");
        write(&fake.join("state"), "cleared");
        write(&fake.join("updog"), &format!("#!/bin/sh\ndir={}\n{UPDOG}", fake.display()));
        fs::set_permissions(fake.join("updog"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut server = Command::new(program("apiserver"))
            .arg("--root")
            .arg(dir.path())
            .arg("--updog")
            .arg(fake.join("updog"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let mut said = String::new();
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("no server: {said}")).unwrap();
            if line.contains("listening on") {
                break;
            }
            said += &line;
        }
        // The rest is read so that the server never waits for us.
        std::thread::spawn(move || lines.count());
        Self { dir, server }
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths::under(self.dir.path())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        client(&[&["--root", self.dir.path().to_str().unwrap()], args].concat())
    }

    /// The same with something to read on stdin.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        client_with_input(&[&["--root", self.dir.path().to_str().unwrap()], args].concat(), input)
    }

    /// What `updog SUBCOMMAND` does first from now on.
    pub(crate) fn on(&self, subcommand: &str, script: &str) {
        write(&self.dir.path().join(format!("fake/{subcommand}.sh")), script);
    }

    /// The subcommands of `updog` that were run so far, without those for the status.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.dir.path().join("fake/calls")).unwrap_or_default();
        calls.lines().filter_map(|call| call.split(' ').next()).map(str::to_owned).collect()
    }

    /// Ends the server at once, with nobody left at its socket.
    pub(crate) fn kill_server(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ended_already = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Ran {
    /// Its answer in JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its sentence, when it ended with `code` and answered nothing.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        self.stderr
    }

    /// That it did what it was asked and said nothing at all.
    pub(crate) fn silent(&self) {
        assert_eq!((self.code, self.stdout.as_str(), self.stderr.as_str()), (0, "", ""));
    }
}

/// Runs the client.
pub(crate) fn client(args: &[&str]) -> Ran {
    client_with_input(args, "")
}

/// Runs the client with something to read on stdin.
pub(crate) fn client_with_input(args: &[&str], input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_apiclient"))
        .args(args)
        // None may matter where the server is at a socket.
        .env("http_proxy", "http://127.0.0.1:9")
        .env("no_proxy", "127.0.0.1")
        .env("SSL_CERT_FILE", "/nowhere")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A client that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The body of a status, for a server that is scripted.
pub(crate) fn status(command: &str, outcome: &str, second: u32, stderr: &str) -> String {
    json!({
        "update_state": "Idle", "available_updates": [], "chosen_update": null,
        "active_partition": null, "staging_partition": null,
        "most_recent_command": {
            "cmd_type": command, "cmd_status": outcome, "timestamp": format!("2024-10-24T12:00:{second:02}Z"),
            "exit_status": 0, "stderr": stderr,
        },
    })
    .to_string()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A program of ours beside the client.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_apiclient")).with_file_name(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask test`, or build it with `cargo build --bins`",
        path.display()
    );
    path
}

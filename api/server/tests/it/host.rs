//! The host, its server, and requests to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use host_io::Paths;
use rustix::fs::OFlags;
use serde_json::Value;

/// What the image knows beside what is shipped.
pub(crate) const MODEL: &str = r#"
[[default]]
key = "settings.updates.metadata-base-url"
value = "https://updates.example/metal/x86_64/"

[[default]]
key = "settings.updates.targets-base-url"
value = "https://updates.example/targets/"

[[setting]]
key = "settings.ntp.mode"
type = "string"
default = "burst"
values = ["burst", "pool"]
"#;

/// What is shipped of settings and templates, and taken into this image.
const SHIPPED: [&str; 10] = [
    "usr/share/bottlerocket/settings.d/host-containers.toml",
    "usr/share/bottlerocket/settings.d/motd.toml",
    "usr/share/bottlerocket/settings.d/network.toml",
    "usr/share/bottlerocket/settings.d/updates.toml",
    "usr/share/bottlerocket/templates/motd",
    "usr/share/bottlerocket/templates/proxy.env",
    "usr/share/bottlerocket/templates/updog.toml",
    "usr/share/bottlerocket/templates/user-data",
    "engines/podman/settings.d/engine.toml",
    "engines/podman/templates/host-container.env",
];

/// A host with 1.0.0 in one directory.
pub(crate) struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        host.release("1.0.0", MODEL);
        host
    }

    /// Puts another release into place, as a boot of it would.
    pub(crate) fn release(&self, version: &str, model: &str) {
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
        let image = self.root().join("usr/share/bottlerocket");
        for name in SHIPPED {
            let text = fs::read_to_string(dist.join(name)).unwrap();
            let file: PathBuf =
                Path::new(name).iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
            self.write(&image.join(file), &text);
        }
        self.write(&self.image_model(), model);
        self.write(
            &self.paths().os_release(),
            &format!(
                "PRETTY_NAME=\"Ours OS {version}\"\nVARIANT_ID=metal\nVERSION_ID={version}\nBUILD_ID=abc\n"
            ),
        );
    }

    /// Puts a program of the host into place: a script that runs at the host's root.
    pub(crate) fn install_program(&self, name: &str, script: &str) {
        let path = self.root().join("usr/bin").join(name);
        self.write(&path, &format!("#!/bin/sh\n{script}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The file of a setting in the live store.
    pub(crate) fn stored(&self, key: &str) -> PathBuf {
        self.paths().datastore().join("current/live/settings").join(key.replace('.', "/"))
    }

    /// Where the image's own part of the model lies.
    pub(crate) fn image_model(&self) -> PathBuf {
        self.paths().settings_model().with_extension("d").join("90-image.toml")
    }

    /// Wipes what does not outlive a boot.
    pub(crate) fn reboot(&self) {
        fs::remove_dir_all(self.root().join("run")).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths::under(self.root())
    }

    pub(crate) fn write(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The configuration of `updog` as the server rendered it.
    pub(crate) fn updog_toml(&self) -> toml::Table {
        fs::read_to_string(self.paths().updog_config()).unwrap().parse().unwrap()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apiserver"));
        command.arg("--root").arg(self.root()).arg("--updog").arg(self.fake("updog"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same, with more arguments.
    pub(crate) fn serve_with(&self, args: &[&str]) -> Server {
        let mut command = self.command();
        if !args.contains(&"--refresh-age") {
            // Tests change their minds within a minute.
            command.args(["--refresh-age", "0"]);
        }
        command.args(args);
        self.serve_by(command)
    }

    /// Runs a command that becomes the server and waits until it listens.
    pub(crate) fn serve_by(&self, mut command: Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("no server: {}", log.lock().unwrap())).unwrap();
            *log.lock().unwrap() += &format!("{line}\n");
            if line.contains("listening on") {
                break;
            }
        }
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *kept.lock().unwrap() += &format!("{line}\n");
            }
        });
        Server { child, socket: self.paths().api_socket(), log, reader: Some(reader) }
    }

    /// Runs the server where it is expected to refuse; returns its exit code and its words.
    pub(crate) fn refuse(&self) -> (i32, String) {
        let output = self.command().output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// A file of the `updog` that stands in for the real one.
    pub(crate) fn fake(&self, name: &str) -> PathBuf {
        self.root().join("fake").join(name)
    }

    /// Makes that `updog`: each call runs the script that the test wrote for its subcommand.
    pub(crate) fn install_updog(&self) {
        let dir = self.root().join("fake");
        let script = format!(
            "#!/bin/sh\ndir={}\necho \"$*\" >> \"$dir/calls\"\nname=$1\n[ \"$2\" != --all ] || name=all\n. \"$dir/$name.sh\"\n",
            dir.display()
        );
        self.write(&self.fake("updog"), &script);
        fs::set_permissions(self.fake("updog"), fs::Permissions::from_mode(0o755)).unwrap();
        let made = Command::new("mkfifo").arg(self.fake("gate")).status().unwrap();
        assert!(made.success());
        self.on("status", "cat \"$dir/facts.json\"");
    }

    /// What `updog SUBCOMMAND` does from now on; `check-update --all` is called `all`.
    pub(crate) fn on(&self, subcommand: &str, script: &str) {
        self.write(&self.fake(&format!("{subcommand}.sh")), script);
    }

    /// The calls of `updog` so far, without those for the status.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.fake("calls")).unwrap_or_default();
        calls.lines().filter(|call| !call.starts_with("status")).map(str::to_owned).collect()
    }

    /// Lets an `updog` go on that waits at `cat "$dir/gate"`.
    pub(crate) fn open_gate(&self) {
        // A pipe without a reader is not opened for a writer who will not wait: an `updog` that never comes to the gate
        // fails the test, which would stand still else.
        let not_waiting = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
        let gate = self.fake("gate");
        drop(until("an updog comes to the gate", || {
            fs::OpenOptions::new().write(true).custom_flags(not_waiting).open(&gate).ok()
        }));
    }
}

/// Sends a signal to a process that the test started.
fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
    assert!(sent.success());
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    socket: PathBuf,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn get(&self, uri: &str) -> Answer {
        self.ask("GET", uri, b"")
    }

    pub(crate) fn post(&self, uri: &str) -> Answer {
        self.ask("POST", uri, b"")
    }

    pub(crate) fn delete(&self, uri: &str) -> Answer {
        self.ask("DELETE", uri, b"")
    }

    /// Changes settings by a body of that kind, and puts them in force.
    pub(crate) fn change(&self, kind: &str, body: &str) -> Answer {
        let head = format!(
            "PATCH /settings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = self.raw(&[head.as_bytes(), body.as_bytes()].concat());
        if answer.status != 204 {
            return answer;
        }
        let done = self.post("/tx/commit_and_apply");
        if done.status != 200 {
            self.delete("/tx").ok();
        }
        done
    }

    pub(crate) fn patch(&self, uri: &str, body: &str) -> Answer {
        self.ask("PATCH", uri, body.as_bytes())
    }

    pub(crate) fn ask(&self, method: &str, uri: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {uri} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Sends exactly these bytes and reads until the server closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that refuses a body may close before it has read all of it.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&answer)
    }

    pub(crate) fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.socket).unwrap()
    }

    /// The same, with a socket elsewhere.
    pub(crate) fn at(mut self, socket: PathBuf) -> Self {
        self.socket = socket;
        self
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks it to end and waits until it has.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal("TERM", self.child.id());
        self.child.wait().unwrap().code()
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks for the state of updates until no command runs any more.
    pub(crate) fn settled(&self) -> Value {
        until("the command ends", || {
            let answer = self.get("/updates/status");
            (answer.status != 423).then(|| answer.ok())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Asks again until there is an answer; a test that would wait for ever fails instead.
#[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        let content_type = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-type").then(|| value.to_owned())
        });
        Self { status, content_type: content_type.unwrap_or_default(), body: body.to_owned() }
    }

    /// The JSON of a success.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// A success without a body.
    pub(crate) fn done(&self) {
        assert_eq!((self.status, self.body.as_str()), (204, ""));
    }

    /// The sentence of a refusal with that code.
    pub(crate) fn refused(self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

//! An `apiserver` of its own, and its figures in `/proc`.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use host_io::Paths;

use crate::bench::procfs;
use crate::bench::tools::shipped;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropping it ends it.
pub(super) struct Server {
    child: Child,
    socket: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

impl Server {
    /// A server on a new host with so many settings.
    pub(super) fn start(keys: usize) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let paths = Paths::under(dir.path());
        let mut model = String::new();
        for number in 0..keys {
            write!(
                model,
                "[[setting]]\nkey = \"settings.group-{}.key-{number}\"\ntype = \"string\"\ndefault = \"the value of setting {number}\"\n",
                number / 50
            )?;
        }
        let os = "PRETTY_NAME=\"Ours OS 1.0.0\"\nVARIANT_ID=metal\nVERSION_ID=1.0.0\nBUILD_ID=abc\n";
        for (path, text) in [(paths.settings_model(), model.as_str()), (paths.os_release(), os)] {
            fs::create_dir_all(path.parent().expect("a file lies in a directory"))?;
            fs::write(path, text)?;
        }
        let mut server = Self::on(dir.path())?;
        server._dir = Some(dir);
        Ok(server)
    }

    /// A server on the host below `root`.
    #[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
    pub(super) fn on(root: &Path) -> Result<Self, Box<dyn Error>> {
        let socket = Paths::under(root).api_socket();
        let child = Command::new(shipped("apiserver"))
            .args(["--log-level", "error", "--root"])
            .arg(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut server = Self { child, socket, _dir: None };
        let give_up = Instant::now() + PATIENCE;
        while UnixStream::connect(&server.socket).is_err() {
            if let Some(ended) = server.child.try_wait()? {
                return Err(format!("start apiserver: it ended with {ended}").into());
            }
            if Instant::now() > give_up {
                return Err("start apiserver: it does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its memory in bytes.
    pub(super) fn resident(&self) -> Result<u64, Box<dyn Error>> {
        procfs::resident(self.child.id()).ok_or_else(|| "read the memory of apiserver".into())
    }

    /// Its processor time, without its children's.
    pub(super) fn spent(&self) -> Result<Duration, Box<dyn Error>> {
        procfs::own(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}

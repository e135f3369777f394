//! A socket that only the right ones can open.
//!
//! It is made in a directory that nobody else can enter, given its owner and mode there, and only then moved to its
//! name. So there is no moment at which others can connect, and a socket that a dead server left behind is replaced in
//! the same step.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host_io::fs::Kind;
use host_io::{Fs, swap};
use listenfd::ListenFd;
use rustix::io::{FdFlags, fcntl_setfd};
use thiserror::Error;
use tokio::net::UnixListener;

/// Owner and group may connect.
const MODE: u32 = 0o660;

/// Why the socket could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Something else has its name.
    #[error("listen on {0}: something that is no socket is there")]
    Occupied(PathBuf),
    /// The system refuses.
    #[error("{errand} {path}")]
    Io {
        /// What was being done.
        errand: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The socket that a service manager made for us before it started us; `None` when it made none.
///
/// # Errors
/// When what it handed over is no listening unix socket.
pub fn inherited() -> Result<Option<UnixListener>, Error> {
    let failed =
        |source| Error::Io { errand: "listen on", path: PathBuf::from("the socket handed over"), source };
    let Some(listener) = ListenFd::from_env().take_unix_listener(0).map_err(failed)? else {
        return Ok(None);
    };
    // Children must not keep it open when we are gone.
    fcntl_setfd(&listener, FdFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    listener.set_nonblocking(true).map_err(failed)?;
    UnixListener::from_std(listener).map(Some).map_err(failed)
}

/// Listens on `path`; `group` may connect beside the owner.
///
/// # Errors
/// When something else is at that path, or the system refuses.
pub fn listen(fs: &dyn Fs, path: &Path, group: Option<u32>) -> Result<UnixListener, Error> {
    let failed = |errand| move |source| Error::Io { errand, path: path.to_owned(), source };
    match fs.kind(path).map_err(failed("look at"))? {
        None | Some(Kind::Other) => {}
        Some(Kind::File | Kind::Directory | Kind::Link) => return Err(Error::Occupied(path.to_owned())),
    }
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        swap::make_dirs(fs, dir, 0o755).map_err(failed("make the directory of"))?;
    }
    let closed = swap::beside(path);
    swap::discard(fs, &closed).map_err(failed("clear what is beside"))?;
    fs.make_dir(&closed, 0o700).map_err(failed("make a closed directory for"))?;
    let new = closed.join("s");
    let listener = UnixListener::bind(&new).map_err(failed("listen on"))?;
    std::fs::set_permissions(&new, Permissions::from_mode(MODE)).map_err(failed("set the mode of"))?;
    if let Some(group) = group {
        match std::os::unix::fs::chown(&new, None, Some(group)) {
            // Only root may give a file to any group; without root this is somebody's own server.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::debug!("{} keeps its group: {error}", path.display());
            }
            given => given.map_err(failed("set the group of"))?,
        }
    }
    fs.rename(&new, path).map_err(failed("name"))?;
    swap::discard(fs, &closed).map_err(failed("clear what is beside"))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use host_io::SystemFs;

    use super::*;

    #[tokio::test]
    async fn the_socket_has_its_mode_and_a_stale_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/api.sock");
        let own_group = std::fs::metadata(dir.path()).unwrap().gid();
        drop(listen(&SystemFs, &path, Some(own_group)).unwrap());
        assert!(tokio::net::UnixStream::connect(&path).await.is_err(), "nobody listens any more");
        let _listener = listen(&SystemFs, &path, None).unwrap();
        tokio::net::UnixStream::connect(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o660);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"x").unwrap();
        let error = listen(&SystemFs, &path, None).unwrap_err();
        assert!(error.to_string().contains("no socket is there"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    #[tokio::test]
    async fn a_name_that_is_too_long_for_a_socket_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(120));
        let error = listen(&SystemFs, &path, None).unwrap_err();
        assert!(error.to_string().contains("listen on"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            Error::Occupied("/data/file".into()).to_string(),
            "listen on /data/file: something that is no socket is there"
        );
    }
}

//! The whole program, from its arguments to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use host_io::{Advise, Fs, Paths, SystemClock, SystemHost};
use sd_notify::NotifyState;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::Args;
use crate::http::{Api, exec, monitoring, router};
use crate::render::keep;
use crate::update::{Dispatcher, Progress, Updog};
use crate::{connections, seed, socket, start};

/// How many threads answer. What blocks has threads of its own.
const THREADS: usize = 2;
/// How long requests that are under way may take once the server is asked to end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Why the server ended with a failure.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No random numbers.
    #[error(transparent)]
    Random(#[from] seed::NoRandom),
    /// It could not get ready.
    #[error(transparent)]
    Start(#[from] start::Error),
    /// It could not listen.
    #[error(transparent)]
    Socket(#[from] socket::Error),
    /// The system refuses threads, signals or connections.
    #[error("serve {path}")]
    Serve {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        match self {
            Self::Start(error) => error.help(),
            Self::Socket(socket::Error::Occupied(path)) => {
                Some(format!("remove {}, or choose another place with --socket-path", path.display()))
            }
            Self::Random(_) | Self::Socket(_) | Self::Serve { .. } => None,
        }
    }
}

/// Gets ready, serves, and ends when it is asked to by SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot get ready or cannot serve.
pub fn run(args: &Args) -> Result<(), Error> {
    let paths = args.paths();
    let fs = host_io::machine::file_system();
    let host = Arc::new(SystemHost::new(paths.clone()));
    let (store, boot) = start::open(&fs, &paths, host.as_ref(), &args.datastore(), seed::draw()?)?;
    let failed = |source| Error::Serve { path: args.socket(), source };
    // Where there is none for its workers the library panics.
    std::thread::Builder::new().spawn(|| ()).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let program = args.updog.clone().unwrap_or_else(|| Paths::program("updog"));
        let clock = Arc::new(SystemClock);
        let progress = Progress::new(Arc::clone(&fs), &paths, clock.clone());
        let updog = Updog::new(program, &paths, progress);
        let refresh_age = Duration::from_secs(args.refresh_age);
        let updates = Dispatcher::new(Arc::clone(&fs), &paths, clock, updog, boot, refresh_age);
        updates.settle().await;
        let (stop, stopping) = watch::channel(false);
        let api = Api {
            store: Arc::new(store),
            updates,
            host,
            paths: paths.clone(),
            exec_socket: args.exec_socket_path.clone(),
            stopping,
        };
        serve(args, fs.as_ref(), api, stop).await
    })
}

async fn serve(args: &Args, fs: &dyn Fs, api: Api, stop: watch::Sender<bool>) -> Result<(), Error> {
    let path = args.socket();
    let failed = |source| Error::Serve { path: path.clone(), source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let inherited = socket::inherited()?;
    let ours = inherited.is_none();
    let listener = match inherited {
        Some(listener) => listener,
        None => socket::listen(fs, &path, args.socket_gid)?,
    };
    if ours {
        tracing::info!("listening on {}", path.display());
    } else {
        tracing::info!("listening on the socket that was handed over");
    }
    tell_manager(NotifyState::Ready);
    let stopping = api.stopping.clone();
    let told = api.clone();
    tokio::spawn(async move { monitoring::tell(&told).await });
    tokio::spawn(keep::keep(Arc::clone(&api.store), api.stopping.clone()));
    let mut server = tokio::spawn(async move {
        connections::serve(listener, router(api), stopping).await;
        // These have left their connections behind.
        exec::all_ended().await;
    });
    let ended = tokio::select! {
        ended = &mut server => ended,
        _ = terminate.recv() => last_requests(&stop, server).await,
        _ = interrupt.recv() => last_requests(&stop, server).await,
    };
    // The manager's socket stays: it starts us again for whoever connects.
    if ours && let Err(error) = fs.remove_file(&path) {
        tracing::debug!("{} stays behind: {error}", path.display());
    }
    ended.map_err(|panic| failed(std::io::Error::other(panic)))
}

/// Tells the service manager, where there is one.
fn tell_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("failed to tell the service manager: {error}");
    }
}

/// Takes no more requests and lets those under way end, within limits. An update goes on in its child.
async fn last_requests(
    stop: &watch::Sender<bool>,
    mut server: JoinHandle<()>,
) -> Result<(), tokio::task::JoinError> {
    tracing::info!("ending");
    tell_manager(NotifyState::Stopping);
    stop.send_replace(true);
    match tokio::time::timeout(LAST_REQUESTS, &mut server).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::warn!("ended with requests under way");
            server.abort();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_these_words() {
        assert_eq!(
            Error::Serve { path: "/data/file".into(), source: std::io::Error::other("the disk is gone") }
                .to_string(),
            "serve /data/file"
        );
    }
}

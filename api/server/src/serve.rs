//! The whole program, from its arguments to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use host_io::{Advise, Fs, Paths, SystemClock, SystemFs, SystemHost};
use ring::rand::{SecureRandom as _, SystemRandom};
use sd_notify::NotifyState;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::Args;
use crate::http::{Api, exec, router};
use crate::render::keep;
use crate::update::{Dispatcher, Progress, Updog};
use crate::{connections, socket, start};
use settings_model::known;

/// How many threads answer. What blocks has threads of its own.
const THREADS: usize = 2;
/// How long requests that are under way may take once the server is asked to end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Why the server ended with a failure.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No random numbers.
    #[error("draw a random number")]
    Random,
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
            Self::Random | Self::Socket(_) | Self::Serve { .. } => None,
        }
    }
}

/// Gets ready, serves, and ends when it is asked to by SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot get ready or cannot serve.
pub fn run(args: &Args) -> Result<(), Error> {
    let paths = args.paths();
    let fs: Arc<dyn Fs> = Arc::new(SystemFs);
    let host = Arc::new(SystemHost::new(paths.clone()));
    let (store, boot) = start::open(&fs, &paths, host.as_ref(), &args.datastore(), draw_seed()?)?;
    let failed = |source| Error::Serve { path: args.socket(), source };
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

/// A place in the fleet, each as likely as any other. 0 is left to those who choose it: it goes first everywhere.
fn draw_seed() -> Result<u32, Error> {
    let mut bytes = [0; 2];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::Random)?;
    let max = u32::try_from(known::MAX_SEED).expect("a small constant");
    // The number of places is a power of two, so the remainder favours none.
    Ok(u32::from(u16::from_ne_bytes(bytes)) % max + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_seed_is_a_place_in_the_fleet_and_not_the_first() {
        let seeds: Vec<u32> = (0..200).map(|_| draw_seed().unwrap()).collect();
        assert!(seeds.iter().all(|seed| (1..=2048).contains(seed)), "{seeds:?}");
        assert!(seeds.iter().any(|seed| *seed != seeds[0]));
    }
}

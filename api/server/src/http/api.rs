//! What answers are made from.

use std::path::PathBuf;
use std::sync::Arc;

use host_io::{Host, Paths};
use tokio::sync::watch;

use crate::store::Store;
use crate::update::Dispatcher;

/// What answers are made from.
#[derive(Clone)]
pub struct Api {
    /// Settings and transactions.
    pub store: Arc<Store>,
    /// Updates.
    pub updates: Dispatcher,
    /// The machine.
    pub host: Arc<dyn Host>,
    /// Its layout.
    pub paths: Paths,
    /// Where the engine of host containers listens, for engines that are told.
    pub exec_socket: PathBuf,
    /// Turns true when the server is to end: long answers end with it.
    pub stopping: watch::Receiver<bool>,
}

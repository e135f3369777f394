//! How it is told: while it happens, and afterwards. Nothing here decides, and nobody who listens may hold up or fail what
//! is told.
//!
//! - [`events`]: what happens, told as events
//! - [`answer`]: answers on stdout
//! - [`evidence`]: what one run decided and did
//! - [`recorder`]: taking it down
//! - [`history`]: the newest of these records
//! - [`metrics`]: what monitoring sees

pub mod answer;
pub mod events;
pub mod evidence;
pub mod history;
pub mod metrics;
pub mod recorder;

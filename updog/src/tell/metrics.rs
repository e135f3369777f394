//! What monitoring sees of this host's updates: a page in the text format of Prometheus.
//!
//! Gauges are read off the host each time; what only a run knows is counted in a tally on the persistent partition, so that
//! an update that ends in a reboot is not lost between two scrapes. `settings.updates.metrics` says whether any of it is
//! written. Nobody waits for it and nothing fails by it: what cannot be written is said and forgotten.
//!
//! - [`families`]: every metric there is
//! - [`page`]: the text format
//! - [`seen`]: what a run sees that only this is for
//! - [`tally`]: what is counted over runs and reboots
//! - [`facts`]: what is read off the host
//! - [`publish`]: the file that `node_exporter` reads

pub mod facts;
pub mod families;
pub mod page;
pub mod publish;
pub mod seen;
pub mod tally;

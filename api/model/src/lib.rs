//! What `apiserver` and `apiclient` say to each other.
//!
//! Only shapes: nothing is decided and nothing is touched here. Other programs read the same JSON (the update operator
//! above all), so names, value sets and what may be null are those of `docs/compatibility.md`, "API" and "Update
//! states", and every type has a test on literal JSON.
//!
//! - [`os`]: what the running image says of itself
//! - [`settings`]: settings as `key=value` pairs
//! - [`service`]: what becomes of settings
//! - [`update`]: the state of updates and the last command
//! - [`exec`]: running a command in a host container, over a WebSocket
//! - [`schedule`]: when an update may start by itself

pub mod exec;
pub mod os;
pub mod schedule;
pub mod service;
pub mod settings;
pub mod update;

pub use os::OsInfo;
pub use service::{ConfigurationFile, Service};
pub use settings::KeypairPayload;
pub use update::{
    CommandStatus, CommandType, FailedUpdate, HeldUpdate, MostRecentCommand, NextBoot, NextBootWhy, Owed,
    PartitionInfo, RebootTurn, UpdateImage, UpdateState, UpdateStatus,
};

//! One file per subcommand, each with its `Args` and its `run`.
//!
//! - [`raw`]: one request, printed as it is
//! - [`get`]: settings and what the host says of itself
//! - [`set`]: changing settings
//! - [`unset`]: taking settings away
//! - [`apply`]: settings from files, the network or stdin
//! - [`update`]: looking for, installing, taking back an update
//! - [`reboot`]: rebooting the host
//! - [`mod@exec`]: running a command in a host container
//! - [`admin_container`]: switching the admin container, and a shell in it

pub mod admin_container;
pub mod apply;
pub mod exec;
pub mod get;
pub mod raw;
pub mod reboot;
pub mod set;
pub mod unset;
pub mod update;

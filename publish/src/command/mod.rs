//! The command line of `pubrepo`.
//!
//! - `cli`: what may be said, and what becomes of a failure
//! - [`init`]: `pubrepo init`
//! - [`add`]: `pubrepo add`
//! - [`mod@check`], [`report`]: `pubrepo check` and `report`
//! - [`pack`]: `pubrepo pack`
//! - [`refresh`], [`expiring`]: `pubrepo refresh` and `expiring`
//! - [`rollout`]: `pubrepo pause`, `resume`, `recall` and `remove`
//! - [`simulate`], [`simulate_guard`]: `pubrepo simulate` and `simulate-guard`
//! - [`root`]: `pubrepo root`
//! - [`list`], [`mod@hash`], [`prune`]: `pubrepo list`, `hash` and `prune`
//! - [`delegate`], [`hold`]: `pubrepo delegate` and `hold`
//! - [`guard`]: `pubrepo guard`
//! - [`mirror`], [`push`]: `pubrepo mirror` and `push`
//! - [`place`]: which repository is looked at, as options
//! - [`passphrase`]: where the passphrase of a key comes from, as options
//! - [`desk`]: which repository is changed, and how long what is signed holds, as options

pub mod add;
pub mod check;
mod cli;
pub mod delegate;
pub mod desk;
pub mod expiring;
pub mod guard;
pub mod hash;
pub mod hold;
pub mod init;
pub mod list;
pub mod mirror;
pub mod pack;
pub mod passphrase;
pub mod place;
pub mod prune;
pub mod push;
pub mod refresh;
pub mod report;
pub mod rollout;
pub mod root;
pub mod simulate;
pub mod simulate_guard;

pub use cli::{Cli, grammar, run};

//! Requests and answers: `docs/compatibility.md`, "API", over HTTP.
//!
//! Answers are JSON, errors are plain text: one sentence, and where there is one a line with the next step. A request
//! that is wrong is answered with 4xx and changes nothing.
//!
//! - [`mod@router`]: which path is answered by what, and the description of it all
//! - [`api`]: what answers are made from
//! - [`body`]: reading a body, within limits
//! - [`failure`]: errors as status codes
//! - [`query`]: the query of a request, the last of two keys
//! - [`host`]: what runs here, and the reboot
//! - [`in_force`]: the settings in force, read once per commit
//! - [`settings`]: reading and changing settings
//! - [`services`]: what the image's services make of them
//! - [`transactions`]: committing and dropping changes
//! - [`monitoring`]: telling it what a change of settings has made of this host
//! - [`updates`]: the state of updates and its commands
//! - [`mod@progress`]: how far an update is
//! - [`mod@exec`]: running a command in a host container
//! - [`openapi`]: what is said of it as a whole; [`answers`]: shapes that only the description names

pub mod answers;
pub mod api;
pub mod body;
pub mod exec;
pub mod failure;
pub mod host;
pub mod in_force;
pub mod monitoring;
pub mod openapi;
pub mod progress;
pub mod query;
pub mod router;
pub mod services;
pub mod settings;
pub mod transactions;
pub mod updates;

pub use api::Api;
pub use failure::Failure;
pub use router::router;

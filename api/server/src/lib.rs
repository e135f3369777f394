//! The host's API on a unix socket: settings, updates, reboot.
//!
//! It decides which settings a host takes and which update command may follow which; it touches the datastore, the
//! configuration that is rendered from it, and its socket. It has no part in the disk: work on the partition sets runs
//! in a child `updog`. It serves every step of the walk that a person or a fleet starts, and speaks as
//! `docs/compatibility.md`, "API", says.
//!
//! - [`args`]: the command line
//! - [`start`]: what is made ready before anybody can connect: store, defaults, seed
//! - [`change`]: a request body, checked and turned into keys and values
//! - [`only`]: one server per host
//! - [`seed`]: the host's place in the fleet
//! - [`limits`]: how much a host may be told
//! - [`owed`]: what could not be done
//! - [`store`]: settings and transactions, one change at a time
//! - [`render`]: configuration files and services from settings
//! - [`update`]: the state of updates and the commands that change it
//! - [`exec`]: a command in a host container
//! - [`http`]: requests and answers
//! - [`socket`]: a socket that only the right ones can open
//! - [`stop`]: being asked to stop
//! - [`connections`]: who may be connected, and for how long
//! - [`serve`]: the whole program from its arguments to its end

pub mod args;
pub mod change;
pub mod connections;
pub mod exec;
pub mod http;
pub mod limits;
pub mod only;
pub mod owed;
pub mod render;
pub mod seed;
pub mod serve;
pub mod socket;
pub mod start;
pub mod stop;
pub mod store;
pub mod update;

//! Configuration files and services from settings.
//!
//! What a host should look like is a function of its settings and the image's templates; a file is replaced, new,
//! synced, swapped, and only where its content changes; a service is restarted only where that concerns it. What could
//! not be done is owed, and tried again (`docs/settings.md`, "From a setting to a service").
//!
//! - [`template`]: a template and the settings become a text
//! - [`reads`]: what of the settings a template looks at
//! - [`concerned`]: which services and instances a change is one of
//! - [`plan`]: all files and services as they should be, as data
//! - [`mod@apply`]: making it so
//! - [`place`]: one file on the host
//! - [`changed`]: which settings changed, for those commands
//! - [`command`]: a command of a service, with a limit on its time
//! - [`watch`]: the state of units whose start nobody waits for
//! - [`keep`]: what is owed is tried again

pub mod apply;
pub mod changed;
pub mod command;
pub mod concerned;
pub mod keep;
pub mod place;
pub mod plan;
pub mod reads;
pub mod template;
pub mod watch;

pub use apply::{Error, Extent, Failure, Reach, apply};
pub use changed::Changed;

//! A page about a repository and its rollouts, for people: one file without a script, which any web server or a mail can
//! carry, and which prints.
//!
//! - [`facts`]: what stands in it, as values
//! - [`mod@gather`]: where that comes from
//! - [`costs`]: what it takes to get from one release to another
//! - `schedule`: who gets a release when
//! - `graph`: migrations as a picture
//! - `words`: words of others, moments and shares as the page has them
//! - [`html`]: the page

pub mod costs;
pub mod facts;
pub mod gather;
mod graph;
pub mod html;
mod schedule;
mod words;

pub use facts::Facts;
pub use gather::{PageOptions, gather};
pub use html::page;

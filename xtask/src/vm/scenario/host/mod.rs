//! The container host of `examples/container-host`, on its own.
//!
//! - [`mod@update`], [`twice`]: how it is made, and how it goes on to its next release
//! - [`mod@admin`]: its administrator's container
//! - [`mod@fallback`]: a release that is not well
//! - [`mod@full`]: a persistent partition without room
//! - [`readonly`], [`sandbox`]: what nobody can do to it
//! - [`mod@secure_boot`]: firmware that starts only what is signed
//! - [`mod@user_data`]: what an instance is given at its first start
//! - [`mod@time`]: a clock that has lost the time
//! - [`mod@demo`]: all of it, one after the other

mod admin;
mod closed;
mod demo;
mod fallback;
mod full;
mod identity;
mod secure_boot;
mod time;
mod update;
mod user_data;

pub(super) use admin::admin;
pub(super) use closed::{readonly, sandbox};
pub(super) use demo::demo;
pub(super) use fallback::fallback;
pub(super) use full::full;
pub(super) use secure_boot::secure_boot;
pub(super) use time::time;
pub(super) use update::{twice, update};
pub(super) use user_data::user_data;

//! "Works, but worse": the numbers that health checks print, held against those of good boots of this host before.
//!
//! It decides whether a first boot is much worse than what this host is used to, and keeps the numbers of boots that were
//! marked good. Off unless the settings ask for it; a release that was proven before is never judged.
//!
//! - [`numbers`]: what a check has printed
//! - [`rule`]: what is worse: a rule over values
//! - [`store`]: what is kept of earlier boots

pub mod numbers;
pub mod rule;
pub mod store;

//! From images and keys to a repository that a host opens.
//!
//! - `fixture`: images of a few kilobytes, and a host's view of what was published
//! - `keys`: keys that are encrypted, that other programs hold, and that their holders keep
//! - `init`: keys, their protection, an empty repository
//! - `add`: releases side by side, waves, migrations, hash trees
//! - `frames`: frames beside the whole images
//! - `packs`: packs from the last releases
//! - `cut`: a publisher that is killed, and two at once
//! - `doubts`: what hosts would stumble over, and the way to a release without it
//! - `refused`: everything that must not be published, and that nothing changes then
//! - `check`: what `check` says of good and of bad repositories
//! - `rollout`: paused, resumed, recalled, removed
//! - `prune`: what is pruned, and what is not
//! - `refresh`: new dates, expiry seen in time, two publishers at once
//! - `root`: holders who come, go and sign one after another
//! - `delegate`: teams with keys of their own
//! - `hold`: releases that are withheld
//! - `guard`: a rollout that stops by itself; `prometheus`: monitoring for tests
//! - `page`: a page about a repository, for people
//! - `mirror`: a copy for an air gap
//! - `serving`: a repository behind a real nginx
//! - `store`: a repository in an object store; `s3`: a real one, and ways to it that fail
//! - `simulate`: rollouts that are played before they are, and the policies
//! - `program`: the same through `pubrepo`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]

mod add;
mod check;
mod cut;
mod delegate;
mod doubts;
mod fixture;
mod frames;
mod guard;
mod hold;
mod init;
mod keys;
mod migrations;
mod mirror;
mod packs;
mod page;
mod program;
mod prometheus;
mod prune;
mod refresh;
mod refused;
mod rollout;
mod root;
mod s3;
mod serving;
mod simulate;
mod store;

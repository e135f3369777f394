//! From images and keys to a repository that a host opens.
//!
//! - `fixture`: images of a few kilobytes, and a host's view of what was published
//! - `init`: keys, their protection, an empty repository
//! - `add`: releases side by side, waves, migrations, hash trees
//! - `refused`: everything that must not be published, and that nothing changes then
//! - `program`: the same through `pubrepo`

mod add;
mod fixture;
mod init;
mod program;
mod refused;

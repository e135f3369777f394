//! What `migrator` promises at a boot, told through the program, real migrations, a signed and pinned cache, and the
//! boot bits of a disk image.
//!
//! - `forward`: an update carries settings, or leaves them as they were
//! - `backward`: falling back runs nothing; a rollback by hand migrates back
//! - `notes`: what a boot leaves for the other set, and what it is wished to do
//! - `rehearsal`: what a boot would do, told and tried
//! - `dated`: stores of every age, and a reader that never changes
//! - `helpers`: the law of each ready-made helper, through programs
//! - `laws`: any pair of releases, and the steps between them, against what the laws promise
//! - `power_cut`: both, stopped after every operation
//! - `bounds`: how much a migration may write, and whose fault it is where there is no room
//! - `exec`: what a program in sealed memory gets, and how it is ended
//! - `usage`: the command line
//! - `host`: the host that all of them use

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod backward;
mod bounds;
mod dated;
mod exec;
mod forward;
mod helpers;
mod host;
mod laws;
mod notes;
mod power_cut;
mod rehearsal;
mod usage;

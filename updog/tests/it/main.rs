//! Stories of `updog`, told through the real programs on a simulated host.
//!
//! - [`check`]: which update, and why none
//! - [`bytes`]: every byte that came is told, whatever became of it
//! - [`clock`]: a clock that is wrong, and a repository that stands still
//! - [`cut`]: an update that ends at any change of what both sets share
//! - [`device`]: a disk that fails in the middle
//! - [`digests`]: releases that are signed with a SHA-512
//! - [`downgrade`]: the ways back to an older release, and the floor below which none leads
//! - [`first`]: the first release of a disk that nothing runs from
//! - [`footprint`]: how much memory an update takes, up to the largest root
//! - [`forged`]: repositories whose signatures hold and whose content does not, and chains of roots
//! - [`frames`]: releases with frames, so that only what changed moves
//! - [`frame_threats`]: frames that never come, and frames that are not what their signed index says
//! - [`holds`]: releases that a role for holds withholds
//! - `hold_threats`: roles for holds as an attacker would sign them
//! - [`in_use`]: a partition that somebody uses
//! - [`install`]: from the choice to the next boot
//! - [`flip`]: apply and revert, without a network
//! - [`memory`]: releases that did not stay, confirmed boots, the history, the way back
//! - [`baseline`]: first boots that are held against the numbers of earlier ones
//! - [`metrics`]: what monitoring sees of a host
//! - [`monitoring`]: alert rules and a dashboard, against the metrics that there are and a real Prometheus
//! - [`rehearsal`]: migrations that are tried before anything is cleared
//! - [`packs`]: releases with packs, so that only the difference moves
//! - [`pack_threats`]: packs that lie, on the way or signed, and updates that are killed within one
//! - [`repository`]: repositories that cannot be reached, read or trusted: nothing changes
//! - [`repository_threats`]: what a repository or a network may do to a host, threat by threat
//! - [`targets`]: images and migrations that are not what they should be
//! - [`refused`]: hosts and moments that do not allow an update
//! - [`room`]: how much is free on the partition that both sets share
//! - [`screens`]: what a person sees on a terminal
//! - [`standing`]: what was decided, until it is done
//! - [`stopped`]: an update that ends in the middle
//! - [`teams`]: releases that a team publishes, with a key of its own
//! - [`team_threats`]: what a team, or whoever delegates to one, may do to hosts
//! - [`trust`]: what is trusted, shown and forgotten
//! - [`turns`]: one host of a group after another, around the reboot
//! - [`tuf`]: the same trust code as a client of any TUF repository
//! - [`support`]: what the stories share

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]
#![allow(clippy::unwrap_used, reason = "a story whose setting cannot be made has failed")]

mod baseline;
mod bytes;
mod check;
mod clock;
mod cut;
mod device;
mod digests;
mod downgrade;
mod first;
mod flip;
mod footprint;
mod forged;
mod frame_threats;
mod frames;
mod hold_threats;
mod holds;
mod in_use;
mod install;
mod memory;
mod metrics;
mod monitoring;
mod pack_threats;
mod packs;
mod refused;
mod rehearsal;
mod repository;
mod repository_threats;
mod room;
mod screens;
mod standing;
mod stopped;
mod support;
mod targets;
mod team_threats;
mod teams;
mod trust;
mod tuf;
mod turns;

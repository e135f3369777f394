//! The update manifest: which updates exist, which host may take one and when, and how settings get from one version to
//! another.
//!
//! Everything here but the program is a rule over values: no clock, no file, no random number. Reading is lenient in exactly the ways
//! that manifests out there rely on (`docs/compatibility.md`, "Manifest", "Waves", "Migration paths"); writing and
//! [`mod@validate`] are strict. It serves the choice and migrate steps of the walk. The program `updata` edits manifests
//! with it.
//!
//! - [`manifest`]: the manifest itself, from bytes and back
//! - [`limits`]: how much of one is read
//! - [`update`]: one update of it
//! - [`extensions`]: what our updates say beyond the common format; [`paused`]: what our manifests do
//! - [`frames`]: which targets have an update's images as frames
//! - [`packs`]: which targets lead to an update from one older release
//! - [`holds`]: what a fleet's role for holds takes away from hosts
//! - [`edge`]: the key of a migration, `(FROM, TO)`, as manifests spell it
//! - [`names`]: which target names are safe to use as file names
//! - [`seed`]: a host's place in the fleet
//! - [`waves`]: when an update opens for a seed
//! - [`barrier`]: versions that no host jumps over on its way up
//! - [`offer`]: whether an update is for a host at all
//! - [`mod@explain`]: what a host would make of a manifest, update by update, and why
//! - [`path`]: which migrations lead from one version to another
//! - [`policy`]: a rollout plan, to be written into a manifest as waves
//! - [`pace`]: how finely a schedule is written
//! - [`span`]: lengths of time as people type them
//! - [`release`]: a release and its migrations, as the authors of a system keep them
//! - [`author`]: changes to a manifest, each a function from manifest to manifest
//! - [`mod@validate`]: everything that is wrong with a manifest, with its place
//!
//! Around the rules: [`updata`], the program.

pub mod author;
pub mod barrier;
pub mod edge;
pub mod explain;
pub mod extensions;
pub mod frames;
pub mod holds;
pub mod limits;
pub mod manifest;
mod moment;
pub mod names;
pub mod offer;
pub mod pace;
pub mod packs;
pub mod path;
pub mod paused;
pub mod policy;
mod read;
pub mod release;
pub mod seed;
pub mod span;
#[cfg(test)]
mod testing;
pub mod updata;
pub mod update;
pub mod validate;
pub mod waves;

pub use extensions::UpdateExtensions;
pub use frames::{FramedImage, Frames};
pub use holds::{Hold, Holds, HoldsError};
pub use manifest::{Manifest, ManifestError};
pub use names::safe_target_name;
pub use pace::{Density, Pace};
pub use packs::{PackedImage, Packs};
pub use path::{NoPath, migration_path};
pub use paused::{ManifestExtensions, Paused};
pub use policy::WavePolicy;
pub use release::ReleaseConfig;
pub use seed::Seed;
pub use update::{Images, Update};
pub use waves::Readiness;

//! The settings that this server itself has a hand in.

/// The largest place that a host can have in the fleet (`docs/compatibility.md`, "Waves").
pub const MAX_SEED: i64 = 2048;

/// The key of a host's place in the fleet; its value is drawn once, on the first boot.
pub const SEED: &str = "settings.updates.seed";

/// Where the host containers of a host stand, each below its own name.
pub const HOST_CONTAINERS: &str = "settings.host-containers";

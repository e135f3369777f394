//! What the benches that move images stand on: a web server, a repository with a real release, and a host that is
//! only files.
//!
//! - [`web`]: nginx on loopback, and the bytes that it sent; [`wire`]: what they were for
//! - [`turnstile`]: a door before it that counts, and can end a run at a given byte
//! - [`repository`]: a repository with the newest release
//! - [`host`]: a disk with the old release, and what `updog` reads of a host
//! - [`loops`]: its disk as a block device, where root may make one

pub(super) mod host;
pub(super) mod loops;
pub(super) mod repository;
pub(super) mod turnstile;
pub(super) mod web;
pub(super) mod wire;

use std::error::Error;

use super::tools::{Tool, tool};
use crate::cargo::cargo;

/// What all of them need of the machine.
pub(super) const TOOLS: [Tool; 3] =
    [tool("nginx", "nginx-light"), tool("cp", "coreutils"), tool("sync", "coreutils")];

/// Builds the programs as they ship.
pub(super) fn build_programs() -> Result<(), Box<dyn Error>> {
    let packages = ["--package", "updog", "--package", "publish", "--package", "signpost"];
    let status = cargo().args(["build", "--release", "--quiet", "--bins"]).args(packages).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("build the programs: cargo ended with {status}").into())
    }
}

/// A number of bytes in megabytes.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_megabytes() {
        assert_eq!([0, 12_345_678, 999_999].map(megabytes), ["0.00 MB", "12.34 MB", "0.99 MB"]);
    }
}

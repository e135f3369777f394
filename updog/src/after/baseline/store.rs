//! What is kept of the numbers of earlier boots, on the partition that both sets share: new, synced, swapped. A cut leaves the
//! old numbers or the new ones, and what cannot be read begins anew: a boot is then held against nothing.

use std::io;

use host_io::{Fs, Paths, swap};

use super::numbers::Numbers;
use super::rule::Kept;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What is kept.
#[must_use]
pub fn load(fs: &dyn Fs, paths: &Paths) -> Kept {
    let bytes = fs.read_regular(&paths.health_baseline(), LARGEST).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn keep(fs: &dyn Fs, paths: &Paths, kept: &Kept) -> io::Result<()> {
    let bytes = serde_json::to_vec(kept).expect("numbers are plain data");
    swap::replace_file(fs, &paths.health_baseline(), &bytes, 0o600)
}

/// Keeps the numbers of this boot beside those of earlier ones: once, however often its health is asked for. Runs on a host that
/// is warm would be no measure for one that has just started.
///
/// # Errors
/// As the system says; the old content is then still there.
pub fn add_boot(fs: &dyn Fs, paths: &Paths, numbers: &Numbers) -> io::Result<()> {
    let told = paths.health_baseline_told();
    if fs.kind(&told)?.is_some() {
        return Ok(());
    }
    keep(fs, paths, &load(fs, paths).with(numbers))?;
    swap::replace_volatile(fs, &told, b"", 0o600)
}

//! A manifest with thousands of updates, explained for one host.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use semver::Version;
use update_metadata::explain::{Host, Reader, explain};
use update_metadata::{Images, Manifest, Seed, Update, UpdateExtensions};

use crate::bench::measure::{Spent, measured};
use crate::bench::tools::shipped;

/// How many updates there are.
pub(super) const UPDATES: u64 = 2000;
/// How many dates each has.
pub(super) const WAVES: u32 = 260;
/// How often it is explained.
const TIMES: usize = 9;
const VARIANT: &str = "metal";
const ARCH: &str = "x86_64";

/// What it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explained {
    /// The rule alone, over a manifest that was read: by our rule for waves and by the older one.
    pub(super) ours: Duration,
    pub(super) older: Duration,
    /// `updata explain`: start, read, explain, print.
    pub(super) program: Spent,
    /// The length of the manifest in bytes.
    pub(super) bytes: u64,
}

/// Explains it in this process, as a library built without optimisation, and through the program as it ships.
pub(super) fn measure(dir: &Path) -> Result<Explained, Box<dyn Error>> {
    let manifest = manifest();
    let json = serde_json::to_vec(&manifest)?;
    let path = dir.join("manifest.json");
    fs::write(&path, &json)?;
    let mut costs = Vec::new();
    for _ in 0..3 {
        let mut command = Command::new(shipped("updata"));
        command.arg("explain").arg(&path).args(["--variant", VARIANT, "--arch", ARCH]);
        costs.push(
            measured(command.args(["--version", "0.1.0", "--seed", "1024", "--at", "2026-06-01T00:00:00Z"]))?
                .1,
        );
    }
    let updater = Version::new(9, 0, 0);
    Ok(Explained {
        ours: rule(&manifest, Reader::Ours { updater }),
        older: rule(&manifest, Reader::Older),
        program: Spent::median(&costs),
        bytes: json.len() as u64,
    })
}

/// The median time of the rule.
#[expect(clippy::disallowed_methods, reason = "a time is measured")]
fn rule(manifest: &Manifest, reader: Reader) -> Duration {
    let host = Host {
        variant: VARIANT.to_owned(),
        arch: ARCH.to_owned(),
        version: Version::new(0, 1, 0),
        seed: Seed::new(1024).expect("a small number"),
        reader,
    };
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let started = Instant::now();
            let explanation = explain(manifest, &host, date(3_000_000));
            assert_eq!(explanation.updates.len() as u64, UPDATES, "each update is explained");
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[TIMES / 2]
}

/// Updates of one kind of host.
fn manifest() -> Manifest {
    Manifest { updates: (0..UPDATES).map(update).collect(), ..Manifest::default() }
}

/// An update with a schedule of its own.
fn update(number: u64) -> Update {
    let wave = |wave: u32| (wave * 2048 / WAVES, date(number * 1800 + u64::from(wave) * 600));
    Update {
        variant: VARIANT.to_owned(),
        arch: ARCH.to_owned(),
        version: Version::new(1, number, 0),
        max_version: Version::new(1, UPDATES, 0),
        waves: (0..WAVES).map(wave).collect(),
        images: Images { boot: "b".to_owned(), root: "r".to_owned(), hash: "h".to_owned() },
        extensions: UpdateExtensions::default(),
    }
}

/// Seconds after the begin of 2026-05.
fn date(seconds: u64) -> DateTime<Utc> {
    let begin: DateTime<Utc> = "2026-05-01T00:00:00Z".parse().expect("a date");
    begin + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_large_as_it_is_said_to_be_and_still_read() {
        let last = update(UPDATES - 1);
        assert_eq!(last.waves.len(), WAVES as usize);
        let json = serde_json::to_vec(&last).unwrap();
        assert!(json.len() as u64 * UPDATES < update_metadata::manifest::MAX_LEN as u64, "{}", json.len());
    }
}

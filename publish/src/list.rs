//! What a repository has: offered, paused, taken back, with waves and sizes. Nothing is fetched but metadata.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use host_io::bar::mib;
use host_io::report::chain;
use semver::Version;
use serde::Serialize;
use trusted_repo::SignedHolds;
use update_metadata::{Hold, Update};

use crate::Error;
use crate::check::finding::day;
use crate::check::rules::targets;
use crate::place::Place;

/// What `list` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListReport {
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// The releases, newest first.
    pub releases: Vec<Listed>,
    /// Why nobody knows what is withheld, where that is so: hosts take nothing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld_unknown: Option<String>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its version.
    pub version: Version,
    /// Whether hosts take it.
    pub state: State,
    /// How many waves it has; 0 means that every host may take it at once.
    pub waves: usize,
    /// When its first wave opens.
    pub first: Option<DateTime<Utc>>,
    /// When its last wave opens.
    pub last: Option<DateTime<Utc>>,
    /// Since when it is paused.
    pub paused_since: Option<DateTime<Utc>>,
    /// Bytes of the whole images, as they are fetched.
    pub whole_bytes: u64,
    /// Bytes of all its targets, frames included.
    pub bytes: u64,
    /// Whether every host is led through it.
    pub barrier: bool,
    /// By whom it is withheld, since when and why, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
}

/// Whether hosts take a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// They do, each when its turn has come.
    Offered,
    /// Not for now.
    Paused,
    /// It is above the highest version that hosts may run: hosts that have it go back.
    Recalled,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Paused => "paused",
            Self::Recalled => "recalled",
        }
    }
}

/// Lists the releases of a place, whether its metadata has expired or not.
///
/// # Errors
/// When the repository cannot be opened.
pub async fn list(place: &Place) -> Result<ListReport, Error> {
    let opened = place.open_expired().await?;
    let repository = &opened.repository;
    let (manifest, _) = repository.manifest_for(&place.variant).await?;
    let ours = |update: &&Update| update.variant == place.variant && update.arch == place.arch;
    let mut sizes = BTreeMap::new();
    let updates =
        manifest.updates.iter().chain(manifest.extensions.paused.iter().map(|paused| &paused.update));
    for name in updates.filter(ours).flat_map(targets) {
        sizes.insert(name, repository.target(name).await.map_or(0, |target| target.length));
    }
    let (holds, withheld_unknown) = match repository.holds().await {
        Ok(holds) => (holds, None),
        Err(error) => (Vec::new(), Some(format!("failed to {}", chain(&error)))),
    };
    let size = |name: &str| sizes.get(name).copied().unwrap_or(0);
    let listed = |update: &Update, state, paused_since| {
        let images = &update.images;
        Listed {
            version: update.version.clone(),
            state,
            waves: update.waves.len(),
            first: update.waves.values().min().copied(),
            last: update.waves.values().max().copied(),
            paused_since,
            whole_bytes: [&images.boot, &images.root, &images.hash].into_iter().map(|name| size(name)).sum(),
            bytes: targets(update).map(size).sum(),
            barrier: update.extensions.bars(),
            withheld: withheld(&holds, update),
        }
    };
    let offered = manifest.updates.iter().filter(ours).map(|update| {
        let state = if update.version > update.max_version { State::Recalled } else { State::Offered };
        listed(update, state, None)
    });
    let paused = manifest.extensions.paused.iter().filter(|paused| ours(&&paused.update));
    let paused = paused.map(|paused| listed(&paused.update, State::Paused, Some(paused.since)));
    let mut releases: Vec<Listed> = offered.chain(paused).collect();
    releases.sort_by(|one, other| other.version.cmp(&one.version));
    let (variant, arch) = (place.variant.clone(), place.arch.clone());
    Ok(ListReport { variant, arch, releases, withheld_unknown })
}

fn withheld(holds: &[SignedHolds], update: &Update) -> Vec<String> {
    let told = |signed: &SignedHolds, hold: &Hold| {
        format!("withheld by {} since {}: {}", signed.role, day(hold.since), hold.reason_in_a_line())
    };
    let of_role = |signed| {
        let SignedHolds { holds, .. }: &SignedHolds = signed;
        holds.holds.iter().filter(|hold| hold.withholds(update)).map(move |hold| told(signed, hold))
    };
    holds.iter().flat_map(of_role).collect()
}

impl fmt::Display for ListReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.releases.is_empty() {
            return write!(f, "nothing is published for {} {}", self.variant, self.arch);
        }
        write!(f, "{:<12} {:<9} {:>12} {:>12}  WAVES", "VERSION", "STATE", "WHOLE", "ALL FILES")?;
        for release in &self.releases {
            let version = release.version.to_string();
            let (whole, all) = (mib(release.whole_bytes), mib(release.bytes));
            write!(f, "\n{version:<12} {:<9} {whole:>12} {all:>12}  ", release.state.as_str())?;
            match (release.waves, release.first, release.last) {
                (0, ..) | (_, None, _) | (_, _, None) => write!(f, "none, every host may take it at once")?,
                (_, Some(first), Some(last)) => write!(f, "from {} to {}", day(first), day(last))?,
            }
            if let Some(since) = release.paused_since {
                write!(f, "; paused since {}", day(since))?;
            }
            if release.barrier {
                write!(f, "; a barrier")?;
            }
            release.withheld.iter().try_for_each(|hold| write!(f, "; {hold}"))?;
        }
        match &self.withheld_unknown {
            Some(why) => write!(f, "\nhosts take nothing, as nobody knows what is withheld: {why}"),
            None => Ok(()),
        }
    }
}

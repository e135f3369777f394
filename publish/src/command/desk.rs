//! Which repository is changed, with which keys, and how long what is signed holds, as options.

use std::path::{Path, PathBuf};

use chrono::Duration;
use host_io::SystemFs;
use trusted_repo::author::PublicKey;

use super::passphrase::PassphraseArgs;
use crate::Lifetimes;
use crate::keys::Keys;
use crate::session::Desk;

/// A repository and its keys.
#[derive(Debug, clap::Args)]
pub struct DeskArgs {
    /// The repository: the directory that a web server serves
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// The directory of keys, outside of the repository
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The variant
    #[arg(long)]
    variant: String,
    /// The architecture, such as x86_64 or aarch64
    #[arg(long)]
    arch: String,
    /// Act as this team, to which the targets role delegates: its key, NAME.pem, is used and not targets.pem
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl DeskArgs {
    /// As given, with the passphrase from where it was said to be.
    ///
    /// # Errors
    /// When the passphrase cannot be read.
    pub fn desk(self) -> Result<Desk, crate::Error> {
        let Self { repo, keys, variant, arch, team, passphrase } = self;
        let keys = Keys::in_dir(keys).with_passphrase(passphrase.source()?).of_team(team);
        Ok(Desk { repo, keys, variant, arch })
    }
}

/// A repository that is changed, and how long what is signed then holds.
#[derive(Debug, clap::Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    desk: DeskArgs,
    #[command(flatten)]
    lifetimes: LifetimeArgs,
}

impl ChangeArgs {
    /// As given.
    ///
    /// # Errors
    /// As [`DeskArgs::desk`] and [`LifetimeArgs::lifetimes`].
    pub fn read(self) -> Result<(Desk, Lifetimes), crate::Error> {
        Ok((self.desk.desk()?, self.lifetimes.lifetimes()?))
    }
}

/// How long the roles below root hold.
#[derive(Debug, clap::Args)]
pub struct LifetimeArgs {
    /// How long the snapshot role holds
    #[arg(long, default_value_t = 14, value_name = "DAYS")]
    snapshot_days: u16,
    /// How long the targets role holds
    #[arg(long, default_value_t = 14, value_name = "DAYS")]
    targets_days: u16,
    /// How long the timestamp role holds
    #[arg(long, default_value_t = 7, value_name = "DAYS")]
    timestamp_days: u16,
    /// A file with snapshot_expiration, targets_expiration and timestamp_expiration, such as "2 weeks"
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["snapshot_days", "targets_days", "timestamp_days"]
    )]
    expiration_policy: Option<PathBuf>,
}

impl LifetimeArgs {
    /// As given, or from the policy file.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn lifetimes(&self) -> Result<Lifetimes, crate::Error> {
        if let Some(path) = &self.expiration_policy {
            return crate::expiration::load(path);
        }
        let days = |days: u16| Duration::days(days.into());
        Ok(Lifetimes {
            snapshot: days(self.snapshot_days),
            targets: days(self.targets_days),
            timestamp: days(self.timestamp_days),
        })
    }
}

/// The public half of a key, as its holder gave it out.
///
/// # Errors
/// When the file cannot be read, or holds no Ed25519 key.
pub fn public_key(path: impl AsRef<Path>) -> Result<PublicKey, crate::Error> {
    Ok(PublicKey::load(&SystemFs, path.as_ref())?)
}

//! `pubrepo hash`.

use std::path::PathBuf;
use std::sync::Arc;

use semver::Version;
use verity::Salt;

use crate::add::salt_of_newest;
use crate::hash::{HashReport, hash};
use crate::layout::image_target;
use crate::progress::{Bar, Progress};
use crate::{Desk, Error, Keys};

/// Tell the root hash of a root image, and write its hash image, before the release is published
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The raw root image
    #[arg(value_name = "ROOT")]
    root: PathBuf,
    /// Write the hash image into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The salt, as hexadecimal digits [default: that of the newest release of --repo, else a new one]
    #[arg(long, value_name = "HEX")]
    salt: Option<Salt>,
    /// The repository whose newest release has the salt: equal blocks keep equal digests, and hosts fetch less
    #[arg(long, value_name = "DIR", requires_all = ["keys", "variant", "arch"])]
    repo: Option<PathBuf>,
    /// The directory of keys of that repository; only its root role is read
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The variant
    #[arg(long)]
    variant: Option<String>,
    /// The architecture
    #[arg(long)]
    arch: Option<String>,
    /// The team that will add it
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// The version that it is for: the hash image is then the very one that "add" would build
    #[arg(long)]
    version: Option<Version>,
}

const EXAMPLES: &str = "\
Examples:
  The order of a release that is verified when it boots: root hash, command line, BOOT, add:
    pubrepo hash root.img --out root.verity --repo /srv/updates --keys ~/keys --variant metal --arch x86_64
    pubrepo add --repo /srv/updates --keys ~/keys --variant metal --arch x86_64 \\
      --version 1.0.0 --boot boot.img --root root.img --hash root.verity

  Without a repository, with a salt of one's own:
    pubrepo hash root.img --salt 00ff";

/// Runs the command.
///
/// # Errors
/// When the image or the repository cannot be used.
pub async fn run(args: Args) -> Result<HashReport, Error> {
    let Args { root, out, salt, repo, keys, variant, arch, team, version } = args;
    let salt = match (salt, repo, keys, &variant, &arch) {
        (Some(salt), ..) => Some((salt, "as given".to_owned())),
        (None, Some(repo), Some(keys), Some(variant), Some(arch)) => {
            let keys = Keys::in_dir(keys).of_team(team);
            let desk = Desk { repo, keys, variant: variant.clone(), arch: arch.clone() };
            salt_of_newest(&desk).await?.map(|(salt, version)| (salt, format!("that of {version}")))
        }
        _ => None,
    };
    let name = match (&variant, &arch, &version) {
        (Some(variant), Some(arch), Some(version)) => image_target(variant, arch, version, "hash"),
        _ => "hash".to_owned(),
    };
    let bar: Arc<dyn Progress> = Arc::new(Bar::new("hash"));
    hash(&root, salt, &name, out.as_deref(), &bar)
}

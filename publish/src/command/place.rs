//! Which repository is looked at, as options.

use std::path::PathBuf;

use crate::place::Place;

/// A repository as hosts see it.
#[derive(Debug, clap::Args)]
pub struct PlaceArgs {
    /// The address or directory that has VARIANT/ARCH/ and targets/
    #[arg(value_name = "URL|DIR", required_unless_present = "repo")]
    base: Option<String>,
    /// The same, by the name that it has in the commands that change it
    #[arg(long, value_name = "DIR", hide = true, conflicts_with = "base")]
    repo: Option<String>,
    /// The root role that images ship
    #[arg(long, value_name = "FILE")]
    trusted_root: PathBuf,
    /// The variant
    #[arg(long)]
    variant: String,
    /// The architecture
    #[arg(long)]
    arch: String,
    /// Where targets lie, if not in targets/
    #[arg(long, value_name = "URL|DIR")]
    targets: Option<String>,
}

impl From<PlaceArgs> for Place {
    fn from(args: PlaceArgs) -> Self {
        let PlaceArgs { base, repo, trusted_root, variant, arch, targets } = args;
        let base = base.or(repo).expect("one of them is required");
        Self { base, variant, arch, trusted_root, targets }
    }
}

/// A length of time: `90m`, `7d`, `2 weeks`.
pub(crate) fn span(text: &str) -> Result<chrono::Duration, String> {
    update_metadata::span::parse(text).map_err(|error| error.to_string())
}

//! `tuf`: this program's trust code as a client of any TUF repository, for suites that judge such clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use trusted_repo::tuf_client::{self, Saved, TufClient};
use trusted_repo::{Address, Pacing, Repository, Source};

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Args {
    /// Where the trusted metadata lies
    #[arg(long, value_name = "DIR")]
    pub metadata_dir: PathBuf,
    /// Where the repository's metadata is (refresh, download)
    #[arg(long, value_name = "URL")]
    pub metadata_url: Option<Address>,
    /// A target to fetch; may be given again (download)
    #[arg(long = "target-name", value_name = "PATH")]
    pub target_names: Vec<String>,
    /// Where the repository's targets are (download)
    #[arg(long, value_name = "URL")]
    pub target_base_url: Option<Address>,
    /// Where targets are written to (download)
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,
    /// How long to wait for the next byte; everything else that is waited for follows from it
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub patience: Option<u64>,
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What the client is to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Action {
    /// Begin with this root role
    Init {
        /// Its file
        trusted_root: PathBuf,
    },
    /// Bring the trusted metadata up to date
    Refresh,
    /// Bring it up to date, then fetch targets
    Download,
}

/// Does it, and says on stdout what was done.
///
/// # Errors
/// When an option is missing, or the repository or a target cannot be trusted.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let client = TufClient::new(Arc::clone(&context.fs), &args.metadata_dir)?;
    match &args.action {
        Action::Init { trusted_root } => {
            let bytes = context
                .fs
                .read(trusted_root)
                .map_err(|source| Error::Anchor { path: trusted_root.clone(), source })?;
            let root = client.init(&bytes)?;
            answer::done([format!("root version {}", root.version)]);
            Ok(())
        }
        Action::Refresh => {
            let metadata = needed(args.metadata_url.as_ref(), "--metadata-url")?;
            let source = Source::new(metadata.clone(), metadata.clone());
            let repository = open(context, &client, source, args)?;
            answer::done([versions(&repository)]);
            Ok(())
        }
        Action::Download => {
            let metadata = needed(args.metadata_url.as_ref(), "--metadata-url")?;
            let targets = needed(args.target_base_url.as_ref(), "--target-base-url")?;
            let dir = needed(args.target_dir.as_deref(), "--target-dir")?;
            if args.target_names.is_empty() {
                return Err(Error::Missing { option: "--target-name" });
            }
            let source = Source::new(metadata.clone(), targets.clone());
            let repository = open(context, &client, source, args)?;
            let downloaded =
                args.target_names.iter().try_for_each(|name| download(context, &repository, name, dir));
            // Delegated roles were needed for them, and are trusted, whatever became of the targets.
            client.show()?;
            downloaded
        }
    }
}

fn needed<'a, T: ?Sized>(given: Option<&'a T>, option: &'static str) -> Result<&'a T, Error> {
    given.ok_or(Error::Missing { option })
}

fn open(context: &Context, client: &TufClient, source: Source, args: &Args) -> Result<Repository, Error> {
    let pacing = args.patience.map_or_else(Pacing::default, |idle| scaled(Duration::from_millis(idle)));
    Ok(context.waiter.wait(client.refresh_paced(source, context.clock.now(), pacing))??)
}

/// The usual patience on another scale of time; the least speed stays what it is.
fn scaled(idle: Duration) -> Pacing {
    let usual = Pacing::default();
    let scale = idle.as_secs_f64() / usual.idle.as_secs_f64();
    let floor = u128::from(usual.slow_floor) * idle.as_millis() / usual.idle.as_millis();
    Pacing {
        idle,
        first_pause: usual.first_pause.mul_f64(scale),
        longest_pause: usual.longest_pause.mul_f64(scale),
        slow_window: usual.slow_window.mul_f64(scale),
        slow_floor: u64::try_from(floor).unwrap_or(usual.slow_floor).max(1),
        silence: usual.silence.mul_f64(scale),
        longest_wait: usual.longest_wait.mul_f64(scale),
        ..usual
    }
}

fn download(context: &Context, repository: &Repository, name: &str, dir: &Path) -> Result<(), Error> {
    let signed = context.waiter.wait(repository.listed(name))??;
    let _streams = context.waiter.enter();
    let saved = tuf_client::save(repository, &*context.fs, &signed, dir)?;
    answer::done([match saved {
        Saved::Fetched(path) => format!("fetched {}", path.display()),
        Saved::There(path) => format!("already there: {}", path.display()),
    }]);
    Ok(())
}

fn versions(repository: &Repository) -> String {
    let roles = repository.roles();
    format!(
        "root {}, timestamp {}, snapshot {}, targets {}",
        roles.root.version, roles.timestamp.version, roles.snapshot.version, roles.targets.version
    )
}

//! `pubrepo push`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::Error;
use crate::store::{Bucket, PushOptions, PushReport, push};

/// How often a request is tried again that failed on the way.
const RETRIES: usize = 6;

/// Bring an object store up to date with a repository: targets first, the timestamps last
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The repository: the directory that is published
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// Where to: s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL")]
    to: String,
    /// How many files are put at a time
    #[arg(long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    /// Nobody else ever publishes there: ask no conditions of an endpoint that ignores them
    #[arg(long)]
    single_publisher: bool,
}

const EXAMPLES: &str = "\
Credentials and the region come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION, or from the
profile in AWS_PROFILE of ~/.aws/credentials and ~/.aws/config; AWS_ENDPOINT_URL names another endpoint than Amazon's.

Examples:
  After each command that changes the repository:
    pubrepo push --repo /srv/updates --to s3://updates/fleet";

/// Runs the command.
///
/// # Errors
/// As [`push()`].
pub async fn run(args: Args) -> Result<PushReport, Error> {
    let Args { repo, to, jobs, single_publisher } = args;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let bucket = Bucket::open(&to, &variable, RETRIES)?;
    push(&PushOptions { repo, bucket, jobs: jobs.get(), single_publisher }).await
}

//! `pubrepo root new-key|new|rotate|sign|show|publish`.

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};
use host_io::{SystemFs, swap};
use trusted_repo::author::{FirstRoot, KeyPair, RootChange};

use super::desk::{ChangeArgs, public_key};
use super::passphrase::PassphraseArgs;
use crate::root::RootReport;
use crate::{Error, root};

/// The root role: offline, one key holder at a time
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
}

const EXAMPLES: &str = "\
Examples:
  A new holder makes a key; only the public half leaves the machine:
    pubrepo root new-key --out root-4.pem --public root-4.pub --passphrase-file secret

  The first root role, of holders who keep their keys where they are:
    pubrepo root new --out root.json --root-key root-1.pub --root-key root-2.pub \\
      --root-key root-3.pub --targets-key targets.pub --snapshot-key snapshot.pub \\
      --timestamp-key timestamp.pub

  The next root role, with the new holder in and another one out:
    pubrepo root rotate --from root.json --out next.json \\
      --add-root-key root-4.pub --remove-root-key 0123…

  Each holder, wherever the key is:
    pubrepo root sign next.json --from root.json --key root-4.pem --passphrase-env SECRET

  When enough have signed:
    pubrepo root publish next.json --repo /srv/updates --keys ~/keys \\
      --variant metal --arch x86_64";

#[derive(Debug, clap::Subcommand)]
enum Step {
    /// Write the first root role of holders who keep their keys where they are, signed by nobody yet
    New(Box<NewArgs>),
    /// Write the next root role, signed by nobody yet
    Rotate(Box<RotateArgs>),
    /// Add the signature of one key holder
    Sign(SignArgs),
    /// Tell what a root role says, and who has signed it
    Show(ShowArgs),
    /// Publish a root role that enough holders have signed
    Publish(PublishArgs),
    /// Make a key for a holder
    NewKey(NewKeyArgs),
}

#[derive(Debug, clap::Args)]
struct NewArgs {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The public key of a holder; once for each
    #[arg(long, value_name = "FILE", required = true)]
    root_key: Vec<PathBuf>,
    /// How many of them have to sign
    #[arg(long, default_value_t = 2, value_name = "N")]
    root_threshold: u32,
    /// The public key of the targets role
    #[arg(long, value_name = "FILE")]
    targets_key: PathBuf,
    /// The public key of the snapshot role
    #[arg(long, value_name = "FILE")]
    snapshot_key: PathBuf,
    /// The public key of the timestamp role
    #[arg(long, value_name = "FILE")]
    timestamp_key: PathBuf,
    /// How long the root role holds
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    root_days: u16,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// The root role that counts now
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The public key of a holder who comes
    #[arg(long, value_name = "FILE")]
    add_root_key: Vec<PathBuf>,
    /// The identity of the key of a holder who goes, as "root show" prints it
    #[arg(long, value_name = "ID")]
    remove_root_key: Vec<String>,
    /// How many root keys have to sign from now on [default: as before]
    #[arg(long, value_name = "N")]
    root_threshold: Option<u32>,
    /// The new public key of the targets role
    #[arg(long, value_name = "FILE")]
    targets_key: Option<PathBuf>,
    /// The new public key of the snapshot role
    #[arg(long, value_name = "FILE")]
    snapshot_key: Option<PathBuf>,
    /// The new public key of the timestamp role
    #[arg(long, value_name = "FILE")]
    timestamp_key: Option<PathBuf>,
    /// How long the root role holds
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    root_days: u16,
}

#[derive(Debug, clap::Args)]
struct SignArgs {
    /// The root role that is to be signed
    file: PathBuf,
    /// The root role that counts now; the first one has none before it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The holder's key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// A root role, finished or not
    file: PathBuf,
    /// The root role before it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct PublishArgs {
    /// The next root role
    file: PathBuf,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, clap::Args)]
struct NewKeyArgs {
    /// The file for the key, which only its owner may read
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The file for its public half
    #[arg(long, value_name = "FILE")]
    public: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// What a step answers with.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A root role as it stands.
    Root(Box<RootReport>),
    /// The identity of a new key.
    Key {
        /// As "root show" prints it.
        key: String,
    },
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root(report) => report.fmt(f),
            Self::Key { key } => write!(f, "key {key}"),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// As [`root::begin`], [`root::rotate`], [`root::sign`], [`root::show`] and [`root::publish`].
pub async fn run(args: Args, now: DateTime<Utc>) -> Result<Answer, Error> {
    let report = match args.step {
        Step::New(args) => root::begin(&args.out, &first(&args, now)?)?,
        Step::Rotate(args) => {
            let change = change(&args, now)?;
            root::rotate(&args.from, &args.out, &change)?
        }
        Step::Sign(args) => {
            let key = args.passphrase.source()?.open(&args.key)?;
            root::sign(args.from.as_deref(), &args.file, &key)?
        }
        Step::Show(args) => root::show(&args.file, args.from.as_deref())?,
        Step::Publish(args) => {
            let (desk, lifetimes) = args.change.read()?;
            root::publish(&desk, &args.file, lifetimes, now).await?
        }
        Step::NewKey(args) => return new_key(&args),
    };
    Ok(Answer::Root(Box::new(report)))
}

fn first(args: &NewArgs, now: DateTime<Utc>) -> Result<FirstRoot, Error> {
    Ok(FirstRoot {
        expires: now + Duration::days(args.root_days.into()),
        root: args.root_key.iter().map(public_key).collect::<Result<_, _>>()?,
        threshold: args.root_threshold,
        targets: public_key(&args.targets_key)?,
        snapshot: public_key(&args.snapshot_key)?,
        timestamp: public_key(&args.timestamp_key)?,
    })
}

fn change(args: &RotateArgs, now: DateTime<Utc>) -> Result<RootChange, Error> {
    let roles = [
        ("targets", &args.targets_key),
        ("snapshot", &args.snapshot_key),
        ("timestamp", &args.timestamp_key),
    ];
    let mut replace = Vec::new();
    for (role, path) in roles {
        if let Some(path) = path {
            replace.push((role.to_owned(), public_key(path)?));
        }
    }
    Ok(RootChange {
        expires: now + Duration::days(args.root_days.into()),
        add: args.add_root_key.iter().map(public_key).collect::<Result<_, _>>()?,
        remove: args.remove_root_key.clone(),
        threshold: args.root_threshold,
        replace,
    })
}

fn new_key(args: &NewKeyArgs) -> Result<Answer, Error> {
    for path in [&args.out, &args.public] {
        if path.exists() {
            return Err(Error::DraftExists { path: path.clone() });
        }
    }
    let key = KeyPair::generate()?;
    args.passphrase.source()?.save(&key, &args.out)?;
    swap::replace_file(&SystemFs, &args.public, key.public_pem().as_bytes(), 0o644)
        .map_err(|error| Error::file("write", &args.public, error))?;
    Ok(Answer::Key { key: key.id() })
}

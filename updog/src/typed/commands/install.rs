//! `install`: the first release, into a set of a disk that nothing runs from.

use std::path::PathBuf;

use semver::Version;
use serde_json::{Map, Value};
use signpost::SetName;

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};
use crate::write::first::{self, Order, Proven};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The disk or image file, laid out by "signpost create"
    #[arg(long, value_name = "DISK")]
    pub disk: PathBuf,
    /// The set that takes the release
    #[arg(long, value_name = "A|B", default_value = "A")]
    pub set: SetName,
    /// The repository: a directory, or an address, that has VARIANT/ARCH and targets
    #[arg(long, value_name = "PLACE")]
    pub repo: String,
    /// The root role to start from; nothing is trusted that it does not lead to
    #[arg(long, value_name = "FILE")]
    pub trusted_root: PathBuf,
    /// For which architecture [default: this machine's]
    #[arg(long)]
    pub arch: Option<String>,
    /// Where the new system's persistent partition is mounted: the record and the pinned metadata are left there
    #[arg(long, value_name = "DIR")]
    pub persistent: Option<PathBuf>,
    /// Also where a set is proven: until the new release was read back, nothing on the disk boots
    #[arg(long)]
    pub force: bool,
}

const EXAMPLES: &str = "\
Examples:
  From a stick, without a network:
    updog install --disk /dev/vdb --set A --repo /media/stick --trusted-root root.json --variant metal

  A certain version, into an image file, with what the new system remembers:
    updog install --disk disk.img --repo https://updates.example.com --trusted-root root.json \\
      --variant metal --image 1.2.0 --persistent /mnt/persistent

The disk ends as a factory leaves it: the set is proven and boots, the other one is empty.";

/// Installs, and says what was done.
///
/// # Errors
/// As [`first::install`], and without `--variant`.
pub fn run(
    context: &Context,
    args: Args,
    variant: Option<String>,
    version: Option<Version>,
) -> Result<(), Error> {
    let Args { disk, set, repo, trusted_root, arch, persistent, force } = args;
    let order = Order {
        disk,
        set,
        repo,
        trusted_root,
        variant: variant.ok_or(Error::Missing { option: "--variant" })?,
        arch: arch.unwrap_or_else(|| context.host.arch().to_owned()),
        version,
        persistent,
        proven: if force { Proven::Overwrite } else { Proven::Refuse },
    };
    let installed = first::install(context, &order)?;
    let first::Installed { update, root_hash, read_back, bytes_fetched } = &installed;
    if context.format == Format::Text {
        context.events.before_an_answer();
        answer::done([
            format!(
                "Installed: {} {} in set {set} of {}, which boots next",
                update.variant,
                update.version,
                order.disk.display()
            ),
            format!("Root hash: {root_hash}"),
        ]);
        if order.persistent.is_none() {
            tracing::info!(
                "its persistent partition was not written to: the first update there notes what this set holds"
            );
        }
    }
    let mut more = Map::new();
    more.insert("root_hash".to_owned(), Value::from(root_hash.clone()));
    context.events.tell(&Event::Done(Done {
        command: "install",
        update: serde_json::to_value(update).expect("an update is plain data"),
        set: Some(set.to_string()),
        bytes_fetched: *bytes_fetched,
        bytes_written: read_back.tally().written,
        bytes_skipped: read_back.tally().skipped,
        read_back: Some(answer::medium(read_back.medium())),
        more,
        ..Done::default()
    }));
    Ok(())
}

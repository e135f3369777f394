//! `signpost create`: lays out a disk or an image file. The one command that never looks for a disk by itself.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::create::blueprint::Wrong;
use crate::create::laid::FirstBoot;
use crate::create::order::{Occupied, Partitions, Target};
use crate::create::standard::{Hosts, Sets};
use crate::create::{Blueprint, Listing, Mebibytes, Order, Plan};
use clap::value_parser;
use host_io::{Fs as _, Paths, SystemFs, say};
use serde::Serialize;

use super::answer;

pub(super) const EXAMPLES: &str = "\
Without --layout the disk gets the layout of a Bottlerocket host: 1 or 2 GiB of system (--os-size) and the rest for
data, or the data on a second disk. A layout of your own is a small file; order is number and place:

  [[partition]]
  type = \"boot\"          # bios-boot, efi, efi-backup, boot, root, hash, reserved, private, data, or a GUID
  label = \"MY-BOOT-A\"
  size = \"20 MiB\"        # or \"rest\", once on a disk

  [[data-partition]]     # on the second disk
  type = \"data\"
  size = \"rest\"

The first boot, root and hash partition belong to set A, the second ones to set B. What lies inside of partitions is not
touched.

Examples:
  signpost --disk disk.img create --size 8G                  make an image file and lay it out
  signpost --disk disk.img create --size 8G --dry-run        only show what that would be
  signpost --disk /dev/vdb create --for uefi                 for firmware that starts bootpick
  signpost --disk /dev/vdb create --factory                  set A counts as proven: write a system into it next
  signpost --disk /dev/vdb create --data-disk /dev/vdc       data on a disk of its own
  signpost --disk disk.img create --layout layout.toml --force --json
                                                             lay it out anew; all that is on it is lost";

/// What `create` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Make a new, sparse image file of this size (such as 8G); without it the disk must exist
    #[arg(long, value_name = "SIZE")]
    size: Option<Mebibytes>,
    /// Bytes per sector of an image file: 512 or 4096; a device says so itself
    #[arg(long, value_name = "BYTES")]
    sector_size: Option<u32>,
    /// Take the partitions from this file
    #[arg(long, value_name = "FILE")]
    layout: Option<PathBuf>,
    /// How much of the standard layout is system, in GiB
    #[arg(long, value_name = "GIB", conflicts_with = "layout", value_parser = value_parser!(u32).range(1..=1 << 20))]
    os_size: Option<u32>,
    /// What starts the host: GRUB as on a Bottlerocket host, or UEFI firmware with bootpick
    #[arg(long = "for", value_name = "HOST", value_enum, default_value_t = Host::Bottlerocket, conflicts_with = "layout")]
    host: Host,
    /// Lay out one set with the room of two: a host that is never updated in place
    #[arg(long, conflicts_with = "layout")]
    one_set: bool,
    /// Put the data on this second disk
    #[arg(long, value_name = "PATH")]
    data_disk: Option<PathBuf>,
    /// Make the second disk, too: a new image file of this size
    #[arg(long, value_name = "SIZE", requires = "data_disk")]
    data_size: Option<Mebibytes>,
    /// Give set A the bits of a disk that leaves a factory: it boots, and counts as proven
    #[arg(long)]
    factory: bool,
    /// Lay the disk out although something is on it; that is lost
    #[arg(long)]
    force: bool,
    /// Write nothing; show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object: the partitions of each disk
    #[arg(long, short)]
    json: bool,
}

/// The hosts that the standard layout knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Host {
    /// The layout of a Bottlerocket host, which GRUB starts
    Bottlerocket,
    /// Two EFI system partitions of 64 MiB with a file system, boot partitions of at least 128 MiB
    Uefi,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer {
    /// Whether this is on the disks now, or would be.
    written: bool,
    disk: Listing,
    data_disk: Option<Listing>,
    /// What a person should know beside it, a sentence each.
    notes: Vec<String>,
}

pub(super) fn run(args: Args, disk: Option<PathBuf>, paths: &Paths) -> Result<(), Error> {
    let (json, written) = (args.json, !args.dry_run);
    let mut notes = vec![first_boot(args.first_boot()).to_owned()];
    let plan = Plan::make(&args.order(disk.ok_or(Error::NothingToLayOut)?)?)?;
    let (disk, data_disk) = plan.listings();
    if written {
        notes.extend(plan.apply(paths)?);
    }
    let answer = Answer { written, disk, data_disk, notes };
    if json {
        let text = serde_json::to_string_pretty(&answer).expect("a listing is plain data");
        return give(&format!("{text}\n"), written);
    }
    let second = answer.data_disk.as_ref().map(|listing| format!("\n{listing}")).unwrap_or_default();
    give(&format!("{}{second}", answer.disk), written)?;
    if !written {
        tracing::info!("nothing was written");
    }
    for note in &answer.notes {
        tracing::info!("{note}");
    }
    Ok(())
}

/// A disk that is laid out stays so, also when nobody could be told.
fn give(text: &str, written: bool) -> Result<(), Error> {
    if written {
        say::outcome(text);
        return Ok(());
    }
    answer::give(text)
}

impl Args {
    fn first_boot(&self) -> FirstBoot {
        if self.factory { FirstBoot::SetA } else { FirstBoot::Nothing }
    }

    fn order(self, disk: PathBuf) -> Result<Order, Error> {
        let first_boot = self.first_boot();
        let partitions = match &self.layout {
            Some(path) => Partitions::Written(read(path)?),
            None => Partitions::Standard {
                gib: self.os_size,
                sets: if self.one_set { Sets::One } else { Sets::Two },
                host: match self.host {
                    Host::Bottlerocket => Hosts::Contract,
                    Host::Uefi => Hosts::Uefi,
                },
            },
        };
        let target = |path, new_image| Target { path, new_image, sector_size: self.sector_size };
        Ok(Order {
            disk: target(disk, self.size),
            data_disk: self.data_disk.map(|path| target(path, self.data_size)),
            partitions,
            first_boot,
            occupied: if self.force { Occupied::Overwrite } else { Occupied::Refuse },
        })
    }
}

fn first_boot(first_boot: FirstBoot) -> &'static str {
    match first_boot {
        FirstBoot::Nothing => "no set boots yet",
        FirstBoot::SetA => "set A counts as proven: it boots, so it has to hold a system",
    }
}

fn read(path: &Path) -> Result<Blueprint, Error> {
    let bytes = SystemFs.read(path).map_err(|error| Wrong::Unreadable(error.to_string()));
    let text = bytes
        .and_then(|bytes| String::from_utf8(bytes).map_err(|error| Wrong::Unreadable(error.to_string())));
    text.and_then(|text| Blueprint::parse(&text))
        .map_err(|source| Error::Blueprint { path: path.to_owned(), source })
}

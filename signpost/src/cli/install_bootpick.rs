//! `signpost install-bootpick`: the boot program onto both partitions that firmware starts from.

use std::path::PathBuf;

use crate::esp::install::{Installed, install};
use crate::{Error, OsDisk};
use host_io::Paths;

use super::answer;

pub(super) const EXAMPLES: &str = "\
It is written beside, read back and renamed, on one partition after the other; the one that this boot came from is the
last. A power cut at any time leaves one that starts. The partitions must not be mounted. Where the firmware has lost its
entries they are made again, before all others. Under Secure Boot a program without a signature is refused.

Examples:
  signpost install-bootpick /usr/lib/signpost/BOOTX64.EFI
                                         install it, or another version of it
  signpost --disk disk.img install-bootpick BOOTX64.EFI
                                         onto a disk image; its firmware finds it without an entry";

/// What `install-bootpick` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The boot program, as "cargo xtask bootpick" or a package has made it
    #[arg(value_name = "FILE")]
    program: PathBuf,
    /// Print one JSON object: the partitions in the order written, and the firmware's entries
    #[arg(long, short)]
    json: bool,
}

pub(super) fn run(args: &Args, disk: &OsDisk, paths: &Paths) -> Result<(), Error> {
    let installed = install(paths, disk, &args.program)?;
    if args.json {
        let text = serde_json::to_string_pretty(&installed).expect("an answer is plain data");
        return answer::give(&format!("{text}\n"));
    }
    answer::give(&screen(&installed))
}

fn screen(installed: &Installed) -> String {
    let mut lines = String::new();
    for placed in &installed.partitions {
        let what = if placed.written { "written and read back" } else { "there already" };
        let from = if placed.started_from { ", this boot came from it" } else { "" };
        lines += &format!("{}: {what}{from}\n", placed.node.display());
    }
    lines += &match &installed.entries[..] {
        [] => "no firmware here to tell; it finds \\EFI\\BOOT by itself\n".to_owned(),
        entries => format!("the firmware starts {}\n", entries.join(", then ")),
    };
    lines
}

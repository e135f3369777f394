//! `signpost status`: who runs, who boots next, and why. Reads only.

use host_io::say;

use crate::report::Report;
use crate::screen::Screen;
use crate::{Error, OsDisk};

use super::answer;
use super::ignored::Ignored;

pub(super) const EXAMPLES: &str = "\
In colour on a terminal, unless NO_COLOR is set.

Examples:
  signpost status                        the disk of this host
  signpost status --json                 the same with both copies of the table and all reasons
  signpost --disk disk.img --active A status
                                         a disk image, as if set A was running";

/// What `status` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object: the sets, both copies of the table, and the reasons
    #[arg(long, short)]
    json: bool,
    #[command(flatten)]
    words: Ignored,
}

pub(super) fn run(args: &Args, disk: &OsDisk) -> Result<(), Error> {
    let found = disk.inspect()?;
    if args.json {
        let report = serde_json::to_string_pretty(&Report::new(&found)).expect("a report is plain data");
        answer::give(&format!("{report}\n"))?;
    } else {
        if say::stdout_in_colour() {
            answer::give_in_colour(&Screen::in_colour(&found).to_string())?;
        } else {
            answer::give(&Screen::new(&found).to_string())?;
        }
    }
    args.words.mention();
    for note in found.notes() {
        tracing::warn!("{note}");
    }
    // Everything that is known was said; that something is missing is still a failure.
    found.status().map(drop)
}

//! `signpost pick`: the boot program's choice as a command.

use crate::picked::{Charge, Picked};
use crate::start::Why;
use crate::{Error, OsDisk, Role, SetName};
use serde::Serialize;

use super::answer;

pub(super) const EXAMPLES: &str = "\
For hosts whose boot program is an initramfs with kexec, or that start a set in a virtual machine. Without --spend nothing
is written. With it the start is paid for before the answer is given, so start what it says: an unproven set spends a try,
the start of a proven one is counted until \"signpost reached-root\" in it.

Examples:
  signpost --disk /dev/vda pick          which set would be started, and why
  signpost --disk /dev/vda pick --spend --json
                                         pick one and pay for its start; then start it
  signpost --disk /dev/vda pick --spend --aside B
                                         B could not be loaded: pick again, in this boot only";

/// What `pick` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pay for the start: spend a try, or count it
    #[arg(long)]
    spend: bool,
    /// A set that cannot be started in this boot; may be given more than once
    #[arg(long, value_name = "SET")]
    aside: Vec<SetName>,
    /// Print one JSON object
    #[arg(long, short)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer {
    set: String,
    /// `priority`, `aside` or `attempts`.
    why: &'static str,
    /// Whether the start is paid for.
    spent: bool,
    cost: String,
    boot: Place,
    root: Place,
    hash: Place,
    /// What goes on the kernel's command line.
    command_line: String,
}

#[derive(Debug, Serialize)]
struct Place {
    node: String,
    number: u32,
    partuuid: String,
    start: u64,
    len: u64,
}

pub(super) fn run(args: &Args, disk: &OsDisk) -> Result<(), Error> {
    let picked = disk.pick(&args.aside, if args.spend { Charge::Start } else { Charge::Nothing })?;
    tracing::info!("set {} {}; its start costs {}", picked.set.name, reason(picked.why), picked.cost);
    let answer = Answer::new(&picked, args.spend);
    if args.json {
        let text = serde_json::to_string_pretty(&answer).expect("an answer is plain data");
        return answer::give(&format!("{text}\n"));
    }
    answer::give(&format!(
        "Set:  {}\nBoot: {} {}\nRoot: {} {}\nHash: {} {}\nWhy:  it {}\nCost: {}\n",
        answer.set,
        answer.boot.node,
        answer.boot.partuuid,
        answer.root.node,
        answer.root.partuuid,
        answer.hash.node,
        answer.hash.partuuid,
        reason(picked.why),
        answer.cost,
    ))
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Priority => "has the highest priority",
        Why::Aside => "is next after what was put aside",
        Why::Attempts => "is taken instead of one that never reached its root",
    }
}

impl Answer {
    fn new(picked: &Picked, spent: bool) -> Self {
        let place = |role| {
            let partition = picked.set.partition(role);
            Place {
                node: partition.node.display().to_string(),
                number: partition.number,
                partuuid: partition.guid.to_string(),
                start: partition.start,
                len: partition.len,
            }
        };
        Self {
            set: picked.set.name.to_string(),
            why: picked.why.as_str(),
            spent,
            cost: picked.cost.to_string(),
            boot: place(Role::Boot),
            root: place(Role::Root),
            hash: place(Role::Hash),
            command_line: format!("signpost.boot=PARTUUID={} gpt", picked.set.boot.guid),
        }
    }
}

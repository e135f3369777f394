//! `check-update`, also known as `whats`: which update this host would take.

use update_metadata::Update;

use crate::context::Context;
use crate::decide::choice::{Choice, NotOffered};
use crate::decide::choose::{candidates, choose};
use crate::decide::why;
use crate::error::Error;
use crate::flip::review;
use crate::look::fetch::{self, Opened, Purse};
use crate::tell::answer;
use crate::tell::events::Format;
use crate::update::{Asked, request};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// `--all`: everything that is offered, newest first.
    pub all: bool,
    /// Which update.
    pub asked: Asked,
    /// `--review`: what boots next is judged by what is known now.
    pub review: bool,
}

/// Answers on stdout. With nothing to choose that is an error, which says why; an empty list is none.
///
/// # Errors
/// When the repository cannot be used, or there is no update.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let opened = fetch::open(context, args.asked.variant.as_deref(), Purse::Open)?;
    if args.review {
        review::alone(context, &opened)?;
    }
    opened.all_known()?;
    let Opened { manifest, machine, config, .. } = &opened;
    let request = request(&args.asked, config);
    let now = context.clock.now();
    if args.all {
        opened.repository.verify_anew()?;
        let offered = candidates(manifest, machine, request.waves, now);
        return match context.format {
            Format::Json => answer::pretty(&offered),
            Format::Text => answer::lines(offered.into_iter().map(line)),
        };
    }
    let choice = choose(manifest, machine, &request, now);
    context.seen.chose(&choice);
    match choice {
        Choice::Update(update) => {
            // Nobody is pointed at an update that cannot be taken: without its migrations it would be refused later.
            opened.repository.verify_anew()?;
            fetch::staged(context, &opened, &update)?;
            match context.format {
                Format::Json => answer::pretty(&update),
                Format::Text => answer::lines([line(&update)]),
            }
        }
        choice @ (Choice::UpToDate | Choice::Held(_) | Choice::NotOffered { .. }) => {
            let why = why::not(&choice, machine);
            match choice {
                Choice::NotOffered { reason: NotOffered::Failed(barred), .. } => {
                    Err(Error::FailedHere { why, barred })
                }
                Choice::NotOffered { version, reason: NotOffered::Withheld(by) } => {
                    Err(Error::Withheld { why, version, by })
                }
                Choice::Held(held) => Err(Error::NoUpdate { why, held: Some((held, machine.seed)) }),
                Choice::Update(_) | Choice::UpToDate | Choice::NotOffered { .. } => {
                    Err(Error::NoUpdate { why, held: None })
                }
            }
        }
    }
}

fn line(update: &Update) -> String {
    format!("{} {}", update.variant, update.version)
}

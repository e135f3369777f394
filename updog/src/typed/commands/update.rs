//! `update`: install the chosen update, let it boot next, and perhaps reboot.

use host_io::say;

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::update::{self, Asked, Finish};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// Which update.
    pub asked: Asked,
    /// `--reboot`: into the update, when there was one.
    pub reboot: bool,
}

/// Updates, and says what was done. Nothing to do is no error.
///
/// # Errors
/// When the update failed; the error says whether the inactive set was changed.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let outcome = update::run(context, &args.asked, Finish::Activated)?;
    let reboot = args.reboot && matches!(outcome, update::Outcome::Installed { .. });
    if reboot {
        context.host.reboot().map_err(Error::Reboot)?;
    }
    answer::outcome(context, "update", "Update applied", &outcome, reboot);
    if !reboot && context.format == Format::Text && matches!(outcome, update::Outcome::Installed { .. }) {
        say::line("It starts with the next boot; \"updog update-revert\" takes it back until then");
    }
    Ok(())
}

//! `update-image`: install the chosen update and stop there. It boots only after `update-apply`.

use crate::context::Context;
use crate::error::Error;
use crate::tell::answer;
use crate::update::{self, Asked, Finish};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// Which update.
    pub asked: Asked,
}

/// Installs, and says what was done. Nothing to do is no error.
///
/// # Errors
/// When it failed; the error says whether the inactive set was changed.
pub fn run(context: &Context, args: &Args) -> Result<(), Error> {
    let outcome = update::run(context, &args.asked, Finish::Staged)?;
    answer::outcome(context, "update-image", "Update staged", &outcome, false);
    Ok(())
}

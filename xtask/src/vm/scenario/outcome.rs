//! What several scenarios must show at their end.

use testdata::Set;

use crate::vm::stage::Stage;
use crate::vm::unmet::Unmet;

/// The host is back on 1.0.0, which knows that `version` failed here.
pub(super) fn knows_what_failed(stage: &mut Stage<'_>, version: &str) -> Result<(), Unmet> {
    let status = stage.status()?;
    stage.expect(
        status["failed_update"]["image"]["version"] == version,
        &format!("the status says that {version} failed here"),
    )
}

/// Set B was tried and is not proven. Turns the machine off.
pub(super) fn try_is_spent(stage: &mut Stage<'_>) -> Result<(), Unmet> {
    stage.power_off()?;
    let bits = stage.bits(Set::B);
    stage.expect(bits.tries == 0 && !bits.successful, "its try is spent, and it is not proven")?;
    stage.judge()
}

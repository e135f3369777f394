//! Who a host is.

use crate::vm::host::{ContainerHost, MACHINE_ID};
use crate::vm::unmet::Unmet;

/// The id that the console shows.
pub(super) fn machine_id(host: &mut ContainerHost<'_>) -> Result<String, Unmet> {
    host.shows(MACHINE_ID)?;
    let console = host.console();
    let id = console.split(MACHINE_ID).nth(1).and_then(|behind| behind.lines().next());
    id.map(|id| id.trim().to_owned())
        .filter(|id| id.len() == 32)
        .ok_or_else(|| Unmet::new("the id of the host has 32 digits"))
}

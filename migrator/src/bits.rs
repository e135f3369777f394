//! What the boot bits say of the two sets. They are read, never written.

use host_io::{Paths, report};
use signpost::start::Why;
use signpost::{Attempts, OsDisk};

use crate::course::{Proof, Sets};

/// Reads the boot bits of the host. A host whose disk does not tell is treated like a manual change of version, and
/// this says so.
#[must_use]
pub fn read(paths: &Paths) -> Sets {
    let found = OsDisk::discover(paths)
        .and_then(|disk| Ok((disk.status()?, disk.inspect()?, disk.handover().cloned())));
    let (status, inspection, handover) = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(
                "cannot tell whether the other set's boot was marked good (failed to {}); taking this for a change of version by hand",
                report::chain(&error)
            );
            return Sets::Unknown;
        }
    };
    let Some(other) = status.inactive() else {
        tracing::warn!("this disk has one set only; taking this for a change of version by hand");
        return Sets::Unknown;
    };
    let proof = |set: &signpost::Set| if set.bits.successful { Proof::Proven } else { Proof::Unproven };
    let other = match proof(other) {
        // Only the set that does not run tells by its count that it does not start: this one just did.
        Proof::Proven if inspection.attempts(other.name) == Attempts::MOST => Proof::Worn,
        // Or the boot program has said so: it could not start the other one in this very boot.
        Proof::Proven
            if handover
                .is_some_and(|left| left.boot == status.active().boot.guid && left.why != Why::Priority) =>
        {
            Proof::Worn
        }
        proof => proof,
    };
    Sets::Known { running: proof(status.active()), other }
}

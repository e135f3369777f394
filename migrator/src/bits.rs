//! What the boot bits say of the two sets. They are read, never written.

use host_io::{Paths, report};
use signpost::OsDisk;

use crate::course::{Proof, Sets};

/// Reads the boot bits of the host. A host whose disk does not tell is treated like a manual change of version, and
/// this says so.
#[must_use]
pub fn read(paths: &Paths) -> Sets {
    let status = match OsDisk::discover(paths).and_then(|disk| disk.status()) {
        Ok(status) => status,
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
    Sets::Known { running: proof(status.active()), other: proof(other) }
}

//! Which role failed which check, in our words.

use std::error::Error as StdError;
use std::sync::Arc;

use tough::error::Error as ToughError;

use crate::Error;
use crate::transport::Fault;

/// What tough's refusal of the repository at `place` means.
pub(super) fn of(error: ToughError, place: &str) -> Error {
    let place = place.to_owned();
    match error {
        ToughError::Transport { url, source, .. } => {
            let name = url.path_segments().and_then(|mut all| all.next_back()).unwrap_or_default().to_owned();
            if let Some(fault) = source.source().and_then(|cause| cause.downcast_ref::<Fault>()) {
                return Error::Metadata { name, place, source: fault.clone() };
            }
            match source.source().and_then(|cause| cause.downcast_ref::<ToughError>()) {
                Some(ToughError::HashMismatch { calculated, expected, .. }) => Error::Untrusted {
                    place,
                    reason: format!("the SHA-256 of {name} is {calculated}, and {expected} is signed"),
                },
                Some(ToughError::MaxSizeExceeded { max_size, .. }) => {
                    Error::Metadata { name, place, source: Fault::TooLong { limit: *max_size } }
                }
                _ => Error::Failed { place, reason: source.to_string() },
            }
        }
        ToughError::ParseMetadata { role, source, .. } => {
            Error::Malformed { role: role.to_string(), place, source: Arc::new(source) }
        }
        ToughError::ParseTrustedMetadata { source, .. } => Error::Anchor { reason: source.to_string() },
        ToughError::VerifyTrustedMetadata { source, .. } => Error::Anchor { reason: source.to_string() },
        ToughError::VerifyMetadata { role, source, .. } => Error::Untrusted {
            place,
            reason: format!(
                "the {role} role is not signed as the trusted root asks for ({})",
                lower_first(&source.to_string())
            ),
        },
        ToughError::OlderMetadata { role, current_version, new_version, .. } => Error::RolledBack {
            place,
            reason: format!(
                "it offers version {new_version} of the {role} role, and version {current_version} was verified here before"
            ),
        },
        ToughError::OlderSnapshotInTimestamp { snapshot_new, snapshot_old, .. } => Error::RolledBack {
            place,
            reason: format!(
                "its timestamp names version {snapshot_new} of the snapshot role, and version {snapshot_old} was named before"
            ),
        },
        ToughError::SnapshotRoleRollback { role, old_role_version, new_role_version, .. } => {
            Error::RolledBack {
                place,
                reason: format!(
                    "its snapshot names version {new_role_version} of {role}, and version {old_role_version} was named before"
                ),
            }
        }
        ToughError::SnapshotRoleMissing { role, .. } => {
            Error::RolledBack { place, reason: format!("its snapshot no longer names {role}") }
        }
        ToughError::VersionMismatch { role, fetched, expected, .. } => Error::Untrusted {
            place,
            reason: format!("its {role} role has version {fetched}, and version {expected} is signed"),
        },
        ToughError::MaxUpdatesExceeded { max_root_updates, .. } => Error::Untrusted {
            place,
            reason: format!(
                "it has more than {max_root_updates} new root roles; the first of them are kept, and the next run goes on from there"
            ),
        },
        // Whatever else tough finds wrong is wrong with the metadata itself.
        other @ (ToughError::TimestampMetaLength { .. }
        | ToughError::MissingSnapshotMeta { .. }
        | ToughError::SnapshotTargetsMetaMissing { .. }
        | ToughError::MetaMissing { .. }
        | ToughError::InvalidPath { .. }) => {
            Error::Untrusted { place, reason: lower_first(&other.to_string()) }
        }
        other => Error::Failed { place, reason: lower_first(&other.to_string()) },
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

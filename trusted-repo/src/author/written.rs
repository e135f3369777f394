//! Roles and what they say of others, as JSON that is about to be signed.

use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::Error;
use super::root::SPEC_VERSION;

use crate::metadata::now::{instant, to_jiff};
use crate::target::proof::TargetInfo;

/// Refuses what metadata cannot say.
pub(super) fn date(at: DateTime<Utc>) -> Result<jiff::Timestamp, Error> {
    to_jiff(at).ok_or_else(|| Error::Date { date: at.to_string() })
}

/// A role that lists these targets.
pub(super) fn targets_role(version: NonZeroU64, expires: DateTime<Utc>, listed: Map<String, Value>) -> Value {
    json!({
        "_type": "targets",
        "spec_version": SPEC_VERSION,
        "version": version,
        "expires": instant(expires),
        "targets": listed,
    })
}

/// A role that names files.
pub(super) fn naming(
    kind: &str,
    version: NonZeroU64,
    expires: DateTime<Utc>,
    meta: Map<String, Value>,
) -> Value {
    json!({
        "_type": kind,
        "spec_version": SPEC_VERSION,
        "version": version,
        "expires": instant(expires),
        "meta": meta,
    })
}

/// What a role says of a target.
pub(super) fn described(info: &TargetInfo) -> Value {
    let hashes = &info.hashes;
    let digests =
        [("sha256", hashes.get_sha256().map(hex::encode)), ("sha512", hashes.get_sha512().map(hex::encode))];
    let digests = digests.into_iter().filter_map(|(kind, digest)| Some((kind.to_owned(), digest?.into())));
    json!({ "length": info.length, "hashes": digests.collect::<Map<_, _>>() })
}

/// What a role says of a file.
pub(super) fn meta(version: NonZeroU64, bytes: &[u8]) -> Value {
    json!({
        "version": version,
        "length": bytes.len(),
        "hashes": { "sha256": hex::encode(digest(&SHA256, bytes)) },
    })
}

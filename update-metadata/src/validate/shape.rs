//! What each field of an update is, one by one.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde_json::Value;

use super::extensions;
use super::field::{field, filled, object, read_date, read_name, too_many, version};
use super::findings::Findings;
use crate::limits::MAX_WAVES;
use crate::seed::LAST;

/// An update whose fields could be read.
#[derive(Debug)]
pub(super) struct KnownUpdate {
    pub(super) path: String,
    pub(super) variant: String,
    pub(super) arch: String,
    pub(super) version: Version,
    pub(super) max_version: Version,
    pub(super) barrier: bool,
}

pub(super) fn read_update(json: &Value, path: String, findings: &mut Findings) -> Option<KnownUpdate> {
    let update = object(json, &path, findings)?;
    let variant = filled(update, &path, "variant", findings);
    let arch = filled(update, &path, "arch", findings);
    let version = version(update, &path, "version", findings);
    let max_version = super::field::version(update, &path, "max_version", findings);
    if let Some(waves) = field(update, &path, "waves", findings) {
        read_waves(waves, &format!("{path}.waves"), findings);
    }
    let images = field(update, &path, "images", findings);
    let path_of_images = format!("{path}.images");
    if let Some(images) = images.and_then(|images| object(images, &path_of_images, findings)) {
        for role in ["boot", "root", "hash"] {
            if let Some(name) = field(images, &path_of_images, role, findings) {
                read_name(name, &format!("{path_of_images}.{role}"), findings);
            }
        }
    }
    let of_ours = update.get("extensions");
    let barrier =
        of_ours.is_some_and(|json| extensions::read_update(json, &format!("{path}.extensions"), findings));
    let (variant, arch) = (variant?, arch?);
    Some(KnownUpdate { variant, arch, version: version?, max_version: max_version?, barrier, path })
}

fn read_waves(json: &Value, path: &str, findings: &mut Findings) {
    let Some(waves) = object(json, path, findings) else { return };
    too_many(path, waves.len(), MAX_WAVES, findings);
    let mut dates = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (key, date) in waves {
        let path = format!("{path}[{key:?}]");
        let bound = key.parse::<u32>();
        match &bound {
            Err(_) => findings.unreadable(&path, "is not the number of a seed"),
            Ok(bound) if !seen.insert(*bound) => {
                findings.unreadable(&path, format!("is wave {bound}, which is there already"));
            }
            Ok(bound) if *bound > LAST => findings.unwise(&path, format!("is above the last seed, {LAST}")),
            Ok(_) => {}
        }
        let date = read_date(date, &path, findings);
        if let Ok(bound) = bound {
            if bound.to_string() != *key {
                findings.unwise(&path, format!("is read as wave {bound}; write it so"));
            }
            dates.extend(date.map(|date| (bound, (date, path))));
        }
    }
    for ((_, (date, _)), (_, (next, path))) in dates.iter().zip(dates.iter().skip(1)) {
        if date >= next {
            findings.unwise(path, "does not start after the wave before it");
        }
    }
    if let Some(first) = seen.first().filter(|first| **first > 0) {
        findings.unwise(path, format!("begins at {first}, so that seeds up to there wait for nothing"));
    }
}

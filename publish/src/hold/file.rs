//! What a role for holds withholds, as its file has it: one file for each role, named after it, so that two of them never
//! say different things of one target.

use std::io::Read as _;

use lz4_flex::frame::FrameDecoder;
use trusted_repo::author::{Editor, targets};
use trusted_repo::manifest;
use update_metadata::{Holds, Manifest, Update};
use verity::HashTree;

use super::Refused;
use crate::Error;
use crate::layout::RepoLayout;
use crate::pack::target::Published;

/// The longest hash image that is unpacked: that of a root image of 16 GiB.
const LONGEST_HASH: u64 = 144 << 20;

/// The target that has what a role withholds.
pub(crate) fn name_of(role: &str) -> String {
    format!("hold-{role}.json")
}

/// What the role withholds that is changed. One that never did has no file yet.
pub(crate) fn read(editor: &Editor, layout: &RepoLayout, role: &str) -> Result<Holds, Refused> {
    let damaged = |reason: String| Refused::Damaged { role: role.to_owned(), reason };
    let Some(info) = editor.target(&name_of(role)) else { return Ok(Holds::default()) };
    let bytes = Published::of(layout, info).and_then(Published::whole).map_err(damaged)?;
    Holds::parse(&bytes).map_err(|error| damaged(host_io::report::chain(&error)))
}

/// Writes what the role withholds from now on. Nobody asks for it before the role is signed again.
pub(crate) fn write(
    editor: &mut Editor,
    layout: &RepoLayout,
    role: &str,
    holds: &Holds,
) -> Result<(), Error> {
    let bytes = holds.to_json();
    let info = targets::publish(&host_io::SystemFs, &layout.targets, &name_of(role), bytes.as_bytes())?;
    Ok(editor.replace_target(info)?)
}

/// The manifest that hosts of a variant go by, whoever publishes it.
pub(crate) fn manifest_of_hosts(
    editor: &Editor,
    layout: &RepoLayout,
    variant: &str,
) -> Result<Manifest, Error> {
    let of_team = manifest::of_variant(variant);
    let (name, found) = match editor.taken(&of_team) {
        Some(found) => (of_team, Some(found)),
        None => (manifest::OF_ALL.to_owned(), editor.taken(manifest::OF_ALL)),
    };
    let damaged = |reason: String| Error::DamagedManifest { name: name.clone(), reason };
    let info = found.ok_or_else(|| damaged("no role lists it".to_owned()))?;
    let bytes = Published::of(layout, info).and_then(Published::whole).map_err(damaged)?;
    Manifest::parse(&bytes).map_err(|error| damaged(host_io::report::chain(&error)))
}

/// The root hash of a release, from its published hash image. The failure is a fragment.
pub(crate) fn root_hash(editor: &Editor, layout: &RepoLayout, update: &Update) -> Result<String, String> {
    let name = &update.images.hash;
    let info = editor.taken(name).ok_or_else(|| format!("no target {name} is signed"))?;
    let mut decoder = FrameDecoder::new(Published::of(layout, info)?);
    let mut raw = Vec::new();
    let read = decoder.by_ref().take(LONGEST_HASH).read_to_end(&mut raw);
    let _len: usize = read.map_err(|error| format!("failed to unpack {name}: {error}"))?;
    decoder.into_inner().finish()?;
    let tree = HashTree::parse(&raw).map_err(|error| host_io::report::chain(&error))?;
    Ok(tree.root_hash().to_string())
}

//! Keys, root role, an empty repository.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use host_io::{SystemFs, swap};
use trusted_repo::author::{Editor, KeyPair, RootSpec, SignedRoot, Signers, targets};
use update_metadata::{Manifest, safe_target_name};

use crate::add::Lifetimes;
use crate::layout::{KeyLayout, MANIFEST, ROOT, RepoLayout};
use crate::{Error, InitReport};

/// The roles below root, in the order in which they sign.
pub(crate) const ROLES: [&str; 3] = ["targets", "snapshot", "timestamp"];

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitOptions {
    /// The directory that a web server will serve.
    pub repo: PathBuf,
    /// The directory for the keys. Keys that are there are used, and never written over.
    pub keys: PathBuf,
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// How many people hold a root key.
    pub root_keys: u32,
    /// How many of them have to sign.
    pub root_threshold: u32,
    /// How long the root role holds.
    pub root_lifetime: Duration,
}

/// Makes keys, the root role and an empty repository. `now` is when the lifetimes begin.
///
/// # Errors
/// When there is a repository already, the keys would be served, or files cannot be written.
pub async fn init(options: &InitOptions, now: DateTime<Utc>) -> Result<InitReport, Error> {
    check_name("the variant", &options.variant)?;
    check_name("the architecture", &options.arch)?;
    check_apart(&options.repo, &options.keys)?;
    let layout = RepoLayout::new(&options.repo, &options.variant, &options.arch);
    if layout.metadata.join("timestamp.json").exists() {
        return Err(Error::Exists { metadata: layout.metadata });
    }

    let keys = KeyLayout::new(&options.keys);
    let (root, keys_are_new) = match founded_before(&keys)? {
        Some(root) => (root, false),
        None => (found(options, &keys, now)?, true),
    };
    let signers = load_signers(&keys)?;

    let empty = Manifest::default();
    let manifest = targets::publish(&SystemFs, &layout.targets, MANIFEST, empty.to_json().as_bytes())?;
    let mut editor = Editor::new(root.clone());
    editor.replace_target(manifest)?;
    editor.sign(&signers, &Lifetimes::default().from(now))?.write(&SystemFs, &layout.metadata)?;
    write(&layout.metadata.join(ROOT), root.bytes())?;

    let root_keys = (1..).map(|number| keys.root(number)).take_while(|path| path.exists());
    Ok(InitReport {
        keys: root_keys.chain(ROLES.map(|role| keys.role(role))).collect(),
        root: keys.root_role(),
        root_version: root.version(),
        metadata: layout.metadata,
        targets: layout.targets,
        keys_are_new,
    })
}

/// The root role beside the keys, if keys were made before.
fn founded_before(keys: &KeyLayout) -> Result<Option<SignedRoot>, Error> {
    let needed: Vec<PathBuf> =
        [keys.root_role()].into_iter().chain(ROLES.map(|role| keys.role(role))).collect();
    match needed.iter().find(|path| !path.exists()) {
        None => Ok(Some(load_root(keys)?)),
        Some(_) if !needed.iter().any(|path| path.exists()) && !keys.root(1).exists() => Ok(None),
        Some(missing) => Err(Error::HalfTheKeys {
            keys: missing.parent().unwrap_or(Path::new("")).to_owned(),
            missing: missing.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }),
    }
}

/// Makes the keys and the first root role.
fn found(options: &InitOptions, keys: &KeyLayout, now: DateTime<Utc>) -> Result<SignedRoot, Error> {
    let generate = || KeyPair::generate();
    let root: Vec<KeyPair> = (0..options.root_keys).map(|_| generate()).collect::<Result<_, _>>()?;
    let [targets, snapshot, timestamp] = [generate()?, generate()?, generate()?];
    let spec = RootSpec {
        version: 1,
        expires: now + options.root_lifetime,
        root: &root,
        root_threshold: options.root_threshold,
        targets: std::slice::from_ref(&targets),
        snapshot: std::slice::from_ref(&snapshot),
        timestamp: std::slice::from_ref(&timestamp),
    };
    let signed = SignedRoot::first(&spec, &root.iter().collect::<Vec<_>>())?;
    for (number, key) in (1..).zip(&root) {
        key.save(&SystemFs, &keys.root(number))?;
    }
    for (role, key) in ROLES.into_iter().zip([&targets, &snapshot, &timestamp]) {
        key.save(&SystemFs, &keys.role(role))?;
    }
    // Last: with it there, all keys are.
    write(&keys.root_role(), signed.bytes())?;
    Ok(signed)
}

/// The root role that images ship, and that a repository is verified from.
pub(crate) fn load_root(keys: &KeyLayout) -> Result<SignedRoot, Error> {
    let path = keys.root_role();
    let bytes = std::fs::read(&path).map_err(|error| Error::file("read the root role", &path, error))?;
    Ok(SignedRoot::parse(&bytes)?)
}

/// The keys that sign a release.
pub(crate) fn load_signers(keys: &KeyLayout) -> Result<Signers, Error> {
    let [targets, snapshot, timestamp] = ROLES.map(|role| KeyPair::load(&SystemFs, &keys.role(role)));
    Ok(Signers { targets: targets?, snapshot: snapshot?, timestamp: timestamp? })
}

pub(crate) fn check_name(what: &'static str, value: &str) -> Result<(), Error> {
    if safe_target_name(value) { Ok(()) } else { Err(Error::Name { what, value: value.to_owned() }) }
}

/// Refuses keys that a web server would hand out.
pub(crate) fn check_apart(repo: &Path, keys: &Path) -> Result<(), Error> {
    let real = |path: &Path| {
        std::path::absolute(path)
            .map(|path| without_links(&path))
            .map_err(|error| Error::file("find", path, error))
    };
    if real(keys)?.starts_with(real(repo)?) {
        return Err(Error::KeysServed { keys: keys.to_owned() });
    }
    Ok(())
}

/// `path` with the links resolved in as much of it as exists.
fn without_links(path: &Path) -> PathBuf {
    let parts =
        path.ancestors().find_map(|above| Some((above.canonicalize().ok()?, path.strip_prefix(above).ok()?)));
    parts.map_or_else(|| path.to_owned(), |(above, below)| above.join(below))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    swap::replace_file(&SystemFs, path, bytes, 0o644).map_err(|error| Error::file("write", path, error))
}

//! Keys, root role, an empty repository.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use host_io::{SystemFs, swap};
use trusted_repo::author::{Editor, KeyPair, RootDraft, RootSpec, SignedRoot, targets};
use update_metadata::Manifest;

use crate::ground::{check_apart, check_name, load_root};
use crate::keys::Keys;
use crate::layout::{KeyLayout, MANIFEST, ROLES, ROOT, RepoLayout};
use crate::lifetimes::Lifetimes;
use crate::{Error, InitReport};

/// What to make.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// The directory that a web server will serve.
    pub repo: PathBuf,
    /// The keys. Those that are there are used, and never written over.
    pub keys: Keys,
    /// The variant.
    pub variant: String,
    /// The architecture.
    pub arch: String,
    /// A first root role that its holders have signed, each wherever the key is. Without one root keys are made here.
    pub root: Option<PathBuf>,
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
    check_apart(&options.repo, options.keys.dir())?;
    let layout = RepoLayout::new(&options.repo, &options.variant, &options.arch);
    if layout.metadata.join("timestamp.json").exists() {
        return Err(Error::Exists { metadata: layout.metadata });
    }

    let keys = options.keys.layout();
    let (root, keys_are_new) = match (&options.root, founded_before(options)?) {
        (Some(path), before) => (brought(&options.keys, path, before)?, false),
        (None, Some(root)) => (root, false),
        (None, None) => (found(options, &keys, now)?, true),
    };
    let sources = options.keys.open()?;

    let empty = Manifest::default();
    let manifest = targets::publish(&SystemFs, &layout.targets, MANIFEST, empty.to_json().as_bytes())?;
    let mut editor = Editor::new(root.clone());
    editor.replace_target(manifest)?;
    let signed = editor.sign_from(&sources, &Lifetimes::default().from(now)).await?;
    if options.root.is_some() {
        // Only now: the keys at hand are the ones that it names.
        write(&keys.root_role(), root.bytes())?;
    }
    signed.write(&SystemFs, &layout.metadata)?;
    write(&layout.metadata.join(ROOT), root.bytes())?;

    let root_keys = (1..).map(|number| keys.root(number)).take_while(|path| path.exists());
    Ok(InitReport {
        keys: root_keys.chain(options.keys.files()).collect(),
        root: keys.root_role(),
        root_version: root.version(),
        metadata: layout.metadata,
        targets: layout.targets,
        keys_are_new,
    })
}

/// The root role beside the keys, if keys were made before.
fn founded_before(options: &InitOptions) -> Result<Option<SignedRoot>, Error> {
    let layout = options.keys.layout();
    let no_root = !layout.root_role().exists();
    if no_root && options.root.is_none() && options.keys.files().is_empty() && !layout.root(1).exists() {
        return Ok(None);
    }
    let wanted = no_root.then(|| layout.root_role()).filter(|_| options.root.is_none());
    if let Some(missing) = wanted.or_else(|| options.keys.missing()) {
        return Err(Error::HalfTheKeys {
            keys: options.keys.dir().to_owned(),
            missing: missing.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        });
    }
    if no_root { Ok(None) } else { Ok(Some(load_root(&layout)?)) }
}

/// The root role that its holders signed elsewhere.
fn brought(keys: &Keys, path: &Path, before: Option<SignedRoot>) -> Result<SignedRoot, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::file("read the root role", path, error))?;
    let root = RootDraft::parse(&bytes)?.finish_first()?;
    match before {
        Some(before) if before != root => Err(Error::OtherRoot { keys: keys.dir().to_owned() }),
        _ => Ok(root),
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
        options.keys.save(key, &keys.root(number))?;
    }
    for (role, key) in ROLES.into_iter().zip([&targets, &snapshot, &timestamp]) {
        options.keys.save(key, &keys.role(role))?;
    }
    // Last: with it there, all keys are.
    write(&keys.root_role(), signed.bytes())?;
    Ok(signed)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    swap::replace_file(&SystemFs, path, bytes, 0o644).map_err(|error| Error::file("write", path, error))
}

//! Which data directory is the live one.
//!
//! ```text
//! current -> v1 -> v1.4 -> v1.4.2 -> v1.4.2_Zk3p0bqXw81LmR7a
//! ```
//!
//! The names follow from the version, so a chain is a version and a data directory. To switch, every link that is not
//! on the live path is made first; then the single live link that differs is renamed into place. A reader, and a boot
//! after a power cut, sees the old chain or the new one.
//!
//! Links of other versions stay beside the chain. `v1.3.0` that no longer leads from `current` still names the store
//! that 1.3.0 had: that is how a kept original is found, without a record that a power cut could confuse. A data
//! directory that no link names is garbage.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use host_io::fs::{Fs, Kind};
use host_io::swap;
use semver::Version;

use crate::error::Error;
use crate::spare::SPARE;
use crate::store_dir;

/// The link that a reader starts from.
pub const CURRENT: &str = "current";
/// What the name of a store begins with that was put aside because something in it could not be read.
pub(crate) const DAMAGED: &str = "damaged-";
/// How many random letters and digits end the name of a data directory.
const SUFFIX: usize = 16;

/// A chain of links: the version it stands for, and the name of the data directory that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The version of the store, with its pre-release and build parts.
    pub version: Version,
    /// The name of the data directory, beside the links.
    pub data_dir: String,
}

/// A link and where it points; both are names in the directory that holds the stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its own name.
    pub name: String,
    /// The name that it points to.
    pub target: String,
}

/// The steps of a switch, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Links off the live path, to be made or replaced.
    pub prepare: Vec<Link>,
    /// The one live link that changes; `None` when the chain is as wanted already.
    pub swap: Option<Link>,
}

impl Chain {
    /// A chain to a data directory that does not exist yet, under a name that no other has.
    #[must_use]
    pub fn fresh(version: &Version) -> Self {
        Self { version: version.clone(), data_dir: format!("v{version}_{}", random_suffix()) }
    }

    /// The links from the top down.
    #[must_use]
    pub fn links(&self) -> [Link; 4] {
        let version = &self.version;
        let major = format!("v{}", version.major);
        let minor = format!("v{}.{}", version.major, version.minor);
        // The whole version: a store of a pre-release is not one of the release.
        let patch = format!("v{version}");
        let link = |name: &str, target: &str| Link { name: name.to_owned(), target: target.to_owned() };
        [link(CURRENT, &major), link(&major, &minor), link(&minor, &patch), link(&patch, &self.data_dir)]
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.name, self.target)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for link in &self.prepare {
            writeln!(f, "make the link {link}")?;
        }
        match &self.swap {
            Some(link) => write!(f, "switch the live link {link}"),
            None => f.write_str("the live links stay as they are"),
        }
    }
}

/// Reads the live chain in `base`; `None` when there is no link [`CURRENT`].
///
/// # Errors
/// When a link leads elsewhere than the version's names say, or out of `base`, or not to a directory.
pub fn read(fs: &dyn Fs, base: &Path) -> Result<Option<Chain>, Error> {
    let current = base.join(CURRENT);
    if fs.kind(&current).map_err(Error::io("look at", &current))?.is_none() {
        return Ok(None);
    }
    let major = target_of(fs, base, CURRENT)?;
    let minor = target_of(fs, base, &major)?;
    let patch = target_of(fs, base, &minor)?;
    let bad = |name: &str, reason: String| Error::Link { path: base.join(name), reason };
    let version =
        version_of(&patch).ok_or_else(|| bad(&minor, format!("{patch:?} is not \"v\" and a version")))?;
    let chain = Chain { version, data_dir: target_of(fs, base, &patch)? };
    // Links that skip between versions would make a later switch touch two live links.
    for (link, name) in chain.links().iter().zip([CURRENT, &major, &minor]) {
        if link.name != name {
            return Err(bad(CURRENT, format!("it leads through {name} to a store of {}", chain.version)));
        }
    }
    let data = base.join(&chain.data_dir);
    match fs.kind(&data).map_err(Error::io("look at", &data))? {
        Some(Kind::Directory) => Ok(Some(chain)),
        Some(_) => Err(Error::Foreign { path: data, what: "not a directory" }),
        None => Err(bad(&patch, format!("there is no {}", chain.data_dir))),
    }
}

/// The live chain in `base` as [`read`] has it. Where the link [`CURRENT`] is lost and one store can be meant, it is set
/// again. `None` when there is no store at all: the first boot.
///
/// # Errors
/// As [`read`]; [`Error::Lost`] when more than one store can be meant.
pub fn find(fs: &dyn Fs, base: &Path) -> Result<Option<Chain>, Error> {
    if let Some(chain) = read(fs, base)? {
        return Ok(Some(chain));
    }
    if fs.kind(base).map_err(Error::io("look at", base))? != Some(Kind::Directory) {
        return Ok(None);
    }
    let mut stores = candidates(fs, base)?;
    match (stores.pop(), stores.is_empty()) {
        (None, _) => Ok(None),
        (Some(chain), true) => {
            tracing::warn!(
                "the link {} is lost: setting it again, to the store {}",
                base.join(CURRENT).display(),
                chain.data_dir
            );
            apply(fs, base, &plan(None, &chain))?;
            Ok(Some(chain))
        }
        (Some(last), false) => {
            let mut stores: Vec<String> = stores.into_iter().map(|chain| chain.data_dir).collect();
            stores.push(last.data_dir);
            Err(Error::Lost { base: base.to_owned(), stores })
        }
    }
}

/// The stores that a lost link may have led to, each with the chain that would lead to it.
fn candidates(fs: &dyn Fs, base: &Path) -> Result<Vec<Chain>, Error> {
    let links = version_links(fs, base)?;
    let target = |name: &str| links.iter().find(|(link, _)| link == name).map(|(_, target)| target.clone());
    let is_store = |chain: &Chain| {
        let data = base.join(&chain.data_dir);
        fs.kind(&data).is_ok_and(|kind| kind == Some(Kind::Directory))
    };
    let named: Vec<Chain> = patch_links(fs, base)?.into_iter().filter(is_store).collect();
    // Of the versions below one major link, that one says which is meant.
    let majors = links.iter().filter(|(name, _)| name.bytes().skip(1).all(|byte| byte.is_ascii_digit()));
    let led: BTreeSet<String> = majors.filter_map(|(_, minor)| target(minor)).collect();
    let mut stores: Vec<Chain> =
        named.iter().filter(|chain| led.contains(&format!("v{}", chain.version))).cloned().collect();
    if stores.is_empty() {
        stores.clone_from(&named);
    }
    // What no link names is garbage, but for a store that could be the only one. An empty one is what a cut left of a
    // first boot.
    for entry in fs.list(base).map_err(Error::io("list", base))? {
        let known = named.iter().any(|chain| chain.data_dir == entry.name);
        if entry.kind != Kind::Directory || known {
            continue;
        }
        let Some(version) = data_dir_version(&entry.name) else { continue };
        if !is_blank(fs, &base.join(&entry.name)) {
            stores.push(Chain { version, data_dir: entry.name });
        }
    }
    Ok(stores)
}

/// Whether a data directory holds no setting for certain.
fn is_blank(fs: &dyn Fs, dir: &Path) -> bool {
    let (contents, damage) = store_dir::read_usable(fs, dir);
    let no_tree = matches!(fs.kind(&dir.join(store_dir::LIVE)), Ok(None));
    contents.live.is_empty() && (damage.is_empty() || no_tree)
}

/// The store that the kept links still name for `version`, if there is one.
///
/// # Errors
/// When the storage refuses.
pub fn kept(fs: &dyn Fs, base: &Path, version: &Version) -> Result<Option<Chain>, Error> {
    let found = patch_links(fs, base)?.into_iter().find(|chain| chain.version == *version);
    match found {
        Some(chain) => {
            let data = base.join(&chain.data_dir);
            let kind = fs.kind(&data).map_err(Error::io("look at", &data))?;
            Ok((kind == Some(Kind::Directory)).then_some(chain))
        }
        None => Ok(None),
    }
}

/// What leads from the chain `live` (`None` when there is no store yet) to the chain `wanted`.
#[must_use]
pub fn plan(live: Option<&Chain>, wanted: &Chain) -> Plan {
    let wanted = wanted.links();
    let same = live.map_or(0, |live| {
        let live = live.links();
        live.iter().zip(&wanted).take_while(|(live, wanted)| live == wanted).count()
    });
    match &wanted[same..] {
        [] => Plan { prepare: Vec::new(), swap: None },
        // A name below the one that changes is not live: it belongs to another major, minor or patch version.
        [swap, below @ ..] => {
            Plan { prepare: below.iter().rev().cloned().collect(), swap: Some(swap.clone()) }
        }
    }
}

/// Carries out a plan in `base`. The data directory that it leads to must be whole and durable.
///
/// # Errors
/// When the storage refuses. The live chain is then the old one; only when the very last sync failed it may be the
/// new one.
pub fn apply(fs: &dyn Fs, base: &Path, plan: &Plan) -> Result<(), Error> {
    for link in plan.prepare.iter().chain(&plan.swap) {
        let path = base.join(&link.name);
        swap::replace_link(fs, Path::new(&link.target), &path).map_err(Error::io("set the link", &path))?;
    }
    Ok(())
}

/// Removes what cut or failed writers left: data directories that no link names, and links that were not yet swapped
/// into place; and the spare copy that the next commit would begin from. Data directories under a link, live or kept,
/// stay. While no link leads to a live store nothing is removed: what looks like garbage may be the only store there is.
///
/// # Errors
/// When the storage refuses.
pub fn sweep(fs: &dyn Fs, base: &Path) -> Result<(), Error> {
    if read(fs, base)?.is_none() {
        return Ok(());
    }
    let spare = base.join(SPARE);
    swap::discard(fs, &spare).map_err(Error::io("remove", &spare))?;
    sweep_garbage(fs, base)
}

/// [`sweep`] for whoever has just read the live chain and uses the spare copy.
pub(crate) fn sweep_garbage(fs: &dyn Fs, base: &Path) -> Result<(), Error> {
    let entries = fs.list(base).map_err(Error::io("list", base))?;
    let mut named = BTreeSet::new();
    for entry in &entries {
        let path = base.join(&entry.name);
        if entry.kind == Kind::Link {
            if entry.name.starts_with('.') && entry.name.ends_with(".new") {
                fs.remove_file(&path).map_err(Error::io("remove", &path))?;
            } else {
                named.insert(fs.read_link(&path).map_err(Error::io("read the link", &path))?);
            }
        }
    }
    for entry in &entries {
        let garbage = entry.kind == Kind::Directory
            && is_data_dir(&entry.name)
            && !named.contains(Path::new(&entry.name));
        if garbage {
            let path = base.join(&entry.name);
            fs.remove_tree(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Removes all stores but the live one and the data directories in `keep`, with their links. Call it only when the
/// links have been switched.
///
/// # Errors
/// When there is no live chain, or the storage refuses. A cut leaves stores that the next call removes.
pub fn prune(fs: &dyn Fs, base: &Path, keep: &[&str]) -> Result<(), Error> {
    let live = read(fs, base)?.ok_or_else(|| Error::Absent { base: base.to_owned() })?;
    // A store that was put aside as damaged was kept for a person; another version's settings are past that.
    if store_dir::read_live(fs, &base.join(&live.data_dir)).is_ok() {
        remove_damaged(fs, base)?;
    }
    let mut going = patch_links(fs, base)?;
    going.retain(|chain| chain.data_dir != live.data_dir && !keep.contains(&chain.data_dir.as_str()));
    drop_stores(fs, base, &going)
}

/// The stores of newer versions than that of `live`, by their links; also those whose links are gone already.
///
/// # Errors
/// When the storage refuses.
pub fn newer(fs: &dyn Fs, base: &Path, live: &Chain) -> Result<Vec<Chain>, Error> {
    let mut stores = patch_links(fs, base)?;
    for entry in fs.list(base).map_err(Error::io("list", base))? {
        let named = stores.iter().any(|chain| chain.data_dir == entry.name);
        if let (Kind::Directory, false, Some(version)) = (entry.kind, named, data_dir_version(&entry.name)) {
            stores.push(Chain { version, data_dir: entry.name });
        }
    }
    stores.retain(|chain| chain.version > live.version && chain.data_dir != live.data_dir);
    Ok(stores)
}

/// Removes these stores, none of which is the live one, with their links, and what no link names. What was put aside as
/// damaged stays.
///
/// # Errors
/// When the storage refuses. A cut leaves stores that the next call removes.
pub fn drop_stores(fs: &dyn Fs, base: &Path, going: &[Chain]) -> Result<(), Error> {
    let remove = |name: &str| {
        let path = base.join(name);
        fs.remove_file(&path).map_err(Error::io("remove", &path))
    };
    // The link goes before its directory, so that a link never names a store that is half removed.
    for chain in patch_links(fs, base)?.iter().filter(|chain| going.contains(chain)) {
        remove(&format!("v{}", chain.version))?;
    }
    // First minor links that lead nowhere now, then major ones.
    for _ in 0..2 {
        for (name, target) in version_links(fs, base)? {
            let target = base.join(target);
            if fs.kind(&target).map_err(Error::io("look at", &target))?.is_none() {
                remove(&name)?;
            }
        }
    }
    fs.sync_dir(base).map_err(Error::io("sync", base))?;
    sweep(fs, base)
}

/// The directories that [`sweep`] and [`prune`] would remove, where nothing but the live store is to be kept: what a
/// migration may make room of. None while no link leads to a live store.
///
/// # Errors
/// When the storage refuses.
pub fn surplus(fs: &dyn Fs, base: &Path, keep: &[&str]) -> Result<Vec<PathBuf>, Error> {
    let Some(live) = read(fs, base)? else { return Ok(Vec::new()) };
    let goes = |name: &str| {
        let aside = name.strip_prefix(DAMAGED).is_some_and(is_data_dir);
        name == SPARE || aside || (is_data_dir(name) && name != live.data_dir && !keep.contains(&name))
    };
    let entries = fs.list(base).map_err(Error::io("list", base))?;
    let going = entries.into_iter().filter(|entry| entry.kind == Kind::Directory && goes(&entry.name));
    Ok(going.map(|entry| base.join(entry.name)).collect())
}

/// Removes stores that were put aside as damaged.
pub(crate) fn remove_damaged(fs: &dyn Fs, base: &Path) -> Result<(), Error> {
    for entry in fs.list(base).map_err(Error::io("list", base))? {
        let ours = entry.name.strip_prefix(DAMAGED).is_some_and(is_data_dir);
        if ours && entry.kind == Kind::Directory {
            let path = base.join(&entry.name);
            fs.remove_tree(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// The version that a link's name stands for.
fn version_of(name: &str) -> Option<Version> {
    Version::parse(name.strip_prefix('v')?).ok()
}

fn is_data_dir(name: &str) -> bool {
    data_dir_version(name).is_some()
}

/// The version in the name of a data directory.
fn data_dir_version(name: &str) -> Option<Version> {
    let (version, suffix) = name.strip_prefix('v')?.rsplit_once('_')?;
    let ours = suffix.len() == SUFFIX && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Version::parse(version).ok().filter(|_| ours)
}

/// Whether a link names this data directory.
pub(crate) fn is_named(fs: &dyn Fs, base: &Path, data_dir: &str) -> Result<bool, Error> {
    Ok(version_links(fs, base)?.iter().any(|(_, target)| target == data_dir))
}

/// The links whose names say a whole version, as chains.
fn patch_links(fs: &dyn Fs, base: &Path) -> Result<Vec<Chain>, Error> {
    let links = version_links(fs, base)?;
    Ok(links
        .into_iter()
        .filter_map(|(name, data_dir)| Some(Chain { version: version_of(&name)?, data_dir }))
        .collect())
}

/// All links in `base` whose names begin like a version and that point to a plain name, with that name.
fn version_links(fs: &dyn Fs, base: &Path) -> Result<Vec<(String, String)>, Error> {
    let mut links = Vec::new();
    for entry in fs.list(base).map_err(Error::io("list", base))? {
        let version =
            entry.name.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if entry.kind == Kind::Link && version {
            let path = base.join(&entry.name);
            let target = fs.read_link(&path).map_err(Error::io("read the link", &path))?;
            links.extend(plain_name(&target).map(|target| (entry.name, target)));
        }
    }
    Ok(links)
}

/// The name in `base` that the link `name` points to.
fn target_of(fs: &dyn Fs, base: &Path, name: &str) -> Result<String, Error> {
    let path = base.join(name);
    let bad = |reason: &str| Error::Link { path: path.clone(), reason: reason.to_owned() };
    match fs.kind(&path).map_err(Error::io("look at", &path))? {
        Some(Kind::Link) => {}
        Some(_) => return Err(bad("it is not a link")),
        None => return Err(bad("it is missing")),
    }
    let target = fs.read_link(&path).map_err(Error::io("read the link", &path))?;
    plain_name(&target)
        .ok_or_else(|| bad(&format!("it points to {}, out of the datastore", target.display())))
}

/// `target` as a name in the same directory.
fn plain_name(target: &Path) -> Option<String> {
    let mut components = target.components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(name)), None) => Some(name.to_str()?.to_owned()),
        _ => None,
    }
}

/// Letters and digits that nobody has drawn before.
fn random_suffix() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let random = ring::rand::SystemRandom::new();
    let mut suffix = String::with_capacity(SUFFIX);
    while suffix.len() < SUFFIX {
        let mut bytes = [0u8; SUFFIX];
        ring::rand::SecureRandom::fill(&random, &mut bytes).expect("the kernel gives random bytes");
        // The last few values of a byte would favour the first letters; they are drawn again.
        let letters = bytes
            .iter()
            .filter(|&&byte| byte < 248)
            .map(|&byte| char::from(ALPHABET[usize::from(byte % 62)]));
        suffix.extend(letters.take(SUFFIX - suffix.len()));
    }
    suffix
}

//! `/etc/updog.toml`: where the repository is and how this host takes updates.
//!
//! The file is rendered from the settings, so a bad value is reported by the setting that it came from. Unknown keys
//! are warned about and otherwise ignored: an older program reads a newer file (`docs/compatibility.md`, "Files").

use std::num::NonZeroU64;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use host_io::host::semantic;
use host_io::redacted::redacted;
use host_io::{Advise, Fs, Paths};
use semver::Version;
use serde::Deserialize;
use thiserror::Error;
use toml::de::DeTable;
use trusted_repo::{Address, Exception, Mirror, ProxyAddress, Tls};
use update_metadata::Seed;

use crate::give_way;

/// How this host takes updates, with every value checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Directory of the TUF metadata.
    pub metadata_base_url: Address,
    /// Directory of the targets.
    pub targets_base_url: Address,
    /// This host's place in the fleet.
    pub seed: Seed,
    /// Which versions this host wants.
    pub version_lock: VersionLock,
    /// Take updates before their wave opens.
    pub ignore_waves: bool,
    /// Proxy for all requests.
    pub https_proxy: Option<ProxyAddress>,
    /// Hosts that are reached without the proxy.
    pub no_proxy: Vec<Exception>,
    /// Other places with the same repository, in the order in which they are tried.
    pub mirrors: Vec<Mirror>,
    /// The file with the CA certificates that count instead of the host's own.
    pub ca_bundle: Option<PathBuf>,
    /// The file with this host's certificate and its key.
    pub client_certificate: Option<PathBuf>,
    /// The most bytes a second that downloads take.
    pub bandwidth_limit: Option<NonZeroU64>,
    /// The most bytes that one update may take from the network.
    pub data_budget: Option<u64>,
    /// No version below this one is installed.
    pub minimum_version: Option<Version>,
    /// How far an update gives way to other work (see [`crate::give_way`]).
    pub nice: u8,
    /// Whether what monitoring reads is written.
    pub metrics: bool,
    /// Until when no update starts by itself, and so nobody looks for one.
    pub hold_until: Option<DateTime<Utc>>,
    /// Whether updates start by themselves in the hours of a window alone.
    pub has_window: bool,
    /// Whether a first boot is held against the numbers of earlier ones.
    pub health_baseline: bool,
    /// The lock server that says when this host may reboot by itself.
    pub reboot_lock: Option<Address>,
    /// Of which group of hosts one reboots after another.
    pub reboot_group: String,
    /// How long this host keeps its slot after a release that did not stay.
    pub reboot_keep: TimeDelta,
}

/// For how long a slot is kept where the settings do not say.
pub const KEEP: TimeDelta = TimeDelta::hours(24);

impl Config {
    /// The certificates that the configuration names, read.
    ///
    /// # Errors
    /// When one of the files cannot be read.
    pub fn tls(&self, fs: &dyn Fs, paths: &Paths) -> Result<Tls, Error> {
        let read = |path: &Option<PathBuf>| {
            let path = path.as_deref().map(|path| paths.resolve(path));
            path.map(|path| fs.read(&path).map_err(|source| Error::Certificate { path, source })).transpose()
        };
        Ok(Tls { ca_bundle: read(&self.ca_bundle)?, client_certificate: read(&self.client_certificate)? })
    }
}

/// The setting `settings.updates.version-lock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionLock {
    /// The newest release that is offered.
    Latest,
    /// This release and no other.
    At(Version),
}

/// Why there is no usable configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file with certificates cannot be read.
    #[error("read the certificates in {path}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value is missing or has the wrong type.
    #[error("understand {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why, with the line.
        source: Unparsed,
    },
    /// A value is there but makes no sense.
    #[error("find a valid {key} in {path}: {value:?}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key in the file.
        key: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the parser says, with the line of the file, and without the secrets of an address in it.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Unparsed(String);

impl Unparsed {
    fn of(error: &toml::de::Error) -> Self {
        // Where the text is broken, nobody knows where an address in it ends.
        let shown = |line: &str| match line.split_once("://") {
            Some((before, _)) => format!("{before}://…"),
            None => redacted(line),
        };
        let said = host_io::report::toml_in_a_line(error);
        Self(said.lines().map(shown).collect::<Vec<_>>().join(" "))
    }
}

impl Advise for Error {
    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => {
                "the file is rendered from the settings when apiserver starts; check that it runs".to_owned()
            }
            Self::Certificate { .. } => {
                "check the file, or correct ca_bundle and client_certificate in the configuration".to_owned()
            }
            Self::Parse { path, .. } => format!(
                "correct {}, which is rendered from settings.updates; it needs metadata_base_url, targets_base_url, seed, version_lock and ignore_waves",
                path.display()
            ),
            Self::Value { key, .. } => format!("correct the setting {}", setting(key)),
        })
    }
}

fn setting(key: &str) -> String {
    let group = if key.ends_with("proxy") { "network" } else { "updates" };
    format!("settings.{group}.{}", key.replace('_', "-"))
}

/// The file as it is written.
#[derive(Deserialize)]
struct Raw {
    metadata_base_url: String,
    targets_base_url: String,
    seed: i64,
    version_lock: String,
    ignore_waves: bool,
    #[serde(default)]
    https_proxy: String,
    #[serde(default)]
    no_proxy: Vec<String>,
    #[serde(default)]
    mirrors: Vec<RawMirror>,
    #[serde(default)]
    ca_bundle: String,
    #[serde(default)]
    client_certificate: String,
    #[serde(default, alias = "bandwidth-limit")]
    bandwidth_limit: u64,
    #[serde(default, alias = "data-budget")]
    data_budget: u64,
    #[serde(default, alias = "minimum-version")]
    minimum_version: String,
    #[serde(default)]
    nice: i64,
    #[serde(default)]
    metrics: bool,
    // When updates may start is for whoever starts them: `apiclient update apply --if-in-window`. Here it is only told,
    // and nothing fails by it.
    #[serde(default, alias = "hold-until")]
    hold_until: String,
    #[serde(default)]
    window: String,
    #[serde(default, alias = "health-baseline")]
    health_baseline: bool,
    #[serde(default, alias = "reboot-lock")]
    reboot_lock: String,
    #[serde(default, alias = "reboot-group")]
    reboot_group: String,
    #[serde(default, alias = "reboot-keep")]
    reboot_keep: Option<u32>,
}

/// All keys of [`Raw`].
const KEYS: [&str; 21] = [
    "metadata_base_url",
    "targets_base_url",
    "seed",
    "version_lock",
    "ignore_waves",
    "https_proxy",
    "no_proxy",
    "mirrors",
    "ca_bundle",
    "client_certificate",
    "bandwidth_limit",
    "data_budget",
    "minimum_version",
    "nice",
    "metrics",
    "health_baseline",
    "reboot_lock",
    "reboot_group",
    "reboot_keep",
    "hold_until",
    "window",
];

#[derive(Deserialize)]
struct RawMirror {
    metadata_base_url: String,
    targets_base_url: String,
}

/// Loads the configuration of a host.
///
/// # Errors
/// When the file is missing, malformed, or has a value that makes no sense.
pub fn load(fs: &dyn Fs, paths: &Paths) -> Result<Config, Error> {
    let (path, text) = text(fs, paths)?;
    let config = parse(&text, path.clone())?;
    for (key, line) in unknown_keys(&text) {
        tracing::warn!("{} has the unknown key {key} in line {line}, which is ignored", path.display());
    }
    Ok(config)
}

/// [`load`] once more in the same run: what is to be said of it was said.
///
/// # Errors
/// As [`load`].
pub fn load_quietly(fs: &dyn Fs, paths: &Paths) -> Result<Config, Error> {
    let (path, text) = text(fs, paths)?;
    parse(&text, path)
}

fn text(fs: &dyn Fs, paths: &Paths) -> Result<(PathBuf, String), Error> {
    let path = paths.updog_config();
    match fs.read(&path) {
        Ok(bytes) => Ok((path, String::from_utf8_lossy(&bytes).into_owned())),
        Err(source) => Err(Error::Read { path, source }),
    }
}

/// Keys that nothing is made of, with their lines: most of them are typing mistakes.
fn unknown_keys(text: &str) -> Vec<(String, usize)> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let unknown = table.get_ref().keys().filter(|key| {
        let known = key.get_ref().replace('-', "_");
        !KEYS.contains(&known.as_str())
    });
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    unknown.map(|key| (key.get_ref().to_string(), line(key.span().start))).collect()
}

/// Parses the text of a configuration; `path` is for the error only.
///
/// # Errors
/// When the text is malformed or has a value that makes no sense.
pub fn parse(text: &str, path: PathBuf) -> Result<Config, Error> {
    let raw: Raw = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let source = Unparsed::of(&error);
            return Err(Error::Parse { path, source });
        }
    };
    let bad = |key, value: &str, reason: String| Error::Value {
        path: path.clone(),
        key,
        value: redacted(value),
        reason,
    };
    let base = |key, value: &str| Address::parse(value).map_err(|reason| bad(key, value, reason.to_string()));
    let exception =
        |text: &str| Exception::parse(text).map_err(|reason| bad("no_proxy", text, reason.to_string()));
    let mirror = |raw: &RawMirror| {
        Ok(Mirror {
            metadata_base_url: base("mirrors", &raw.metadata_base_url)?,
            targets_base_url: base("mirrors", &raw.targets_base_url)?,
        })
    };
    let file = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    Ok(Config {
        metadata_base_url: base("metadata_base_url", &raw.metadata_base_url)?,
        targets_base_url: base("targets_base_url", &raw.targets_base_url)?,
        seed: u32::try_from(raw.seed)
            .ok()
            .and_then(|seed| Seed::new(seed).ok())
            .ok_or_else(|| bad("seed", &raw.seed.to_string(), "it is not between 0 and 2048".to_owned()))?,
        version_lock: version_lock(&raw.version_lock)
            .map_err(|reason| bad("version_lock", &raw.version_lock, reason))?,
        ignore_waves: raw.ignore_waves,
        https_proxy: proxy(&raw.https_proxy)
            .map_err(|reason| bad("https_proxy", &raw.https_proxy, reason))?,
        no_proxy: raw.no_proxy.iter().map(|text| exception(text)).collect::<Result<_, _>>()?,
        mirrors: raw.mirrors.iter().map(mirror).collect::<Result<_, Error>>()?,
        ca_bundle: file(&raw.ca_bundle),
        client_certificate: file(&raw.client_certificate),
        bandwidth_limit: NonZeroU64::new(raw.bandwidth_limit),
        // As with the bandwidth, zero is how a setting says that there is no limit.
        data_budget: Some(raw.data_budget).filter(|bytes| *bytes > 0),
        minimum_version: minimum_version(&raw.minimum_version)
            .map_err(|reason| bad("minimum_version", &raw.minimum_version, reason))?,
        nice: u8::try_from(raw.nice)
            .ok()
            .filter(|nice| *nice <= give_way::MOST)
            .ok_or_else(|| bad("nice", &raw.nice.to_string(), "it is not between 0 and 19".to_owned()))?,
        metrics: raw.metrics,
        hold_until: DateTime::parse_from_rfc3339(&raw.hold_until).ok().map(|time| time.to_utc()),
        has_window: !raw.window.is_empty(),
        health_baseline: raw.health_baseline,
        reboot_lock: reboot_lock(&raw.reboot_lock)
            .map_err(|reason| bad("reboot_lock", &raw.reboot_lock, reason))?,
        reboot_group: reboot_group(&raw.reboot_group)
            .map_err(|reason| bad("reboot_group", &raw.reboot_group, reason))?,
        reboot_keep: raw.reboot_keep.map_or(KEEP, |seconds| TimeDelta::seconds(i64::from(seconds))),
    })
}

fn version_lock(text: &str) -> Result<VersionLock, String> {
    if text == "latest" {
        return Ok(VersionLock::Latest);
    }
    Version::parse(text.strip_prefix('v').unwrap_or(text)).map(VersionLock::At).map_err(|_| {
        format!("it is neither \"latest\" nor a version of three numbers; write {}", semantic(text))
    })
}

/// An empty text means no floor.
fn minimum_version(text: &str) -> Result<Option<Version>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let version = Version::parse(text.strip_prefix('v').unwrap_or(text));
    version.map(Some).map_err(|_| format!("it is no version of three numbers; write {}", semantic(text)))
}

/// An empty text means that nobody is asked.
fn reboot_lock(text: &str) -> Result<Option<Address>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let address = Address::parse(text).map_err(|reason| reason.to_string())?;
    match address.bare().scheme() {
        "file" => Err("it is no web server; it begins with https:// or http://".to_owned()),
        _ => Ok(Some(address)),
    }
}

/// An empty text is the group that everybody is in who says nothing.
fn reboot_group(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    match text {
        "" => Ok("default".to_owned()),
        _ if text.len() <= 64 && text.bytes().all(plain) => Ok(text.to_owned()),
        _ => Err("a group has letters, digits, '.' and '-', 64 at most".to_owned()),
    }
}

/// An empty text means no proxy.
fn proxy(text: &str) -> Result<Option<ProxyAddress>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    ProxyAddress::parse(text).map(Some).map_err(|reason| reason.to_string())
}

#[cfg(test)]
mod tests;

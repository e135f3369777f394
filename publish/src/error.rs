//! What can go wrong while a release is published.

mod help;

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use semver::Version;
use thiserror::Error;
use trusted_repo::author;
use update_metadata::author::AuthorError;

/// Why nothing was published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{doing} {path}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Metadata beside the targets cannot be read, so nobody knows what it names.
    #[error("know what the metadata {path} names")]
    Neighbour {
        /// The file, or the directory that lacks one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file that was given is no root role.
    #[error("read the root role {path}: it is none ({reason})")]
    NoRoot {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A word that becomes part of a path or a target name has odd letters.
    #[error("use {value:?} as {what}: only letters, digits and ._+- may be in it")]
    Name {
        /// What it was meant for.
        what: &'static str,
        /// What was given.
        value: String,
    },
    /// The keys would be served to everybody.
    #[error("keep the keys in {keys}: they would lie inside of the repository, which is served to everybody")]
    KeysServed {
        /// The directory of keys.
        keys: PathBuf,
    },
    /// There is a repository already.
    #[error("make a repository in {metadata}: there is one already")]
    Exists {
        /// The metadata directory.
        metadata: PathBuf,
    },
    /// Some keys are there, and some are not.
    #[error("use the keys in {keys}: {missing} is missing, and none that are there are written over")]
    HalfTheKeys {
        /// The directory of keys.
        keys: PathBuf,
        /// The first file that is missing.
        missing: String,
    },
    /// There is another root role beside the keys.
    #[error("begin a repository: another root role lies beside the keys in {keys}")]
    OtherRoot {
        /// The directory of keys.
        keys: PathBuf,
    },
    /// This version is paused.
    #[error("publish {version}: its rollout is paused")]
    Paused {
        /// The version.
        version: Version,
    },
    /// There is no repository to add to.
    #[error("find a repository in {metadata}")]
    NoRepository {
        /// The metadata directory.
        metadata: PathBuf,
    },
    /// The highest version that hosts may run is below the new one.
    #[error("publish {version} with {max_version} as the highest version: hosts would leave it at once")]
    MaxVersion {
        /// The new version.
        version: Version,
        /// The given highest version.
        max_version: Version,
    },
    /// This version stands in the manifest with other images.
    #[error("publish {version}: {name} was published with other bytes before")]
    Republished {
        /// The version.
        version: Version,
        /// The first target that differs.
        name: String,
    },
    /// An image that no host can use.
    #[error("use the {image} image {path}: {reason}")]
    Image {
        /// boot, root or hash.
        image: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A root image calls itself by another name than it is to be published under.
    #[error("publish the root image {path} as {wanted}: its os-release says {found}")]
    Misnamed {
        /// The file.
        path: PathBuf,
        /// Its own name: variant and version.
        found: String,
        /// The name of the release.
        wanted: String,
    },
    /// An image cannot be cut up.
    #[error("cut {path} into frames")]
    Frames {
        /// The image.
        path: PathBuf,
        /// Why.
        source: blocks::EncodeError,
    },
    /// A release cannot be the base of a pack, or be reached by one.
    #[error("make a pack with {version}: {reason}")]
    PackBase {
        /// The release.
        version: Version,
        /// What is wrong with it.
        reason: String,
    },
    /// A pack cannot be made.
    #[error("make the pack of {what}")]
    Pack {
        /// Which: an image, and two releases.
        what: String,
        /// Why.
        source: Box<blocks::pack::MakeError>,
    },
    /// A pack was applied as a host does it, and something else came out.
    #[error("prove the pack of {what}: {reason}")]
    PackProof {
        /// Which: an image, and two releases.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The given hash image was made over something else.
    #[error("match the hash image {path} to the root image")]
    HashImage {
        /// The hash image.
        path: PathBuf,
        /// What differs.
        source: verity::Error,
    },
    /// The release description is for another version.
    #[error("use {path} for version {version}: it describes {found}")]
    OtherRelease {
        /// The description.
        path: PathBuf,
        /// The version that is to be published.
        version: Version,
        /// The described version.
        found: Version,
    },
    /// The release description cannot be used.
    #[error("use {path}")]
    Release {
        /// The description.
        path: PathBuf,
        /// Why.
        source: update_metadata::release::ReleaseError,
    },
    /// The wave policy cannot be used.
    #[error("use {path}")]
    Waves {
        /// The policy.
        path: PathBuf,
        /// Why.
        source: update_metadata::policy::PolicyError,
    },
    /// The release names migrations that nobody has.
    #[error("find the migrations {}: they are neither in the migrations directory nor in the repository", names.join(", "))]
    MissingMigrations {
        /// Their target names.
        names: Vec<String>,
    },
    /// Hosts would stumble over the release.
    #[error("publish what hosts will stumble over: {what}: {then}")]
    Doubtful {
        /// What is wrong.
        what: String,
        /// What becomes of it on hosts.
        then: String,
        /// What a person does about it.
        instead: String,
    },
    /// The manifest refuses the change.
    #[error("change the manifest")]
    Manifest(#[from] AuthorError),
    /// A manifest in the repository is not there or damaged.
    #[error("read {name} of the repository: {reason}")]
    DamagedManifest {
        /// Which one: a team's has a name of its own.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Keys, signatures or metadata.
    #[error(transparent)]
    Author(#[from] author::Error),
    /// The expiration policy cannot be used.
    #[error("use {path}: {reason}")]
    Expiration {
        /// The policy.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A rollout is not in a state for this.
    #[error("change the rollout of {version}")]
    Rollout {
        /// The version.
        version: Version,
        /// Why.
        source: Box<AuthorError>,
    },
    /// It is paused already.
    #[error("pause {version}: it is paused already, since {}", crate::check::finding::day(*.since))]
    PausedAlready {
        /// The version.
        version: Version,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// There is no such policy.
    #[error("read the wave policy {path}")]
    NoWaves {
        /// What was given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is on offer, and not paused.
    #[error("resume {version}: it is not paused, and hosts take it")]
    NotPaused {
        /// The version.
        version: Version,
    },
    /// There is no such release, or not any more.
    #[error("{action} {version}: no such release of {variant} on {arch} is offered or paused")]
    NoSuchRelease {
        /// The command.
        action: &'static str,
        /// The version.
        version: Version,
        /// The variant.
        variant: String,
        /// The architecture.
        arch: String,
    },
    /// Nobody said yes.
    #[error("{action}: nobody agreed to it, and nothing was changed")]
    NotAgreed {
        /// The command.
        action: &'static str,
    },
    /// Another publisher works on this repository.
    #[error("change the repository")]
    Busy(#[source] host_io::lock::Error),
    /// Another publisher was faster.
    #[error("publish in {metadata}: somebody else has published since this command began")]
    Overtaken {
        /// The metadata directory.
        metadata: PathBuf,
    },
    /// A file that is to be made is there.
    #[error("make {path}: there is such a file already")]
    DraftExists {
        /// The file.
        path: PathBuf,
    },
    /// A root role that follows another is signed without that one.
    #[error("sign {file}: it is root version {version}, and the version before was not given")]
    NoPrevious {
        /// The draft.
        file: PathBuf,
        /// Its version.
        version: u64,
    },
    /// The environment has no passphrase.
    #[error("read the passphrase: there is no environment variable {name}")]
    Passphrase {
        /// The variable.
        name: String,
    },
    /// A version that is to be copied is not on offer.
    #[error("copy {version}: it is not on offer")]
    NotOffered {
        /// The version.
        version: Version,
    },
    /// A text is neither an address nor a directory.
    #[error("find the repository {text:?}: {reason}")]
    Address {
        /// The text, without what may be secret in it.
        text: String,
        /// Why not.
        reason: String,
    },
    /// A repository cannot be opened as a host opens it.
    #[error(transparent)]
    Repository(Box<trusted_repo::Error>),
    /// Holds stay as they were.
    #[error(transparent)]
    Hold(#[from] crate::hold::Refused),
    /// Nobody knows how a rollout goes.
    #[error(transparent)]
    Guard(#[from] crate::guard::Refused),
    /// A store was not brought up to date.
    #[error(transparent)]
    Store(#[from] crate::store::Refused),
    /// A rollout cannot be played.
    #[error(transparent)]
    Scenario(#[from] crate::simulate::ScenarioError),
    /// A part of the work died.
    #[error("finish {what}: a worker stopped")]
    Worker {
        /// What it worked on.
        what: &'static str,
    },
}

impl From<trusted_repo::Error> for Error {
    fn from(error: trusted_repo::Error) -> Self {
        Self::Repository(Box::new(error))
    }
}

impl Error {
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { doing, path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (
                Error::Neighbour {
                    path: "/repo/cloud/x86_64/timestamp.json".into(),
                    source: io::Error::other("the disk is gone"),
                },
                "know what the metadata /repo/cloud/x86_64/timestamp.json names",
            ),
            (
                Error::NoRoot { path: "/data/file".into(), reason: "expected value".into() },
                "read the root role /data/file: it is none (expected value)",
            ),
            (
                Error::PackBase { version: Version::new(1, 0, 0), reason: "it is gone".into() },
                "make a pack with 1.0.0: it is gone",
            ),
            (
                Error::Pack {
                    what: "the root image from 1.0.0 to 1.1.0".into(),
                    source: Box::new(blocks::pack::MakeError::Stopped),
                },
                "make the pack of the root image from 1.0.0 to 1.1.0",
            ),
            (
                Error::PackProof { what: "the boot image".into(), reason: "it differs".into() },
                "prove the pack of the boot image: it differs",
            ),
            (
                Error::Exists { metadata: "/repo/metadata".into() },
                "make a repository in /repo/metadata: there is one already",
            ),
            (
                Error::HalfTheKeys { keys: "/keys".into(), missing: "snapshot.pem".into() },
                "use the keys in /keys: snapshot.pem is missing, and none that are there are written over",
            ),
            (
                Error::OtherRoot { keys: "/keys".into() },
                "begin a repository: another root role lies beside the keys in /keys",
            ),
            (
                Error::MaxVersion {
                    version: "1.2.0".parse().unwrap(),
                    max_version: "1.0.0".parse().unwrap(),
                },
                "publish 1.2.0 with 1.0.0 as the highest version: hosts would leave it at once",
            ),
            (
                Error::Image { image: "ROOT", path: "/data/file".into(), reason: "it is torn".into() },
                "use the ROOT image /data/file: it is torn",
            ),
            (
                Error::Misnamed { path: "/data/file".into(), found: "9.9.9".into(), wanted: "1.1.0".into() },
                "publish the root image /data/file as 1.1.0: its os-release says 9.9.9",
            ),
            (
                Error::Frames {
                    path: "/data/file".into(),
                    source: blocks::EncodeError::Compress(std::io::Error::other("gone")),
                },
                "cut /data/file into frames",
            ),
            (
                Error::OtherRelease {
                    path: "/data/file".into(),
                    version: "1.2.0".parse().unwrap(),
                    found: "1.3.0".parse().unwrap(),
                },
                "use /data/file for version 1.2.0: it describes 1.3.0",
            ),
            (
                Error::Release {
                    path: "/data/file".into(),
                    source: update_metadata::ReleaseConfig::parse("=").unwrap_err(),
                },
                "use /data/file",
            ),
            (
                Error::Waves {
                    path: "/data/file".into(),
                    source: update_metadata::policy::PolicyError::Toml(
                        toml::from_str::<toml::Table>("=").unwrap_err(),
                    ),
                },
                "use /data/file",
            ),
            (
                Error::MissingMigrations { names: vec!["a".into(), "b".into()] },
                "find the migrations a, b: they are neither in the migrations directory nor in the repository",
            ),
            (
                Error::Doubtful {
                    what: "a release with no way to it".into(),
                    then: "no host would take it".into(),
                    instead: "add one".into(),
                },
                "publish what hosts will stumble over: a release with no way to it: no host would take it",
            ),
            (Error::Manifest(AuthorError::Empty), "change the manifest"),
            (
                Error::Expiration { path: "/data/file".into(), reason: "it is torn".into() },
                "use /data/file: it is torn",
            ),
            (
                Error::Rollout { version: "1.2.0".parse().unwrap(), source: Box::new(AuthorError::Empty) },
                "change the rollout of 1.2.0",
            ),
            (Error::NotAgreed { action: "recall" }, "recall: nobody agreed to it, and nothing was changed"),
            (
                Error::NoPrevious { file: "2.root.json".into(), version: 2 },
                "sign 2.root.json: it is root version 2, and the version before was not given",
            ),
            (
                Error::Passphrase { name: "migrate_v1.1.0_x.lz4".into() },
                "read the passphrase: there is no environment variable migrate_v1.1.0_x.lz4",
            ),
            (
                Error::Address { text: "x y".into(), reason: "it is torn".into() },
                "find the repository \"x y\": it is torn",
            ),
            (Error::Worker { what: "the update" }, "finish the update: a worker stopped"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}

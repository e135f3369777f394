//! A world: keys, a repository, a server in front of it, and the hosts that update from it.
//!
//! - `guard`: whoever keeps a role for holds of it

mod guard;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use host_io::{Clock as _, SystemClock, SystemFs};
use publish::progress::Silent;
use publish::rollout::Action;
use publish::{AddOptions, AddReport, Doubts, ImagePaths, InitOptions, Lifetimes, MissingMigrations};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trusted_repo::author::{Delegation, KeyPair, PublicKey, Purpose, RootChange};
use trusted_repo::manifest;

use crate::host::{Host, HostOptions};
use crate::image::hash;
use crate::image::model::Repository;
use crate::image::{Images, Size};
use crate::release::{Release, Surroundings};
use crate::server::FaultyServer;

/// The flavour of every host here.
pub const VARIANT: &str = "metal-dev";

/// How one world differs from another.
#[derive(Debug, Clone, Default)]
pub struct WorldOptions {
    /// How large its releases are.
    pub size: Size,
    /// Where it lies. A temporary directory that goes away with the world, when absent.
    pub dir: Option<PathBuf>,
}

/// Everything around the hosts of a test. Dropping it stops the server.
///
/// It is made for tests that are not asynchronous: what needs a runtime uses the world's own.
#[derive(Debug)]
pub struct World {
    server: FaultyServer,
    runtime: Runtime,
    size: Size,
    trusted_root: Vec<u8>,
    repository: Repository,
    made: Mutex<Made>,
    dir: PathBuf,
    /// Last, so that it goes away last.
    _temporary: Option<TempDir>,
}

/// What has been made so far.
#[derive(Debug, Default)]
struct Made {
    images: BTreeMap<String, Images>,
    releases: BTreeMap<String, Release>,
    hosts: u32,
    /// The team that publishes, where it is not whoever holds the targets key.
    team: Option<String>,
}

impl World {
    /// A small world in a temporary directory: keys (root 2 of 3), an empty repository, and its server.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self::with(WorldOptions::default())
    }

    /// A world as `options` say.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn with(options: WorldOptions) -> Self {
        let temporary = options.dir.is_none().then(|| tempfile::tempdir().expect("a temporary directory"));
        let dir = options
            .dir
            .or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned()))
            .expect("one of the two is there");
        let repo = dir.join("repo");
        fs::create_dir_all(&repo).unwrap_or_else(|error| panic!("create {}: {error}", repo.display()));
        let dir = dir.canonicalize().expect("it was made just now");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let init = InitOptions {
            repo: dir.join("repo"),
            keys: dir.join("keys").into(),
            root: None,
            variant: VARIANT.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            root_keys: 3,
            root_threshold: 2,
            root_lifetime: chrono::Duration::days(365),
        };
        let made = runtime
            .block_on(publish::init(&init, SystemClock.now()))
            .unwrap_or_else(|error| panic!("failed to {}", host_io::report::chain(&error)));
        let trusted_root =
            fs::read(&made.root).unwrap_or_else(|error| panic!("read {}: {error}", made.root.display()));
        let server = FaultyServer::start(dir.join("repo"));
        let repository = Repository {
            metadata_base_url: server.url(&format!("{VARIANT}/{}/", std::env::consts::ARCH)),
            targets_base_url: server.url("targets/"),
        };
        Self {
            server,
            runtime,
            size: options.size,
            trusted_root,
            repository,
            made: Mutex::default(),
            dir,
            _temporary: temporary,
        }
    }

    /// Builds, signs and publishes a release. From then on [`World::host`] installs just this one for its version.
    ///
    /// # Panics
    /// When it cannot be published.
    pub fn publish(&self, release: Release) -> AddReport {
        let images = self.images(&release);
        self.publish_images(release, images)
    }

    /// [`World::publish`] with images that were built elsewhere.
    ///
    /// # Panics
    /// When it cannot be published.
    pub fn publish_images(&self, release: Release, images: Images) -> AddReport {
        let version = release.version.to_string();
        let sources = release
            .write_sources(&self.dir.join("releases").join(&version))
            .unwrap_or_else(|error| panic!("write the sources of {version}: {error}"));
        let add = AddOptions {
            repo: self.dir.join("repo"),
            keys: self.keys(),
            variant: VARIANT.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            version: release.version.clone(),
            max_version: None,
            images: ImagePaths { boot: images.boot, root: images.root, hash: Some(images.hash) },
            framing: release.framing,
            bases: release.bases.clone(),
            salt: Some(hash::salt()),
            release_config: Some(sources.release_config),
            migrations: Some(sources.migrations),
            waves: sources.waves,
            pace: publish::Pace::PLAIN,
            start_at: release.start_at,
            barrier: false,
            min_updater: None,
            lifetimes: Lifetimes::default(),
            no_migrations: false,
            // Some stories are of what hosts make of such releases.
            doubts: Doubts::Publish,
            dry_run: false,
        };
        let missing = match release.absent_migrations() {
            [] => MissingMigrations::Refuse,
            _ => MissingMigrations::Allow,
        };
        let now = SystemClock.now() - release.age;
        let report = self
            .runtime
            .block_on(publish::add_with(&add, now, missing, Arc::new(Silent)))
            .unwrap_or_else(|error| panic!("failed to {}", host_io::report::chain(&error)));
        self.made().releases.insert(version, release);
        report
    }

    /// Takes a release back, as its publisher does.
    ///
    /// # Panics
    /// When it cannot be taken back.
    pub fn recall(&self, version: &str) {
        let desk = self.desk();
        let version = version.parse().expect("versions of stories are well formed");
        let recalled = publish::rollout::rollout(
            &desk,
            Action::Recall,
            &version,
            Lifetimes::default(),
            SystemClock.now(),
            |_| Ok(true),
        );
        if let Err(error) = self.runtime.block_on(recalled) {
            panic!("failed to {}", host_io::report::chain(&error));
        }
    }

    /// Publishes the next root role: the same keys, for longer.
    ///
    /// # Panics
    /// When it cannot be published.
    pub fn rotate_root(&self) {
        let (desk, now) = (self.desk(), SystemClock.now());
        let keys = publish::layout::KeyLayout::new(&self.keys_dir());
        let (from, next) = (keys.root_role(), self.dir.join("next-root.json"));
        let change = RootChange {
            expires: now + chrono::Duration::days(400),
            add: Vec::new(),
            remove: Vec::new(),
            threshold: None,
            replace: Vec::new(),
        };
        let rotated = || -> Result<(), Box<dyn std::error::Error>> {
            publish::root::rotate(&from, &next, &change)?;
            for number in [1, 2] {
                let key = KeyPair::load(&SystemFs, &keys.root(number))?;
                publish::root::sign(Some(&from), &next, &key)?;
            }
            self.runtime.block_on(publish::root::publish(&desk, &next, Lifetimes::default(), now))?;
            Ok(fs::remove_file(&next)?)
        };
        rotated().unwrap_or_else(|error| panic!("rotate the root role: {error}"));
    }

    /// Lets a team with a key of its own look after the hosts here: whatever is published from now on it publishes.
    ///
    /// # Panics
    /// When that cannot be delegated.
    pub fn hand_over(&self, team: &str) {
        let own = [manifest::of_variant(VARIANT), format!("ours-{VARIANT}-*"), "migrate*".to_owned()];
        self.delegate(team, Purpose::Targets(own.to_vec()));
        self.made().team = Some(team.to_owned());
    }

    /// Lets a team with a key of its own list some targets, or withhold releases. It lists nothing yet.
    ///
    /// # Panics
    /// When that cannot be delegated.
    pub fn delegate(&self, team: &str, purpose: Purpose) {
        let handed = self.runtime.block_on(async {
            let key = KeyPair::generate()?;
            key.save(&SystemFs, &self.keys_dir().join(format!("{team}.pem")))?;
            let public = self.dir.join(format!("{team}.pub"));
            fs::write(&public, key.public_pem()).expect("a directory of its own");
            let first = self.dir.join(format!("{team}.json"));
            let now = SystemClock.now();
            publish::delegate::first(team, &[key], &first, now + chrono::Duration::days(14)).await?;
            let delegation = Delegation {
                name: team.to_owned(),
                keys: vec![PublicKey::load(&SystemFs, &public)?],
                threshold: 1,
                purpose,
                terminating: false,
            };
            publish::delegate::add(&self.desk(), &delegation, &first, Lifetimes::default(), now).await
        });
        if let Err(error) = handed {
            panic!("failed to {}", host_io::report::chain(&error));
        }
    }

    /// What is changed, and by whom.
    fn desk(&self) -> publish::Desk {
        publish::Desk {
            repo: self.repo_dir(),
            keys: self.keys(),
            variant: VARIANT.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
        }
    }

    fn keys(&self) -> publish::Keys {
        publish::Keys::in_dir(self.keys_dir()).of_team(self.made().team.clone())
    }

    /// The images of a release; built once.
    ///
    /// # Panics
    /// When they cannot be built.
    #[must_use]
    pub fn images(&self, release: &Release) -> Images {
        let key = release.image_key();
        if let Some(images) = self.made().images.get(&key) {
            return images.clone();
        }
        let surroundings = Surroundings {
            variant: VARIANT,
            trusted_root: &self.trusted_root,
            repository: &self.repository,
            size: self.size,
        };
        let images = release
            .build(&self.dir.join("images").join(&key), &surroundings)
            .unwrap_or_else(|error| panic!("build the images of {}: {error}", release.version));
        self.made().images.insert(key, images.clone());
        images
    }

    /// A new host with `version` from the factory. It is off.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn host(&self, version: &str) -> Host {
        self.host_with(version, HostOptions::default())
    }

    /// [`World::host`], as `options` say. Its disk is laid out for the size of this world.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn host_with(&self, version: &str, options: HostOptions) -> Host {
        let published = self.made().releases.get(version).cloned();
        self.host_of(&published.unwrap_or_else(|| Release::new(version)), options)
    }

    /// A new host with a release that need not be published.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn host_of(&self, release: &Release, mut options: HostOptions) -> Host {
        options.layout.size = self.size;
        let images = self.images(release);
        let number = {
            let mut made = self.made();
            made.hosts += 1;
            made.hosts
        };
        // Short: the path of a unix socket below it has little room.
        let dir = self.dir.join(format!("host-{number}"));
        Host::install(&dir, &images, options)
            .unwrap_or_else(|error| panic!("install {} in {}: {error}", release.version, dir.display()))
    }

    /// The server, to make it misbehave.
    #[must_use]
    pub fn server(&self) -> &FaultyServer {
        &self.server
    }

    /// Where everything lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The repository as it is served.
    #[must_use]
    pub fn repo_dir(&self) -> PathBuf {
        self.dir.join("repo")
    }

    /// The metadata of the repository as it is served.
    #[must_use]
    pub fn metadata_dir(&self) -> PathBuf {
        self.repo_dir().join(VARIANT).join(std::env::consts::ARCH)
    }

    /// The keys that sign it.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.dir.join("keys")
    }

    /// Where hosts find it.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The trust anchor that every image ships.
    #[must_use]
    pub fn trusted_root(&self) -> &[u8] {
        &self.trusted_root
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Made> {
        self.made.lock().expect("nobody panics while holding it")
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

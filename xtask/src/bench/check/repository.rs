//! A signed repository of as many updates as are wanted, behind a server.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use host_io::{Clock as _, Paths, SystemClock, SystemFs};
use testdata::World;
use testdata::world::VARIANT;
use trusted_repo::author::{Editor, Expiries, KeyPair, SignedRoot, Signers, targets};
use trusted_repo::{Hashes, TargetInfo};
use update_metadata::{Images, Manifest, Update, UpdateExtensions};

/// A repository, its server, and a host that updates from it.
pub(super) struct Served {
    pub(super) world: World,
    /// The host's `--root`.
    pub(super) host: PathBuf,
    editor: Editor,
}

impl Served {
    /// A repository without a target, and a host that knows it. Of the host there is what a check reads.
    pub(super) fn empty() -> Result<Self, Box<dyn Error>> {
        let world = World::new();
        let host = world.dir().join("host");
        let paths = Paths::under(&host);
        let urls = world.repository();
        let config = format!(
            "metadata_base_url = {:?}\ntargets_base_url = {:?}\nseed = 7\nversion_lock = \"latest\"\nignore_waves = false\n",
            urls.metadata_base_url, urls.targets_base_url
        );
        for (path, bytes) in [
            (paths.updog_config(), config.as_bytes()),
            (paths.os_release(), os_release(0).as_bytes()),
            (paths.trusted_root(), world.trusted_root()),
        ] {
            fs::create_dir_all(path.parent().expect("a file lies in a directory"))?;
            fs::write(path, bytes)?;
        }
        let anchor = SignedRoot::parse(world.trusted_root())?;
        let editor = runtime()?.block_on(Editor::load(&SystemFs, &world.metadata_dir(), &anchor))?;
        Ok(Self { world, host, editor })
    }

    /// A repository with so many releases. Their images are signed but not there: a check does not fetch them.
    pub(super) fn with_updates(count: u64) -> Result<Self, Box<dyn Error>> {
        let mut served = Self::empty()?;
        let mut manifest = Manifest::default();
        let now = SystemClock.now();
        for patch in 1..=count {
            let version = semver::Version::new(1, 1, patch);
            let name =
                |image: &str| publish::layout::image_target(VARIANT, std::env::consts::ARCH, &version, image);
            let images = Images { boot: name("boot"), root: name("root"), hash: name("hash") };
            for (_, name) in images.named() {
                let sha256 = std::array::from_fn(|at| name.as_bytes()[at % name.len()].wrapping_mul(7));
                served.editor.add_target(TargetInfo {
                    name: name.to_owned(),
                    length: 100_000_000,
                    hashes: Hashes::sha256(sha256),
                })?;
            }
            let waves = [(0, 0), (102, 1), (512, 2), (1024, 3)]
                .into_iter()
                .map(|(seed, day)| (seed, now - chrono::Duration::days(9 - day)))
                .collect();
            manifest.updates.push(Update {
                variant: VARIANT.to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
                max_version: semver::Version::new(1, 1, count),
                version,
                waves,
                images,
                extensions: UpdateExtensions::default(),
            });
        }
        served.publish("manifest.json", manifest.to_json().as_bytes())?;
        Ok(served)
    }

    /// From now on the host runs the release of this number; 0 is older than all.
    pub(super) fn runs(&self, number: u64) -> std::io::Result<()> {
        fs::write(Paths::under(&self.host).os_release(), os_release(number))
    }

    /// Publishes a target and signs everything anew.
    pub(super) fn publish(&mut self, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        let dir = self.world.repo_dir().join("targets");
        self.editor.replace_target(targets::publish(&SystemFs, &dir, name, bytes)?)?;
        let key = |role: &str| KeyPair::load(&SystemFs, &self.world.keys_dir().join(format!("{role}.pem")));
        let signers =
            Signers { targets: key("targets")?, snapshot: key("snapshot")?, timestamp: key("timestamp")? };
        let end = SystemClock.now() + chrono::Duration::days(7);
        let signed = self.editor.sign(&signers, &Expiries { targets: end, snapshot: end, timestamp: end })?;
        signed.write(&SystemFs, &self.world.metadata_dir())?;
        self.editor.set_versions(signed.versions());
        Ok(())
    }
}

fn os_release(number: u64) -> String {
    format!("VARIANT_ID={VARIANT}\nVERSION_ID=1.1.{number}\n")
}

/// Somewhere to wait.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

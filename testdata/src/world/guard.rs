//! Whoever keeps a role for holds of a world.

use std::future::Future;

use host_io::{Clock as _, SystemClock, SystemFs};
use publish::{Desk, Error, Lifetimes};
use trusted_repo::author::{Editor, Expiries, KeyPair, Purpose, SignedRoot, Signers, targets};

use super::World;

impl World {
    /// Delegates to a role for holds with a key of its own. It withholds nothing yet.
    ///
    /// # Panics
    /// When that cannot be delegated.
    pub fn guard(&self, role: &str) {
        self.delegate(role, Purpose::Holds);
    }

    /// Withholds a release.
    ///
    /// # Panics
    /// When it cannot be withheld.
    pub fn hold(&self, role: &str, version: &str, reason: &str) {
        let (desk, version) = (self.desk_of(role), version.parse().expect("well formed"));
        self.done(publish::hold::add(&desk, &version, reason, Lifetimes::default(), SystemClock.now()));
    }

    /// Withholds a release no longer.
    ///
    /// # Panics
    /// When it is not withheld.
    pub fn end_hold(&self, role: &str, version: &str) {
        let (desk, version) = (self.desk_of(role), version.parse().expect("well formed"));
        self.done(publish::hold::remove(&desk, &version, Lifetimes::default(), SystemClock.now()));
    }

    /// Signs a file of holds that has these bytes, whatever they say, until `expires` from now.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn withhold(&self, role: &str, bytes: &[u8], expires: chrono::Duration) {
        let signed = async {
            let root = SignedRoot::parse(self.trusted_root()).expect("made by init");
            let metadata = self.metadata_dir();
            let mut editor = Editor::load_as(&SystemFs, &metadata, &root, Some(role)).await?;
            let dir = self.repo_dir().join("targets");
            editor.replace_target(targets::publish(&SystemFs, &dir, &format!("hold-{role}.json"), bytes)?)?;
            let key = |name: &str| KeyPair::load(&SystemFs, &self.keys_dir().join(format!("{name}.pem")));
            let signers =
                Signers { targets: key(role)?, snapshot: key("snapshot")?, timestamp: key("timestamp")? };
            let now = SystemClock.now();
            let soon = now + chrono::Duration::days(7);
            let expiries = Expiries { targets: now + expires, snapshot: soon, timestamp: soon };
            let signed = editor.sign(&signers, &expiries)?;
            Ok(signed.write(&SystemFs, &metadata)?)
        };
        self.done(signed);
    }

    fn desk_of(&self, role: &str) -> Desk {
        let desk = self.desk();
        Desk { keys: desk.keys.of_team(Some(role.to_owned())), ..desk }
    }

    fn done<T>(&self, change: impl Future<Output = Result<T, Error>>) {
        if let Err(error) = self.runtime.block_on(change) {
            panic!("failed to {}", host_io::report::chain(&error));
        }
    }
}

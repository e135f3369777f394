//! What we write, read by a client that is nothing but tough; signed by keys that lie elsewhere, too.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use futures_util::TryStreamExt as _;
use host_io::{Advise as _, SystemFs};
use testdata::{Release, World};
use tough::schema::RoleType;
use tough::{Repository, RepositoryLoader, TargetName};
use trusted_repo::author::source::{SecureRandom, SourceError, TufKey, async_trait};
use trusted_repo::author::{
    Editor, Error, Expiries, FirstRoot, KeySource, KeySources, PublicKey, RootDraft, Sign, targets,
};
use url::Url;

use crate::fixture::{MANIFEST, days, today};

fn below(dir: &Path, name: &str) -> Url {
    Url::from_directory_path(dir.join(name)).expect("an absolute path")
}

/// Opens a repository with tough alone, and reads every target to its end.
async fn read_with_tough(root: &[u8], metadata: Url, targets: Url, now: Enforce) -> (Repository, usize) {
    let repository = RepositoryLoader::new(&root, metadata, targets)
        .expiration_enforcement(match now {
            Enforce::Dates => tough::ExpirationEnforcement::Safe,
            Enforce::NoDates => tough::ExpirationEnforcement::Unsafe,
        })
        .load()
        .await
        .expect("tough takes the metadata");
    let names: Vec<TargetName> = repository.targets().signed.targets.keys().cloned().collect();
    for name in &names {
        let listed = repository.targets().signed.targets[name].length;
        let stream = repository.read_target(name).await.expect("tough takes the name").expect("listed");
        let read: usize = stream
            .map_ok(|piece| piece.len())
            .try_fold(0, async |sum, len| Ok(sum + len))
            .await
            .expect("verified");
        assert_eq!(read as u64, listed, "{}", name.raw());
    }
    (repository, names.len())
}

/// Whether dates count: a repository of the fixtures was signed on a day of its own.
enum Enforce {
    Dates,
    NoDates,
}

#[test]
fn a_plain_client_verifies_every_target_that_pubrepo_published() {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    world.publish(Release::new("1.1.0"));
    let repo = world.dir().join("repo");
    let metadata = below(&repo, &format!("{}/{}", testdata::VARIANT, std::env::consts::ARCH));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (repository, count) = runtime.block_on(read_with_tough(
        world.trusted_root(),
        metadata,
        below(&repo, "targets"),
        Enforce::Dates,
    ));
    assert!(count >= 7, "two releases have three images each, and there is a manifest: {count}");
    assert_eq!(repository.root().signed.version.get(), 1);
}

/// What a key management service is to us: it never hands out a key, counts what it signs, and may be down.
#[derive(Debug, Clone)]
struct Service {
    key: Arc<Mutex<EcdsaKeyPair>>,
    signed: Arc<AtomicUsize>,
    is_up: bool,
}

impl Service {
    fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("random");
        Self { key: Arc::new(Mutex::new(key)), signed: Arc::default(), is_up: true }
    }

    async fn public(&self) -> PublicKey {
        PublicKey::of(self).await.expect("it is up")
    }
}

#[async_trait]
impl KeySource for Service {
    async fn as_sign(&self) -> Result<Box<dyn Sign>, SourceError> {
        if self.is_up { Ok(Box::new(self.clone())) } else { Err("the service is down for the night".into()) }
    }

    async fn write(&self, _value: &str, _key_id: &str) -> Result<(), SourceError> {
        Err("keys do not leave the service".into())
    }
}

#[async_trait]
impl Sign for Service {
    fn tuf_key(&self) -> TufKey {
        self.key.lock().expect("one user at a time").tuf_key()
    }

    async fn sign(&self, message: &[u8], random: &(dyn SecureRandom + Sync)) -> Result<Vec<u8>, SourceError> {
        // A service takes its time; nothing may count on an answer at once.
        tokio::task::yield_now().await;
        self.signed.fetch_add(1, Ordering::Relaxed);
        Ok(self.key.lock().expect("one user at a time").sign(random, message)?.as_ref().to_vec())
    }
}

#[tokio::test]
async fn keys_that_never_leave_a_service_sign_a_whole_repository() {
    let [holder, other_holder, for_targets, for_snapshot, for_timestamp] =
        std::array::from_fn(|_| Service::new());
    let mut draft = RootDraft::first(&FirstRoot {
        expires: today() + days(365),
        root: vec![holder.public().await, other_holder.public().await],
        threshold: 2,
        targets: for_targets.public().await,
        snapshot: for_snapshot.public().await,
        timestamp: for_timestamp.public().await,
    })
    .expect("a draft");
    draft.sign_from(None, &holder).await.expect("signed");
    draft.sign_from(None, &other_holder).await.expect("signed");
    assert!(draft.sign_from(None, &for_targets).await.is_err(), "a key of another role");
    let root = draft.finish_first().expect("both have signed");

    let dir = tempfile::tempdir().expect("temporary directory");
    let mut editor = Editor::new(root.clone());
    let manifest = targets::publish(&SystemFs, &dir.path().join("targets"), "manifest.json", MANIFEST);
    editor.add_target(manifest.expect("written")).expect("listed");
    let sources = |snapshot: &Service| KeySources {
        targets: Box::new(for_targets.clone()),
        snapshot: Box::new(snapshot.clone()),
        timestamp: Box::new(for_timestamp.clone()),
    };
    let soon = today() + days(7);
    let expiries = Expiries { targets: soon, snapshot: soon, timestamp: soon };
    let signed = editor.sign_from(&sources(&for_snapshot), &expiries).await.expect("signed");
    signed.write(&SystemFs, &dir.path().join("metadata")).expect("written");
    assert_eq!(for_timestamp.signed.load(Ordering::Relaxed), 1);

    let (metadata, targets) = (below(dir.path(), "metadata"), below(dir.path(), "targets"));
    let (repository, count) = read_with_tough(root.bytes(), metadata, targets, Enforce::NoDates).await;
    assert_eq!((repository.root().signed.roles[&RoleType::Root].threshold.get(), count), (2, 1));
    // What is there is loaded and verified again before it is changed.
    Editor::load(&SystemFs, &dir.path().join("metadata"), &root).await.expect("it verifies");

    let down = Service { is_up: false, ..for_snapshot.clone() };
    let error = editor.sign_from(&sources(&down), &expiries).await.expect_err("it is down");
    assert!(matches!(error, Error::Source(_)) && error.help().is_some(), "{error}");
    assert!(host_io::report::chain(&error).ends_with("down for the night"), "{error}");
    let wrong = editor.sign_from(&sources(&for_targets), &expiries).await.expect_err("another role's key");
    assert!(wrong.to_string().contains("sign the snapshot role"), "{wrong}");
}

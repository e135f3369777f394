//! A store is brought up to date with a repository in a directory.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use host_io::bar::mib;
use object_store::{
    Attribute, Attributes, Error as StoreError, ObjectStore as _, ObjectStoreExt as _, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, UpdateVersion, WriteMultipart,
};
use serde::Serialize;
use tokio::io::AsyncReadExt as _;

use super::plan::{Object, Plan, cache_control};
use super::{Bucket, Refused, prove};
use crate::Error;
use crate::session::alone;

/// From this length on a target is put in parts.
const PARTS_FROM: u64 = 32 << 20;
/// How long a part is.
const PART: usize = 8 << 20;
/// How many parts of one target are under way at a time.
const PARTS_AT_A_TIME: usize = 4;

/// What is to be brought where.
#[derive(Debug, Clone)]
pub struct PushOptions {
    /// The repository.
    pub repo: PathBuf,
    /// The store.
    pub bucket: Bucket,
    /// How many files are put at a time.
    pub jobs: usize,
    /// Whether nobody else ever publishes there: then conditions are not asked of the endpoint.
    pub single_publisher: bool,
}

/// What was put there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PushReport {
    /// How many targets.
    pub targets: usize,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many files of metadata, the timestamps among them.
    pub metadata: usize,
    /// How many files were there already.
    pub there: usize,
}

/// The timestamp as it is in the store.
struct Seen {
    bytes: Bytes,
    version: UpdateVersion,
}

/// Brings a store up to date: targets, then what has a number, then the timestamps. Whoever reads meanwhile sees what was
/// there before. What is there already is not put there again.
///
/// # Errors
/// When the repository is being changed, the store refuses, keeps no conditions, or has another release of somebody else.
pub async fn push(options: &PushOptions) -> Result<PushReport, Error> {
    let _lock = alone(&options.repo)?;
    let plan = Plan::of(&options.repo)?;
    if !options.single_publisher {
        prove::prove(&options.bucket).await?;
    }
    // Seen before anything is put: whoever publishes from now on is noticed.
    let mut seen = Vec::new();
    for object in &plan.timestamps {
        seen.push(timestamp(&options.bucket, object).await?);
    }
    let there = listed(&options.bucket).await?;
    let mut report = PushReport::default();
    let missing: Vec<&Object> =
        plan.targets.iter().filter(|object| there.get(&object.name) != Some(&object.length)).collect();
    report.there += plan.targets.len() - missing.len();
    let lengths: Vec<u64> = futures_util::stream::iter(missing)
        .map(|object| put_target(&options.bucket, object))
        .buffer_unordered(options.jobs.max(1))
        .try_collect()
        .await?;
    (report.targets, report.bytes) = (lengths.len(), lengths.iter().sum());
    let numbered: Vec<bool> = futures_util::stream::iter(&plan.numbered)
        .map(|object| put_numbered(options, object, there.contains_key(&object.name)))
        .buffer_unordered(options.jobs.max(1))
        .try_collect()
        .await?;
    let new = numbered.iter().filter(|new| **new).count();
    (report.metadata, report.there) = (new, report.there + numbered.len() - new);
    for object in &plan.roots {
        let bytes = read(&object.path)?;
        put(&options.bucket, &object.name, bytes, PutMode::Overwrite)
            .await
            .map_err(|error| Refused::store("put", &object.name, error))?;
    }
    for (object, seen) in plan.timestamps.iter().zip(seen) {
        if put_timestamp(options, object, seen).await? {
            report.metadata += 1;
        } else {
            report.there += 1;
        }
    }
    Ok(report)
}

/// What is in the store below the prefix: names and lengths.
async fn listed(bucket: &Bucket) -> Result<BTreeMap<String, u64>, Refused> {
    let prefix = (!bucket.prefix.is_empty()).then(|| bucket.name(""));
    let start = if bucket.prefix.is_empty() { String::new() } else { format!("{}/", bucket.prefix) };
    let all = bucket.store.list(prefix.as_ref()).map_ok(|meta| {
        let name = meta.location.to_string();
        (name.strip_prefix(&start).map(str::to_owned).unwrap_or(name), meta.size)
    });
    all.try_collect().await.map_err(|error| Refused::store("list", &bucket.prefix, error))
}

fn attributes(name: &str) -> Attributes {
    let kind = if name.ends_with(".json") && !name.starts_with("targets/") {
        "application/json"
    } else {
        "application/octet-stream"
    };
    Attributes::from_iter([(Attribute::CacheControl, cache_control(name)), (Attribute::ContentType, kind)])
}

async fn put(bucket: &Bucket, name: &str, bytes: Bytes, mode: PutMode) -> Result<(), StoreError> {
    let options = PutOptions { mode, attributes: attributes(name), ..PutOptions::default() };
    bucket.store.put_opts(&bucket.name(name), PutPayload::from_bytes(bytes), options).await.map(|_| ())
}

/// A target has its digest in its name: whoever put it there put the same bytes there.
async fn put_target(bucket: &Bucket, object: &Object) -> Result<u64, Error> {
    let failed = |error| Refused::store("put", &object.name, error);
    if object.length < PARTS_FROM {
        put(bucket, &object.name, read(&object.path)?, PutMode::Overwrite).await.map_err(failed)?;
        return Ok(object.length);
    }
    let options =
        PutMultipartOptions { attributes: attributes(&object.name), ..PutMultipartOptions::default() };
    let upload =
        bucket.store.put_multipart_opts(&bucket.name(&object.name), options).await.map_err(failed)?;
    let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
    let told = |error| Error::file("read", &object.path, error);
    let mut file = tokio::fs::File::open(&object.path).await.map_err(told)?;
    let mut piece = vec![0; PART];
    loop {
        let count = file.read(&mut piece).await.map_err(told)?;
        if count == 0 {
            break;
        }
        parts.wait_for_capacity(PARTS_AT_A_TIME).await.map_err(failed)?;
        parts.write(&piece[..count]);
    }
    parts.finish().await.map_err(failed)?;
    Ok(object.length)
}

/// Whether it was put there now. One that is taken has to be the same one.
async fn put_numbered(options: &PushOptions, object: &Object, there: bool) -> Result<bool, Error> {
    let bytes = read(&object.path)?;
    if !there {
        let mode = if options.single_publisher { PutMode::Overwrite } else { PutMode::Create };
        match put(&options.bucket, &object.name, bytes.clone(), mode).await {
            Ok(()) => return Ok(true),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(Refused::store("put", &object.name, error).into()),
        }
    }
    // Somebody was faster, or an answer was lost and this was us.
    match get(&options.bucket, &object.name).await? {
        Some(found) if found.bytes == bytes => Ok(false),
        _ => Err(Refused::Taken { name: object.name.clone() }.into()),
    }
}

/// The timestamp of the store, if this repository may follow it.
async fn timestamp(bucket: &Bucket, object: &Object) -> Result<Option<Seen>, Error> {
    let Some(seen) = get(bucket, &object.name).await? else { return Ok(None) };
    let ours = read(&object.path)?;
    if seen.bytes != ours && !follows(bucket, object, &seen.bytes, &ours).await? {
        return Err(Refused::Overtaken { name: object.name.clone() }.into());
    }
    Ok(Some(seen))
}

/// Whether the timestamp of this repository is one of those that come after the store's: it is newer, and the snapshot that
/// the store's names is one that lies here. A newer number alone says nothing: two publishers count on from the same one.
async fn follows(bucket: &Bucket, object: &Object, theirs: &[u8], ours: &[u8]) -> Result<bool, Error> {
    let (Some(theirs), Some(ours)) = (Stamp::parse(theirs), Stamp::parse(ours)) else { return Ok(false) };
    if theirs.version >= ours.version {
        return Ok(false);
    }
    let snapshot = format!("{}.snapshot.json", theirs.snapshot);
    let here = object.path.with_file_name(&snapshot);
    let Ok(here) = std::fs::read(&here) else { return Ok(false) };
    let name = object.name.replace("timestamp.json", &snapshot);
    Ok(get(bucket, &name).await?.is_some_and(|there| there.bytes == here))
}

/// Whether it was put there now.
async fn put_timestamp(options: &PushOptions, object: &Object, seen: Option<Seen>) -> Result<bool, Error> {
    let bytes = read(&object.path)?;
    if seen.as_ref().is_some_and(|seen| seen.bytes == bytes) {
        return Ok(false);
    }
    let mode = match seen {
        _ if options.single_publisher => PutMode::Overwrite,
        Some(seen) => PutMode::Update(seen.version),
        None => PutMode::Create,
    };
    match put(&options.bucket, &object.name, bytes.clone(), mode).await {
        Ok(()) => Ok(true),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
            // An answer may have been lost, and then this was us.
            match get(&options.bucket, &object.name).await? {
                Some(found) if found.bytes == bytes => Ok(true),
                _ => Err(Refused::Overtaken { name: object.name.clone() }.into()),
            }
        }
        Err(error) => Err(Refused::store("put", &object.name, error).into()),
    }
}

async fn get(bucket: &Bucket, name: &str) -> Result<Option<Seen>, Refused> {
    let failed = |error| Refused::store("read", name, error);
    match bucket.store.get(&bucket.name(name)).await {
        Ok(found) => {
            let version =
                UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            Ok(Some(Seen { bytes: found.bytes().await.map_err(failed)?, version }))
        }
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// What a timestamp says: its own version, and which snapshot is the published one.
struct Stamp {
    version: u64,
    snapshot: u64,
}

impl Stamp {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let role: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        let version = role["signed"]["version"].as_u64()?;
        let snapshot = role["signed"]["meta"]["snapshot.json"]["version"].as_u64()?;
        Some(Self { version, snapshot })
    }
}

fn read(path: &Path) -> Result<Bytes, Error> {
    std::fs::read(path).map(Bytes::from).map_err(|error| Error::file("read", path, error))
}

impl fmt::Display for PushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "put there: {} targets, {}; {} files of metadata",
            self.targets,
            mib(self.bytes),
            self.metadata
        )?;
        write!(f, "\nthere already: {} files", self.there)
    }
}

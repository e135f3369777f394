//! What a boot would do with the settings, told and tried: on a copy, there and back. Nothing that exists changes.
//!
//! A server may be writing meanwhile, and keeps the datastore's lock; so what is read here is read without it, and once
//! more where it changed under the reader's eyes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use datastore::links::{self, Chain};
use datastore::store_dir::{self, Contents, Settings};
use datastore::{Key, Value};
use host_io::{Fs, report};
use semver::Version;
use serde::Serialize;

use crate::amount::Amount;
use crate::args::Request;
use crate::cached::Cached;
use crate::carry::carry;
use crate::course::Direction;
use crate::error::Error;
use crate::fit;
use crate::lost;
use crate::need::Need;
use crate::scratch::Room;
use crate::settle;

/// How often a store that changes under the reader's eyes is read again.
const READINGS: usize = 5;

/// What becomes of the settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// The version that they are of; `None` before the first boot.
    pub from: Option<Version>,
    /// The version that they are wanted for.
    pub to: Version,
    /// The migrations, in the order in which they run.
    pub migrations: Vec<String>,
    /// What that takes; `None` where nothing is run.
    pub room: Option<RoomNeeded>,
    /// A digest of the settings that this is said of: whoever asked before need not ask again while it is the same.
    pub settings: Option<String>,
    /// What a rehearsal found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// What a comparison with the kept settings found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptSettings>,
}

/// The settings that were kept for a version, beside those of today.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum KeptSettings {
    /// None are kept, or they cannot be read.
    None,
    /// They are kept; these are different, from today's value to the kept one.
    Differ(Vec<Change>),
}

/// What migrations take of the partition with the stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomNeeded {
    /// Bytes that are needed.
    pub bytes: u64,
    /// Files that are made.
    pub files: u64,
    /// Bytes that are free.
    pub free: u64,
    /// Bytes of old stores that make room at the boot where that is wanted.
    pub surplus: u64,
    /// Where copies lie: `memory` or `partition`.
    pub copies: &'static str,
}

/// What came of trying.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rehearsal {
    /// What is different afterwards.
    pub changes: Vec<Change>,
    /// What is different from now after going there and back.
    pub back: Vec<Change>,
    /// Why the way back does not work, if it does not. A rollback then takes the settings that are kept.
    pub no_way_back: Option<String>,
}

/// One setting that is different.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its name.
    pub key: Key,
    /// Its value before; `None` when it is new.
    pub before: Option<Value>,
    /// Its value afterwards; `None` when it is gone.
    pub after: Option<Value>,
}

/// What a boot would do, by the links, the cache and the room: no program runs.
///
/// # Errors
/// When it would fail, as far as that can be told.
pub async fn look(fs: Arc<dyn Fs>, request: &Request) -> Result<Outlook, Error> {
    Ok(prepare(fs, request).await?.0)
}

/// [`look`], then all of it on a copy, there and back.
///
/// # Errors
/// When the way there fails, or what comes out does not fit the image that runs, if that is the one to read it.
pub async fn rehearse(fs: Arc<dyn Fs>, request: &Request) -> Result<Outlook, Error> {
    let (mut outlook, todo) = prepare(Arc::clone(&fs), request).await?;
    let Some(Todo { live, cached, before, kept, direction, copies, now }) = todo else { return Ok(outlook) };
    if !now {
        tracing::warn!("not rehearsed: copies need room that old stores take, which go at the boot");
        return Ok(outlook);
    }
    let carried =
        lost::carry_and_give_back(request, &cached, before.clone(), direction, kept.as_ref(), copies);
    let there = carried.await?;
    fit::check(&*fs, request, &request.target, &there)?;
    let changes = changes(&before.live, &there.live);
    let back = async {
        let mut back = carry(request, &cached.back(), there, direction.back(), copies).await?;
        if direction == Direction::Forward {
            // What a rollback would give back of these settings, which are kept then.
            let again = back.live.clone();
            lost::put_back(&mut back, &before, &again);
        }
        fit::check(&*fs, request, &live.version, &back)?;
        Ok::<_, Error>(back)
    };
    let (back, no_way_back) = match back.await {
        Ok(back) => (self::changes(&before.live, &back.live), None),
        Err(error) => (Vec::new(), Some(format!("failed to {}", report::chain(&error)))),
    };
    outlook.rehearsal = Some(Rehearsal { changes, back, no_way_back });
    Ok(outlook)
}

/// In what the settings that were kept for the wanted version differ from those of today. It asks for no cache and no
/// migration: this is for whoever wants to go back without them.
///
/// # Errors
/// When the store of today cannot be read.
pub fn compare_kept(fs: &dyn Fs, request: &Request) -> Result<Outlook, Error> {
    let to = &request.target;
    let Some((live, now)) = read_still(fs, &request.base)? else {
        return Ok(Outlook::of(None, to, None));
    };
    let kept = match settle::kept(fs, request)? {
        Some(kept) => {
            let kept = store_dir::read(fs, &request.base.join(&kept.data_dir))?;
            KeptSettings::Differ(changes(&now.live, &kept.live))
        }
        None => KeptSettings::None,
    };
    Ok(Outlook { kept: Some(kept), ..Outlook::of(Some(live.version), to, Some(digest(&now))) })
}

struct Todo {
    live: Chain,
    cached: Cached,
    before: Contents,
    /// The store of the wanted version that was kept, on a way back.
    kept: Option<Contents>,
    direction: Direction,
    copies: Room,
    /// Whether copies can be made as it is.
    now: bool,
}

async fn prepare(fs: Arc<dyn Fs>, request: &Request) -> Result<(Outlook, Option<Todo>), Error> {
    let to = request.target.clone();
    let Some((live, before)) = read_still(&*fs, &request.base)? else {
        return Ok((Outlook::of(None, &to, None), None));
    };
    let settings = digest(&before);
    let nothing = |from| Outlook::of(from, &to, Some(settings.clone()));
    let Some(direction) = Direction::between(&live.version, &to) else {
        return Ok((nothing(Some(live.version)), None));
    };
    let cached = Cached::open(Arc::clone(&fs), request, &live.version).await?;
    let mut outlook = nothing(Some(live.version.clone()));
    if cached.names().is_empty() {
        fit::check(&*fs, request, &to, &before)?;
        return Ok((outlook, None));
    }
    let kept = match direction {
        Direction::Backward => settle::kept(&*fs, request)?,
        Direction::Forward => None,
    };
    let keep: Vec<&str> = kept.iter().map(|chain| chain.data_dir.as_str()).collect();
    let kept = match &kept {
        Some(kept) => Some(store_dir::read(&*fs, &request.base.join(&kept.data_dir))?),
        None => None,
    };
    let need = Need::of(request, &before, kept.as_ref())?;
    let surplus = Amount::taken_by(&links::surplus(&*fs, &request.base, &keep)?);
    let free = need.is_met_with(surplus, &*fs, &request.base)?;
    let copies = match need.copies {
        Room::Memory => "memory",
        Room::Partition => "partition",
    };
    outlook.room = Some(RoomNeeded {
        bytes: need.all.bytes,
        files: need.all.files,
        free,
        surplus: surplus.bytes,
        copies,
    });
    outlook.migrations = cached.names().to_vec();
    let now = need.copies == Room::Memory || need.is_met(&*fs, &request.base).is_ok();
    Ok((outlook, Some(Todo { live, cached, before, kept, direction, copies: need.copies, now })))
}

/// A digest of all that a store holds.
fn digest(contents: &Contents) -> String {
    let text = format!("{contents:?}");
    hex::encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()))
}

/// The live store, read whole while the links stayed the same.
fn read_still(fs: &dyn Fs, base: &Path) -> Result<Option<(Chain, Contents)>, Error> {
    for again in 0.. {
        let Some(live) = links::read(fs, base)? else { return Ok(None) };
        let contents = store_dir::read(fs, &base.join(&live.data_dir));
        let still = links::read(fs, base)?.is_some_and(|now| now == live);
        match contents {
            Ok(contents) if still => return Ok(Some((live, contents))),
            Err(error) if still || again >= READINGS => return Err(error.into()),
            Ok(contents) if again >= READINGS => return Ok(Some((live, contents))),
            Ok(_) | Err(_) => {}
        }
    }
    unreachable!("the loop ends by returning")
}

/// What is different, in the order of the names.
#[must_use]
pub fn changes(before: &Settings, after: &Settings) -> Vec<Change> {
    let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(key) != after.get(key))
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

impl Outlook {
    fn of(from: Option<Version>, to: &Version, settings: Option<String>) -> Self {
        Self {
            from,
            to: to.clone(),
            migrations: Vec::new(),
            room: None,
            settings,
            rehearsal: None,
            kept: None,
        }
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Self { from, to, migrations, room, rehearsal, settings: _, kept } = self;
        match kept {
            Some(KeptSettings::None) => return vec![format!("No settings of {to} are kept")],
            Some(KeptSettings::Differ(changes)) => {
                let kept = told(&format!("The settings that {to} had when it was left"), changes);
                return std::iter::once(kept).chain(changes.iter().map(Change::line)).collect();
            }
            None => {}
        }
        let mut lines = match from {
            None => vec!["There are no settings yet: a first boot".to_owned()],
            Some(from) if from == to => vec![format!("Settings are of {to} already")],
            Some(from) if migrations.is_empty() => {
                vec![format!("Settings of {from} are those of {to} as they are: nothing is run")]
            }
            Some(from) => vec![format!("Settings of {from} are carried to {to} by")],
        };
        lines.extend(migrations.iter().map(|name| format!("  {name}")));
        if let Some(RoomNeeded { bytes, files, free, surplus: _, copies }) = room {
            lines.push(format!(
                "Room: {bytes} bytes in {files} files, {free} bytes are free; copies lie in {copies}"
            ));
        }
        if let Some(Rehearsal { changes, back, no_way_back }) = rehearsal {
            lines.push(told("There", changes));
            lines.extend(changes.iter().map(Change::line));
            match no_way_back {
                Some(why) => {
                    lines.push(format!("Back: {why}; a rollback would take the settings that are kept"))
                }
                None => {
                    lines.push(told("There and back", back));
                    lines.extend(back.iter().map(Change::line));
                }
            }
        }
        lines
    }
}

fn told(way: &str, changes: &[Change]) -> String {
    match changes.len() {
        0 => format!("{way}: every setting is as it is now"),
        1 => format!("{way}: one setting is different"),
        many => format!("{way}: {many} settings are different"),
    }
}

impl Change {
    fn line(&self) -> String {
        let Self { key, before, after } = self;
        match (before, after) {
            (None, Some(after)) => format!("  + {key} = {after}"),
            (Some(before), None) => format!("  - {key} = {before}"),
            (Some(before), Some(after)) => format!("  ~ {key} = {before} becomes {after}"),
            (None, None) => unreachable!("a change has a side"),
        }
    }
}

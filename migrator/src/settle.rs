//! The whole step, from the links as they are to the links as they must be.
//!
//! Up to the switch nothing that a link leads to is changed; the switch is one rename; what is no longer needed goes
//! only after it is durable. So a power cut leaves the settings of one version or of the other, and the next boot does
//! this again.

use std::path::Path;
use std::sync::Arc;

use datastore::links::{self, Chain};
use datastore::store_dir::{self, Contents};
use host_io::lock::DirLock;
use host_io::{Fs, SnapshotRequest, guards, report, swap};

use crate::args::Request;
use crate::bits;
use crate::cached::Cached;
use crate::course::{Course, Direction, Proof, Sets, Wish, course};
use crate::error::Error;
use crate::fit;
use crate::lost;
use crate::need::Need;
use crate::note::Note;
use crate::scratch::{Room, Scratch};

/// Makes the live store fit the wanted version, and notes for the other set how far this boot came.
///
/// # Errors
/// When it cannot: the live store is then the one that it was.
pub async fn settle(fs: Arc<dyn Fs>, request: &Request) -> Result<(), Error> {
    let note = Note::begin(&*fs, request);
    let settled = fit(&fs, request).await;
    if let Some(note) = note {
        note.end(&*fs, &request.paths, settled.as_ref().err());
    }
    settled
}

/// Makes the live store fit the wanted version. Any wish for this boot is then granted or void.
async fn fit(fs: &Arc<dyn Fs>, request: &Request) -> Result<(), Error> {
    let wish = wish(&**fs, request);
    follow(fs, request, wish).await?;
    if let Err(error) = SnapshotRequest::forget(&**fs, &request.paths) {
        // It names two versions, and the settings are not of the first of them any more.
        tracing::warn!("the wish for kept settings stays for now: {error}");
    }
    Ok(())
}

/// What is wished of this boot. A wish for another one counts for nothing.
fn wish(fs: &dyn Fs, request: &Request) -> impl Fn(&Chain) -> Wish {
    let wanted = SnapshotRequest::read(fs, &request.paths).filter(|wish| wish.to == request.target);
    move |live| {
        if wanted.as_ref().is_some_and(|wish| wish.from == live.version) { Wish::AsKept } else { Wish::Carry }
    }
}

async fn follow(fs: &Arc<dyn Fs>, request: &Request, wish: impl Fn(&Chain) -> Wish) -> Result<(), Error> {
    let (base, target) = (&*request.base, &request.target);
    // The one that apiserver holds as long as it runs: two would undo each other's work.
    let _alone = match fs.kind(base) {
        Ok(Some(_)) => Some(DirLock::acquire_private(base).map_err(Error::Lock)?),
        Ok(None) | Err(_) => None,
    };
    let Some(live) = links::find(&**fs, base)? else {
        tracing::info!("there is no datastore in {}: a first boot, nothing to migrate", base.display());
        return Ok(());
    };
    let Some(direction) = Direction::between(&live.version, target) else {
        tracing::info!("settings are of {target} already");
        finish_fall_back(&**fs, request, &live);
        return Ok(());
    };
    tracing::info!("settings are of {}, the system is {target}", live.version);
    let wish = wish(&live);
    let kept = kept(&**fs, request)?;
    if wish == Wish::AsKept && kept.is_none() {
        tracing::warn!(
            "no store of {target} was kept: running its migrations, though its settings were wanted as they were"
        );
    }
    match course(direction, bits::read(&request.paths), kept, wish) {
        Course::FallBack(kept) => fall_back(&**fs, base, &kept),
        Course::StandIn(kept) => stand_in(&**fs, base, &live, &kept),
        Course::AsKept(kept) => as_kept(&**fs, base, &live, &kept),
        Course::Migrate => migrate(fs, request, &live, direction, None).await,
        Course::MigrateOrRestore(kept) => match migrate(fs, request, &live, direction, Some(&kept)).await {
            Ok(()) => Ok(()),
            Err(error) => restore(&**fs, base, &live, &kept, &error),
        },
        Course::MigrateForWantOfKept => {
            tracing::warn!(
                "the boot of {} was never marked good, but no store of {target} was kept: running its migrations back",
                live.version
            );
            migrate(fs, request, &live, direction, None).await
        }
    }
}

/// The store that was kept for the wanted version, if it can still be read.
pub(crate) fn kept(fs: &dyn Fs, request: &Request) -> Result<Option<Chain>, Error> {
    let Some(chain) = links::kept(fs, &request.base, &request.target)? else { return Ok(None) };
    match store_dir::read(fs, &request.base.join(&chain.data_dir)) {
        Ok(_) => Ok(Some(chain)),
        Err(error) => {
            tracing::warn!(
                "the kept store of {} is of no use: failed to {}",
                chain.version,
                report::chain(&error)
            );
            Ok(None)
        }
    }
}

/// Links the kept store. Nothing is run, and the repository is not even opened.
fn fall_back(fs: &dyn Fs, base: &Path, kept: &Chain) -> Result<(), Error> {
    tracing::info!(
        "the other set's boot was never marked good: its settings are dropped, those of {} return",
        kept.version
    );
    switch(fs, base, kept)?;
    prune(fs, base, &[]);
    Ok(())
}

/// Drops what a fall back that was cut after its switch has left: stores of newer releases than the proven one that runs,
/// while the other set's boot was never marked good. Nobody would return to them: such a release migrates afresh. No
/// version changes here, so a store of this one that was put aside as damaged still waits for its person.
fn finish_fall_back(fs: &dyn Fs, request: &Request, live: &Chain) {
    let base = &*request.base;
    let dropped = links::newer(fs, base, live).and_then(|newer| {
        if !guards::stands("dropped-settings-go-at-a-boot") {
            return Ok(());
        }
        let never_good = Sets::Known { running: Proof::Proven, other: Proof::Unproven };
        if newer.is_empty() || bits::read(&request.paths) != never_good {
            return Ok(());
        }
        tracing::info!("the other set's boot was never marked good: what is left of its settings is dropped");
        links::drop_stores(fs, base, &newer)
    });
    if let Err(error) = dropped {
        tracing::warn!("what is left of dropped settings stays for now: failed to {}", report::chain(&error));
    }
}

/// Links the kept store in place of one whose system does not start any more. Nothing is run; that store stays.
fn stand_in(fs: &dyn Fs, base: &Path, live: &Chain, kept: &Chain) -> Result<(), Error> {
    tracing::error!(
        "{} was good once and does not start any more: {} gets the settings that it had when it was left; those of {} stay",
        live.version,
        kept.version,
        live.version
    );
    switch(fs, base, kept)?;
    prune(fs, base, &[&live.data_dir]);
    Ok(())
}

/// A person wants the settings as they were. Those that are left stay for the way back.
fn as_kept(fs: &dyn Fs, base: &Path, live: &Chain, kept: &Chain) -> Result<(), Error> {
    tracing::info!(
        "as it was asked for, {} gets the settings that it had when it was left: changes made since are not in them",
        kept.version
    );
    switch(fs, base, kept)?;
    prune(fs, base, &[&live.data_dir]);
    Ok(())
}

/// After a rollback by hand whose migrations failed: a system with older settings is better than none.
fn restore(fs: &dyn Fs, base: &Path, live: &Chain, kept: &Chain, why: &Error) -> Result<(), Error> {
    tracing::error!(
        "could not carry settings over from {}: failed to {}; linking the settings that {} had when it was left: changes made since are not in them",
        live.version,
        report::chain(why),
        kept.version
    );
    switch(fs, base, kept)?;
    prune(fs, base, &[&live.data_dir]);
    Ok(())
}

/// Runs the migrations on copies and switches to what comes out. The store that is live now stays for the way back.
async fn migrate(
    fs: &Arc<dyn Fs>,
    request: &Request,
    live: &Chain,
    direction: Direction,
    kept: Option<&Chain>,
) -> Result<(), Error> {
    let base = &*request.base;
    let cached = Cached::open(Arc::clone(fs), request, &live.version).await?;
    let contents = store_dir::read(&**fs, &base.join(&live.data_dir))?;
    let carried = if cached.names().is_empty() {
        fit::check(&**fs, request, &request.target, &contents)?;
        Chain { version: request.target.clone(), data_dir: live.data_dir.clone() }
    } else {
        let held = match kept {
            Some(kept) => Some(store_dir::read(&**fs, &base.join(&kept.data_dir))?),
            None => None,
        };
        let room = make_room(&**fs, request, &contents, held.as_ref(), kept)?;
        let contents =
            lost::carry_and_give_back(request, &cached, contents, direction, held.as_ref(), room).await?;
        fit::check(&**fs, request, &request.target, &contents)?;
        write(&**fs, request, &contents)?
    };
    switch(&**fs, base, &carried)?;
    prune(&**fs, base, &[&live.data_dir]);
    Ok(())
}

/// Writes a store that no link leads to yet, whole and durable.
fn write(fs: &dyn Fs, request: &Request, contents: &Contents) -> Result<Chain, Error> {
    let chain = Chain::fresh(&request.target);
    let dir = request.base.join(&chain.data_dir);
    if let Err(error) = store_dir::write(fs, &dir, contents) {
        // Half of a store helps nobody. If this fails too, the next writer removes it.
        let _left_for_the_next_writer = swap::discard(fs, &dir);
        return Err(error.into());
    }
    Ok(chain)
}

/// Removes what cut runs left, and looks whether the new store fits. Where it does not, stores of versions that neither
/// set holds make room first.
fn make_room(
    fs: &dyn Fs,
    request: &Request,
    contents: &Contents,
    held: Option<&Contents>,
    kept: Option<&Chain>,
) -> Result<Room, Error> {
    let base = &*request.base;
    Scratch::sweep(base);
    links::sweep(fs, base)?;
    let need = Need::of(request, contents, held)?;
    if need.is_met(fs, base).is_err() {
        let keep: Vec<&str> = kept.iter().map(|chain| chain.data_dir.as_str()).collect();
        links::prune(fs, base, &keep)?;
        need.is_met(fs, base)?;
    }
    Ok(need.copies)
}

/// Makes `wanted` the live chain.
fn switch(fs: &dyn Fs, base: &Path, wanted: &Chain) -> Result<(), Error> {
    let plan = links::plan(links::read(fs, base)?.as_ref(), wanted);
    plan.to_string().lines().for_each(|step| tracing::debug!("{step}"));
    links::apply(fs, base, &plan)?;
    tracing::info!("settings are of {} now", wanted.version);
    Ok(())
}

/// Removes all stores but the live one and `keep`. The switch is made and durable, so a failure here is no failure of
/// the boot.
fn prune(fs: &dyn Fs, base: &Path, keep: &[&str]) {
    if let Err(error) = links::prune(fs, base, keep) {
        tracing::warn!("old stores stay for now: failed to {}", report::chain(&error));
    }
}

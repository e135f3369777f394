//! `rollback`: go back to the release in the other set. Needs no network.

use std::sync::Arc;

use host_io::{OperationLock, SnapshotRequest, report};
use semver::Version;
use signpost::{Command, OsDisk};
use update_metadata::{migration_path, safe_target_name};

use crate::after::observe;
use crate::after::rollback::{self, Kept, Plan, Proven, Settings, Wanted};
use crate::context::Context;
use crate::decide::attempts::Attempts;
use crate::error::Error;
use crate::flip::record::Record;
use crate::look::rehearsal;
use crate::look::sets;
use crate::look::stores::Stores;
use crate::tell::answer;
use crate::tell::events::Format;
use crate::tell::events::{Done, Event};
use crate::tell::evidence::Outcome;

/// The largest migration that is taken, compressed, in bytes.
const MIGRATION_LIMIT: u64 = 64 << 20;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args {
    /// `--dry-run`: only say what would change.
    pub dry_run: bool,
    /// `--restore-snapshot`: with the settings that were kept.
    pub restore_snapshot: bool,
    /// `--reboot`: go there now.
    pub reboot: bool,
}

/// Says what changes, and lets the other set boot next.
///
/// # Errors
/// When there is no way back, which is found before anything changes, or the disk refuses.
pub fn run(context: &Context, args: Args) -> Result<(), Error> {
    let _lock = OperationLock::acquire(&context.paths)?;
    context.events.tell(&Event::Started);
    if args.dry_run {
        let disk = OsDisk::discover(&context.paths)?;
        return tell(context, args, &plan(context, &disk, wanted(args))?);
    }
    context.evidence.begin();
    let result = go_back(context, args);
    let outcome = if result.is_ok() { Outcome::Activated } else { Outcome::Failed };
    context.evidence.end(outcome, result.as_ref().err().map(|error| error as _));
    let plan = result?;
    if args.reboot {
        context.host.reboot().map_err(Error::Reboot)?;
    }
    tell(context, args, &plan)
}

fn wanted(args: Args) -> Wanted {
    if args.restore_snapshot { Wanted::AsKept } else { Wanted::Carried }
}

fn go_back(context: &Context, args: Args) -> Result<Plan, Error> {
    let disk = OsDisk::discover(&context.paths)?;
    let plan = plan(context, &disk, wanted(args))?;
    context.evidence.note(|evidence| {
        evidence.from = Some(plan.from.version.clone());
        evidence.to = Some(plan.to.version.clone());
        (evidence.variant, evidence.arch) = (Some(plan.to.variant.clone()), Some(plan.to.arch.clone()));
        evidence.set = Some(plan.set.to_string());
        evidence.notes = plan.lines();
    });
    let (fs, paths) = (&*context.fs, &context.paths);
    // The wish comes first: a flip without it would carry settings that were not wanted.
    if args.restore_snapshot && plan.settings == Settings::Snapshot {
        let wish = SnapshotRequest { from: plan.from.version.clone(), to: plan.to.version.clone() };
        wish.write(fs, paths).map_err(Error::Wish)?;
    } else {
        SnapshotRequest::forget(fs, paths).map_err(Error::Wish)?;
    }
    let mut before = Attempts::default();
    observe::change(context, |attempts| {
        before.clone_from(&attempts);
        attempts.left(&plan.from, context.clock.now())
    });
    if let Err(error) = disk.apply(Command::RollbackToInactive) {
        observe::change(context, |_| before);
        let _void_by_its_versions = SnapshotRequest::forget(fs, paths);
        return Err(error.into());
    }
    Ok(plan)
}

/// Looks at everything that the way back needs.
fn plan(context: &Context, disk: &OsDisk, wanted: Wanted) -> Result<Plan, Error> {
    let status = disk.status()?;
    let record = Record::load(&*context.fs, &context.paths)?;
    let found = sets::inactive_root_hash(disk, &status)?;
    let (set, to) = rollback::target(&status, &record, found)?;
    let from = sets::running(context, disk, status.active)?;
    let proven = if status.active().bits.successful { Proven::Yes } else { Proven::No };
    let stores = Stores::find(&*context.fs, &context.paths);
    let kept = if stores.has_kept(&to.version) { Kept::Yes } else { Kept::No };
    let way = way_back(context, &from.version, &to.version);
    let settings = rollback::settings(&from, &to, proven, wanted, way, kept)?;
    let different = match settings {
        Settings::Snapshot => rehearsal::kept_differ(context, &to.version),
        Settings::Same | Settings::Migrate(_) => None,
    };
    let mut warnings = vec![format!(
        "{} is not installed again by itself until \"updog clear-failed\", or a newer release",
        from.version
    )];
    if proven == Proven::No {
        warnings.push(format!("this boot of {} was never marked good", from.version));
    }
    Ok(Plan { from, to, set, settings, different, warnings })
}

/// The migrations to `to`, from the files that were cached for it, each of them verified; or why they cannot be had.
fn way_back(context: &Context, from: &Version, to: &Version) -> Result<Vec<String>, String> {
    let said = |error: &dyn std::error::Error| report::chain(error);
    let paths = &context.paths;
    let anchor = paths.trusted_root();
    let anchor = context.fs.read(&anchor).map_err(|error| format!("{}: {error}", anchor.display()))?;
    let (metadata, migrations) = (paths.metadata_cache(), paths.migrations_cache());
    let walk = async {
        let fs = Arc::clone(&context.fs);
        let repository = trusted_repo::open_offline(fs, &anchor, &metadata, &migrations).await;
        let repository = repository.map_err(|error| said(&error))?;
        let manifest = repository.manifest().await.map_err(|error| said(&error))?;
        let names = migration_path(&manifest.migrations, from, to).map_err(|error| said(&error))?;
        for name in &names {
            if !safe_target_name(name) {
                return Err(format!("the migration {name:?} has a name that no target may have"));
            }
            repository.fetch(name, MIGRATION_LIMIT).await.map_err(|error| said(&error))?;
        }
        Ok(names)
    };
    context.waiter.wait(walk).unwrap_or_else(|stopped| Err(said(&stopped)))
}

fn tell(context: &Context, args: Args, plan: &Plan) -> Result<(), Error> {
    if context.format == Format::Text {
        if args.dry_run {
            answer::lines(plan.lines().into_iter().chain(["Nothing was changed".to_owned()]))?;
        } else {
            answer::done(plan.lines());
        }
    }
    let mut more = plan.fields();
    more.insert("dry_run".to_owned(), args.dry_run.into());
    context.events.tell(&Event::Done(Done {
        command: "rollback",
        update: answer::installed(&plan.to),
        set: Some(plan.set.to_string()),
        reboot: args.reboot && !args.dry_run,
        more,
        ..Done::default()
    }));
    Ok(())
}

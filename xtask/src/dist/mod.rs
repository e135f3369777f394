//! `cargo xtask dist`: the packages that hosts and publishers install, and everything that is said about them.
//!
//! - [`release`]: what a run makes: version, time, whom it names; and where
//! - [`needs`]: the tools that this takes, and their versions
//! - [`programs`]: the programs, optimised, without what is for tests alone
//! - [`manuals`]: manual pages and completions, from the command lines
//! - [`stage`]: the tree of each package
//! - [`changelog`], [`copyright`]: what Debian wants to know, from what is there
//! - [`packages`]: the packages, the tarball with the same tree, and their sums
//! - [`sbom`]: what each program is made of
//! - [`lint`]: what lintian says
//! - [`trial`]: the packages installed, judged by systemd, upgraded, removed and purged
//! - [`figures`]: sizes and start times
//! - [`twice`]: the same from another directory

mod changelog;
mod copyright;
mod figures;
mod lint;
mod manuals;
mod needs;
mod packages;
mod programs;
mod release;
mod sbom;
mod stage;
mod trial;
mod twice;

use clap::Parser;

use crate::Outcome;
use release::Release;

pub(crate) use needs::{fetch, fetch_packer, missing, missing_others, missing_packer};

/// Arguments of `cargo xtask dist`.
#[derive(Parser)]
#[command(after_help = "Examples:
  cargo xtask dist                    target/dist/out: packages, tarball, SBOMs, sums
  cargo xtask dist --quick            the same of programs that are not optimised, to try out the packages
  cargo xtask dist --twice            and once more from another directory, byte for byte
  cargo xtask dist --maintainer 'Jo Doe <jo@site.example>'")]
pub(crate) struct Args {
    /// Programs that are not optimised; their version says so
    #[arg(long)]
    quick: bool,
    /// Whom the packages name: `NAME <ADDRESS>`
    #[arg(long)]
    maintainer: Option<String>,
    /// Build all of it again from a copy of the source in another directory, and compare
    #[arg(long)]
    twice: bool,
    /// Leave out what takes root: installing, upgrading, removing and purging the packages in a Debian of their own
    #[arg(long)]
    without_trial: bool,
    /// Only make the files, judge nothing
    #[arg(long, hide = true)]
    only_make: bool,
}

/// Puts the packages for a host into `out`, of the programs that every scenario plays with: neither optimised nor judged.
pub(crate) fn try_out(out: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let release = Release::read(true, None)?;
    std::fs::create_dir_all(out)?;
    stage::lay(&programs::at_hand(&out.join("programs"))?, &release)?;
    for package in [&stage::HOST, &stage::BOOT] {
        packages::deb(package, &release, &release.debian(), packages::Packed::Fast, out)?;
    }
    Ok(())
}

/// Makes the packages, then judges them.
pub(crate) fn run(args: &Args) -> Outcome {
    needs::all_there()?;
    let release = Release::read(args.quick, args.maintainer.as_deref())?;
    let built = programs::build(&release)?;
    stage::lay(&built, &release)?;
    let made = packages::make(&release)?;
    if args.only_make {
        return Ok(true);
    }
    let mut well = lint::lintian(&made.debs)?;
    if args.without_trial {
        println!(
            "not tried: install, upgrade, remove, purge, and systemd's word on the units (--without-trial)"
        );
    } else {
        well &= trial::run(&made, &release)?;
    }
    figures::tell(&built, &made)?;
    if args.twice {
        well &= twice::run(&made, &release)?;
    }
    Ok(well)
}

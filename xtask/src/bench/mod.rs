//! `cargo xtask bench`: what things cost, side by side in one run. Nothing here is a test: it reports what is.
//!
//! - [`api`]: the API under many callers, the start of its client, and what it costs to watch an install
//! - [`images`]: root file systems of Debian packages, for the benches that move images
//! - [`delta`]: bytes on the wire from one real release to the next, beside other tools
//! - [`install`]: a release installed, beside plain ways
//! - [`rates`]: how fast this machine does what an update consists of
//! - [`boot`]: how BOOT should be built so that it moves little
//! - [`frames`]: how large frames are, how hard they are compressed, and what an update fetches then
//! - [`field`]: what those benches stand on
//! - [`measure`](mod@measure): what a call cost; [`procfs`]: what the kernel says of a process
//! - [`tools`]: programs of the machine that a bench calls
//! - [`publish`]: a release added beside the plain tools, a rollout over a large fleet, a large manifest
//! - [`migrate`]: settings over many migrations, beside the plain way
//! - [`check`]: a check for updates, with and without memory, and a download over a bad link

mod api;
mod boot;
mod check;
mod delta;
mod field;
mod frames;
mod images;
mod install;
mod measure;
mod migrate;
mod procfs;
mod publish;
mod rates;
pub(crate) mod tools;

use clap::{Parser, Subcommand};

use crate::Outcome;

/// Arguments of `cargo xtask bench`.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask bench api\n  cargo xtask bench check\n  cargo xtask bench check --json\n  cargo xtask bench check --full\n  cargo xtask bench publish --rounds 5 --json\n  cargo xtask bench install --little --rounds 1\n  cargo xtask bench delta --pair security --kind ext4 --beside casync\n  cargo xtask bench rates\n  cargo xtask bench migrate --rounds 1\n  cargo xtask bench migrate --only reading"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What the API costs: answers under many callers, memory, the client's start, and watching an install
    Api(api::Args),
    /// Build root file systems of Debian packages that apt offers, for the benches that move images
    Images(images::Args),
    /// What it costs to publish: a release beside zstd and lz4, a rollout over a million hosts, a manifest explained
    Publish(publish::Args),
    /// Bytes on the wire from one real release to the next, beside what other tools would fetch
    Delta(delta::Args),
    /// BOOT built in several ways, and what a host fetches of the next one
    Boot(boot::Args),
    /// ROOT cut up in frames of several sizes, and what an update fetches of each
    Frames(frames::Args),
    /// A release installed onto a disk image, and by root onto loop devices, beside plain ways; and what a kill costs
    Install(install::Args),
    /// Settings carried over many migrations, beside the plain way; and a store read
    Migrate(migrate::Args),
    /// How fast this machine does each thing that an update consists of
    Rates(rates::Args),
    /// What a check for updates costs where nothing has changed, and what a link that breaks again and again costs
    Check(check::Args),
}

/// The Debian packages that its parts lack here.
pub(crate) fn missing() -> Vec<&'static str> {
    let parts: [&[tools::Tool]; 6] =
        [&images::TOOLS, &boot::TOOLS, &delta::TOOLS, &rates::TOOLS, &field::TOOLS, &field::loops::TOOLS];
    tools::missing_packages(&parts.concat())
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.what {
        What::Api(args) => api::run(args),
        What::Images(args) => images::run(args),
        What::Publish(args) => publish::run(args),
        What::Delta(args) => delta::run(args),
        What::Boot(args) => boot::run(args),
        What::Frames(args) => frames::run(args),
        What::Install(args) => install::run(args),
        What::Migrate(args) => migrate::run(args),
        What::Rates(args) => rates::run(args),
        What::Check(args) => check::run(args),
    }
}

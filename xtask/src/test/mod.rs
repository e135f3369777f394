//! `cargo xtask test`: everything that a change must pass, in one command, with a summary of what ran and what did not.
//!
//! - [`steps`]: running one step and timing it
//! - [`arrows`]: which crate may use which
//! - [`walkthrough`]: whether the files and items that `docs/walkthrough.md` names exist
//! - [`threats`]: whether every row of `docs/threats.md` names tests that exist
//! - [`messages`]: whether every message has a row in `docs/errors-and-exit-codes.md`, and every row a test that shows it

mod arrows;
mod messages;
mod steps;
mod threats;
mod walkthrough;

use std::num::NonZeroUsize;

use clap::Parser;

use crate::Outcome;
use crate::cargo::{BUILD_PROGRAMS, cargo};
use steps::{Report, Steps};

/// Arguments of `cargo xtask test`.
#[derive(Parser)]
#[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --only arrows")]
pub(crate) struct Args {
    /// Run only the steps whose name contains this
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
}

/// Runs all steps, also after one failed, and sums up.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut steps = Steps::new(args.only.clone());
    steps.cargo("format", &["fmt", "--all", "--", "--check"]);
    steps.check("crate arrows", arrows::check);
    steps.check("circles of files", crate::circles::check);
    steps.check("walkthrough names", walkthrough::check);
    steps.check("tests of threats", threats::check);
    steps.check("tests of messages", messages::check);
    steps.cargo("build programs", &BUILD_PROGRAMS);
    if steps.has_cargo_tool("nextest") {
        let threads = format!("--test-threads={}", threads());
        steps.cargo(
            "tests",
            &["nextest", "run", "--workspace", "--no-fail-fast", "--status-level=fail", &threads],
        );
    } else {
        steps.cargo("tests", &["test", "--workspace", "--all-targets", "--no-fail-fast", "--quiet"]);
    }
    steps.cargo("doctests", &["test", "--workspace", "--doc", "--quiet"]);
    steps.xtask("pages that run", &["doc-run", "publishing"]);
    steps.cargo("lints", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]);
    steps.cargo(
        "signpost core without std",
        &["check", "-p", "signpost", "--lib", "--no-default-features", "--quiet"],
    );
    steps.cargo(
        "boot program's rules",
        &[
            "test",
            "--manifest-path",
            "bootpick/Cargo.toml",
            "--target-dir",
            "target/bootpick/host",
            "--quiet",
        ],
    );
    if crate::monitoring::missing().is_empty() {
        steps.check("alert rules", crate::monitoring::check);
    } else {
        steps.skip("alert rules", "there is no promtool here: cargo xtask setup --for monitoring");
    }
    fuzz_targets(&mut steps);
    if crate::bootpick::can_be_built() {
        steps.xtask("boot program", &["bootpick"]);
    } else {
        steps.skip("boot program", "rustc has no UEFI target here: run \"cargo xtask bootpick\" once");
    }
    steps.cargo_with(
        "docs",
        &["doc", "--workspace", "--no-deps", "--quiet"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    );
    if steps.has_cargo_tool("deny") {
        steps.cargo("licences and bans", &["deny", "--offline", "check", "bans", "licenses", "sources"]);
    } else {
        steps.skip("licences and bans", "cargo-deny is not installed");
    }
    let Report { failed, text } = steps.finish();
    println!("{text}");
    Ok(!failed)
}

/// Looks at the fuzz targets, which are in no other build: one that an API has left behind would be found by nobody. Nothing
/// is linked, so neither libFuzzer nor a nightly toolchain is needed; two crates are, which nothing else here uses.
fn fuzz_targets(steps: &mut Steps) {
    const NAME: &str = "fuzz targets";
    let lock = ["--manifest-path", "fuzz/Cargo.toml", "--locked", "--quiet"];
    let fetched = cargo().arg("fetch").args(lock).output();
    if !fetched.is_ok_and(|fetched| fetched.status.success()) {
        return steps
            .skip(NAME, "their crates cannot be had: see \"cargo fetch --manifest-path fuzz/Cargo.toml\"");
    }
    let check = [&["check", "--bins", "--target-dir", "target"][..], &lock].concat();
    // Any file that is there will do.
    steps.cargo_with(
        NAME,
        &check,
        &[("CUSTOM_LIBFUZZER_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))],
    );
}

/// How many tests run at a time. Many wait for a disk or for a pause to end, so there are more of them than cores.
fn threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

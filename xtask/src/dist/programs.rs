//! The programs of a release: optimised, the same bytes wherever they are built, and without what is for tests alone.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::manuals;
use super::needs::static_target;
use super::release::{Release, place};
use crate::bench::tools::{command, said};
use crate::bootpick::{self, Arch, Toolchain};
use crate::cargo::{cargo, workspace};

/// Features that a crate of ours has for its tests: power cuts, crashes on demand. None belongs into a product.
const NOT_IN_PRODUCTS: [&str; 2] = ["explore", "test-util"];

/// The crates whose programs are shipped, and which are linked against the machine's libraries.
pub(super) const CRATES: [&str; 7] =
    ["updog", "signpost", "migrator", "apiserver", "publish", "update-metadata", "migration-helpers"];

/// The crate whose program runs in containers without any library.
pub(super) const STATIC_CRATE: &str = "apiclient";

/// What was built.
pub(super) struct Built {
    /// Each program's file, by its name.
    pub(super) programs: BTreeMap<String, PathBuf>,
    /// The boot program of this kind of machine.
    pub(super) bootpick: PathBuf,
}

/// What programs are built for that need the machine's libraries.
pub(super) fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Builds all of them.
pub(super) fn build(release: &Release) -> Result<Built, Box<dyn Error>> {
    let mut programs = compile(release, &static_target(), &[STATIC_CRATE])?;
    programs.append(&mut compile(release, &target(), &CRATES)?);
    let arch = if std::env::consts::ARCH == "aarch64" { Arch::Aarch64 } else { Arch::X86_64 };
    let bootpick = bootpick::build(arch, Toolchain::Rustup, &same_bytes_anywhere()?)?;
    Ok(Built { programs, bootpick })
}

/// Those that were built beside this program, stripped into `dir`.
pub(super) fn at_hand(dir: &Path) -> Result<Built, Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let mut programs = BTreeMap::new();
    for program in manuals::HOST.iter().chain(&manuals::PUBLISH) {
        let stripped = dir.join(program.name);
        said(command("strip").arg("-o").arg(&stripped).arg(testdata::program(program.name)))?;
        programs.insert(program.name.to_owned(), stripped);
    }
    Ok(Built { programs, bootpick: bootpick::build(Arch::X86_64, Toolchain::Rustup, &[])? })
}

fn compile(
    release: &Release,
    target: &str,
    crates: &[&str],
) -> Result<BTreeMap<String, PathBuf>, Box<dyn Error>> {
    let mut command = cargo();
    command.args(["build", "--locked", "--bins", "--message-format=json-render-diagnostics"]);
    command.args(["--target", target]).arg("--target-dir").arg(place().join("build"));
    if !release.quick {
        command.arg("--release");
    }
    for name in crates {
        command.args(["-p", name]);
    }
    println!("building {} for {target}", crates.join(", "));
    let output = command.envs(same_bytes_anywhere()?).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("build {}: cargo ended with {}", crates.join(", "), output.status).into());
    }
    let built = Messages::parse(&String::from_utf8(output.stdout)?)?;
    built.refuse_what_is_for_tests()?;
    Ok(built.programs)
}

/// Paths stand in messages of panics and in assertions of C: the same ones everywhere.
pub(super) fn same_bytes_anywhere() -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").ok_or("find cargo's directory: HOME is not set")?)
            .join(".cargo"),
    };
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or("say a path that is no UTF-8");
    let (here, home) = (text(&workspace())?, text(&home)?);
    let rust =
        [format!("--remap-path-prefix={here}=/update-stack"), format!("--remap-path-prefix={home}=/cargo")];
    let c = format!("-ffile-prefix-map={here}=/update-stack -ffile-prefix-map={home}=/cargo");
    Ok([("CARGO_ENCODED_RUSTFLAGS", rust.join("\x1f")), ("CFLAGS", c)]
        .map(|(name, value)| (name.to_owned(), value))
        .into())
}

/// What cargo says of a build, as JSON, a line each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Messages {
    programs: BTreeMap<String, PathBuf>,
    /// Crates of ours with the features that they were built with.
    features: BTreeMap<String, BTreeSet<String>>,
}

impl Messages {
    fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let mut messages = Self::default();
        for line in text.lines() {
            let message: Value = serde_json::from_str(line)?;
            if message["reason"] != "compiler-artifact" {
                continue;
            }
            let name = message["target"]["name"].as_str().unwrap_or_default().to_owned();
            if let Some(program) = message["executable"].as_str() {
                messages.programs.insert(name.clone(), PathBuf::from(program));
            }
            let ours = message["package_id"].as_str().is_some_and(|id| id.starts_with("path+"));
            let features = message["features"].as_array().into_iter().flatten();
            if ours {
                let of_crate = messages.features.entry(name).or_default();
                of_crate.extend(features.filter_map(Value::as_str).map(str::to_owned));
            }
        }
        Ok(messages)
    }

    fn refuse_what_is_for_tests(&self) -> Result<(), String> {
        let found: Vec<String> = self
            .features
            .iter()
            .flat_map(|(name, features)| features.iter().map(move |feature| (name, feature)))
            .filter(|(_, feature)| NOT_IN_PRODUCTS.contains(&feature.as_str()))
            .map(|(name, feature)| format!("{name} has {feature}"))
            .collect();
        if found.is_empty() {
            return Ok(());
        }
        Err(format!(
            "build programs for hosts: {}, which is for tests alone; see with \"cargo tree -e features -i CRATE\" who asks for it",
            found.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, name: &str, features: &str, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"{id}","target":{{"name":"{name}"}},"features":[{features}],"executable":{executable}}}"#
        )
    }

    #[test]
    fn a_build_with_a_feature_of_tests_is_refused() {
        let clean = line("path+file:///src/host-io#0.1.0", "host_io", r#""std""#, "null");
        let program = line("path+file:///src/updog#0.1.0", "updog", "", r#""/target/updog""#);
        // Others may call a feature of theirs what they like.
        let other = line("registry+https://index#some@1.0.0", "some", r#""explore""#, "null");
        let text =
            [clean.as_str(), &program, &other, r#"{"reason":"build-finished","success":true}"#].join("\n");
        let built = Messages::parse(&text).unwrap();
        assert_eq!(built.programs["updog"], Path::new("/target/updog"));
        assert_eq!(built.refuse_what_is_for_tests(), Ok(()));

        let explored = line("path+file:///src/host-io#0.1.0", "host_io", r#""std","explore""#, "null");
        let refused = Messages::parse(&[text, explored].join("\n")).unwrap().refuse_what_is_for_tests();
        assert!(refused.unwrap_err().contains("host_io has explore"));
    }
}

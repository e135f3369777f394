//! Who wrote what is linked into a package's programs, and under which licence, as Debian's machine-readable format has
//! it (DEP-5). Notices are those of the crates themselves; where Apache-2.0 is offered, that is the licence chosen, and
//! its text is on every Debian.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::programs::{STATIC_CRATE, target};
use crate::bench::tools::said;
use crate::cargo::{cargo, workspace};

/// A file in that format, of the package that judges ours: it begins with the words by which the format is known.
const MODEL: &str = "/usr/share/doc/lintian/copyright";

const HEAD: &str = "\
Upstream-Name: update-stack
Comment:
 The paths below crates/ are libraries that are linked into the programs, by name
 and version; each is published under both in the registry of Rust crates.

Files: *
Copyright: 2026 The authors of the update stack
License: Apache-2.0 or MIT
 On Debian systems, the text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0. The other licence reads:
 .
";

/// The standard library is part of every program.
const STD: &str = "
Files: rust/library/*
Copyright: The Rust Project Developers (see https://thanks.rust-lang.org)
License: Apache-2.0
 On Debian systems, the text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
";

/// A crate that is linked in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    dir: PathBuf,
    authors: Vec<String>,
}

/// The copyright file of a package with the programs of `crates`.
pub(super) fn write(crates: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut text = format()?;
    text.push_str(HEAD);
    text.push_str(&indented(&fs::read_to_string(workspace().join("LICENSE-MIT"))?));
    // Crates whose licence reads the same, to the letter, share one entry.
    let mut entries: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for one in linked(crates)? {
        let notice = Notice::of(&one)?;
        let key = (notice.licence, notice.holders, notice.text);
        entries.entry(key).or_default().insert(format!("crates/{}-{}/*", one.name, one.version));
    }
    for ((licence, holders, notice), files) in entries {
        let files: Vec<String> = files.into_iter().collect();
        let _ = write!(
            text,
            "\nFiles: {}\nCopyright: {holders}\nLicense: {licence}\n{}",
            files.join("\n "),
            indented(&notice)
        );
    }
    text.push_str(STD);
    if crates.contains(&STATIC_CRATE) {
        text.push_str(&musl()?);
    }
    Ok(text)
}

/// The line that names the format.
fn format() -> Result<String, Box<dyn Error>> {
    let model = fs::read_to_string(MODEL).map_err(|error| format!("read {MODEL}: {error}"))?;
    let line = model.lines().find(|line| line.starts_with("Format: "));
    line.map(|line| format!("{line}\n"))
        .ok_or_else(|| format!("find the name of the format in {MODEL}").into())
}

/// What of a crate's licence goes into the file.
struct Notice {
    licence: String,
    holders: String,
    text: String,
}

impl Notice {
    fn of(one: &Crate) -> Result<Self, Box<dyn Error>> {
        let offered: Vec<&str> =
            one.licence.split([' ', '/', '(', ')']).filter(|word| !word.is_empty()).collect();
        let all_of = one.licence.contains(" AND ");
        if offered.contains(&"Apache-2.0") && !all_of {
            return Ok(Self {
                licence: "Apache-2.0".to_owned(),
                holders: one.holders(&[]),
                text: "On Debian systems, the text of the Apache License, Version 2.0, is in\n/usr/share/common-licenses/Apache-2.0.".to_owned(),
            });
        }
        let mut texts: Vec<String> = Vec::new();
        for path in notices(&one.dir)? {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            // Too long to repeat, and on every Debian.
            let apache = text.contains("Apache License") && text.contains("TERMS AND CONDITIONS");
            texts.push(if apache {
                "The text of the Apache License, Version 2.0, is in /usr/share/common-licenses/Apache-2.0."
                    .to_owned()
            } else {
                text.trim().to_owned()
            });
        }
        // Of that licence only the holders differ, and the manifest names them.
        if texts.is_empty() && one.licence == "MIT" && !one.authors.is_empty() {
            let words = fs::read_to_string(workspace().join("LICENSE-MIT"))?;
            texts.push(format!(
                "Named by the crate's manifest; its source has no file with it.\n\n{}",
                words.trim()
            ));
        }
        if texts.is_empty() {
            return Err(format!(
                "find the licence of {} {}: its source has no file that tells",
                one.name, one.version
            )
            .into());
        }
        texts.dedup();
        let words = one.licence.replace(" OR ", " or ").replace('/', " or ").replace(" AND ", " and ");
        // A name that says whose words follow: the same licence reads differently from crate to crate.
        Ok(Self {
            licence: words.replace(['(', ')'], ""),
            holders: one.holders(&texts),
            text: texts.join("\n\n"),
        })
    }
}

impl Crate {
    /// Who is named in its notices, or in its manifest, or nobody by name.
    fn holders(&self, texts: &[String]) -> String {
        let mut lines: Vec<String> = texts
            .iter()
            .flat_map(|text| text.lines())
            .map(str::trim)
            .filter(|line| line.starts_with("Copyright") && line.contains(|c: char| c.is_ascii_digit()))
            .map(|line| line.trim_start_matches("Copyright").trim().to_owned())
            .collect();
        lines.dedup();
        if lines.is_empty() {
            lines.extend(self.authors.iter().cloned());
        }
        if lines.is_empty() {
            lines.push(format!("The authors of {}", self.name));
        }
        lines.join("\n ")
    }
}

/// The files of a crate's source that tell its licence, in order.
fn notices(dir: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            ["LICENSE", "LICENCE", "COPYING", "UNLICENSE", "NOTICE"]
                .iter()
                .any(|start| name.starts_with(start))
        })
        .collect();
    files.sort();
    Ok(files)
}

/// The crates from outside that are linked into a package's programs, by what cargo says it links.
fn linked(crates: &[&str]) -> Result<BTreeSet<Crate>, Box<dyn Error>> {
    let boot = crates == ["bootpick"];
    let dir = if boot { workspace().join("bootpick") } else { workspace() };
    let target = if boot { format!("{}-unknown-uefi", std::env::consts::ARCH) } else { target() };
    let mut tree = cargo();
    tree.current_dir(&dir).args(["tree", "--locked", "--edges=normal", "--prefix=none", "--no-dedupe"]);
    tree.args(["--format={p}", "--target", &target]);
    for name in crates {
        tree.args(["-p", name]);
    }
    let wanted: BTreeSet<(String, String)> =
        said(&mut tree)?.lines().filter(|line| !line.contains("(proc-macro)")).filter_map(named).collect();
    let mut metadata = cargo();
    metadata.current_dir(&dir).args(["metadata", "--locked", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&said(&mut metadata)?)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| package["source"].is_string())
        .map(|package| Crate {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: text(&package["license"]),
            dir: Path::new(&text(&package["manifest_path"])).parent().map(Path::to_owned).unwrap_or_default(),
            authors: package["authors"].as_array().into_iter().flatten().map(text).collect(),
        })
        .filter(|one| wanted.contains(&(one.name.clone(), one.version.clone())))
        .collect())
}

/// Name and version of a line of `cargo tree`.
fn named(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_owned(), version.to_owned()))
}

/// The C library of the static program.
fn musl() -> Result<String, Box<dyn Error>> {
    let path = "/usr/share/doc/musl/copyright";
    let text =
        fs::read_to_string(path).map_err(|error| format!("read {path}, of the package musl: {error}"))?;
    Ok(format!(
        "\nFiles: musl/*\nCopyright: 2005-2020 Rich Felker, et al.\nLicense: Expat\n{}",
        indented(text.trim())
    ))
}

/// As the text of a field: one space before, and a dot where a line is empty.
fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(str::trim_end)
        .map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_without_a_choice_comes_with_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let one = |licence: &str| Crate {
            name: "some".to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.to_owned(),
            dir: dir.path().to_owned(),
            authors: vec!["A. N. Author".to_owned()],
        };
        assert!(Notice::of(&one("ISC")).is_err(), "a notice that is missing may not be left out");
        let nobody = Crate { authors: Vec::new(), ..one("MIT") };
        assert!(Notice::of(&nobody).is_err(), "nor may the holders");
        let named = Notice::of(&one("MIT")).unwrap();
        assert!(named.text.contains("Permission is hereby granted") && named.holders == "A. N. Author");
        fs::write(dir.path().join("LICENSE-MIT"), "Copyright (c) 2020 Some One\n\nPermission is hereby\n")
            .unwrap();
        let notice = Notice::of(&one("MIT")).unwrap();
        assert_eq!(notice.holders, "(c) 2020 Some One");
        assert_eq!(indented(&notice.text), " Copyright (c) 2020 Some One\n .\n Permission is hereby\n");
        let chosen = Notice::of(&one("MIT OR Apache-2.0")).unwrap();
        assert_eq!((chosen.licence.as_str(), chosen.holders.as_str()), ("Apache-2.0", "A. N. Author"));
        assert_eq!(Notice::of(&one("Apache-2.0 AND MIT")).unwrap().licence, "Apache-2.0 and MIT");
    }
}

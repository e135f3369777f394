//! `updata` as a release engineer uses it.
//!
//! - `editing`: a manifest from nothing to paced, and back
//! - `refusing`: what it does not do, and that the file is then as it was
//! - `telling`: what it says of a manifest, for people and for programs
//! - `old_files`: that every manifest of earlier days is still read
//! - `vectors`: what other tools are known to answer, and what ours does

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they measured and what they skipped"
)]

mod editing;
mod old_files;
mod refusing;
mod telling;
mod vectors;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory with whatever files a test needs, and `updata` run in it.
struct Desk {
    dir: tempfile::TempDir,
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    /// An empty directory.
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("temporary directory") }
    }

    /// A directory with a manifest of two updates, 1.0.0 and 1.1.0.
    fn with_two_updates() -> Self {
        let desk = Self::new();
        desk.succeeds("init manifest.json");
        for version in ["1.0.0", "1.1.0"] {
            desk.succeeds(&format!(
                "add-update manifest.json -f demo -a x86_64 -v {version} -b b-{version} -r r-{version} -h h-{version}"
            ));
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("there")
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.read("manifest.json")).expect("JSON")
    }

    /// Runs `updata` with these words, which have no spaces in them.
    fn updata(&self, words: &str) -> Ran {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_updata"))
            .args(words.split_whitespace())
            .current_dir(self.dir.path())
            .output()
            .expect("updata runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn succeeds(&self, words: &str) -> Ran {
        let ran = self.updata(words);
        assert_eq!(ran.code, Some(0), "{words}: {}", ran.stderr);
        ran
    }

    /// Runs `updata`, which fails and leaves the directory as it was; gives back the sentence.
    fn refuses(&self, words: &str) -> Ran {
        let before = contents(self.dir.path());
        let ran = self.updata(words);
        assert_eq!(ran.code, Some(1), "{words}: {}", ran.stderr);
        assert_eq!(contents(self.dir.path()), before, "{words} changed something");
        ran
    }
}

fn contents(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut contents: Vec<_> = entries.map(|path| (path.clone(), std::fs::read(path).ok())).collect();
    contents.sort();
    contents
}

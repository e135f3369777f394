//! Building the fuzz targets, and running one of them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::report::{Row, Said};
use super::tools::nightly;

/// How long one input may take, in seconds, before it counts as a reader that never ends.
const PATIENCE: u32 = 10;
/// The same for an input that is tried once more. It is shorter, as libFuzzer looks at its clock now and then only.
const SECOND_PATIENCE: u32 = 5;
/// How much memory a target may take, in MiB.
const MEMORY: u32 = 2048;

/// Where the targets lie, and where what they make goes.
pub(crate) struct Place {
    sources: PathBuf,
    made: PathBuf,
}

impl Place {
    pub(crate) fn below(workspace: &Path) -> Self {
        Self { sources: workspace.join("fuzz"), made: workspace.join("target/fuzz") }
    }

    /// The names of all targets, sorted.
    pub(crate) fn targets(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let dir = self.sources.join("fuzz_targets");
        let entries = fs::read_dir(&dir).map_err(|error| format!("list {}: {error}", dir.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if let (Some(name), Some("rs")) =
                (path.file_stem(), path.extension().and_then(|end| end.to_str()))
            {
                names.push(name.to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Builds one target when only one is wanted, else all.
    pub(crate) fn build(&self, chosen: &[String]) -> Result<(), Box<dyn Error>> {
        let mut command = nightly("cargo");
        command.current_dir(&self.sources).args(["fuzz", "build"]);
        command.arg("--target-dir").arg(self.made.join("build"));
        if let [only] = chosen {
            command.arg(only);
        }
        let status = command.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("build the fuzz targets: cargo ended with {status}").into())
        }
    }

    /// Where a target's last words are.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.made.join("logs").join(name).join("last.log")
    }

    /// Runs a target that was built. What it says goes into a log.
    #[expect(clippy::disallowed_methods, reason = "how long a target runs is a wait, bounded by the caller")]
    pub(crate) fn run(&self, name: &str, seconds: u64) -> io::Result<Row> {
        let begun = Instant::now();
        let mut row = Row { name: name.to_owned(), said: Said::default(), findings: Vec::new() };
        let mut left = seconds;
        // A pass ends early only at something to look at, which may turn out to be nothing.
        while left > 0 && row.findings.is_empty() {
            let pass = self.pass(name, left)?;
            row = Row { said: row.said.and(pass.said), ..pass };
            left = seconds.saturating_sub(begun.elapsed().as_secs());
        }
        Ok(row)
    }

    fn pass(&self, name: &str, seconds: u64) -> io::Result<Row> {
        let dir = |kind: &str| -> io::Result<PathBuf> {
            let dir = self.made.join(kind).join(name);
            fs::create_dir_all(&dir)?;
            Ok(dir)
        };
        let (corpus, findings) = (dir("corpus")?, dir("findings")?);
        dir("logs")?;
        let log = self.log(name);
        let before = files(&findings)?;

        let mut command = self.target(name);
        // The first directory is the one that grows; the seeds stay as they are.
        command.arg(corpus).arg(self.sources.join("seeds").join(name)).arg("--");
        command.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        command.arg(format!("-timeout={PATIENCE}")).arg(format!("-rss_limit_mb={MEMORY}"));
        command.arg(format!("-artifact_prefix={}/", findings.display()));
        let dictionary = self.sources.join("dictionaries").join(format!("{name}.dict"));
        if dictionary.is_file() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        let out = File::create(&log)?;
        let status = command.stdout(out.try_clone()?).stderr(out).status()?;

        let said = Said::parse(&String::from_utf8_lossy(&fs::read(&log)?));
        let mut found = Vec::new();
        let made: Vec<_> = files(&findings)?.difference(&before).cloned().collect();
        for path in &made {
            if took_long(path) && self.is_quick(name, path, &findings)? {
                fs::remove_file(path)?;
            } else {
                found.push(path.display().to_string());
            }
        }
        if made.is_empty() && !status.success() {
            found.push(format!("it ended with {status}; see {}", log.display()));
        }
        if made.is_empty() && said.executions == 0 {
            found.push(format!("it executed nothing; see {}", log.display()));
        }
        Ok(Row { name: name.to_owned(), said, findings: found })
    }

    /// Whether an input that took too long is quick by itself: the clock that is asked is the one on the wall, and the
    /// machine may have had something better to do.
    fn is_quick(&self, name: &str, input: &Path, findings: &Path) -> io::Result<bool> {
        let mut command = self.target(name);
        command.arg(input).arg("--").arg(format!("-timeout={SECOND_PATIENCE}"));
        command.arg(format!("-artifact_prefix={}/", findings.display()));
        Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    }

    fn target(&self, name: &str) -> Command {
        let mut command = nightly("cargo");
        command.current_dir(&self.sources).args(["fuzz", "run", name]);
        command.arg("--target-dir").arg(self.made.join("build"));
        command
    }
}

/// Whether libFuzzer put an input there because of the time that it took.
fn took_long(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("timeout-") || name.starts_with("slow-unit-")
}

fn files(dir: &Path) -> io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_slow_gets_a_second_try() {
        for (name, slow) in
            [("timeout-472c", true), ("slow-unit-5295", true), ("crash-1", false), ("leak-fb", false)]
        {
            assert_eq!(took_long(&Path::new("/findings/timeout-").join(name)), slow, "{name}");
        }
    }
}

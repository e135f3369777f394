//! Building the fuzz targets, and running one of them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::report::{Row, Said};
use super::tools::nightly;

/// How long one input may take, in seconds on the wall, before it counts as a reader that never ends. Inputs take
/// milliseconds; the rest is for a machine that has something better to do than to fuzz.
const PATIENCE: u32 = 90;
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
    pub(crate) fn run(&self, name: &str, seconds: u64) -> io::Result<Row> {
        let dir = |kind: &str| -> io::Result<PathBuf> {
            let dir = self.made.join(kind).join(name);
            fs::create_dir_all(&dir)?;
            Ok(dir)
        };
        let (corpus, findings) = (dir("corpus")?, dir("findings")?);
        dir("logs")?;
        let log = self.log(name);
        let before = files(&findings)?;

        let mut command = nightly("cargo");
        command.current_dir(&self.sources).args(["fuzz", "run", name]);
        command.arg("--target-dir").arg(self.made.join("build"));
        // The first directory is the one that grows; the seeds stay as they are.
        command.arg(corpus).arg(self.sources.join("seeds").join(name)).arg("--");
        command.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        command.arg(format!("-timeout={PATIENCE}")).arg(format!("-rss_limit_mb={MEMORY}"));
        // A scope waits for the results of its threads, which may be about to free their last bytes then; that is seen as
        // a leak now and then, and it is the only kind that safe code makes.
        command.arg("-detect_leaks=0");
        command.arg(format!("-artifact_prefix={}/", findings.display()));
        let dictionary = self.sources.join("dictionaries").join(format!("{name}.dict"));
        if dictionary.is_file() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        let out = File::create(&log)?;
        let status = command.stdout(out.try_clone()?).stderr(out).status()?;

        let said = Said::parse(&String::from_utf8_lossy(&fs::read(&log)?));
        let mut found: Vec<String> =
            files(&findings)?.difference(&before).map(|path| path.display().to_string()).collect();
        if found.is_empty() && !status.success() {
            found.push(format!("it ended with {status}; see {}", log.display()));
        }
        if found.is_empty() && said.executions == 0 {
            found.push(format!("it executed nothing; see {}", log.display()));
        }
        Ok(Row { name: name.to_owned(), said, findings: found })
    }
}

fn files(dir: &Path) -> io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
}

//! A control group of our own, with a limit of memory: what lies in memory file systems counts in it, and what the
//! kernel keeps of files on a disk is dropped where the limit asks for it. A program that ends well in it needs no more.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where control groups are, newer kernels first, and what is called there the limit and the most that was taken.
const HIERARCHIES: [(&str, &str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max", "memory.peak"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
];

/// A group. It goes away with this value.
pub(super) struct Group {
    dir: PathBuf,
    peak: &'static str,
}

impl Group {
    /// Makes one; that takes root.
    pub(super) fn make(limit: u64) -> Result<Self, Box<dyn Error>> {
        let (root, file, peak) = HIERARCHIES
            .into_iter()
            .find(|(root, ..)| Path::new(root).join("cgroup.procs").exists())
            .ok_or("this machine has no memory control groups")?;
        let dir = Path::new(root).join(format!("bench-migrate-{}", std::process::id()));
        fs::create_dir(&dir).map_err(|error| format!("make the control group {}: {error}", dir.display()))?;
        let group = Self { dir, peak };
        let limited = group.dir.join(file);
        fs::write(&limited, limit.to_string())
            .map_err(|error| format!("set {}: {error}", limited.display()))?;
        Ok(group)
    }

    /// The most bytes that everything in it took at one time, with what the kernel keeps of files; `None` where the kernel
    /// does not tell.
    pub(super) fn peak(&self) -> Option<u64> {
        fs::read_to_string(self.dir.join(self.peak)).ok()?.trim().parse().ok()
    }

    /// A program that runs in it.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        let join = "echo $$ > \"$1\" && shift && exec \"$@\"";
        command.args(["-c", join, "sh"]).arg(self.dir.join("cgroup.procs")).arg(program);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.dir) {
            eprintln!("{} stays: {error}", self.dir.display());
        }
    }
}

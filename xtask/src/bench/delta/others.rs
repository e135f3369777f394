//! What other tools would fetch for the same images. They know both images when they make what is fetched, except for
//! casync, which like us lets a host find out.

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bench::images::catalog::Paths;
use crate::bench::measure::{Spent, measured};
use crate::bench::tools::command;

/// What a tool made of BOOT and of ROOT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Other {
    pub(super) tool: String,
    pub(super) boot: u64,
    pub(super) root: u64,
    /// What making it for ROOT took.
    pub(super) making: Spent,
}

/// Chunks of a store, with their lengths.
type Chunks = Vec<(String, u64)>;

/// One way to make a file, as a shell script over `$1` (old), `$2` (new) and `$3` (what is fetched).
struct Way {
    tool: &'static str,
    script: &'static str,
}

/// The tool that does not fit a script.
const CASYNC: &str = "casync, old image as seed";

const WAYS: [Way; 4] = [
    Way { tool: "zstd -9, whole", script: "zstd -q -9 -T0 -f \"$2\" -o \"$3\"" },
    Way {
        tool: "zstd -9 --patch-from",
        script: "zstd -q -9 -T0 -f --long=31 --patch-from=\"$1\" \"$2\" -o \"$3\"",
    },
    Way {
        tool: "zstd -19 --patch-from",
        script: "zstd -q -19 -T0 -f --long=31 --patch-from=\"$1\" \"$2\" -o \"$3\"",
    },
    Way { tool: "xdelta3 -9", script: "xdelta3 -e -f -9 -B 536870912 -s \"$1\" \"$2\" \"$3\"" },
];

/// The names of all tools.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    WAYS.iter().map(|way| way.tool).chain([CASYNC])
}

/// What the tools make of it whose names `wanted` takes. What lies in `dir` from before was made of the same images if
/// these are as old, and is not made again.
pub(super) fn all(
    old: &Paths,
    new: &Paths,
    dir: &Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Other>, Box<dyn Error>> {
    let (kept, stamp) = (dir.join("others.json"), format!("{} {}", old.stamp()?, new.stamp()?));
    let mut known = from_before(&kept, &stamp).unwrap_or_default();
    fs::create_dir_all(dir)?;
    let mut others = Vec::new();
    for tool in names().filter(|tool| wanted(tool)) {
        if let Some(other) = known.iter().find(|other| other.tool == tool) {
            others.push(other.clone());
            continue;
        }
        eprintln!("  {tool} …");
        let ((boot, _), (root, making)) = match WAYS.iter().find(|way| way.tool == tool) {
            Some(way) => (way.make(&old.boot, &new.boot, dir)?, way.make(&old.root, &new.root, dir)?),
            None => (casync(&old.boot, &new.boot, dir)?, casync(&old.root, &new.root, dir)?),
        };
        known.push(Other { tool: tool.to_owned(), boot, root, making });
        fs::write(&kept, serde_json::to_string(&(&stamp, &known))?)?;
        others.extend(known.last().cloned());
    }
    Ok(others)
}

impl Way {
    fn make(&self, old: &Path, new: &Path, dir: &Path) -> Result<(u64, Spent), Box<dyn Error>> {
        let out = dir.join("out");
        let (_, spent) =
            measured(command("sh").args(["-ec", self.script, "sh"]).arg(old).arg(new).arg(&out))?;
        let bytes = fs::metadata(&out)?.len();
        fs::remove_file(out)?;
        Ok((bytes, spent))
    }
}

fn from_before(kept: &Path, stamp: &str) -> Option<Vec<Other>> {
    let (of, others) = serde_json::from_str::<(String, Vec<Other>)>(&fs::read_to_string(kept).ok()?).ok()?;
    (of == stamp).then_some(others)
}

/// The index of the new image and all chunks that the old one has not, as they lie in a store.
fn casync(old: &Path, new: &Path, dir: &Path) -> Result<(u64, Spent), Box<dyn Error>> {
    let chunk = |image: &Path, name: &str| -> Result<(Chunks, u64, Spent), Box<dyn Error>> {
        let (store, index) = (dir.join(format!("{name}.castr")), dir.join(format!("{name}.caibx")));
        let (_, spent) = measured(
            command("casync").arg("make").arg(format!("--store={}", store.display())).arg(&index).arg(image),
        )?;
        let chunks = chunks(&store)?;
        let bytes = fs::metadata(&index)?.len();
        fs::remove_dir_all(store)?;
        fs::remove_file(index)?;
        Ok((chunks, bytes, spent))
    };
    let (known, _, _) = chunk(old, "old")?;
    let (wanted, index, spent) = chunk(new, "new")?;
    Ok((index + fetched(&known, &wanted), spent))
}

/// The chunks of a store: names and lengths.
fn chunks(store: &Path) -> Result<Chunks, Box<dyn Error>> {
    let mut chunks = Vec::new();
    for folder in fs::read_dir(store)? {
        let folder = folder?;
        if folder.file_type()?.is_dir() {
            for chunk in fs::read_dir(folder.path())? {
                let chunk = chunk?;
                chunks.push((chunk.file_name().to_string_lossy().into_owned(), chunk.metadata()?.len()));
            }
        }
    }
    Ok(chunks)
}

/// The bytes of all chunks that are not known.
fn fetched(known: &[(String, u64)], wanted: &[(String, u64)]) -> u64 {
    let known: HashSet<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    wanted.iter().filter(|(name, _)| !known.contains(name.as_str())).map(|(_, bytes)| bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chunks_that_are_not_known_are_fetched() {
        let chunk = |name: &str, bytes| (name.to_owned(), bytes);
        let (known, wanted) = ([chunk("a", 1), chunk("b", 2)], [chunk("b", 2), chunk("c", 4), chunk("d", 8)]);
        assert_eq!(fetched(&known, &wanted), 12);
        assert_eq!(fetched(&known, &known), 0);
    }

    #[test]
    fn a_store_is_read_folder_by_folder() {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(dir.path().join("00ab")).expect("made");
        fs::write(dir.path().join("00ab/00ab12.cacnk"), b"12345").expect("written");
        assert_eq!(chunks(dir.path()).expect("read"), [("00ab12.cacnk".to_owned(), 5)]);
    }
}

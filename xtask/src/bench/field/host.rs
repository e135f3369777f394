//! A disk with the old release, and what `updog` reads of a host. Both are files, so no root is needed; root may have the
//! disk as a block device.

use std::error::Error;
use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use host_io::Paths;
use serde_json::Value;

use super::loops::{LoopDisk, Place};
use super::repository::{OLD, Repository};
use super::web::Web;
use crate::bench::images::catalog;
use crate::bench::tools::{command, said, shipped};

const MIB: u64 = 1 << 20;

/// What runs on the host before the update.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Running<'a> {
    /// An old release, whose blocks can be copied.
    Release(&'a catalog::Paths),
    /// Nothing that has anything in common with the new one.
    Nothing,
}

/// A host that is off.
pub(crate) struct Host {
    dir: PathBuf,
    /// The disk as it is before each run.
    pristine: PathBuf,
    /// Where BOOT, ROOT and HASH of set B begin.
    pub(crate) places: [u64; 3],
    partitions: Vec<Place>,
}

/// What a host sees of the machine when its disk is a device.
const MACHINE: [&str; 2] = ["sys", "dev"];

impl Host {
    /// Makes a host in `dir` that asks `web` for what `repository` has. `new` is the release that has to fit.
    pub(crate) fn make(
        dir: &Path,
        running: Running<'_>,
        new: &catalog::Paths,
        repository: &Repository,
        web: &Web,
    ) -> Result<Self, Box<dyn Error>> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        fs::create_dir_all(dir)?;
        let pristine = dir.join("pristine.img");
        let lengths =
            [&new.boot, &new.root, &new.hash].map(|image| fs::metadata(image).map(|about| about.len()));
        let [boot, root, hash] = lengths;
        let layout = layout([boot?, root?, hash?]);
        fs::write(dir.join("layout.toml"), &layout.text)?;
        let made = said(
            command(&shipped("signpost").to_string_lossy())
                .arg("--disk")
                .arg(&pristine)
                .args(["create", "--json", "--factory", "--size", &format!("{}M", layout.mib), "--layout"])
                .arg(dir.join("layout.toml")),
        )?;
        let table = Partitions::parse(&made).ok_or("read what signpost says")?;
        if let Running::Release(images) = running {
            for (role, image) in [("BOOT", &images.boot), ("ROOT", &images.root), ("HASH", &images.hash)] {
                let mut disk = File::options().write(true).open(&pristine)?;
                disk.seek(SeekFrom::Start(table.start(&format!("{role}-A"))?))?;
                std::io::copy(&mut File::open(image)?, &mut disk)?;
            }
        }
        let places = [table.start("BOOT-B")?, table.start("ROOT-B")?, table.start("HASH-B")?];
        let partitions = table.places().ok_or("read where the partitions are")?;
        let host = Self { dir: dir.to_owned(), pristine, places, partitions };
        host.describe(repository, web, &table.guid("BOOT-A")?)?;
        Ok(host)
    }

    fn describe(&self, repository: &Repository, web: &Web, boot: &str) -> Result<(), Box<dyn Error>> {
        let paths = Paths::under(self.dir.join("host"));
        for (path, bytes) in [
            (
                paths.os_release(),
                format!("VARIANT_ID={}\nVERSION_ID={OLD}\n", repository.variant()).into_bytes(),
            ),
            (paths.trusted_root(), fs::read(repository.trusted_root())?),
            (paths.kernel_command_line(), format!("signpost.boot=PARTUUID={boot}\n").into_bytes()),
        ] {
            fs::create_dir_all(path.parent().expect("a file lies in a directory"))?;
            fs::write(path, bytes)?;
        }
        self.fetch_from(&web.url(&repository.metadata()), &web.url("targets/"))
    }

    /// Where it looks for metadata and for targets from now on.
    pub(crate) fn fetch_from(&self, metadata: &str, targets: &str) -> Result<(), Box<dyn Error>> {
        let config = format!(
            "metadata_base_url = {metadata:?}\ntargets_base_url = {targets:?}\nseed = 7\nversion_lock = \"latest\"\n\
             ignore_waves = true\n"
        );
        let path = Paths::under(self.dir.join("host")).updog_config();
        fs::create_dir_all(path.parent().expect("a file lies in a directory"))?;
        Ok(fs::write(path, config)?)
    }

    /// The disk that runs are made on.
    pub(crate) fn disk(&self) -> PathBuf {
        self.dir.join("disk.img")
    }

    /// As before the first run: the disk, which is a file, and nothing remembered.
    pub(crate) fn reset(&self) -> Result<(), Box<dyn Error>> {
        let _not_there_at_first = fs::remove_dir_all(self.dir.join("host/var"));
        for link in MACHINE {
            let _only_after_a_device = fs::remove_file(self.dir.join("host").join(link));
        }
        self.stand_on(&self.disk())?;
        // A partition has no holes, which would be quick to read and slow to write.
        said(command("cp").args(["--sparse=never", "--reflink=never"]).arg(&self.pristine).arg(self.disk()))?;
        said(&mut command("sync"))?;
        Ok(())
    }

    /// Why its disk cannot be a device, if so.
    pub(crate) fn no_device(&self) -> Option<Box<dyn Error>> {
        LoopDisk::over(&self.pristine, &self.partitions).err()
    }

    /// Its disk is a device from now on, for as long as what this gives lives.
    pub(crate) fn attach(&self) -> Result<LoopDisk, Box<dyn Error>> {
        let disk = LoopDisk::over(&self.disk(), &self.partitions)?;
        for link in MACHINE {
            symlink(Path::new("/").join(link), self.dir.join("host").join(link))?;
        }
        self.stand_on(disk.node())?;
        Ok(disk)
    }

    /// Names its disk.
    fn stand_on(&self, disk: &Path) -> Result<(), Box<dyn Error>> {
        let config = Paths::under(self.dir.join("host")).signpost_config();
        Ok(fs::write(config, format!("disk = {disk:?}\n"))?)
    }

    /// A call of `updog` on it.
    pub(crate) fn updog(&self, args: &[&str]) -> Command {
        let mut updog = Command::new(shipped("updog"));
        updog.env_clear().arg("--root").arg(self.dir.join("host")).args(["--log-level", "error"]).args(args);
        updog
    }

    /// The evidence of the newest run.
    pub(crate) fn evidence(&self) -> Result<Value, Box<dyn Error>> {
        let told = said(&mut self.updog(&["history", "--json"]))?;
        let all: Value = serde_json::from_str(&told)?;
        Ok(all[0].clone())
    }
}

/// A layout file, and how large a disk for it is.
struct LayoutFile {
    text: String,
    mib: u64,
}

/// Two sets that images of these lengths fit into.
fn layout(lengths: [u64; 3]) -> LayoutFile {
    // A host keeps its own things on a partition of their own; nothing of it is wanted here but its place.
    let mut text =
        "[[partition]]\ntype = \"private\"\nlabel = \"BENCH-PRIVATE\"\nsize = \"8 MiB\"\n\n".to_owned();
    let mut mib = 4 + 8;
    for set in ["A", "B"] {
        for (role, length) in ["boot", "root", "hash"].into_iter().zip(lengths) {
            let size = length.div_ceil(MIB) + 1;
            mib += size;
            let label = format!("BENCH-{}-{set}", role.to_uppercase());
            text +=
                &format!("[[partition]]\ntype = \"{role}\"\nlabel = \"{label}\"\nsize = \"{size} MiB\"\n\n");
        }
    }
    LayoutFile { text, mib }
}

/// The partitions that `signpost create --json` made.
struct Partitions(Vec<Value>);

impl Partitions {
    fn parse(made: &str) -> Option<Self> {
        let made: Value = serde_json::from_str(made).ok()?;
        Some(Self(made["disk"]["partitions"].as_array()?.clone()))
    }

    /// The partition whose label ends with `which`.
    fn find(&self, which: &str) -> Result<&Value, Box<dyn Error>> {
        let ends =
            |partition: &&Value| partition["label"].as_str().is_some_and(|label| label.ends_with(which));
        self.0.iter().find(ends).ok_or_else(|| format!("find the partition {which}").into())
    }

    /// Where all of them are.
    fn places(&self) -> Option<Vec<Place>> {
        let one = |partition: &Value| {
            let count = |name: &str| partition[name].as_u64();
            Some(Place { number: count("number")?, start: count("start")?, len: count("len")? })
        };
        self.0.iter().map(one).collect()
    }

    fn start(&self, which: &str) -> Result<u64, Box<dyn Error>> {
        self.find(which)?["start"].as_u64().ok_or_else(|| format!("find the start of {which}").into())
    }

    fn guid(&self, which: &str) -> Result<String, Box<dyn Error>> {
        Ok(self.find(which)?["guid"].as_str().unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_has_two_sets_with_room_for_the_images() {
        let file = layout([MIB, 10 * MIB + 1, 1]);
        assert_eq!(file.mib, 4 + 8 + 2 * (2 + 12 + 2));
        assert_eq!(file.text.matches("[[partition]]").count(), 7);
        assert!(file.text.contains("label = \"BENCH-ROOT-B\"\nsize = \"12 MiB\""), "{}", file.text);
    }

    #[test]
    fn partitions_are_found_by_the_end_of_their_label() {
        let made = r#"{"disk": {"partitions": [{"label": "BENCH-BOOT-A", "number": 2, "start": 1048576, "len": 512, "guid": "x"}]}}"#;
        let table = Partitions::parse(made).expect("partitions");
        assert_eq!(table.places(), Some(vec![Place { number: 2, start: MIB, len: 512 }]));
        assert_eq!(
            (table.start("BOOT-A").expect("there"), &*table.guid("BOOT-A").expect("there")),
            (MIB, "x")
        );
        assert!(table.start("BOOT-B").is_err());
    }
}

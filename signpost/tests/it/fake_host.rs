//! A host that is made of files: a `sys` tree below a directory, with disk images in place of nodes. `/` of such a host is
//! the directory itself, so its device number is the one that the tree describes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::cli::{Ran, signpost};
use crate::disks::Image;

/// A host that is made of files. Its devices have majors from 700 on: nobody has those, so they never meet the number that
/// `/` has on the machine that runs the tests.
pub(crate) struct FakeHost {
    dir: tempfile::TempDir,
}

impl FakeHost {
    pub(crate) fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(host.at("sys/dev/block")).unwrap();
        fs::create_dir_all(host.at("sys/block")).unwrap();
        host
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes a link in the tree, as the kernel has them.
    pub(crate) fn link(&self, path: &str, to: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, path).unwrap();
    }

    /// Describes a device in `sys/devices/PLACE`, with the links by which the kernel leads to it.
    pub(crate) fn device(&self, place: &str, number: &str, whole: bool) {
        self.write(&format!("sys/devices/{place}/dev"), &format!("{number}\n"));
        fs::create_dir_all(self.at(&format!("sys/devices/{place}/slaves"))).unwrap();
        symlink(format!("../../devices/{place}"), self.at(&format!("sys/dev/block/{number}"))).unwrap();
        if whole {
            let name = Path::new(place).file_name().unwrap().to_str().unwrap();
            symlink(format!("../devices/{place}"), self.at(&format!("sys/block/{name}"))).unwrap();
        }
    }

    /// Attaches an image as the disk `name`, with the partitions that its table has.
    pub(crate) fn disk(&self, name: &str, major: u32, image: &Image) {
        self.device(name, &format!("{major}:0"), true);
        let node = self.at("dev").join(name.replace('!', "/"));
        fs::create_dir_all(node.parent().unwrap()).unwrap();
        fs::copy(&image.path, node).unwrap();
        for (number, entry) in image.gptman().iter().filter(|(_, entry)| entry.is_used()) {
            let inside = if name.ends_with(char::is_numeric) {
                format!("{name}p{number}")
            } else {
                format!("{name}{number}")
            };
            // A minor above 255: the number's two parts are spread over the bits of what stat tells.
            self.device(&format!("{name}/{inside}"), &format!("{major}:{}", 300 + number), false);
            self.write(&format!("sys/devices/{name}/{inside}/partition"), &format!("{number}\n"));
            self.write(&format!("sys/devices/{name}/{inside}/start"), &format!("{}\n", entry.starting_lba));
            self.write(&format!("sys/devices/{name}/{inside}/size"), &format!("{}\n", entry.size().unwrap()));
        }
    }

    /// A mapped device that stands on others.
    pub(crate) fn mapped(&self, name: &str, number: &str, on: &[&str]) {
        self.device(name, number, true);
        for below in on {
            let inside = Path::new(below).file_name().unwrap().to_str().unwrap();
            symlink(format!("../../{below}"), self.at(&format!("sys/devices/{name}/slaves/{inside}")))
                .unwrap();
            let holders = self.at(&format!("sys/devices/{below}/holders"));
            fs::create_dir_all(&holders).unwrap();
            // The kernel's links lead up from where they are; how far is not what is tested.
            symlink(self.at(&format!("sys/devices/{name}")), holders.join(name)).unwrap();
        }
    }

    /// Attaches an image through two paths, as one multipath disk `dm-0` with a mapping `dm-N` for each partition `N`.
    pub(crate) fn multipath(&self, image: &Image) {
        self.disk("sda", 710, image);
        self.disk("sdb", 711, image);
        self.mapped("dm-0", "712:0", &["sda", "sdb"]);
        self.write("sys/devices/dm-0/dm/uuid", "mpath-3600508b4\n");
        fs::copy(&image.path, self.at("dev/dm-0")).unwrap();
        for (number, entry) in image.gptman().iter().filter(|(_, entry)| entry.is_used()) {
            let name = format!("dm-{number}");
            self.mapped(&name, &format!("712:{number}"), &["dm-0"]);
            self.write(&format!("sys/devices/{name}/dm/uuid"), &format!("part{number}-mpath-3600508b4\n"));
            self.write(&format!("sys/devices/{name}/size"), &format!("{}\n", entry.size().unwrap()));
        }
    }

    /// Makes `/` be a device that is there already.
    pub(crate) fn root_is(&self, place: &str) {
        let number = self.root_number();
        self.write(&format!("sys/devices/{place}/dev"), &format!("{number}\n"));
        symlink(format!("../../devices/{place}"), self.at(&format!("sys/dev/block/{number}"))).unwrap();
    }

    /// The device number of `/`, as this machine really has it.
    pub(crate) fn root_number(&self) -> String {
        let dev = fs::metadata(self.dir.path()).unwrap().dev();
        format!("{}:{}", rustix::fs::major(dev), rustix::fs::minor(dev))
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        signpost(&[&["--root", self.dir.path().to_str().unwrap()], args].concat())
    }
}

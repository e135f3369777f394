//! The files of a root image, read out of its file system: squashfs (stored as it is, or packed with gzip, zstd or lz4),
//! erofs (stored as it is, or packed with lz4) and ext4. Of anything else nothing can be told here.
//!
//! - `erofs`: what the library for that leaves to do

mod erofs;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use backhand::{FilesystemReader, InnerNode};
use ext4_view::Ext4;

use self::erofs::Erofs;

/// How many links are followed on the way to one file.
const LINKS: usize = 32;

/// A root image whose files can be read.
pub(crate) enum RootFiles {
    Squashfs { image: Box<FilesystemReader<'static>>, links: BTreeMap<PathBuf, PathBuf> },
    Erofs(Box<Erofs>),
    Ext4(Box<Ext4>),
}

impl RootFiles {
    /// Opens the image at `path`; `None` where it has no file system that is known by its beginning.
    ///
    /// # Errors
    /// When it has one that cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut file = File::open(path).map_err(failed)?;
        let mut start = Vec::new();
        file.by_ref().take(2048).read_to_end(&mut start).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        if start.starts_with(b"hsqs") {
            let image =
                FilesystemReader::from_reader(BufReader::new(file)).map_err(|error| error.to_string())?;
            let link = |node: &backhand::Node<backhand::SquashfsFileReader>| match &node.inner {
                InnerNode::Symlink(link) => Some((node.fullpath.clone(), link.link.clone())),
                _ => None,
            };
            let links = image.files().filter_map(link).collect();
            return Ok(Some(Self::Squashfs { image: Box::new(image), links }));
        }
        // The superblock begins at 1024, and its magic number is at 56.
        if start.get(1080..1082) == Some(&[0x53, 0xef]) {
            let image = Ext4::load_from_path(path).map_err(|error| error.to_string())?;
            return Ok(Some(Self::Ext4(Box::new(image))));
        }
        if start.get(1024..1028) == Some(&[0xe2, 0xe1, 0xf5, 0xe0]) {
            let image = Erofs::open(file).map_err(|error| format!("its erofs cannot be read: {error}"))?;
            return Ok(Some(Self::Erofs(Box::new(image))));
        }
        Ok(None)
    }

    /// Whether there is something at `path`, links followed.
    pub(crate) fn has(&self, path: &Path) -> bool {
        match self {
            Self::Squashfs { image, links } => {
                resolved(path, links).is_some_and(|path| image.files().any(|node| node.fullpath == path))
            }
            Self::Erofs(image) => resolved(path, &image.links).is_some_and(|path| image.has(&path)),
            Self::Ext4(image) => path.to_str().is_some_and(|path| image.exists(path).unwrap_or(false)),
        }
    }

    /// The beginning of the file at `path`, up to `limit` bytes; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Squashfs { image, links } => {
                let Some(path) = resolved(path, links) else { return Ok(None) };
                let node = image.files().find(|node| node.fullpath == path);
                let Some(InnerNode::File(found)) = node.map(|node| &node.inner) else { return Ok(None) };
                let mut bytes = Vec::new();
                let mut reader = image.file(found).reader().take(limit);
                reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
                Ok(Some(bytes))
            }
            Self::Erofs(image) => {
                let Some(path) = resolved(path, &image.links) else { return Ok(None) };
                image.read(&path, limit).map_err(|error| error.to_string())
            }
            Self::Ext4(image) => {
                let Some(path) = path.to_str() else { return Ok(None) };
                if !image.metadata(path).is_ok_and(|found| found.len() <= limit) {
                    return Ok(None);
                }
                image.read(path).map(Some).map_err(|error| error.to_string())
            }
        }
    }

    /// The names in the directory at `path`; none where there is no such directory.
    pub(crate) fn list(&self, path: &Path) -> Vec<String> {
        match self {
            Self::Squashfs { image, links } => {
                let Some(path) = resolved(path, links) else { return Vec::new() };
                let names = image.files().filter(|node| node.fullpath.parent() == Some(&*path));
                names.filter_map(|node| Some(node.fullpath.file_name()?.to_str()?.to_owned())).collect()
            }
            Self::Erofs(image) => {
                resolved(path, &image.links).map(|path| image.list(&path)).unwrap_or_default()
            }
            Self::Ext4(image) => {
                let entries = path.to_str().and_then(|path| image.read_dir(path).ok());
                let names = entries.into_iter().flatten().filter_map(Result::ok);
                names.filter_map(|entry| Some(entry.file_name().as_str().ok()?.to_owned())).collect()
            }
        }
    }
}

/// `path` with every link on the way followed, as a system whose root this is does.
fn resolved(path: &Path, links: &BTreeMap<PathBuf, PathBuf>) -> Option<PathBuf> {
    let mut todo: Vec<PathBuf> = vec![path.to_owned()];
    let mut at = PathBuf::from("/");
    let mut followed = 0;
    while let Some(rest) = todo.pop() {
        let mut parts = rest.components();
        let Some(part) = parts.next() else { continue };
        todo.push(parts.as_path().to_owned());
        match part {
            Component::RootDir | Component::Prefix(_) => at = PathBuf::from("/"),
            Component::CurDir => {}
            Component::ParentDir => drop(at.pop()),
            Component::Normal(name) => {
                let next = at.join(name);
                match links.get(&next) {
                    None => at = next,
                    Some(_) if followed == LINKS => return None,
                    Some(target) => {
                        followed += 1;
                        todo.push(target.clone());
                    }
                }
            }
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `testdata/roots/README.md` says.
    const MADE: [&str; 2] = ["2026-11-lz4hc.erofs", "2026-11-fragments.erofs"];

    fn made(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/roots").join(name)
    }

    #[test]
    fn what_an_erofs_holds_is_read_and_its_links_are_followed() {
        for name in MADE {
            let image = RootFiles::open(&made(name)).unwrap().unwrap();
            let text = |path: &str| {
                image.read(Path::new(path), 1 << 20).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
            };
            assert_eq!(
                text("/etc/os-release").as_deref(),
                Some("VARIANT_ID=metal\nVERSION_ID=1.0.0\n"),
                "{name}"
            );
            assert_eq!(text("/bin/sh").as_deref(), Some("a shell"), "{name}");
            let model = text("/usr/share/bottlerocket/settings.d/many.toml").unwrap();
            assert_eq!((model.len(), model.lines().count()), (24_400, 1200), "{name}");
            assert!(model.ends_with("key = \"settings.group-400.value\"\ntype = \"string\"\n"), "{name}");
            assert_eq!(image.list(Path::new("/usr/share/bottlerocket/settings.d")), ["many.toml"], "{name}");
            assert!(image.has(Path::new("/bin")) && !image.has(Path::new("/bin/bash")), "{name}");
            assert_eq!(text("/usr/lib"), None, "a directory is no file");
        }
    }

    #[test]
    fn an_erofs_that_is_damaged_is_told_and_nothing_panics() {
        for name in MADE {
            let whole = std::fs::read(made(name)).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("image");
            let look = |bytes: &[u8]| {
                std::fs::write(&path, bytes).unwrap();
                let image = RootFiles::open(&path)?;
                let Some(image) = image else { return Ok(None) };
                image.read(Path::new("/usr/share/bottlerocket/settings.d/many.toml"), 1 << 20)
            };
            let right = look(&whole).unwrap();
            assert!(right.is_some());
            for len in (2048..whole.len()).step_by(512) {
                let _told_or_not_needed = look(&whole[..len]);
            }
            // Every byte of the superblock and of what describes files, and some of what they hold.
            let first = whole.iter().skip(1152).position(|byte| *byte != 0).unwrap() + 1152;
            for at in (1028..1152).chain(first..first + 600) {
                let mut bytes = whole.clone();
                for value in [0, 1, 0x7f, 0xff] {
                    bytes[at] = value;
                    let _told_or_not_needed = look(&bytes);
                }
            }
            let error = look(&[&whole[..1028], &[0xff; 1020][..]].concat()).unwrap_err();
            assert!(error.starts_with("its erofs cannot be read: "), "{error}");
        }
    }

    #[test]
    fn links_are_followed_as_on_the_host() {
        let links: BTreeMap<PathBuf, PathBuf> = [
            ("/lib64", "usr/lib64"),
            ("/usr/lib64", "lib"),
            ("/usr/lib/libc.so.6", "../../opt/./libc-2.39.so"),
            ("/etc/os-release", "/usr/lib/os-release"),
            ("/round", "/round"),
        ]
        .map(|(link, target)| (link.into(), target.into()))
        .into();
        let to = |path: &str| resolved(Path::new(path), &links).map(|path| path.display().to_string());
        assert_eq!(to("/lib64/ld.so").as_deref(), Some("/usr/lib/ld.so"));
        assert_eq!(to("/lib64/libc.so.6").as_deref(), Some("/opt/libc-2.39.so"));
        assert_eq!(to("/etc/os-release").as_deref(), Some("/usr/lib/os-release"));
        assert_eq!(to("/etc/../bin/sh").as_deref(), Some("/bin/sh"));
        assert_eq!(to("/round"), None);
    }
}

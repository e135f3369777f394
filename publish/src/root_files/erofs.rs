//! An erofs, read out of its file block by block: the image of a whole system is not held in memory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::future::Future;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use erofs_rs::Error;
use erofs_rs::r#async::EroFS;
use erofs_rs::backend::AsyncImage;
use erofs_rs::types::Inode;

/// Everything in an image that has a name.
pub(crate) struct Erofs {
    image: EroFS<ImageFile>,
    inodes: BTreeMap<PathBuf, Inode>,
    /// The links among them, and where they lead.
    pub(super) links: BTreeMap<PathBuf, PathBuf>,
}

/// How many names are read: directories that are entered by several names can make many more of few bytes.
const MOST_NAMES: usize = 1 << 20;

impl Erofs {
    /// Reads what has a name, and nothing of what it holds.
    ///
    /// # Errors
    /// When it is broken, or of a kind that is not read here.
    pub(super) fn open(file: File) -> Result<Self, Error> {
        at_once(async {
            let image = EroFS::new(ImageFile(file)).await?;
            let (mut inodes, mut links) = (BTreeMap::new(), BTreeMap::new());
            let mut entries = image.walk_dir("/").await?;
            while let Some(entry) = entries.next_entry().await {
                let entry = entry?;
                let path = path_of(entry.dir_entry.path().as_bytes());
                if entry.inode.is_symlink() {
                    let target = image.read_link_inode(entry.inode).await?;
                    links.insert(path.clone(), path_of(target.as_bytes()));
                }
                if inodes.len() >= MOST_NAMES {
                    return Err(Error::CorruptedData("more names than are read".to_owned()));
                }
                inodes.insert(path, entry.inode);
            }
            drop(entries);
            Ok(Self { image, inodes, links })
        })
    }

    /// Whether there is something at `path`; no link is followed.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.inodes.contains_key(path)
    }

    /// The beginning of the file at `path`, up to `limit` bytes; `None` where there is no file.
    ///
    /// # Errors
    /// When it cannot be read, or is packed in a way that is not known here.
    pub(super) fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(inode) = self.inodes.get(path).filter(|inode| inode.is_file()) else { return Ok(None) };
        at_once(async {
            let mut file = self.image.open_inode_file(*inode)?;
            let most = usize::try_from(limit.min(file.size())).unwrap_or(usize::MAX);
            let mut bytes = vec![0; most];
            let mut filled = 0;
            while filled < most {
                match file.read(&mut bytes[filled..]).await? {
                    0 => return Err(Error::CorruptedData("a file ends before its size".to_owned())),
                    count => filled += count,
                }
            }
            Ok(Some(bytes))
        })
    }

    /// The names in the directory at `path`.
    pub(super) fn list(&self, path: &Path) -> Vec<String> {
        let names = self.inodes.keys().filter(|found| found.parent() == Some(path));
        names.filter_map(|found| Some(found.file_name()?.to_str()?.to_owned())).collect()
    }
}

/// An image in a file. The library reads either from memory or through an interface for those who wait; a file is read
/// without.
#[derive(Debug)]
struct ImageFile(File);

impl AsyncImage for ImageFile {
    async fn read_exact_at(&self, into: &mut [u8], offset: u64) -> Result<(), Error> {
        self.0
            .read_exact_at(into, offset)
            .map_err(|error| Error::OutOfBounds(format!("{} bytes at {offset}: {error}", into.len())))
    }
}

/// What comes of work that waits for nothing.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("a file is read without waiting"),
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

//! Files on the persistent partition.
//!
//! The trait has exactly the operations that "new, synced, swapped" is made of, so that a recorder can write down every
//! one of them and a power cut can be placed between any two.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What lies at a path; links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device node, a socket, a pipe.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name alone.
    pub name: String,
    /// What it names.
    pub kind: Kind,
}

/// A file that is being written for the first time and that nobody can see as complete yet.
pub trait NewFile: Write + Send {
    /// Makes the content durable. Nothing may be renamed into place before this.
    ///
    /// # Errors
    /// When the medium refuses: the file must then be thrown away.
    fn sync(&mut self) -> io::Result<()>;
}

/// The operations on a file system that product code may use.
pub trait Fs: Send + Sync {
    /// The whole content of a file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// A file to be read as a stream.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// [`Fs::open`] from a byte on; at or beyond the end there is nothing to read.
    ///
    /// # Errors
    /// As the system says.
    fn open_at(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = self.open(path)?;
        io::copy(&mut (&mut file).take(offset), &mut io::sink())?;
        Ok(file)
    }

    /// What lies at `path`, without following a link; `None` when there is nothing.
    ///
    /// # Errors
    /// As the system says, a missing path excepted.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;

    /// The names in a directory, sorted; names that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// A directory to read in, of which many files are wanted: from here on down the kernel neither looks for the names
    /// above again nor follows a link, also where somebody changes names meanwhile. That holds for the system's own files;
    /// an `Fs` that does not say how it holds one looks each time by the whole path.
    ///
    /// # Errors
    /// As the system says; also when something else lies there, a link among it.
    fn hold(&self, dir: &Path) -> io::Result<Box<dyn HeldDir + '_>> {
        ByPath::hold(self, dir.to_owned())
    }

    /// Where a link points, as it is written.
    ///
    /// # Errors
    /// As the system says.
    fn read_link(&self, link: &Path) -> io::Result<PathBuf>;

    /// Creates a file that must not exist yet.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile>>;

    /// Creates one directory that must not exist yet.
    ///
    /// # Errors
    /// As the system says.
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Creates a link that must not exist yet.
    ///
    /// # Errors
    /// As the system says.
    fn make_link(&self, target: &Path, link: &Path) -> io::Result<()>;

    /// Moves a name over another one, in one step.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file or a link.
    ///
    /// # Errors
    /// As the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and all that is below it.
    ///
    /// # Errors
    /// As the system says.
    fn remove_tree(&self, dir: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As the system says.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes everything durable that was written so far to the file system that holds `dir`, whoever wrote it. For many
    /// changes at once: it costs one wait where each file would cost one.
    ///
    /// # Errors
    /// As the system says.
    fn sync_all(&self, dir: &Path) -> io::Result<()>;

    /// The content of a regular file that somebody else may have put there to harm us: no link is followed at the end of
    /// the path, a pipe or a device is not waited for, and no more than `limit` bytes are read.
    ///
    /// # Errors
    /// As the system says; also when it is no regular file, or longer than `limit`.
    fn read_regular(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Bytes that may still be written by us to the file system that holds `path`.
    ///
    /// # Errors
    /// As the system says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Files and directories that may still be made there: a full table of inodes stops a writer as want of bytes does.
    ///
    /// # Errors
    /// As the system says.
    fn free_files(&self, path: &Path) -> io::Result<u64> {
        let _no_table_of_them = path;
        Ok(u64::MAX)
    }
}

/// A directory that is held: whatever becomes of the names above it, this one is meant. What it names is reached without
/// following a link.
pub trait HeldDir: Send + Sync {
    /// The names in it, as [`Fs::list`] tells them.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self) -> io::Result<Vec<Entry>>;

    /// The content of a regular file in it, as [`Fs::read_regular`] reads one.
    ///
    /// # Errors
    /// As there.
    fn read_regular(&self, name: &str, limit: u64) -> io::Result<Vec<u8>>;

    /// A directory in it.
    ///
    /// # Errors
    /// As the system says; also when it is something else.
    fn hold(&self, name: &str) -> io::Result<Box<dyn HeldDir + '_>>;
}

/// A directory by its path alone, for file systems in which nobody else does anything meanwhile.
struct ByPath<'a, F: ?Sized> {
    fs: &'a F,
    dir: PathBuf,
}

impl<'a, F: Fs + ?Sized> ByPath<'a, F> {
    fn hold(fs: &'a F, dir: PathBuf) -> io::Result<Box<dyn HeldDir + 'a>> {
        match fs.kind(&dir)? {
            Some(Kind::Directory) => Ok(Box::new(Self { fs, dir })),
            Some(_) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl<F: Fs + ?Sized> HeldDir for ByPath<'_, F> {
    fn list(&self) -> io::Result<Vec<Entry>> {
        self.fs.list(&self.dir)
    }

    fn read_regular(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        self.fs.read_regular(&self.dir.join(name), limit)
    }

    fn hold(&self, name: &str) -> io::Result<Box<dyn HeldDir + '_>> {
        ByPath::hold(self.fs, self.dir.join(name))
    }
}

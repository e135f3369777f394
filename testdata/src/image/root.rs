//! ROOT: a squashfs with what the update stack reads from an image, and real files around it.
//!
//! Data is stored uncompressed and in path order, so that a file which two versions share lies at the same offset in
//! both images: what a new version changes or grows has names that sort last.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read};
use std::path::{Path, PathBuf};

use backhand::compression::{CompressionOptions, Compressor, Gzip};
use backhand::{FilesystemCompressor, FilesystemReader, FilesystemWriter, InnerNode, NodeHeader};

use super::content::{BLOCK, Change, Content, Texture};
use super::{Size, model};

/// What asks the simulated host to fail: the stand-in for a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Before the migrations.
    Early,
    /// When the migrations are through.
    AfterMigrations,
}

/// Where the marker lies in the root.
pub const MARKER: &str = "etc/simulated-panic";

impl Marker {
    /// The marker file's content.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::AfterMigrations => "after-migrations",
        }
    }

    /// The marker that a file's content names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Early, Self::AfterMigrations].into_iter().find(|marker| marker.as_str() == text.trim())
    }
}

/// What one root holds.
#[derive(Debug, Clone)]
pub struct Root<'a> {
    /// The version, which also decides what the changed files hold.
    pub version: &'a str,
    /// `usr/lib/os-release`.
    pub os_release: String,
    /// `usr/share/updog/root.json`.
    pub trusted_root: &'a [u8],
    /// `usr/share/bottlerocket/settings.toml`, beside what is shipped.
    pub settings_model: String,
    /// How much else.
    pub size: Size,
    /// Bytes on top of that, in one file; rounded up to whole blocks.
    pub ballast: u64,
    /// Whether, and when, a boot of it fails.
    pub marker: Option<Marker>,
}

/// Writes `root` as a squashfs to `path`, whose length is then a multiple of 4096. Only one block of data is held in
/// memory.
///
/// # Errors
/// When the file cannot be written.
pub fn write(root: &Root<'_>, path: &Path) -> io::Result<()> {
    let mut writer = FilesystemWriter::default();
    // Level 0 makes every block larger than it was, which is how squashfs comes to store it as it is. Its option
    // block would be refused by unsquashfs, and readers need none.
    let stored = CompressionOptions::Gzip(Gzip { compression_level: 0, window_size: 15, strategies: 0 });
    writer
        .set_compressor(FilesystemCompressor::new(Compressor::Gzip, Some(stored)).map_err(io::Error::other)?);
    writer.set_emit_compression_options(false);
    writer.set_no_duplicate_files(false);
    writer.set_kib_padding(4);
    writer.set_root_mode(0o755);
    let mut push = |name: &str, bytes: Box<dyn Read>| -> io::Result<()> {
        let dir = Path::new(name).parent().unwrap_or(Path::new(""));
        writer.push_dir_all(dir, header(0o755)).map_err(io::Error::other)?;
        writer.push_file(bytes, name, header(0o644)).map_err(io::Error::other)
    };
    let small = |bytes: &[u8]| -> Box<dyn Read> { Box::new(Cursor::new(bytes.to_vec())) };
    push("usr/lib/os-release", small(root.os_release.as_bytes()))?;
    push("usr/share/updog/root.json", small(root.trusted_root))?;
    for (name, text) in model::SHIPPED {
        push(&format!("{}/{name}", model::DIR), small(text.as_bytes()))?;
    }
    push(&format!("{}/settings.toml", model::DIR), small(root.settings_model.as_bytes()))?;
    push("usr/share/licenses/COPYRIGHT", small(b"Generated for tests; no rights reserved.\n"))?;
    if let Some(marker) = root.marker {
        push(MARKER, small(marker.as_str().as_bytes()))?;
    }
    for content in tree(root) {
        push(&content.path, Box::new(content.reader(root.version)))?;
    }
    writer.write(BufWriter::with_capacity(1 << 20, File::create(path)?)).map_err(io::Error::other)?;
    Ok(())
}

fn header(permissions: u16) -> NodeHeader {
    NodeHeader { permissions, ..NodeHeader::default() }
}

/// The generated files. Each is longer than a squashfs block (128 KiB), so that none of them ends up in a shared tail
/// block whose place depends on its neighbours.
fn tree(root: &Root<'_>) -> Vec<Content> {
    let scale = match root.size {
        Size::Small => 1,
        Size::Demo => 13,
    };
    let file = |path: &str, texture, kib: u64, change| Content {
        path: path.to_owned(),
        texture,
        blocks: (kib * scale * 1024).div_ceil(BLOCK as u64),
        change,
    };
    let grown = u64::from(root.version.bytes().map(u32::from).sum::<u32>() % 7);
    let mut files = vec![
        file("usr/bin/containerd", Texture::Binary, 512, Change::Never),
        file("usr/bin/kubelet", Texture::Binary, 448, Change::Never),
        file("usr/bin/systemd", Texture::Binary, 256, Change::Never),
        file("usr/lib/libcore.so", Texture::Binary, 320, Change::OneIn(24)),
        file("usr/lib/libcrypto.so", Texture::Binary, 256, Change::Never),
        file("usr/lib/modules/drivers.ko", Texture::Binary, 384, Change::Never),
        file("usr/share/doc/reference.txt", Texture::Text, 320, Change::Never),
        file("usr/share/locale/messages.txt", Texture::Text, 192, Change::Never),
        file("usr/share/vendor/agent", Texture::Binary, 160, Change::Always),
        file("usr/share/vendor/catalog.txt", Texture::Text, 136 + 8 * grown, Change::OneIn(8)),
    ];
    if root.ballast > 0 {
        files.push(Content {
            path: "usr/share/vendor/zz-ballast".to_owned(),
            texture: Texture::Binary,
            // One squashfs block at least, for the reason above.
            blocks: root.ballast.div_ceil(BLOCK as u64).max(32),
            change: Change::Never,
        });
    }
    files
}

/// Reads the files of at most `limit` bytes out of a squashfs, each with its path below the root.
///
/// # Errors
/// When it is no squashfs, or a file cannot be read.
pub fn small_files<R>(image: R, limit: usize) -> io::Result<Vec<(PathBuf, Vec<u8>)>>
where
    R: Read + io::Seek + Send,
{
    let squashfs = FilesystemReader::from_reader(BufReader::new(image)).map_err(io::Error::other)?;
    let mut files = Vec::new();
    for node in squashfs.files() {
        let InnerNode::File(file) = &node.inner else { continue };
        if file.file_len() > limit {
            continue;
        }
        let mut bytes = Vec::new();
        squashfs.file(file).reader().read_to_end(&mut bytes)?;
        files.push((node.fullpath.strip_prefix("/").unwrap_or(&node.fullpath).to_owned(), bytes));
    }
    Ok(files)
}

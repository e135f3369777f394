//! Images are what they say they are.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use testdata::image::boot::{self, Kernel};
use testdata::image::build::{NamedRoot, build};
use testdata::image::root::{MARKER, Marker, Root, small_files};
use testdata::image::{Images, Size};
use verity::{BLOCK_SIZE, HashTree};

fn root(version: &str, size: Size) -> Root<'_> {
    Root {
        version,
        os_release: format!("VARIANT_ID=metal-dev\nVERSION_ID={version}\n"),
        trusted_root: b"{}",
        settings_model: "# none\n".to_owned(),
        size,
        ballast: 0,
        marker: None,
    }
}

fn good(dir: &Path, version: &str, size: Size) -> Images {
    build(&dir.join(version), &root(version, size), Kernel::Present, NamedRoot::Right).expect("built")
}

#[test]
fn a_root_is_a_squashfs_with_what_the_update_stack_reads() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let marked = Root { marker: Some(Marker::AfterMigrations), ..root("1.1.0", Size::Small) };
    let images = build(dir.path(), &marked, Kernel::Present, NamedRoot::Right).expect("built");
    let files = small_files(File::open(&images.root).expect("there"), 64 << 10).expect("a squashfs");
    let read = |name: &str| {
        let found = files.iter().find(|(path, _)| path == Path::new(name));
        String::from_utf8(found.unwrap_or_else(|| panic!("{name} in {files:?}")).1.clone()).expect("text")
    };
    assert!(read("usr/lib/os-release").contains("VERSION_ID=1.1.0\n"));
    assert_eq!(read("usr/share/updog/root.json"), "{}");
    assert_eq!(read("usr/share/bottlerocket/settings.toml"), "# none\n");
    assert_eq!(Marker::parse(&read(MARKER)), Some(Marker::AfterMigrations));
}

#[test]
fn every_file_of_a_root_reads_back_as_it_was_made() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let images = good(dir.path(), "1.0.0", Size::Small);
    let files = small_files(File::open(&images.root).expect("there"), usize::MAX).expect("a squashfs");
    let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!((2 << 20..4 << 20).contains(&total), "{total} bytes of files");
    let (_, agent) = files.iter().find(|(path, _)| path.ends_with("agent")).expect("an agent");
    assert_eq!(agent.len() % 4096, 0);
    let stored = fs::read(&images.root).expect("there");
    assert!(stored.windows(64).any(|window| window == &agent[..64]), "data is stored as it is");
}

#[test]
fn the_same_release_is_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let (one, two) = (good(one.path(), "1.0.0", Size::Small), good(two.path(), "1.0.0", Size::Small));
    assert_eq!(one.root_hash, two.root_hash);
    for (one, two) in [(&one.boot, &two.boot), (&one.root, &two.root), (&one.hash, &two.hash)] {
        assert!(fs::read(one).expect("there") == fs::read(two).expect("there"), "{}", one.display());
    }
}

#[test]
fn two_versions_share_most_of_their_blocks_where_they_lie() {
    for (size, min_len) in [(Size::Small, 2 << 20), (Size::Demo, 30 << 20)] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let old = fs::read(good(dir.path(), "1.0.0", size).root).expect("there");
        let new = fs::read(good(dir.path(), "1.1.0", size).root).expect("there");
        assert!(new.len() > min_len && new.len().is_multiple_of(BLOCK_SIZE), "{} bytes", new.len());
        let same = old.chunks(BLOCK_SIZE).zip(new.chunks(BLOCK_SIZE)).filter(|(old, new)| old == new).count();
        let share = same as f64 / (new.len() / BLOCK_SIZE) as f64;
        assert!((0.80..0.98).contains(&share), "{size:?}: {share} of the blocks are the same");
    }
}

#[test]
fn every_block_of_a_root_has_its_leaf_and_boot_names_the_tree() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let images = good(dir.path(), "1.0.0", Size::Small);
    let tree = HashTree::parse(&fs::read(&images.hash).expect("there")).expect("a hash image");
    assert_eq!(tree.root_hash(), images.root_hash);
    let bytes = fs::read(&images.root).expect("there");
    assert_eq!(tree.data_len(), bytes.len() as u64);
    for (index, block) in (0..).zip(bytes.chunks(BLOCK_SIZE)) {
        tree.check_block(index, block).expect("its own leaf");
    }
    let loaded = boot::load(Cursor::new(fs::read(&images.boot).expect("there"))).expect("a FAT");
    assert!(loaded.command_line.contains(&format!("roothash={}", images.root_hash)), "{loaded:?}");
    assert!(loaded.command_line.contains("gpt panic=1"), "{loaded:?}");
    assert!(loaded.kernel_len > 0 && loaded.initrd_len > 0);
}

#[test]
fn a_boot_without_its_kernel_says_which_file_is_missing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let images =
        build(dir.path(), &root("1.0.0", Size::Small), Kernel::Missing, NamedRoot::Right).expect("built");
    let error = boot::load(Cursor::new(fs::read(&images.boot).expect("there"))).expect_err("no kernel");
    assert!(error.to_string().contains("vmlinuz"), "{error}");
}

/// Independent judges, where the machine has them; the test says so when it has none.
#[test]
fn other_tools_read_our_images() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let images = good(dir.path(), "1.0.0", Size::Small);
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    let judges = [
        ("unsquashfs", vec!["-s".to_owned(), path(&images.root)]),
        (
            "unsquashfs",
            vec!["-no-xattrs".to_owned(), "-d".to_owned(), path(&dir.path().join("out")), path(&images.root)],
        ),
        (
            "veritysetup",
            vec!["verify".to_owned(), path(&images.root), path(&images.hash), images.root_hash.to_string()],
        ),
        ("fsck.fat", vec!["-n".to_owned(), path(&images.boot)]),
    ];
    for (judge, args) in judges {
        match std::process::Command::new(judge).args(&args).output() {
            Err(error) => println!("not judged by {judge}: {error}"),
            Ok(output) => assert!(
                output.status.success(),
                "{judge} {args:?}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
}

//! How much memory an update takes, up to the largest root that frames cover (`docs/design.md`, "Writing").
//!
//! The images are as large as they are said to be, and nothing of them is there: the disk is sparse, and of a release only
//! the hash image and the index of root's frames are real. When the first frame is asked for, everything is in memory that
//! grows with the root, and what was needed on the way there has gone.

use std::fs;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use testdata::{Fault, HostOptions, Layout, Release, Set, World, noise};
use trusted_repo::{Hashes, TargetInfo};
use verity::{BLOCK_SIZE, DIGEST_SIZE, Salt, Superblock};

use crate::forged::{forge_words, put};
use crate::support::served;

const PATIENCE: Duration = Duration::from_secs(60);
/// Blocks of the largest root that frames cover: 4 GiB.
const LARGEST: u64 = 1 << 20;
/// Blocks of one that is small beside it.
const SMALL: u64 = 1 << 16;
/// Compressed bytes of each frame.
const FRAME: u32 = 1000;

/// A sound hash image over blocks of which only the digests are known.
fn hash_image(leaves: Vec<u8>) -> Vec<u8> {
    let salt = Salt::new(*b"of each release").unwrap();
    let data_blocks = (leaves.len() / DIGEST_SIZE) as u64;
    let (mut levels, mut digests) = (Vec::new(), leaves);
    while digests.len() > DIGEST_SIZE {
        digests.resize(digests.len().next_multiple_of(BLOCK_SIZE), 0);
        let above = digests.chunks_exact(BLOCK_SIZE).flat_map(|block| salt.digest(block)).collect();
        levels.push(std::mem::replace(&mut digests, above));
    }
    levels.push(Superblock { data_blocks, salt, uuid: [7; 16] }.encode().to_vec());
    levels.reverse();
    levels.concat()
}

/// An index of frames of four blocks, and how many bytes they have.
fn index(blocks: u64) -> (Vec<u8>, u64) {
    let mut index = Vec::new();
    index.extend(blocks::index::MAGIC);
    index.extend(blocks::index::VERSION.to_le_bytes());
    index.extend(28u16.to_le_bytes());
    index.extend(0u32.to_le_bytes());
    index.extend((blocks * BLOCK_SIZE as u64).to_le_bytes());
    index.extend(4u32.to_le_bytes());
    let frames = blocks / 4;
    for digest in noise(3, usize::try_from(frames).unwrap() * 32).chunks(32) {
        index.extend(FRAME.to_le_bytes());
        index.extend(digest);
    }
    assert!(blocks::Index::parse(&index).is_ok());
    (index, frames * u64::from(FRAME))
}

/// What the kernel says of the memory of a process, in bytes.
fn memory(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_else(|| panic!("{status}"));
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// The most that a process has had of files in memory until `over`, in bytes, as far as looking all the time shows it. What
/// it has at the end is less where the system takes pages back from a program that does not use them.
fn most_of_files(pid: u32, over: &AtomicBool) -> u64 {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        most = memory(pid, "RssFile:").max(most);
        thread::park_timeout(Duration::from_millis(1));
    }
    memory(pid, "RssFile:").max(most)
}

/// What a process has of its program in memory as pages of its own, in bytes: addresses in it that were filled in at its
/// start. A program without optimisation has many more of them than one that ships.
fn filled_in(pid: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let (mut of_a_file, mut all) = (false, 0);
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        match words.next().unwrap_or_default() {
            "Anonymous:" if of_a_file => all += words.next().unwrap().parse::<u64>().unwrap() * 1024,
            range if range.contains('-') => of_a_file = line.contains(" /"),
            _ => {}
        }
    }
    all
}

/// The most memory that an update to a root of so many blocks has taken by the time at which it asks for the first frame:
/// its own, without what lies in files, which is the program.
fn peak(blocks: u64) -> u64 {
    let len = blocks * BLOCK_SIZE as u64;
    let world = World::new();
    world.publish(Release::new("1.1.0").framed());
    let layout = Layout { root_mib: Some((len >> 20) + 1), ..Layout::default() };
    let mut host = world.host_with("1.0.0", HostOptions { layout, ..HostOptions::default() });
    assert_eq!(host.boot().version_at_once(), Some("1.0.0"));

    // The running root has every other block, at another place. All are looked up, and no frame is spared.
    let mut leaves = noise(1, usize::try_from(blocks).unwrap() * DIGEST_SIZE);
    let new = hash_image(leaves.clone());
    leaves.chunks_mut(DIGEST_SIZE).step_by(2).for_each(|leaf| leaf[0] ^= 1);
    leaves.rotate_left(5 * DIGEST_SIZE);
    let old = hash_image(leaves);
    host.disk().write(&Set::A.label("HASH"), 0, &old);

    let name = |end: &str| served(&world, end).0.split_once('.').expect("a digest comes first").1.to_owned();
    let mut packed = lz4_flex::frame::FrameEncoder::new(Vec::new());
    packed.write_all(&new).unwrap();
    let (index, data_len) = index(blocks);
    let absent = |end: &str, length| TargetInfo { name: name(end), length, hashes: Hashes::sha256([9; 32]) };
    forge_words(
        &world,
        vec![
            put(&world, &name("1.1.0-hash.lz4"), &packed.finish().unwrap()),
            put(&world, &name("1.1.0-root.idx"), &index),
            absent("1.1.0-root.zst", data_len),
            absent("1.1.0-root.lz4", len),
        ],
    );
    let frames = "1.1.0-root.zst";
    world.server().fault(frames, Fault::Stall);
    let update = host.spawn("updog", &["update", "--json"]);
    let pid = update.id();
    let over = AtomicBool::new(false);
    let (asked, program) = thread::scope(|scope| {
        let looking = scope.spawn(|| most_of_files(pid, &over));
        let asked = world.server().wait_for(frames, PATIENCE);
        over.store(true, Ordering::Relaxed);
        (asked, looking.join().unwrap())
    });
    assert!(asked.is_some(), "{}", update.kill());
    let peak = memory(pid, "VmHWM:") - program - filled_in(pid);
    assert_eq!(update.kill().code(), None);
    peak
}

#[test]
fn an_update_takes_no_more_memory_than_is_promised_up_to_the_largest_root() {
    let (small, large) = (peak(SMALL), peak(LARGEST));
    let each = (large - small) as f64 / (LARGEST - SMALL) as f64;
    eprintln!("{small} bytes, {large} bytes, {each:.1} bytes for each block");
    assert!(each < 52.0, "{each:.1} bytes for each block");
    // The program itself, as it ships, takes 13 MB of it: 12.5 of its file, and 0.4 filled in at its start.
    let promised = 64_000_000 + 16 * LARGEST;
    assert!(large + 13_000_000 < promised, "{large} of {promised}");
}

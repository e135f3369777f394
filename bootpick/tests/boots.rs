//! Whole boots over a recorded disk: what is said, paid, loaded and started, in which order, and what the disk holds then.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use core::fmt;
use std::collections::BTreeMap;

use bootpick::boot::{Machine, NothingBoots, boot};
use signpost::bits::{Attempts, BootBits, PRIVATE_TYPE, Role};
use signpost::handover::Handover;
use signpost::start::{Candidate, Why, candidates};
use signpost::table::{Copies, Geometry, Sectors};
use uuid::Uuid;

const SECTORS: u64 = 4096;
const PROVEN: BootBits = BootBits { priority: 1, tries: 0, successful: true };
const GRANTED: BootBits = BootBits { priority: 2, tries: 1, successful: false };
const A: u32 = 1;
const B: u32 = 4;

/// What happens to the disk and the machine, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Write(u64),
    Sync,
    Watchdog(bool),
    Load(u32),
    Start(u32),
}

/// A disk in memory that can refuse to be written to, and can forget what it was told to keep.
#[derive(Clone)]
struct Recorded {
    sectors: BTreeMap<u64, [u8; 512]>,
    events: std::rc::Rc<std::cell::RefCell<Vec<Event>>>,
    /// How often each sector was read.
    reads: BTreeMap<u64, u32>,
    refuses: bool,
    forgets: bool,
}

impl Sectors for Recorded {
    type Error = &'static str;

    fn geometry(&self) -> Geometry {
        Geometry { sector_size: 512, sectors: SECTORS }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        for (lba, sector) in (lba..).zip(buf.as_chunks_mut::<512>().0) {
            *self.reads.entry(lba).or_default() += 1;
            *sector = self.sectors.get(&lba).copied().unwrap_or([0; 512]);
        }
        Ok(())
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        if self.refuses {
            return Err("it is read-only");
        }
        for (lba, sector) in (lba..).zip(bytes.as_chunks::<512>().0) {
            self.events.borrow_mut().push(Event::Write(lba));
            if !self.forgets {
                self.sectors.insert(lba, *sector);
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Self::Error> {
        self.events.borrow_mut().push(Event::Sync);
        Ok(())
    }
}

/// A machine on which sets cannot be loaded, return at once, or run.
struct Played {
    events: std::rc::Rc<std::cell::RefCell<Vec<Event>>>,
    unloadable: Vec<u32>,
    said: Vec<String>,
    left: Vec<Handover>,
}

impl Machine for Played {
    type Loaded = u32;

    fn say(&mut self, line: fmt::Arguments<'_>) {
        self.said.push(line.to_string());
    }

    fn arm_watchdog(&mut self) {
        self.events.borrow_mut().push(Event::Watchdog(true));
    }

    fn disarm_watchdog(&mut self) {
        self.events.borrow_mut().push(Event::Watchdog(false));
    }

    fn load(&mut self, candidate: &Candidate) -> Result<u32, String> {
        self.events.borrow_mut().push(Event::Load(candidate.number));
        if self.unloadable.contains(&candidate.number) {
            Err("it holds nothing".to_string())
        } else {
            Ok(candidate.number)
        }
    }

    fn start(&mut self, loaded: u32, handover: &Handover) -> String {
        self.events.borrow_mut().push(Event::Start(loaded));
        self.left.push(handover.clone());
        "it ended without taking over".to_string()
    }
}

fn entry(kind: Uuid, number: u32, attributes: u64) -> Vec<u8> {
    let mut entry = vec![0; 128];
    let first = 64 + u64::from(number) * 16;
    entry[..16].copy_from_slice(&kind.to_bytes_le());
    entry[16..32].copy_from_slice(&Uuid::from_u128(number.into()).to_bytes_le());
    entry[32..40].copy_from_slice(&first.to_le_bytes());
    entry[40..48].copy_from_slice(&(first + 15).to_le_bytes());
    entry[48..56].copy_from_slice(&attributes.to_le_bytes());
    entry
}

fn header(my: u64, other: u64, entries_at: u64, entries: &[u8]) -> [u8; 512] {
    let mut header = [0; 512];
    header[..8].copy_from_slice(b"EFI PART");
    header[8..12].copy_from_slice(&0x0001_0000u32.to_le_bytes());
    header[12..16].copy_from_slice(&92u32.to_le_bytes());
    for (at, value) in [(24, my), (32, other), (40, 34), (48, SECTORS - 34), (72, entries_at)] {
        header[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    for (at, value) in [(80, 128u32), (84, 128), (88, crc(entries))] {
        header[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let sum = crc(&header[..92]);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    header
}

/// The checksum, bit by bit: nothing here is the product's.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A disk with both sets and both copies of its table.
fn disk(a: (BootBits, u64), b: (BootBits, u64)) -> Recorded {
    let attributes = |(bits, attempts): (BootBits, u64)| bits.patch(attempts << 58);
    let kinds = [
        (Role::Boot.type_guid(), attributes(a)),
        (Role::Root.type_guid(), 0),
        (Role::Hash.type_guid(), 0),
        (Role::Boot.type_guid(), attributes(b)),
        (Role::Root.type_guid(), 0),
        (Role::Hash.type_guid(), 0),
        (PRIVATE_TYPE, 0),
    ];
    let mut entries: Vec<u8> =
        (1..).zip(kinds).flat_map(|(number, (kind, bits))| entry(kind, number, bits)).collect();
    entries.resize(128 * 128, 0);
    let mut sectors = BTreeMap::new();
    for (header_at, entries_at, other) in [(1, 2, SECTORS - 1), (SECTORS - 1, SECTORS - 33, 1)] {
        sectors.insert(header_at, header(header_at, other, entries_at, &entries));
        sectors.extend((entries_at..).zip(entries.as_chunks::<512>().0.iter().copied()));
    }
    Recorded { sectors, events: Default::default(), reads: BTreeMap::new(), refuses: false, forgets: false }
}

fn start(disk: &mut Recorded, unloadable: &[u32]) -> Played {
    let mut played = Played {
        events: disk.events.clone(),
        unloadable: unloadable.to_vec(),
        said: Vec::new(),
        left: Vec::new(),
    };
    let NothingBoots = boot(disk, &mut played);
    played
}

fn on(disk: &mut Recorded, number: u32) -> (BootBits, Attempts) {
    let copies = Copies::read(disk);
    assert!(copies.are_equal(), "both copies are whole and equal");
    let found = candidates(copies.current().unwrap().0.entries());
    let found = found.iter().find(|candidate| candidate.number == number).unwrap();
    (found.bits, found.attempts)
}

fn loads(played: &Played) -> Vec<Event> {
    played
        .events
        .borrow()
        .iter()
        .filter(|event| matches!(event, Event::Load(_) | Event::Start(_)))
        .cloned()
        .collect()
}

#[test]
fn an_unproven_set_pays_before_anything_of_it_is_touched_and_is_watched() {
    let mut disk = disk((PROVEN, 0), (GRANTED, 0));
    let played = start(&mut disk, &[]);
    let events = played.events.borrow();
    let load = events.iter().position(|event| *event == Event::Load(B)).unwrap();
    let before = &events[..load];
    assert_eq!(before.first(), Some(&Event::Sync), "what a cache holds is kept before anything is judged");
    assert_eq!(before[before.len() - 2..], [Event::Sync, Event::Watchdog(true)]);
    assert_eq!(before.iter().filter(|event| **event == Event::Sync).count(), 3, "one more for each copy");
    drop(events);
    assert_eq!(on(&mut disk, B).0, BootBits { tries: 0, ..GRANTED });
    assert_eq!(played.left[0].boot, Uuid::from_u128(B.into()));
    assert_eq!(played.left[0].why, Why::Priority);
}

#[test]
fn what_cannot_be_loaded_or_comes_back_is_put_aside_for_this_boot() {
    for unloadable in [&[B][..], &[]] {
        let mut disk = disk((PROVEN, 0), (GRANTED, 0));
        let played = start(&mut disk, unloadable);
        let last = loads(&played).split_off(loads(&played).len() - 2);
        assert_eq!(last, [Event::Load(A), Event::Start(A)]);
        let left = played.left.last().unwrap();
        assert_eq!((left.boot, left.why), (Uuid::from_u128(A.into()), Why::Aside));
        assert!(left.detail.starts_with("set B (partition 4): it "), "{left:?}");
        let told =
            played.said.iter().filter(|line| line.contains("set B (partition 4) is put aside")).count();
        assert_eq!(told, 1, "{:?}", played.said);
        assert_eq!(on(&mut disk, A).1.get(), 1);
        // The set that is proven is not reset by a clock.
        assert_eq!(
            played.events.borrow().iter().rfind(|event| matches!(event, Event::Watchdog(_))),
            Some(&Event::Watchdog(false))
        );
    }
}

#[test]
fn a_proven_set_that_never_reaches_its_root_is_left_after_three_starts() {
    let newer = BootBits { priority: 2, ..PROVEN };
    for (attempts, first, why) in
        [(0, B, Why::Priority), (1, B, Why::Priority), (2, B, Why::Priority), (3, A, Why::Attempts)]
    {
        let mut disk = disk((PROVEN, 0), (newer, attempts));
        let played = start(&mut disk, &[]);
        let left = &played.left[0];
        assert_eq!((left.boot, left.why), (Uuid::from_u128(first.into()), why), "{attempts}");
        assert_eq!(u64::from(on(&mut disk, B).1.get()), 3.min(attempts + 1));
        assert_eq!(on(&mut disk, A).1.get(), 1, "the other one is started in the same boot, and counted");
    }
    // Where the other one is worn as well, or not proven, it is started all the same.
    for other in [(PROVEN, 3), (BootBits { tries: 0, successful: false, ..PROVEN }, 0)] {
        let played = start(&mut disk(other, (newer, 3)), &[]);
        assert_eq!(played.left[0].boot, Uuid::from_u128(B.into()));
    }
}

#[test]
fn a_healthy_start_of_a_proven_set_reads_each_copy_once_and_writes_each_once() {
    let mut disk = disk((PROVEN, 0), (BootBits::CLEAR, 0));
    let played = start(&mut disk, &[]);
    let events = played.events.borrow();
    let before: Vec<_> = events.iter().take_while(|event| **event != Event::Load(A)).collect();
    let write = |event: &&Event| if let Event::Write(lba) = event { Some(*lba) } else { None };
    let written: Vec<u64> = before.iter().filter_map(write).collect();
    // Of each copy its header and the sector of the entry, the backup first.
    assert_eq!(written, [SECTORS - 33, SECTORS - 1, 2, 1]);
    assert_eq!(
        before.iter().filter(|event| ***event == Event::Sync).count(),
        3,
        "one first, one for each copy"
    );
    for (lba, times) in &disk.reads {
        let expected = if written.contains(lba) { 2 } else { 1 };
        assert_eq!(
            *times, expected,
            "sector {lba}: once to judge it, and what was written to see that it landed"
        );
    }
}

#[test]
fn a_try_that_cannot_be_spent_starts_nothing_unproven() {
    for (refuses, forgets) in [(true, false), (false, true)] {
        let mut disk = disk((PROVEN, 0), (GRANTED, 0));
        (disk.refuses, disk.forgets) = (refuses, forgets);
        let played = start(&mut disk, &[]);
        assert_eq!(loads(&played), [Event::Load(A), Event::Start(A)], "{:?}", played.said);
        assert!(played.said.iter().any(|line| line.contains("its try cannot be spent")));
    }
}

#[test]
fn a_broken_copy_is_mended_by_the_start_and_the_whole_one_is_not_touched_first() {
    for (broken, first_is_primary) in [(1, true), (2, true), (SECTORS - 1, false), (SECTORS - 30, false)] {
        let mut disk = disk((PROVEN, 0), (BootBits::CLEAR, 0));
        disk.sectors.insert(broken, [0x5a; 512]);
        let played = start(&mut disk, &[]);
        let first = played.events.borrow().iter().find_map(|event| match event {
            Event::Write(lba) => Some(*lba),
            _ => None,
        });
        assert_eq!(first.unwrap() < 40, first_is_primary);
        assert!(played.said.iter().any(|line| line.contains("is broken")), "{:?}", played.said);
        assert!(played.said.iter().any(|line| line.contains("is repaired")), "{:?}", played.said);
        assert_eq!(on(&mut disk, A).1.get(), 1);
    }
}

#[test]
fn a_disk_without_anything_to_start_says_so_and_is_mended_all_the_same() {
    let mut disk = disk((BootBits::CLEAR, 0), (BootBits { priority: 0, ..PROVEN }, 0));
    disk.sectors.insert(1, [0; 512]);
    let played = start(&mut disk, &[]);
    assert_eq!(loads(&played), []);
    assert_eq!(on(&mut disk, B).0.priority, 0);
    disk.sectors.clear();
    let played = start(&mut disk, &[]);
    assert!(played.said.iter().any(|line| line.contains("cannot be used: there is no GUID partition table")));
}

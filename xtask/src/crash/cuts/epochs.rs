//! Every state that a power cut could leave, epoch by epoch.
//!
//! What was asked for and is not durable yet may have landed in any subset, so it is enough to look right before each
//! sync and at the end: what a cut at an earlier moment could leave is a subset of that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::measure::{ALL_SUBSETS, Extent, Few, Measure, Written};
use super::medium::{Change, Inode, Kind, Medium, Partition};
use super::story_log::{Read, Step};
use super::units::units;
use crate::crash::dice::Dice;

/// Where stores of settings lie.
const STORES: &str = "var/lib/bottlerocket/datastore";

/// Which of the things that were under way have landed.
pub(super) type Landed = Vec<bool>;

/// What lies between two syncs.
#[derive(Debug)]
pub(super) struct Epoch {
    /// From 1, in the order of the story.
    pub(super) number: usize,
    /// The step at which it begins.
    pub(super) begin: usize,
    /// The step at which it ends.
    pub(super) step: usize,
    durable: Medium,
    /// Whether a store of settings is written.
    store: bool,
    units: Vec<Vec<(u64, Change)>>,
    /// Which of them are sectors of the table, or links that are made and renamed.
    switches: Vec<usize>,
    /// Whether the next epoch has some: what was there before they were lost is what is left when all of this has landed.
    switches_next: bool,
    /// What a partition holds, by its place and by which of its units have landed.
    images: HashMap<(usize, Vec<bool>), Arc<Partition>>,
    image_units: BTreeMap<usize, Vec<usize>>,
    /// A medium with a file's bytes, by the file and by which of its units have landed.
    files: HashMap<(Inode, Vec<bool>), Medium>,
    file_units: BTreeMap<Inode, Vec<usize>>,
}

/// The epochs of a story, and what there was to be hit.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    pub(super) all: Vec<Epoch>,
    /// The number of the last epoch before each sync, in their order: its states are those that the sync ends. It is 0 before
    /// the first change.
    pub(super) syncs: Vec<usize>,
}

impl Epochs {
    /// Cuts a story into epochs.
    pub(super) fn of(base: &Medium, read: &Read, dice: &mut Dice) -> Self {
        let mut epochs = Self::default();
        let mut durable = base.clone();
        let mut pending: Vec<(u64, Change)> = Vec::new();
        let mut grown = false;
        let mut stores = base.below(STORES);
        for (place, told) in read.steps.iter().enumerate() {
            let moment = place as u64 + 1;
            match &told.step {
                Step::Make(changes) => {
                    for (dir, _, inode) in changes.iter().flat_map(Change::names) {
                        stores.extend(inode.filter(|_| stores.contains(dir)));
                    }
                    pending.extend(changes.iter().map(|change| (moment, change.clone())));
                    grown = true;
                }
                Step::Settle(settle) => {
                    if std::mem::take(&mut grown) {
                        epochs.push(&durable, &pending, read, place, &stores, dice);
                    }
                    epochs.syncs.push(epochs.all.len());
                    let settled: Vec<_> =
                        pending.extract_if(.., |(_, change)| settle.covers(change)).collect();
                    land(&mut durable, &settled);
                }
            }
        }
        epochs.push(&durable, &pending, read, read.steps.len(), &stores, dice);
        epochs
    }

    /// Leaves out what could only be lost before so many steps.
    pub(super) fn begin_at(&mut self, step: usize) {
        self.all.retain(|epoch| epoch.step >= step);
        let first = self.all.first().map_or(usize::MAX, |first| first.number);
        self.syncs.retain(|before| *before >= first);
    }

    /// How many epochs and syncs there are where something can be lost.
    pub(super) fn there(&self) -> [usize; 2] {
        let loses = |epoch: &&Epoch| epoch.len() > 0;
        let of_those = |before: &&usize| {
            let epoch = self.all.iter().find(|epoch| epoch.number == **before);
            epoch.filter(loses).is_some()
        };
        [self.all.iter().filter(loses).count(), self.syncs.iter().filter(of_those).count()]
    }

    fn push(
        &mut self,
        durable: &Medium,
        pending: &[(u64, Change)],
        read: &Read,
        step: usize,
        stores: &HashSet<Inode>,
        dice: &mut Dice,
    ) {
        let number = self.all.len() + 1;
        let begin = self.all.last().map_or(0, |last| last.step);
        let mut durable = durable.clone();
        durable.begin_all(&read.kinds);
        let store = pending.iter().any(|(_, change)| change.is_below(stores));
        let epoch = Epoch { number, begin, store, ..Epoch::new(step, durable, pending, &read.kinds, dice) };
        if let Some(before) = self.all.last_mut() {
            before.switches_next = !epoch.switches.is_empty();
        }
        self.all.push(epoch);
    }
}

fn land(medium: &mut Medium, changes: &[(u64, Change)]) {
    let (images, others): (Vec<_>, Vec<_>) =
        changes.iter().partition(|(_, change)| matches!(change, Change::Image(..)));
    for (moment, change) in others {
        medium.apply(change, *moment);
    }
    let images: Vec<&Change> = images.into_iter().map(|(_, change)| change).collect();
    medium.apply_images(&images);
}

impl Epoch {
    fn new(step: usize, durable: Medium, pending: &[(u64, Change)], kinds: &[Kind], dice: &mut Dice) -> Self {
        let units = units(&durable, pending, dice);
        let switches = (0..units.len()).filter(|unit| units[*unit][0].1.is_switch(kinds)).collect();
        let mut image_units: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut file_units: BTreeMap<Inode, Vec<usize>> = BTreeMap::new();
        for (number, unit) in units.iter().enumerate() {
            match unit[0].1 {
                Change::Size(inode, _) | Change::Bytes(inode, ..) => {
                    file_units.entry(inode).or_default().push(number);
                }
                Change::Image(place, ..) => image_units.entry(place).or_default().push(number),
                Change::Names(_) | Change::Sector(..) => {}
            }
        }
        let (images, files) = (HashMap::new(), HashMap::new());
        Self {
            number: 0,
            begin: 0,
            store: false,
            step,
            durable,
            units,
            switches,
            switches_next: false,
            images,
            image_units,
            files,
            file_units,
        }
    }

    /// How many things can land or not.
    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether only sectors of the table and names are under way.
    pub(super) fn is_bare(&self) -> bool {
        self.file_units.is_empty() && self.image_units.is_empty() && !self.units.is_empty()
    }

    /// Whether sectors of the table or links are under way, and nothing else was lost.
    pub(super) fn is_switch(&self, landed: &[bool]) -> bool {
        let is_there = |(unit, landed): (usize, &bool)| *landed || self.switches.contains(&unit);
        (self.switches_next || !self.switches.is_empty()) && landed.iter().enumerate().all(is_there)
    }

    /// Every subset that is to be looked at.
    pub(super) fn subsets(&self, measure: Measure, dice: &mut Dice) -> (Extent, Vec<Landed>) {
        let count = self.units.len();
        let all = match (self.store, self.is_bare()) {
            (true, _) => measure.store,
            (false, true) => ALL_SUBSETS,
            (false, false) => measure.all,
        };
        if count <= all {
            let all = 0..1usize << count;
            return (
                Extent::All,
                all.map(|bits| (0..count).map(|unit| bits >> unit & 1 == 1).collect()).collect(),
            );
        }
        let mut subsets: Vec<Landed> = Vec::new();
        subsets.extend((0..=count).map(|end| (0..count).map(|unit| unit < end).collect()));
        // What switches is lost in every way, also where so much else is under way.
        let written = if self.store { Written::Store } else { Written::Elsewhere };
        let few = measure.few(written);
        if few > Few::None && self.switches.len() <= ALL_SUBSETS {
            subsets.extend((0..1usize << self.switches.len()).map(|bits| {
                let lost = |unit| {
                    let place = self.switches.iter().position(|switch| *switch == unit);
                    place.is_some_and(|place| bits >> place & 1 == 1)
                };
                (0..count).map(|unit| !lost(unit)).collect()
            }));
        }
        for first in 0..if few > Few::None { count } else { 0 } {
            // With `second == first` it is one loss, or one survivor.
            for second in first..if few == Few::Two { count } else { first + 1 } {
                let chosen = |unit| unit == first || unit == second;
                subsets.push((0..count).map(chosen).collect());
                subsets.push((0..count).map(|unit| !chosen(unit)).collect());
            }
        }
        subsets.extend(
            (0..measure.draws(written)).map(|_| (0..count).map(|_| dice.below(2) == 1).collect::<Landed>()),
        );
        (Extent::Drawn, subsets)
    }

    /// What is on the medium when these have landed.
    pub(super) fn left(&mut self, landed: &[bool]) -> Medium {
        let mut medium = self.durable.clone();
        let mut changes: Vec<&(u64, Change)> =
            self.units.iter().zip(landed).filter(|(_, landed)| **landed).flat_map(|(unit, _)| unit).collect();
        changes.sort_by_key(|(moment, _)| *moment);
        for (moment, change) in &changes {
            if matches!(change, Change::Names(_) | Change::Sector(..)) {
                medium.apply(change, *moment);
            }
        }
        // Bytes are many; states that have the same of them share them.
        for (inode, units) in &self.file_units {
            let key = (*inode, units.iter().map(|unit| landed[*unit]).collect());
            let shared = self.files.entry(key).or_insert_with(|| {
                let mut written = self.durable.clone();
                for (moment, change) in &changes {
                    if matches!(change, Change::Size(other, _) | Change::Bytes(other, ..) if other == inode) {
                        written.apply(change, *moment);
                    }
                }
                written
            });
            medium.share(*inode, shared);
        }
        for (place, units) in &self.image_units {
            let key = (*place, units.iter().map(|unit| landed[*unit]).collect());
            let shared = self.images.entry(key).or_insert_with(|| {
                let of_it = |change: &&Change| matches!(change, Change::Image(other, ..) if other == place);
                let images: Vec<&Change> = changes.iter().map(|(_, change)| change).filter(of_it).collect();
                let mut written = self.durable.clone();
                written.apply_images(&images);
                Arc::clone(&written.disk.images[*place])
            });
            medium.disk.images[*place] = Arc::clone(shared);
        }
        medium
    }

    /// The writes to partitions that are under way, in their order.
    pub(super) fn image_writes(&self) -> Vec<&Change> {
        let mut writes: Vec<&(u64, Change)> =
            self.image_units.values().flatten().flat_map(|unit| &self.units[*unit]).collect();
        writes.sort_by_key(|(moment, _)| *moment);
        writes.into_iter().map(|(_, change)| change).collect()
    }

    /// What is on the medium when nothing of this epoch has landed.
    pub(super) fn durable(&self) -> &Medium {
        &self.durable
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use host_io::explore::record::{Bytes, Line};

    use super::*;
    use crate::crash::cuts::medium::{Disk, SECTOR};
    use crate::crash::cuts::story_log::{Places, read};
    use crate::crash::cuts::tree::{Node, Tree};

    const DATA: &[u8] = b"new";
    const EVERY: Measure = Measure {
        all: ALL_SUBSETS,
        store: ALL_SUBSETS,
        few: Few::Two,
        store_few: Few::Two,
        drawn: 0,
        store_drawn: 0,
    };

    /// Everything that `var/file`, which holds `old`, may hold after a cut anywhere in these lines.
    fn outcomes(lines: &[Line]) -> BTreeSet<Option<Vec<u8>>> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("var")).unwrap();
        std::fs::write(dir.path().join("var/file"), b"old").unwrap();
        let tree = Tree::scan(dir.path()).unwrap();
        let disk = disk();
        let mut kinds = Vec::new();
        let base = Medium::of(&tree, disk, &mut kinds);
        let places = Places { host: PathBuf::from("/h"), images: vec![(4096, 4096)] };
        let read = read(lines, DATA, &base, kinds, &places).unwrap();
        let mut epochs = Epochs::of(&base, &read, &mut Dice::new(1));
        let mut found = BTreeSet::new();
        for epoch in &mut epochs.all {
            let (extent, subsets) = epoch.subsets(EVERY, &mut Dice::new(1));
            assert_eq!(extent, Extent::All);
            for landed in subsets {
                let tree = epoch.left(&landed).tree(&read.kinds);
                found.insert(match tree.nodes.get("var/file") {
                    Some(Node::File { content, .. }) => Some(content.bytes.to_vec()),
                    _ => None,
                });
            }
        }
        found
    }

    fn disk() -> Disk {
        let tables = Arc::new([(0, vec![0; 4096]), (8192, vec![0; 4096])]);
        Disk { tables, sectors: BTreeMap::new(), images: vec![Arc::new(Partition::new(vec![0; 4096]))] }
    }

    fn path(name: &str) -> PathBuf {
        Path::new("/h/var").join(name)
    }

    fn replaced() -> Vec<Line> {
        vec![
            Line::Create { path: path(".new"), inode: 7, mode: 0o600 },
            Line::Write { inode: 7, at: 0, bytes: Bytes { from: 0, len: 3 } },
            Line::Sync { inode: 7, path: path(".new") },
            Line::Rename { from: path(".new"), to: path("file") },
            Line::SyncDir { path: PathBuf::from("/h/var") },
        ]
    }

    fn some(texts: &[&[u8]]) -> BTreeSet<Option<Vec<u8>>> {
        texts.iter().map(|text| Some(text.to_vec())).collect()
    }

    #[test]
    fn what_is_written_beside_synced_and_renamed_is_old_or_new() {
        assert_eq!(outcomes(&replaced()), some(&[b"old", b"new"]));
    }

    #[test]
    fn a_forgotten_sync_of_the_file_leaves_it_empty_or_without_its_bytes() {
        let mut lines = replaced();
        lines.remove(2);
        assert_eq!(outcomes(&lines), some(&[b"old", b"new", b"", &[0; 3]]));
    }

    #[test]
    fn a_removal_is_not_durable_before_its_directory_is_synced() {
        let lines = [Line::Remove { path: path("file") }];
        assert_eq!(outcomes(&lines), BTreeSet::from([None, Some(b"old".to_vec())]));
        let mut lines = lines.to_vec();
        lines.push(Line::SyncDir { path: PathBuf::from("/h/var") });
        lines.push(Line::Create { path: path("other"), inode: 9, mode: 0o600 });
        lines.push(Line::SyncDir { path: PathBuf::from("/h/var") });
        let mut epochs = outcomes(&lines);
        assert!(epochs.remove(&None) && epochs.remove(&Some(b"old".to_vec())) && epochs.is_empty());
    }

    #[test]
    fn where_nothing_is_under_way_there_is_nothing_to_be_hit() {
        let there = |lines: &[Line], from: usize| {
            let mut tree = Tree::default();
            tree.nodes.insert("var".to_owned(), Node::Dir { mode: 0o755 });
            let mut kinds = Vec::new();
            let base = Medium::of(&tree, disk(), &mut kinds);
            let places = Places { host: PathBuf::from("/h"), images: vec![(4096, 4096)] };
            let read = read(lines, DATA, &base, kinds, &places).unwrap();
            let mut epochs = Epochs::of(&base, &read, &mut Dice::new(1));
            epochs.begin_at(from);
            (epochs.all.len(), epochs.there())
        };
        let sync = || Line::SyncDir { path: PathBuf::from("/h/var") };
        let make = |name| Line::MakeDir { path: path(name), mode: 0o755 };
        assert_eq!(there(&[], 0), (1, [0, 0]));
        assert_eq!(there(&[sync(), sync()], 0), (1, [0, 0]));
        assert_eq!(there(&[sync(), make("one"), sync()], 0), (2, [1, 1]));
        assert_eq!(there(&[make("one"), sync(), make("two")], 0), (2, [2, 1]));
        // Nor is there before the step from which on it is cut.
        let two = [make("one"), sync(), make("two"), sync()];
        assert_eq!([0, 1, 2].map(|from| there(&two, from)), [(3, [2, 2]), (3, [2, 2]), (2, [1, 1])]);
    }

    #[test]
    fn every_subset_is_made_of_names_elsewhere_and_only_some_of_a_store_where_that_is_asked_for() {
        let extent = |above: &str| {
            let mut tree = Tree::default();
            for dir in ["var", "var/lib", "var/lib/bottlerocket", STORES, "var/lib/other"] {
                tree.nodes.insert(dir.to_owned(), Node::Dir { mode: 0o755 });
            }
            let mut kinds = Vec::new();
            let base = Medium::of(&tree, disk(), &mut kinds);
            let places = Places { host: PathBuf::from("/h"), images: vec![(4096, 4096)] };
            let made =
                |name: &str| Line::MakeDir { path: Path::new("/h").join(above).join(name), mode: 0o755 };
            let lines = ["one", "one/two", "one/two/three"].map(made);
            let read = read(&lines, DATA, &base, kinds, &places).unwrap();
            let epochs = Epochs::of(&base, &read, &mut Dice::new(1));
            epochs.all[0].subsets(Measure { store: 2, ..EVERY }, &mut Dice::new(1)).0
        };
        assert_eq!((extent(STORES), extent("var/lib/other")), (Extent::Drawn, Extent::All));
    }

    #[test]
    fn sectors_of_a_table_land_one_without_the_other_until_the_disk_is_synced() {
        let mut kinds = Vec::new();
        let base = Medium::of(&Tree::default(), disk(), &mut kinds);
        let places = Places { host: PathBuf::from("/h"), images: vec![(4096, 4096)] };
        let write = |at| Line::DiskWrite { path: path("disk"), at, bytes: Bytes { from: 0, len: 512 } };
        let lines = [write(512), write(1024), Line::DiskSync { path: path("disk") }, write(8192)];
        let read = read(&lines, &[1; SECTOR], &base, kinds, &places).unwrap();
        let mut epochs = Epochs::of(&base, &read, &mut Dice::new(1));
        let mut sectors = |epoch: usize| {
            let epoch = &mut epochs.all[epoch];
            let (_, subsets) = epoch.subsets(EVERY, &mut Dice::new(1));
            let left = subsets.iter().map(|landed| epoch.left(landed).disk.sectors.into_keys().collect());
            left.collect::<BTreeSet<Vec<u64>>>()
        };
        assert_eq!(sectors(0), BTreeSet::from([vec![], vec![512], vec![1024], vec![512, 1024]]));
        assert_eq!(sectors(1), BTreeSet::from([vec![512, 1024], vec![512, 1024, 8192]]));
    }

    #[test]
    fn what_has_lost_sectors_and_links_alone_is_told_from_what_has_lost_more() {
        let mut tree = Tree::default();
        tree.nodes.insert("var".to_owned(), Node::Dir { mode: 0o755 });
        let mut kinds = Vec::new();
        let base = Medium::of(&tree, disk(), &mut kinds);
        let places = Places { host: PathBuf::from("/h"), images: vec![(4096, 4096)] };
        let lines = [
            Line::MakeDir { path: path("one"), mode: 0o755 },
            Line::DiskSync { path: path("disk") },
            Line::DiskWrite { path: path("disk"), at: 512, bytes: Bytes { from: 0, len: 512 } },
            Line::MakeLink { target: PathBuf::from("one"), path: path("current") },
        ];
        let read = read(&lines, &[1; SECTOR], &base, kinds, &places).unwrap();
        let epochs = Epochs::of(&base, &read, &mut Dice::new(1));
        let [before, after] = &epochs.all[..] else { panic!("{} epochs", epochs.all.len()) };
        assert_eq!([[false], [true]].map(|landed| before.is_switch(&landed)), [false, true]);
        for bits in 0..4 {
            let landed = |one| [one, bits & 1 == 1, bits & 2 == 2];
            assert!(after.is_switch(&landed(true)) && !after.is_switch(&landed(false)));
        }
    }
}

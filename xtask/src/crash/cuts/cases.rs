//! The states of a story, each once.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use testdata::{BootBits, Set};

use super::epochs::{Epoch, Epochs, Extent};
use super::judge::{Broken, Invariant, Table, bootable};
use super::live::{Bench, State};
use super::medium::{Disk, Medium, Partition};
use super::published::{Class, IMAGES, Published};
use super::story_log::Read;
use super::tree::{Hash, Tree};
use crate::crash::dice::Dice;

/// So many beginnings of what is written to partitions are held against the table.
const PREFIXES: usize = 16;

/// A state to look at, and its place in the story.
pub(super) struct Case {
    pub(super) state: State,
    pub(super) table: Table,
    /// The step before which it was left.
    pub(super) step: usize,
    pub(super) place: String,
}

/// All states of a story, and how they were found.
#[derive(Default)]
pub(super) struct Cases {
    pub(super) all: Vec<Case>,
    /// Subsets that were made.
    pub(super) cuts: usize,
    pub(super) epochs: usize,
    /// Epochs of which every subset was made.
    pub(super) whole_epochs: usize,
    pub(super) syncs: Vec<String>,
    /// Half-written images that were held against the table.
    pub(super) images: usize,
    /// What was found of these.
    pub(super) broken: Vec<(String, Broken)>,
}

/// Reads tables off a bench's disk, each once.
pub(super) struct Tables<'a> {
    pub(super) bench: &'a mut Bench,
    pub(super) known: &'a mut HashMap<Hash, Table>,
}

impl Tables<'_> {
    fn read(&mut self, wanted: &Disk) -> Result<Table, Box<dyn Error>> {
        let hash = wanted.table_hash();
        if let Some(table) = self.known.get(&hash) {
            return Ok(*table);
        }
        self.bench.lay_out(wanted, &Tree::default())?;
        let disk = self.bench.disk();
        let whole = disk.whole_tables();
        let bits = match whole {
            [false, false] => [BootBits::default(); 2],
            _ => [Set::A, Set::B].map(|set| disk.bits(set)),
        };
        let picked = match whole {
            [false, false] => (hash, false),
            _ => self.bench.pick(),
        };
        let table = Table { whole, bits, picked };
        self.known.insert(hash, table);
        Ok(table)
    }
}

/// What states are made of, and how many.
pub(super) struct Making<'a> {
    pub(super) story: &'a str,
    pub(super) base: &'a Medium,
    pub(super) published: &'a Published,
    pub(super) drawn: usize,
    pub(super) rng_seed: u64,
}

/// Every state of what was done that differs from the others.
pub(super) fn cases(
    making: &Making<'_>,
    read: &Read,
    tables: &mut Tables<'_>,
) -> Result<Cases, Box<dyn Error>> {
    let Making { story, base, published, drawn, rng_seed } = *making;
    let mut dice = Dice::new(rng_seed);
    let mut epochs = Epochs::of(base, read, &mut dice);
    let mut cases = Cases { epochs: epochs.all.len(), syncs: epochs.syncs, ..Cases::default() };
    let mut known = HashSet::new();
    for epoch in &mut epochs.all {
        let (extent, subsets) = epoch.subsets(drawn, &mut dice);
        cases.whole_epochs += usize::from(extent == Extent::All);
        cases.cuts += subsets.len();
        for landed in subsets {
            let medium = epoch.left(&landed);
            let mut state = State::new(medium.tree(&read.kinds), medium.disk, published);
            if known.insert(state.hash) {
                let table = tables.read(&state.disk)?;
                state.booted_with(table.picked.0);
                let place = place(story, epoch.number, &landed);
                cases.all.push(Case { state, table, step: epoch.step, place });
            }
        }
        images(story, epoch, published, tables, &mut cases)?;
    }
    Ok(cases)
}

/// What names a state: story, epoch, and which of the epoch's units have landed.
fn place(story: &str, epoch: usize, landed: &[bool]) -> String {
    let bits: String = landed.iter().map(|landed| if *landed { '1' } else { '0' }).collect();
    format!("{story}:{epoch}:{bits}")
}

/// Holds beginnings of what an epoch writes to partitions against the table as it is without the epoch, and with it.
fn images(
    story: &str,
    epoch: &mut Epoch,
    published: &Published,
    tables: &mut Tables<'_>,
    cases: &mut Cases,
) -> Result<(), Box<dyn Error>> {
    if epoch.image_writes().is_empty() {
        return Ok(());
    }
    let everything = vec![true; epoch.len()];
    let full = epoch.left(&everything);
    let bits = [tables.read(&epoch.durable().disk)?.bits, tables.read(&full.disk)?.bits];
    let count = epoch.image_writes().len();
    for prefix in (0..count).step_by(count.div_ceil(PREFIXES)) {
        let mut medium = epoch.durable().clone();
        medium.apply_images(&epoch.image_writes()[..prefix]);
        cases.images += 1;
        let class = |place: usize, image: &Partition| published.class(place, image);
        let classes: Vec<Class> =
            medium.disk.images.iter().enumerate().map(|(place, image)| class(place, image)).collect();
        for bits in bits {
            for (index, set) in [Set::A, Set::B].into_iter().enumerate() {
                let own = &classes[index * 3..index * 3 + 3];
                let whole = matches!(&own[0], Class::Whole(_)) && own.iter().all(|one| *one == own[0]);
                if bootable(bits[index]) && !whole {
                    let role = IMAGES[index * 3].1;
                    let how = format!("after {prefix} writes set {set:?} ({role}: {}) is bootable", own[0]);
                    let place = format!("{story}:{}:images", epoch.number);
                    cases.broken.push((place, Broken { invariant: Invariant::Whole, how }));
                }
            }
        }
    }
    Ok(())
}

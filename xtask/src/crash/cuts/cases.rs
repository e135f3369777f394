//! The states of a story, each once.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::ops::Range;

use testdata::{BootBits, Set};

use super::epochs::{Epoch, Epochs, Landed};
use super::firmware::{bootable, pick};
use super::judge::{Broken, Invariant, Table};
use super::live::{Bench, State};
use super::measure::{Extent, Measure};
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
    /// So many acts had ended by then.
    pub(super) ended: usize,
    /// Whether only sectors of the table and names were under way.
    pub(super) bare: bool,
    /// Whether nothing was lost but sectors of the table and links.
    pub(super) switch: bool,
    pub(super) place: String,
}

/// How many there are in which something can be lost, and of how many a state was made in which some of that is.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(super) struct Hit {
    pub(super) there: usize,
    pub(super) hit: usize,
}

/// How the states of a story were found.
#[derive(Default)]
pub(super) struct Count {
    /// Subsets that were made.
    pub(super) cuts: usize,
    pub(super) epochs: Hit,
    /// Epochs of which every subset was made.
    pub(super) whole_epochs: usize,
    pub(super) syncs: Hit,
    /// Half-written images that were held against the table.
    pub(super) images: usize,
}

/// Reads tables off a bench's disk, each once.
pub(super) struct Tables<'a> {
    pub(super) bench: &'a mut Bench,
    pub(super) known: &'a mut HashMap<Hash, Table>,
}

impl Tables<'_> {
    pub(super) fn read(&mut self, wanted: &Disk) -> Result<Table, Box<dyn Error>> {
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
            _ => pick(self.bench.dir()),
        };
        let table = Table { whole, bits, picked };
        self.known.insert(hash, table);
        Ok(table)
    }
}

/// What states are made of, and how many.
pub(super) struct Making<'a> {
    /// What states are named after.
    pub(super) name: &'a str,
    pub(super) base: &'a Medium,
    pub(super) published: &'a Published,
    /// From and until which steps the persistent partition is full.
    pub(super) full: &'a [Range<usize>],
    /// After how many steps each act had ended.
    pub(super) milestones: &'a [usize],
    /// Nothing is cut before so many steps.
    pub(super) from: usize,
    pub(super) measure: Measure,
    /// The one state that is to be made, however far others go.
    pub(super) only: Option<&'a str>,
    pub(super) rng_seed: u64,
}

/// The way through all states of what was done, epoch by epoch: they are too many to be held at the same time.
pub(super) struct Cases<'a> {
    making: &'a Making<'a>,
    read: &'a Read,
    left: VecDeque<Epoch>,
    /// The number of the epoch that each sync ends.
    syncs: Vec<usize>,
    /// States that were made, with how many acts had ended at most.
    known: HashMap<Hash, usize>,
    /// The same of media: most subsets leave what another one has left.
    media: HashMap<Hash, usize>,
    dice: Dice,
    pub(super) count: Count,
    /// What was found of half-written images, and not taken yet.
    pub(super) broken: Vec<(String, Broken)>,
}

impl<'a> Cases<'a> {
    /// Cuts what was done into epochs.
    pub(super) fn of(making: &'a Making<'a>, read: &'a Read) -> Self {
        let mut dice = Dice::new(making.rng_seed);
        let mut epochs = Epochs::of(making.base, read, &mut dice);
        epochs.begin_at(making.from);
        let [epochs_there, syncs_there] = epochs.there().map(|there| Hit { there, hit: 0 });
        let count = Count { epochs: epochs_there, syncs: syncs_there, ..Count::default() };
        let Epochs { all, syncs } = epochs;
        let (left, known, media) = (all.into(), HashMap::new(), HashMap::new());
        Self { making, read, left, syncs, known, media, dice, count, broken: Vec::new() }
    }

    /// The states of the next epoch that differ from all before them, and those that were left before an act had ended and
    /// are left afterwards as well; `None` after the last epoch.
    pub(super) fn next(&mut self, tables: &mut Tables<'_>) -> Result<Option<Vec<Case>>, Box<dyn Error>> {
        let Making { name, published, full, milestones, measure, only, .. } = *self.making;
        let Some(mut epoch) = self.left.pop_front() else { return Ok(None) };
        let (extent, subsets) = match only {
            None => epoch.subsets(measure, &mut self.dice),
            Some(only) => (Extent::Drawn, one(name, &epoch, only)),
        };
        self.count.whole_epochs += usize::from(extent == Extent::All && epoch.len() > 0);
        self.count.cuts += subsets.len();
        if subsets.iter().any(|landed| landed.contains(&false)) {
            self.count.epochs.hit += 1;
            self.count.syncs.hit += self.syncs.iter().filter(|before| **before == epoch.number).count();
        }
        let full = full.iter().any(|full| full.start < epoch.step && epoch.begin < full.end);
        let ended = milestones.iter().filter(|milestone| **milestone <= epoch.step).count();
        let mut cases = Vec::new();
        for landed in subsets {
            let medium = epoch.left(&landed);
            if !is_more(&mut self.media, medium.key(&self.read.kinds) ^ u128::from(full), ended) {
                continue;
            }
            let mut state = State::new(medium.tree(&self.read.kinds), medium.disk, full, published);
            if is_more(&mut self.known, state.hash, ended) {
                let table = tables.read(&state.disk)?;
                state.booted_with(table.picked.0);
                let place = place(name, epoch.number, &landed);
                let (step, bare, switch) = (epoch.step, epoch.is_bare(), epoch.is_switch(&landed));
                cases.push(Case { state, table, step, ended, bare, switch, place });
            }
        }
        if only.is_none_or(|only| only == images_place(name, epoch.number)) {
            images(name, &mut epoch, published, tables, self)?;
        }
        Ok(Some(cases))
    }
}

/// Whether it is not known yet, or only from when fewer acts had ended. From now on it is.
fn is_more(known: &mut HashMap<Hash, usize>, hash: Hash, ended: usize) -> bool {
    let before = known.insert(hash, ended);
    before.is_none_or(|before| before < ended)
}

/// What names a state: story, epoch, and which of the epoch's units have landed; after a stroke the same of a second cut.
fn place(name: &str, epoch: usize, landed: &[bool]) -> String {
    let bits: String = landed.iter().map(|landed| if *landed { '1' } else { '0' }).collect();
    let colon = if name.ends_with('/') { "" } else { ":" };
    format!("{name}{colon}{epoch}:{bits}")
}

/// What [`place`] names so, if it lies in this epoch.
fn one(name: &str, epoch: &Epoch, only: &str) -> Vec<Landed> {
    let bits = only.rsplit(':').next().unwrap_or_default();
    let landed: Landed = bits.chars().map(|bit| bit == '1').collect();
    let is_it = landed.len() == epoch.len() && place(name, epoch.number, &landed) == only;
    is_it.then_some(landed).into_iter().collect()
}

fn images_place(name: &str, epoch: usize) -> String {
    let colon = if name.ends_with('/') { "" } else { ":" };
    format!("{name}{colon}{epoch}:images")
}

/// Holds beginnings of what an epoch writes to partitions against the table as it is without the epoch, and with it.
fn images(
    name: &str,
    epoch: &mut Epoch,
    published: &Published,
    tables: &mut Tables<'_>,
    cases: &mut Cases<'_>,
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
        cases.count.images += 1;
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
                    let place = images_place(name, epoch.number);
                    cases.broken.push((place, Broken { invariant: Invariant::Whole, how }));
                }
            }
        }
    }
    Ok(())
}

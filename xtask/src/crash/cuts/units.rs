//! What an epoch is made of: the things that land one without the other.

use std::collections::BTreeMap;

use super::medium::{Change, Inode, Medium};
use crate::crash::dice::Dice;

/// What a page of a file system is: larger files land in two parts.
const PAGE: usize = 4096;

/// What can land without the rest. A sector that gets what it has, and what only says so again, is left out.
pub(super) fn units(durable: &Medium, pending: &[(u64, Change)], dice: &mut Dice) -> Vec<Vec<(u64, Change)>> {
    let mut units: Vec<Vec<(u64, Change)>> = Vec::new();
    let mut sizes: BTreeMap<Inode, usize> = BTreeMap::new();
    let mut bytes: BTreeMap<(Inode, bool), usize> = BTreeMap::new();
    let mut images: BTreeMap<(usize, bool), usize> = BTreeMap::new();
    let end = |inode: Inode| {
        let ends = pending.iter().filter_map(|(_, change)| match change {
            Change::Bytes(other, at, bytes) if *other == inode => Some(at + bytes.len()),
            _ => None,
        });
        ends.max().unwrap_or_default()
    };
    let join = |units: &mut Vec<Vec<(u64, Change)>>, known: Option<usize>, change: (u64, Change)| match known
    {
        Some(unit) => {
            units[unit].push(change);
            unit
        }
        None => {
            units.push(vec![change]);
            units.len() - 1
        }
    };
    for (moment, change) in pending {
        let one = (*moment, change.clone());
        match change {
            Change::Names(_) => units.push(vec![one]),
            Change::Sector(at, sector) => {
                let again = pending.iter().any(|(_, other)| {
                    matches!(other, Change::Sector(place, bytes) if place == at && bytes != sector)
                });
                let there = durable
                    .disk
                    .sectors
                    .get(at)
                    .map(|sector| &sector[..])
                    .or_else(|| durable.disk.first(*at));
                if again || there != Some(&sector[..]) {
                    units.push(vec![one]);
                }
            }
            Change::Size(inode, _) => {
                let unit = join(&mut units, sizes.get(inode).copied(), one);
                sizes.insert(*inode, unit);
            }
            Change::Bytes(inode, at, _) => {
                let key = (*inode, end(*inode) > PAGE && *at >= end(*inode) / 2);
                let unit = join(&mut units, bytes.get(&key).copied(), one);
                bytes.insert(key, unit);
            }
            Change::Image(place, ..) => {
                let key = (*place, dice.below(2) == 1);
                let unit = join(&mut units, images.get(&key).copied(), one);
                images.insert(key, unit);
            }
        }
    }
    units
}

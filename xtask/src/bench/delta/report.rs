//! The figures, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::others::Other;
use super::ours::Ours;
use crate::bench::field::megabytes;
use crate::bench::field::repository::Pack;
use crate::bench::images::catalog::Kind;
use crate::bench::images::release::Pair;

/// One pair of releases, as one kind of file system.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Case {
    pub(super) pair: Pair,
    pub(super) kind: Kind,
    pub(super) difference: String,
    pub(super) ours: Ours,
    /// BOOT, ROOT and HASH as LZ4 frames.
    pub(super) whole: [u64; 3],
    /// What came of the packs for this pair.
    pub(super) packs: Vec<Pack>,
    pub(super) others: Vec<Other>,
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) cases: Vec<Case>,
}

impl Case {
    /// What is fetched for ROOT: frames, index and hash image, for these stand for it together.
    fn ours_for_root(&self) -> u64 {
        let wire = &self.ours.wire;
        wire.root + wire.index + wire.hash
    }
}

impl Figures {
    /// One JSON object.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("figures are plain data")
    }

    /// A table for each case.
    pub(super) fn table(&self) -> String {
        self.cases.iter().map(table).collect::<Vec<_>>().join("\n\n")
    }
}

fn table(case: &Case) -> String {
    let mut text = format!("{} as {}: {}\n", case.pair.name(), case.kind.name(), case.difference);
    let _ = writeln!(text, "  {:<28}{:>14}{:>14}{:>14}", "way", "ROOT", "BOOT", "both");
    let mut row = |way: &str, root: u64, boot: u64| {
        let [root, boot, both] = [root, boot, root + boot].map(megabytes);
        let _ = writeln!(text, "  {way:<28}{root:>14}{boot:>14}{both:>14}");
    };
    let [boot, root, hash] = case.whole;
    let whole_root = root;
    row("updog", case.ours_for_root(), case.ours.wire.boot);
    row("LZ4 frames, whole", root + hash, boot);
    for Other { tool, boot, root, .. } in &case.others {
        row(tool, *root, *boot);
    }
    let wire = &case.ours.wire;
    let parts = [wire.metadata, wire.index, wire.hash, wire.boot, wire.root, wire.other].map(megabytes);
    let [metadata, index, hash, boot, root, other] = parts;
    let _ = writeln!(
        text,
        "  updog on the wire: {} in {} requests = metadata {metadata} + index {index} + hash {hash} + boot {boot} + \
         root {root} + other {other}",
        megabytes(wire.total()),
        case.ours.requests
    );
    for Pack { image, bytes, instead_of, published, .. } in &case.packs {
        let not = if *published { "" } else { ", not published" };
        let (bytes, instead_of) = (megabytes(*bytes), megabytes(*instead_of));
        let _ = writeln!(text, "  pack of {image}: {bytes} instead of {instead_of}{not}");
    }
    let of_root = case.packs.iter().find(|pack| pack.image == "root").map(|pack| pack.bytes);
    let beside = case.others.iter().map(|other| (other.tool.as_str(), other.root));
    for (tool, other) in beside.chain([("LZ4 whole", whole_root)]) {
        let Some(bytes) = of_root.filter(|_| other > 0) else { continue };
        let thousandths = bytes * 1000 / other;
        let _ = writeln!(
            text,
            "  pack of root, header included: {}.{:03} of {tool}",
            thousandths / 1000,
            thousandths % 1000
        );
    }
    let spent = &case.ours.spent;
    let _ = writeln!(
        text,
        "  updog took {:.1} s, {:.1} s of processors, {} of memory; run again it fetched {} bytes of images",
        spent.wall,
        spent.cpu,
        megabytes(spent.memory),
        case.ours.again
    );
    let _ =
        write!(text, "  ROOT of updog counts frames, index and HASH; that of the other tools is ROOT alone");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::field::wire::Wire;
    use crate::bench::measure::Spent;

    #[test]
    fn index_and_hash_count_as_root() {
        let spent = Spent { wall: 1.0, cpu: 2.0, memory: 50_000_000 };
        let wire = Wire {
            metadata: 1,
            index: 1_000_000,
            hash: 2_000_000,
            boot: 4_000_000,
            root: 8_000_000,
            other: 0,
        };
        let case = Case {
            pair: Pair::Security,
            kind: Kind::Ext4,
            difference: "34 of 243 packages".to_owned(),
            ours: Ours { wire, requests: 9, spent, bytes: serde_json::Value::Null, again: 0 },
            whole: [30_000_000, 200_000_000, 7_000_000],
            packs: vec![
                serde_json::from_str(
                    r#"{"from": "0.8.0", "image": "root", "bytes": 12000000, "instead_of": 90000000, "published": true}"#,
                )
                .expect("a pack"),
            ],
            others: vec![Other { tool: "casync".to_owned(), boot: 3, root: 48_000_000, making: spent }],
        };
        let figures = Figures { cases: vec![case] };
        let table = figures.table();
        for part in [
            "security as ext4: 34 of 243",
            "11.00 MB",
            "15.00 MB",
            "207.00 MB",
            "48.00 MB",
            "15.00 MB in 9 requests",
            "pack of root: 12.00 MB instead of 90.00 MB\n",
            "pack of root, header included: 0.250 of casync",
            "pack of root, header included: 0.060 of LZ4 whole",
        ] {
            assert!(table.contains(part), "{part}: {table}");
        }
        assert!(figures.json().contains("\"tool\":\"casync\""));
    }
}

//! `cargo xtask bench boot`: how a BOOT should be built so that it moves little. The kernel and the initial file system of
//! real releases are put into a BOOT in four ways; `pubrepo` publishes each, and tells what a host fetches of the next one.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Parser;
use serde::Serialize;
use serde_json::Value;

use super::field::{self, megabytes};
use super::images::catalog::{Catalog, Kind};
use super::images::release::{Extent, Pair, Release};
use super::images::{self, ext4};
use super::tools::{Tool, all_there, command, said, shipped, tool};
use crate::Outcome;

/// What is called here beside what images are built with.
pub(super) const TOOLS: [Tool; 3] =
    [tool("debugfs", "e2fsprogs"), tool("zstd", "zstd"), tool("objcopy", "binutils")];
/// What makes one program of a kernel and an initial file system, and the package that has it.
const STUB: [&str; 2] = ["/usr/lib/systemd/boot/efi/linuxx64.efi.stub", "systemd-boot-efi"];

/// The partition, large enough for every way.
const BOOT: u64 = 256 << 20;
const ARCH: &str = std::env::consts::ARCH;
const OLD: &str = "1.0.0";
const NEW: &str = "1.1.0";

/// Arguments of `cargo xtask bench boot`.
#[derive(Parser)]
pub(crate) struct Args {
    /// Images that are much smaller, for trying this out
    #[arg(long)]
    little: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// A way to build BOOT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Way {
    /// One program with both in it, or two files.
    unified: bool,
    /// The initial file system as a plain archive, or compressed with zstd.
    plain: bool,
}

const WAYS: [Way; 4] = [
    Way { unified: false, plain: false },
    Way { unified: false, plain: true },
    Way { unified: true, plain: false },
    Way { unified: true, plain: true },
];

/// What a host fetches of the BOOT of the next release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    pair: Pair,
    #[serde(flatten)]
    way: Way,
    /// The image as one LZ4 frame.
    whole: u64,
    /// Frames that are missing, with their index.
    frames: u64,
    /// Header and body of a pack.
    pack: u64,
    /// Whether it was worth being published.
    published: bool,
}

/// Builds, publishes, and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    all_there(&TOOLS)?;
    if !Path::new(STUB[0]).exists() {
        return Err(format!("find {}: install the Debian package {}", STUB[0], STUB[1]).into());
    }
    let extent = Extent::little(args.little);
    images::there_or_built(extent)?;
    field::build_programs()?;
    let work = images::dir(extent).join("boot");
    let mut rows = Vec::new();
    for pair in Pair::ALL {
        for way in WAYS {
            eprintln!("{}, {} …", pair.name(), way.what());
            rows.push(row(extent, pair, way, &work)?);
            fs::remove_dir_all(&work)?;
        }
    }
    println!("{}", if args.json { serde_json::to_string(&rows)? } else { table(&rows) });
    Ok(true)
}

fn row(extent: Extent, pair: Pair, way: Way, work: &Path) -> Result<Row, Box<dyn Error>> {
    match fs::remove_dir_all(work) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::create_dir_all(work)?;
    let pubrepo = |verb: &str| {
        let mut pubrepo = command(&shipped("pubrepo").to_string_lossy());
        pubrepo.args([verb, "--json", "--variant", "boot", "--arch", ARCH]);
        pubrepo.arg("--repo").arg(work.join("repo")).arg("--keys").arg(work.join("keys"));
        pubrepo
    };
    said(&mut pubrepo("init"))?;
    let (before, after) = pair.releases();
    let mut told = Value::Null;
    for (release, version, byte) in [(before, OLD, 0), (after, NEW, 1)] {
        let boot = boot(extent, release, way, &work.join(version))?;
        // Two releases have two roots, and what is in them is of no matter here.
        let [root, hash] = ["root", "hash"].map(|image| work.join(version).join(image));
        fs::write(&root, [byte; 4 << 12])?;
        let mut tree = command(&shipped("pubrepo").to_string_lossy());
        said(tree.arg("hash").arg(&root).args(["--salt", "00"]).arg("--out").arg(&hash))?;
        let mut add = pubrepo("add");
        add.args(["--no-migrations", "--version", version]).arg("--boot").arg(boot);
        told = serde_json::from_str(&said(add.arg("--root").arg(root).arg("--hash").arg(hash))?)?;
    }
    read(&told, pair, way).ok_or_else(|| "read what pubrepo says".into())
}

/// What `pubrepo add --json` says of BOOT.
fn read(told: &Value, pair: Pair, way: Way) -> Option<Row> {
    let packs = told["packs"].as_array()?;
    let pack = packs.iter().find(|pack| pack["image"] == "boot")?;
    let targets = told["targets"].as_array()?;
    let is_whole = |target: &&Value| target["name"].as_str().is_some_and(|name| name.ends_with("-boot.lz4"));
    Some(Row {
        pair,
        way,
        whole: targets.iter().find(is_whole)?["length"].as_u64()?,
        frames: pack["instead_of"].as_u64()?,
        pack: pack["bytes"].as_u64()?,
        published: pack["published"].as_bool()?,
    })
}

/// The BOOT of a release, built in this way below `dir`.
fn boot(extent: Extent, release: Release, way: Way, dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let tree = dir.join("tree");
    fs::create_dir_all(&tree)?;
    let image = Catalog::paths(extent, release, Kind::Ext4).boot;
    for name in ["vmlinuz", "initrd"] {
        let dump = format!("dump {name} {}", tree.join(name).display());
        said(command("debugfs").args(["-R", &dump]).arg(&image))?;
        if fs::metadata(tree.join(name))?.len() == 0 {
            return Err(format!("find {name} in {}", image.display()).into());
        }
    }
    let (kernel, initial) = (tree.join("vmlinuz"), tree.join("initrd"));
    if way.plain {
        let plain = dir.join("plain");
        said(command("zstd").args(["-q", "-d", "-f"]).arg(&initial).arg("-o").arg(&plain))?;
        fs::rename(plain, &initial)?;
    }
    if way.unified {
        let section = |name: &str, file: &Path, at: &str| {
            [
                "--add-section".to_owned(),
                format!("{name}={}", file.display()),
                "--change-section-vma".to_owned(),
                format!("{name}={at}"),
            ]
        };
        let mut objcopy = command("objcopy");
        objcopy.arg("--preserve-dates").args(section(".linux", &kernel, "0x2000000"));
        objcopy.args(section(".initrd", &initial, "0x8000000")).arg(STUB[0]).arg(tree.join("linux.efi"));
        said(&mut objcopy)?;
        fs::remove_file(kernel)?;
        fs::remove_file(initial)?;
    }
    let out = dir.join("boot.img");
    File::create(&out)?;
    ext4(&tree, &out, BOOT)?;
    fs::remove_dir_all(tree)?;
    Ok(out)
}

impl Way {
    fn what(self) -> &'static str {
        match (self.unified, self.plain) {
            (false, false) => "kernel and initramfs, compressed",
            (false, true) => "kernel and initramfs, plain",
            (true, false) => "unified image, initramfs compressed",
            (true, true) => "unified image, initramfs plain",
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:<10}{:<38}{:>12}{:>12}{:>12}", "pair", "BOOT", "whole", "frames", "pack");
    for Row { pair, way, whole, frames, pack, published } in rows {
        let [whole, frames, pack] = [*whole, *frames, *pack].map(megabytes);
        let not = if *published { "" } else { "  not published" };
        let _ = writeln!(text, "{:<10}{:<38}{whole:>12}{frames:>12}{pack:>12}{not}", pair.name(), way.what());
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_boot_are_those_that_pubrepo_tells() {
        let told = serde_json::json!({
            "packs": [
                {"image": "root", "bytes": 1, "instead_of": 2, "published": true},
                {"image": "boot", "bytes": 3, "instead_of": 20, "published": false},
            ],
            "targets": [{"name": "ours-boot-x86_64-1.1.0-root.lz4", "length": 5}, {"name": "a-boot.lz4", "length": 30}],
        });
        let row = read(&told, Pair::Kernel, WAYS[1]).expect("all is there");
        assert_eq!((row.whole, row.frames, row.pack, row.published), (30, 20, 3, false));
        assert!(table(&[row]).ends_with("not published"));
        assert_eq!(read(&Value::Null, Pair::Kernel, WAYS[1]), None);
    }
}

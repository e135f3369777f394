//! Every kind of manifest that was ever written is still read, and means what it meant. A change of the format adds a
//! file here; none is ever changed.

use update_metadata::{Manifest, Seed};

fn read(name: &str) -> Manifest {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(name);
    Manifest::parse(&std::fs::read(path).expect("a fixture")).expect("a manifest")
}

#[test]
fn files_as_other_tools_write_them_are_read() {
    let manifest = read("2019-08-other-tools.json");
    let [first, second] = &manifest.updates[..] else { panic!("two updates") };
    assert_eq!(
        (first.version.to_string(), second.max_version.to_string()),
        ("1.11.0".into(), "1.15.0".into())
    );
    assert_eq!(second.waves.keys().copied().collect::<Vec<_>>(), [0, 20, 102, 307, 819, 1228, 1843]);
    assert_eq!(manifest.migrations.len(), 3);
    let path = update_metadata::migration_path(
        &manifest.migrations,
        &"1.11.0".parse().expect("a version"),
        &"1.15.0".parse().expect("a version"),
    );
    assert_eq!(path.expect("joined"), ["migrate_v1.12.0_a.lz4", "migrate_v1.15.0_b.lz4"]);
}

#[test]
fn files_from_before_there_were_extensions_are_read_and_written_the_same() {
    let text = include_str!("../manifests/2026-11-plain.json");
    let manifest = read("2026-11-plain.json");
    assert!(
        manifest.extensions.is_empty() && manifest.updates.iter().all(|update| update.extensions.is_empty())
    );
    assert_eq!(manifest.to_json(), text);
}

#[test]
fn files_with_extensions_are_read_and_written_the_same() {
    let text = include_str!("../manifests/2026-11-extensions.json");
    let manifest = read("2026-11-extensions.json");
    assert!(manifest.updates[0].extensions.barrier);
    assert_eq!(manifest.extensions.paused.len(), 1);
    assert_eq!(manifest.updates[0].extensions.other.len(), 1, "what is not understood is kept");
    assert_eq!(manifest.to_json(), text);
    let seed = Seed::new(1024).expect("a seed");
    let opens = update_metadata::waves::opens_at(&manifest.updates[0].waves, seed);
    assert_eq!(opens, "2026-02-02T00:00:00Z".parse().ok());
}

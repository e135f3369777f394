//! The pin of a cached set: only pinned files are read, and only from the set's directory.
#![no_main]

use std::path::Path;

use host_io::MemoryFs;
use libfuzzer_sys::fuzz_target;
use trusted_repo::fuzzing::pinned;

fuzz_target!(|bytes: &[u8]| {
    let fs = MemoryFs::default()
        .with("/cache/x/pin.json", bytes)
        .with("/cache/x/metadata/1.root.json", b"{}")
        .with("/cache/x/metadata/timestamp.json", b"")
        .with("/cache/x/targets/a.lz4", b"a");
    let _any_answer = pinned(&fs, Path::new("/cache/x/metadata"), Path::new("/cache/x/targets"));
    assert!(
        !pinned(&fs, Path::new("/cache/x/metadata"), Path::new("/cache/y/targets")),
        "half a pin is none"
    );
});

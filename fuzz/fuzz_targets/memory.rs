//! Remembered trust: an index that says anything but what was written refuses.
#![no_main]

use std::path::Path;

use host_io::MemoryFs;
use libfuzzer_sys::fuzz_target;
use ring::digest::{SHA256, digest};
use trusted_repo::fuzzing::remembered;

const ROOT: &[u8] = include_bytes!("../seeds/root_role/1.root.json");

fuzz_target!(|bytes: &[u8]| {
    // Where the input asks for it, the digest of the root is put in, which nobody can guess.
    let text = String::from_utf8_lossy(bytes).replace("@ROOT@", &hex::encode(digest(&SHA256, ROOT)));
    let fs = MemoryFs::default()
        .with_link("/trust/current", "now")
        .with("/trust/now/memory.json", text.as_bytes())
        .with("/trust/now/1.root.json", ROOT)
        .with("/trust/now/timestamp.json", b"{\"signed\":{\"version\":3}}");
    if let Some(versions) = remembered(&fs, Path::new("/trust")) {
        assert_eq!(versions, [1], "there is one root");
    }
});

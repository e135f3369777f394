//! A data directory with files of any name and content: what is read can be written, and reads back the same.
#![no_main]

use std::path::Path;

use datastore::{links, store_dir};
use host_io::MemoryFs;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // One file a line: its path below the data directory, a space, its content. A path without content is a directory.
    let mut fs = MemoryFs::default().with_dir("/store/v1/live").with_dir("/store/v1/pending");
    for line in text.lines().take(20) {
        fs = match line.split_once(' ') {
            Some(("link", target)) => fs.with_link("/store/current", target),
            Some((path, content)) if inside(path) => {
                fs.with(&format!("/store/v1/{path}"), content.as_bytes())
            }
            None if inside(line) => fs.with_dir(&format!("/store/v1/{line}")),
            _ => fs,
        };
    }
    if let Ok(Some(chain)) = links::read(&fs, Path::new("/store")) {
        assert!(!chain.data_dir.contains('/'), "a chain stays beside its links");
    }
    let Ok(contents) = store_dir::read(&fs, Path::new("/store/v1")) else { return };
    match store_dir::write(&fs, Path::new("/copy"), &contents) {
        Ok(()) => {
            let mut expected = contents;
            expected.pending.retain(|_, settings| !settings.is_empty());
            expected.unset.retain(|_, keys| !keys.is_empty());
            let again = store_dir::read(&fs, Path::new("/copy")).expect("what is written reads back");
            assert_eq!(again, expected, "and says the same");
        }
        // Only one of two that clash has a place; files of one directory never do, but metadata below a value may.
        Err(error) => assert!(
            matches!(error, datastore::Error::Collision { .. } | datastore::Error::Name { .. }),
            "{error}"
        ),
    }
});

fn inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | "..") && part.len() <= 255)
}

//! A release and its migrations, merged into a manifest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update_metadata::{Manifest, ReleaseConfig, author, safe_target_name};

fuzz_target!(|text: &str| {
    let Ok(release) = ReleaseConfig::parse(text) else { return };
    let Ok(manifest) = author::merge_migrations(Manifest::default(), &release) else { return };
    assert!(
        manifest
            .migrations
            .iter()
            .all(|((from, to), names)| { from < to && names.iter().all(|name| safe_target_name(name)) })
    );
    assert_eq!(
        author::merge_migrations(manifest.clone(), &release).expect("no conflict with itself"),
        manifest
    );
    assert_eq!(Manifest::parse(manifest.to_json().as_bytes()).expect("it reads back"), manifest);
    assert_eq!(author::dropped_steps(&manifest, &release), [], "nothing is lost");
});

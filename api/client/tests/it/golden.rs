//! Compares a screen with the one that is kept beside the tests, in `golden/`.

use std::path::Path;

/// Asserts that `screen` is the kept one called `name`. A run with `APICLIENT_GOLDEN=write` keeps the present one
/// instead; look at the difference before committing it.
pub(crate) fn assert(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name);
    if std::env::var_os("APICLIENT_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, screen).unwrap();
    }
    let kept = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run with APICLIENT_GOLDEN=write", path.display()));
    assert!(
        screen == kept,
        "{} differs; look at it, then run with APICLIENT_GOLDEN=write\n{screen}",
        path.display()
    );
}

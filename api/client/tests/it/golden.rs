//! Compares a screen with the one that is kept beside the tests, in `golden/`.

use std::path::Path;

/// Asserts that `screen` is the kept one called `name`. A run with `APICLIENT_GOLDEN=write` keeps the present one
/// instead; look at the difference before committing it.
pub(crate) fn assert(name: &str, screen: &str) {
    assert_at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name), screen);
}

/// The same for a file that lies elsewhere.
pub(crate) fn assert_at(path: &Path, text: &str) {
    if std::env::var_os("APICLIENT_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; run with APICLIENT_GOLDEN=write", path.display()));
    assert!(
        text == kept,
        "{} differs; look at it, then run with APICLIENT_GOLDEN=write\n{text}",
        path.display()
    );
}

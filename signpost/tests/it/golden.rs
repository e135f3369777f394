//! Compares a screen with the one that is kept beside the tests, in `golden/`.

use std::path::Path;

/// Asserts that `screen` is the kept one called `name`. A run with `SIGNPOST_GOLDEN=write` keeps the present one instead;
/// what has changed is then seen in the diff.
#[track_caller]
pub(crate) fn assert(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name);
    // A control character in a text file would hide the colours from whoever reads the diff.
    let screen = screen.replace('\x1b', "<esc>");
    if std::env::var_os("SIGNPOST_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &screen).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == screen, "{name}: kept is\n{kept}\nbut now it is\n{screen}");
}

//! Whether an answer continues what was received so far. The input is lines: position, length, then the headers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trusted_repo::fuzzing::{Described, resumes};

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().filter(|line| !line.is_empty());
    let position = line().and_then(|line| line.parse().ok()).unwrap_or(100);
    let length = line().and_then(|line| line.parse().ok());
    let begun = Described { etag: line(), last_modified: line() };
    let part = Described { etag: line(), last_modified: line() };
    let range = line().unwrap_or_default();
    let taken = resumes(position, begun, length, part, range);
    assert!(
        !resumes(position.wrapping_add(1), begun, length, part, range) || !taken,
        "one part, one position"
    );
});

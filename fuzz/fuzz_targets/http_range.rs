//! Whether an answer continues what was received so far. The input is lines: position, length, then the header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trusted_repo::fuzzing::resumes;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().filter(|line| !line.is_empty());
    let position = line().and_then(|line| line.parse().ok()).unwrap_or(100);
    let length = line().and_then(|line| line.parse().ok()).unwrap_or(200);
    let range = line().unwrap_or_default();
    if let (Some(before), Some(next)) =
        (resumes(position, length, range), position.checked_add(1).and_then(|next| resumes(next, length, range)))
    {
        assert_eq!(before + 1, next, "a part continues each of its bytes");
    }
});

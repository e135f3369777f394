//! A root role, signed by a threshold of its own keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trusted_repo::fuzzing::root_role;

fuzz_target!(|bytes: &[u8]| {
    let _any_answer = root_role(bytes);
});

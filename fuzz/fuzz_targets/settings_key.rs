//! Names of settings, and names of files made of them.
#![no_main]

use datastore::Key;
use datastore::encoding::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(decoded) = decode(text) {
        assert_eq!(encode(&decoded), text, "one name, one text");
        assert!(!text.contains('/') && !text.contains('.'));
    }
    if !text.is_empty() {
        assert_eq!(decode(&encode(text)).as_deref(), Some(text), "any text comes back");
    }
    let Ok(key) = Key::parse(text) else { return };
    assert_eq!(Key::parse(&key.to_string()), Ok(key.clone()), "what is shown reads back");
    assert_eq!(Key::from_segments(key.segments().iter().cloned()), Ok(key.clone()));
    assert!(!key.is_below(&key));
});

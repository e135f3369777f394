//! The key of a migration, `(FROM, TO)`, and safe target names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update_metadata::edge::Edge;
use update_metadata::{safe_target_name, span};

fuzz_target!(|text: &str| {
    if let Ok(edge) = text.parse::<Edge>() {
        assert_eq!(edge.to_string().parse(), Ok(edge), "what is written reads back");
    }
    if safe_target_name(text) {
        assert_eq!(std::path::Path::new(text).file_name(), Some(text.as_ref()), "one name in one directory");
    }
    let _any_length = span::parse(text);
});

//! The model of an image's settings, and what a caller may set by it. The input is the model, a line `---`, a body.
#![no_main]

use std::path::Path;

use apiserver::change::{self, Nulls};
use libfuzzer_sys::fuzz_target;
use settings_model::{Model, tree};

fuzz_target!(|text: &str| {
    let (model, body) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    let Ok(model) = Model::parse(model, Path::new("settings.toml")) else { return };
    for (key, value) in model.defaults() {
        let setting = model.get(&key).expect("a default belongs to a setting");
        assert!(setting.kind.takes(&value), "a default is a value");
    }
    let pairs: Vec<String> = body.lines().map(str::to_owned).collect();
    let asked = [Nulls::Say, Nulls::TakeAway].map(|nulls| change::from_json(&model, body.as_bytes(), nulls));
    let set = asked.into_iter().map(|asked| asked.map(|asked| asked.set));
    for changes in set.chain([change::from_pairs(&model, &pairs)]).flatten() {
        for (key, value) in &changes {
            assert!(model.get(key).is_some_and(|setting| setting.kind.takes(value)), "only what is known");
        }
        let body = tree::nested(&changes).to_string();
        let again = change::from_json(&model, body.as_bytes(), Nulls::TakeAway).expect("it reads back");
        assert_eq!((again.set, again.away), (changes, Vec::new()));
    }
});

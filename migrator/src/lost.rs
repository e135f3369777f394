//! Settings that a release removes come back with it.
//!
//! Whoever goes back to the older release gets its settings back: what its store had when it was left, and what no
//! migration there or back knows of any more. Which settings those are no migration says; they are found by taking the
//! store that was kept there and back, as a host would. What a person unset on the newer release is none of them.

use datastore::Key;
use datastore::store_dir::{Contents, Settings};
use host_io::report;

use crate::args::Request;
use crate::cached::Cached;
use crate::carry::carry;
use crate::course::Direction;
use crate::error::Error;
use crate::scratch::Room;

/// Gives `contents`, which migrations of `cached` have brought back, what they lose of `kept`.
pub async fn give_back(
    request: &Request,
    cached: &Cached,
    contents: &mut Contents,
    kept: Contents,
    room: Room,
) {
    if kept.live.keys().all(|key| contents.live.contains_key(key)) {
        return;
    }
    match there_and_back(request, cached, kept.clone(), room).await {
        Ok(again) => put_back(contents, &kept, &again.live),
        Err(error) => tracing::warn!(
            "settings that the newer release removes are not given back: failed to {}",
            report::chain(&error)
        ),
    }
}

async fn there_and_back(
    request: &Request,
    cached: &Cached,
    kept: Contents,
    room: Room,
) -> Result<Contents, Error> {
    let there = carry(request, &cached.back(), kept, Direction::Forward, room).await?;
    carry(request, cached, there, Direction::Backward, room).await
}

/// Gives `contents` the settings of `kept` that `again`, the same after going there and back, lacks, and what was noted of
/// them. What is there stays.
pub fn put_back(contents: &mut Contents, kept: &Contents, again: &Settings) {
    for (key, value) in kept.live.iter().filter(|(key, _)| !again.contains_key(*key)) {
        if has_place(&contents.live, key) {
            contents.live.insert(key.clone(), value.clone());
            if let Some(noted) = kept.metadata.get(key) {
                contents.metadata.entry(key.clone()).or_insert_with(|| noted.clone());
            }
        }
    }
}

/// Whether a setting can be where nothing else is: neither it nor one above or below it.
fn has_place(settings: &Settings, key: &Key) -> bool {
    let beside =
        settings.range(key.clone()..).next().is_none_or(|(next, _)| next != key && !next.is_below(key));
    beside && !settings.keys().any(|other| key.is_below(other))
}

#[cfg(test)]
mod tests {
    use datastore::store_dir::Metadata;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_lost_comes_back_where_it_has_a_place() {
        let settings = |names: &[&str], value: i32| -> Settings {
            names.iter().map(|name| (Key::parse(name).unwrap(), json!(value))).collect()
        };
        let noted = |names: &[&str], value: i32| -> Metadata {
            settings(names, value)
                .into_iter()
                .map(|(key, value)| (key, [("m".to_owned(), value)].into()))
                .collect()
        };
        let kept = Contents {
            live: settings(&["a.lost", "b.lost", "c.lost.x", "d.unset", "e.lost", "f", "g.lost"], 1),
            metadata: noted(&["a.lost", "b.lost", "d.unset", "g.lost"], 1),
            ..Contents::default()
        };
        let again = settings(&["d.unset", "f"], 1);
        let now = settings(&["b.lost.below", "c.lost", "e.lost", "f"], 2);
        let mut contents =
            Contents { live: now.clone(), metadata: noted(&["g.lost"], 2), ..Contents::default() };
        put_back(&mut contents, &kept, &again);
        let expected: Settings = now.into_iter().chain(settings(&["a.lost", "g.lost"], 1)).collect();
        assert_eq!(contents.live, expected);
        let noted: Metadata = noted(&["a.lost"], 1).into_iter().chain(noted(&["g.lost"], 2)).collect();
        assert_eq!(contents.metadata, noted);
    }
}

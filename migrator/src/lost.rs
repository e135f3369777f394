//! Settings that a release removes come back with it.
//!
//! Whoever goes back to the older release gets its settings back: what its store had when it was left, and what no
//! migration there or back knows of any more. Which settings those are no migration says; they are found by taking the
//! store that was kept there and back, as a host would. What a person unset on the newer release is none of them, where the
//! way back leaves it alone.

use datastore::Key;
use datastore::store_dir::{Contents, Settings};

use crate::args::Request;
use crate::cached::Cached;
use crate::carry::carry;
use crate::course::Direction;
use crate::error::Error;
use crate::scratch::Room;

/// Carries `contents`, and on the way back gives them what migrations lose of the store that was `kept`. To go on without
/// that would lose it for good, as that store goes when the way back is done.
///
/// # Errors
/// As [`carry()`].
pub async fn carry_and_give_back(
    request: &Request,
    cached: &Cached,
    contents: Contents,
    direction: Direction,
    kept: Option<&Contents>,
    room: Room,
) -> Result<Contents, Error> {
    let mut carried = carry(request, cached, contents, direction, room).await?;
    if let (Direction::Backward, Some(kept)) = (direction, kept)
        && !kept.live.keys().all(|key| carried.live.contains_key(key))
    {
        tracing::info!(
            "some settings that {} had are gone on this way: those that were kept are taken there and back, to see which \
             of them migrations lose",
            request.target
        );
        let there = carry(request, &cached.back(), kept.clone(), Direction::Forward, room).await?;
        let again = carry(request, cached, there, Direction::Backward, room).await?;
        put_back(&mut carried, kept, &again.live);
    }
    Ok(carried)
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

//! The maps and lists of a manifest as serde reads and writes them: keys that are text in the file and values here,
//! nothing twice, and no more entries than are worth reading.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use semver::Version;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::edge::{self, Edge};
use crate::manifest::{MAX_UPDATES, MAX_WAVES, Update};

/// The migrations of a manifest or of a release.
pub(crate) type Migrations = BTreeMap<(Version, Version), Vec<String>>;

/// Reads at most [`MAX_UPDATES`] updates.
pub(crate) fn updates<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Update>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<Update>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of updates")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut updates = Vec::new();
            while let Some(update) = list.next_element()? {
                if updates.len() == MAX_UPDATES {
                    return Err(A::Error::custom(format_args!("more than {MAX_UPDATES} updates")));
                }
                updates.push(update);
            }
            Ok(updates)
        }
    }

    deserializer.deserialize_seq(List)
}

/// Reads at most [`MAX_WAVES`] waves, by the seed after which each begins.
pub(crate) fn waves<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<u32, DateTime<Utc>>, D::Error> {
    deserializer.deserialize_map(Pairs {
        what: "waves by seed",
        limit: MAX_WAVES,
        key: |text: &str| text.parse().map_err(|_| format!("{text:?} is not the number of a wave")),
        name: |bound: &u32| format!("wave {bound}"),
        value: PhantomData,
    })
}

/// Reads migrations by the step that they are for.
pub(crate) fn migrations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Migrations, D::Error> {
    let by_edge = deserializer.deserialize_map(Pairs {
        what: "lists of migrations by \"(FROM, TO)\"",
        // Their number is bounded by the length of the file.
        limit: usize::MAX,
        key: |text: &str| text.parse::<Edge>().map_err(|error: edge::NotAnEdge| error.to_string()),
        name: |edge: &Edge| format!("the step {edge}"),
        value: PhantomData,
    })?;
    Ok(by_edge.into_iter().map(|(edge, names): (Edge, Vec<String>)| ((edge.from, edge.to), names)).collect())
}

/// Writes migrations with the keys sorted as text, as every other writer does.
pub(crate) fn write_migrations<S: Serializer>(
    migrations: &Migrations,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let key = |(from, to): &(Version, Version)| Edge { from: from.clone(), to: to.clone() }.to_string();
    let by_text: BTreeMap<String, &Vec<String>> =
        migrations.iter().map(|(edge, names)| (key(edge), names)).collect();
    by_text.serialize(serializer)
}

/// A map whose keys are text in the file.
struct Pairs<K, V> {
    what: &'static str,
    limit: usize,
    key: fn(&str) -> Result<K, String>,
    name: fn(&K) -> String,
    value: PhantomData<V>,
}

impl<'de, K: Ord, V: Deserialize<'de>> Visitor<'de> for Pairs<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = BTreeMap::new();
        while let Some(text) = map.next_key::<String>()? {
            let key = (self.key)(&text).map_err(A::Error::custom)?;
            if pairs.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{} twice", (self.name)(&key))));
            }
            if pairs.len() == self.limit {
                return Err(A::Error::custom(format_args!("more than {} {}", self.limit, self.what)));
            }
            pairs.insert(key, map.next_value()?);
        }
        Ok(pairs)
    }
}

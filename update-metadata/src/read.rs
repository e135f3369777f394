//! The maps and lists of a manifest as serde reads and writes them: keys that are text in the file and values here,
//! nothing twice, and no more entries than are worth reading.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDate, Utc};
use semver::Version;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::edge::Edge;
use crate::limits::{MAX_UPDATES, MAX_WAVES};

/// The migrations of a manifest or of a release.
pub(crate) type Migrations = BTreeMap<(Version, Version), Vec<String>>;

/// Reads at most [`MAX_UPDATES`] updates.
pub(crate) fn updates<'de, D: Deserializer<'de>, U: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<U>, D::Error> {
    struct List<U>(PhantomData<U>);

    impl<'de, U: Deserialize<'de>> Visitor<'de> for List<U> {
        type Value = Vec<U>;

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

    deserializer.deserialize_seq(List(PhantomData))
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
        value: PhantomData::<(Date, DateTime<Utc>)>,
    })
}

/// Reads migrations by the step that they are for.
pub(crate) fn migrations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Migrations, D::Error> {
    deserializer.deserialize_map(Pairs {
        what: "lists of migrations by \"(FROM, TO)\"",
        // Their number is bounded by the length of the file.
        limit: usize::MAX,
        key: |text: &str| match text.parse::<Edge>() {
            Ok(Edge { from, to }) => Ok((from, to)),
            Err(error) => Err(error.to_string()),
        },
        name: |(from, to): &(Version, Version)| {
            format!("the step {}", Edge { from: from.clone(), to: to.clone() })
        },
        value: PhantomData::<(Vec<String>, Vec<String>)>,
    })
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

/// A map whose keys are text in the file. Values are read as `V` and kept as `T`.
struct Pairs<K, V, T> {
    what: &'static str,
    limit: usize,
    key: fn(&str) -> Result<K, String>,
    name: fn(&K) -> String,
    value: PhantomData<(V, T)>,
}

impl<'de, K: Ord, V: Deserialize<'de> + Into<T>, T> Visitor<'de> for Pairs<K, V, T> {
    type Value = BTreeMap<K, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key_seed(Key(self.key))? {
            if pairs.len() == self.limit {
                return Err(A::Error::custom(format_args!("more than {} {}", self.limit, self.what)));
            }
            pairs.push((key, map.next_value::<V>()?.into()));
        }
        // Files are sorted as a rule, so that this costs one look and makes the map in one go.
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(A::Error::custom(format_args!("{} twice", (self.name)(&twice[0].0))));
        }
        Ok(pairs.into_iter().collect())
    }
}

/// The key of a pair, read where it stands.
struct Key<K>(fn(&str) -> Result<K, String>);

impl<'de, K> DeserializeSeed<'de> for Key<K> {
    type Value = K;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<K, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<K> Visitor<'_> for Key<K> {
    type Value = K;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<K, E> {
        (self.0)(text).map_err(E::custom)
    }
}

/// A date as manifests have it.
struct Date(DateTime<Utc>);

impl From<Date> for DateTime<Utc> {
    fn from(date: Date) -> Self {
        date.0
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Date;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date like 2026-01-31T09:00:00Z")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
                let date = plain_date(text.as_bytes()).map_or_else(|| text.parse(), Ok);
                date.map(Date)
                    .map_err(|_| E::custom(format_args!("{text:?} is not a date with a time and a zone")))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The one spelling that nearly all dates have, `2026-01-31T09:00:00Z`: a manifest may hold half a million of them.
fn plain_date(text: &[u8]) -> Option<DateTime<Utc>> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'Z'] = *text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |number: u32, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    Some(day.and_hms_opt(number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?)?.and_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_short_way_to_a_date_leads_where_the_long_one_does(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z",
        ) {
            if let Some(date) = plain_date(text.as_bytes()) {
                prop_assert_eq!(text.parse::<DateTime<Utc>>(), Ok(date));
            }
        }

        #[test]
        fn the_short_way_is_taken_by_what_is_written(seconds in 0_i64..250_000_000_000) {
            let date = DateTime::from_timestamp(seconds, 0).unwrap();
            let text = date.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            prop_assert_eq!(plain_date(text.as_bytes()), Some(date));
        }
    }
}

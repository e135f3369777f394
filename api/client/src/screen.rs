//! What screens for people are made of.

use chrono::{DateTime, Utc};

/// Rows under a heading, in columns as wide as their widest cell. The last column runs free.
#[must_use]
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let heading = heading.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let widths: [usize; N] =
        std::array::from_fn(|column| all().map(|row| row[column].chars().count()).max().unwrap_or_default());
    let lines = all().map(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Facts with their names before them, in one column each.
#[must_use]
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = facts.iter().map(|(name, fact)| format!("{name:width$}  {fact}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A point in time, in UTC and to the second.
#[must_use]
pub fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["1.10.0".to_owned(), "a".to_owned()], ["1.2".to_owned(), String::new()]];
        assert_eq!(table(["V", "WHY"], &rows), "V       WHY\n1.10.0  a\n1.2");
        assert_eq!(facts(&[("a", "x".to_owned()), ("bcd", "y".to_owned())]), "a    x\nbcd  y");
    }
}

//! The numbers in what a check has said.

use std::collections::BTreeMap;

/// What a line with a number begins with: `number: NAME VALUE`.
const MARK: &str = "number:";
/// How many numbers of one check are looked at, and how long their names may be.
const MOST: usize = 16;
const LONGEST_NAME: usize = 64;

/// The numbers of one check, by name.
pub type OfCheck = BTreeMap<String, f64>;
/// The numbers of all checks, by the check's name.
pub type Numbers = BTreeMap<String, OfCheck>;

/// Reads them. A line that is none is talk; said twice, the last one counts.
#[must_use]
pub fn parse(said: &str) -> OfCheck {
    let mut found = OfCheck::new();
    for line in said.lines() {
        let Some(rest) = line.trim().strip_prefix(MARK) else { continue };
        let [name, value] = rest.split_whitespace().collect::<Vec<_>>()[..] else { continue };
        let named = name.len() <= LONGEST_NAME
            && name.chars().all(|at| at.is_ascii_alphanumeric() || "._-".contains(at));
        let value = value.parse().ok().filter(|value: &f64| value.is_finite());
        if let (true, Some(value)) = (named, value)
            && (found.len() < MOST || found.contains_key(name))
        {
            found.insert(name.to_owned(), value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_so_are_numbers_and_all_others_are_talk() {
        let found = parse(
            "started\nnumber: p99-seconds 0.25\n  number: queue 7\nnumber: queue 8\nnumber: bad\nnumber: a b c\n\
             number: inf inf\nnumber: nan NaN\nnumber: \u{fc} 1\nthe number: x 1\nnumber: minus -3e2\n",
        );
        let known = [("minus", -300.0), ("p99-seconds", 0.25), ("queue", 8.0)];
        assert_eq!(found, known.map(|(name, value)| (name.to_owned(), value)).into_iter().collect());
        let many: String = (0..100).map(|at| format!("number: n{at} 1\n")).collect();
        assert_eq!(parse(&many).len(), MOST);
    }
}

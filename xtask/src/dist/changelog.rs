//! Debian's changelog, from `CHANGELOG.md`.

use std::error::Error;
use std::fmt::Write as _;

use chrono::DateTime;

use super::release::Release;
use crate::cargo::workspace;

/// Debian's lines end before this column.
const WIDTH: usize = 78;

/// The changelog of the package `name`.
pub(super) fn write(name: &str, release: &Release) -> Result<String, Box<dyn Error>> {
    let text = std::fs::read_to_string(workspace().join("CHANGELOG.md"))?;
    let when = DateTime::from_timestamp(release.epoch, 0).ok_or("say the time of this commit")?;
    let maintainer = release.named()?;
    let sign = format!(" -- {maintainer}  {}\n", when.to_rfc2822());
    let stanzas: Vec<String> = sections(&text)
        .into_iter()
        .map(|(heading, points)| {
            // What is not released under a number yet is what this package has.
            let version = if heading == "Unreleased" { release.debian() } else { format!("{heading}-1") };
            let points: String = points.iter().map(|point| wrapped(point)).collect();
            format!("{name} ({version}) unstable; urgency=medium\n\n{points}\n{sign}")
        })
        .collect();
    if stanzas.is_empty() {
        return Err("read CHANGELOG.md: it has no section".into());
    }
    Ok(stanzas.join("\n"))
}

/// Each section's heading, with its points.
fn sections(text: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            sections.push((heading.trim().to_owned(), Vec::new()));
        } else if let Some((_, points)) = sections.last_mut() {
            match (line.strip_prefix("- "), points.last_mut()) {
                (Some(point), _) => points.push(point.trim().to_owned()),
                (None, Some(last)) if !line.trim().is_empty() => {
                    last.push(' ');
                    last.push_str(line.trim());
                }
                (None, _) => {}
            }
        }
    }
    sections
}

fn wrapped(point: &str) -> String {
    let mut text = String::from("  *");
    let mut column = text.len();
    for word in point.split_whitespace() {
        let width = word.chars().count() + 1;
        if column + width > WIDTH && column > 3 {
            text.push_str("\n   ");
            column = 3;
        }
        let _ = write!(text, " {word}");
        column += width;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_keep_their_words_over_lines() {
        let text = "# Changelog\n\n## Unreleased\n\n- One\n  two.\n- Three.\n\n## 0.1.0\n\n- First.\n";
        let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let expected = vec![
            ("Unreleased".to_owned(), own(&["One two.", "Three."])),
            ("0.1.0".to_owned(), own(&["First."])),
        ];
        assert_eq!(sections(text), expected);
    }

    #[test]
    fn lines_end_where_debian_wants_them_to() {
        let text = wrapped(&"seven77 ".repeat(40));
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(text.split_whitespace().filter(|&word| word == "seven77").count(), 40);
        assert!(
            text.starts_with("  * seven77") && text.lines().skip(1).all(|line| line.starts_with("    s"))
        );
    }
}

//! What a subcommand answers on stdout, for people and for programs.

use std::io;

use crate::author::Selector;
use host_io::say;
use serde_json::{Value, json};

/// In which form answers are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object on one line.
    Json,
}

/// The answer in both forms.
#[derive(Debug)]
pub(crate) struct Answer {
    text: String,
    json: Value,
    about: About,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Something that was asked: without the answer it was asked in vain.
    AQuestion,
    /// Something that is done, whether anybody is told or not.
    AChange,
}

impl Answer {
    /// An answer that says something.
    pub(crate) fn new(text: String, json: Value) -> Self {
        Self { text, json, about: About::AQuestion }
    }

    /// What was changed: nothing that people need to read.
    pub(crate) fn changed(json: Value) -> Self {
        Self { text: String::new(), json, about: About::AChange }
    }

    /// Puts the answer on stdout.
    pub(crate) fn print(&self, format: Format) -> io::Result<()> {
        let text = match format {
            Format::Text => self.text.clone(),
            Format::Json => format!("{}\n", self.json),
        };
        match self.about {
            About::AQuestion => say::answer(&text),
            About::AChange => {
                say::outcome(&text);
                Ok(())
            }
        }
    }
}

/// An update by what selects it.
pub(crate) fn named(selector: &Selector) -> Value {
    json!({ "variant": selector.variant, "arch": selector.arch, "version": selector.version })
}

/// Rows below their headings, in columns. The last column has no width of its own.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> String {
    let headings = headings.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(headings).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

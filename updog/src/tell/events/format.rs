//! Who reads what is told: people or programs.

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: `--json`.
    Json,
}

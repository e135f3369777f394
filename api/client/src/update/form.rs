//! For whom to answer.

/// For whom to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Form {
    /// Answer in JSON, also when it fails
    #[arg(long)]
    json: bool,
}

impl Form {
    /// Whether the answer is for programs.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }
}

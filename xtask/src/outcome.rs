//! How a task ends.

/// Tasks end with whether what they looked at is as it should be, or with why they could not look.
pub(crate) type Outcome = Result<bool, Box<dyn std::error::Error>>;

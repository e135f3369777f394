//! The shapes of answers that only the description names.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoResponses, ToSchema};

/// The event that an `updog` told last.
#[derive(Debug, ToSchema)]
pub struct Progress {
    /// The subcommand that works, or worked last.
    pub command: String,
    /// Its process.
    pub pid: u32,
    /// When it told this.
    pub at: DateTime<Utc>,
    /// What it told, with its kind in `event`: `started`, `plan`, `progress`, `done` or `error`.
    #[schema(value_type = Object)]
    pub event: Value,
}

/// The running image, or with a prefix those of its fields that begin so.
#[derive(Debug, ToSchema)]
pub struct Os {
    /// For people.
    pub pretty_name: Option<String>,
    /// Which flavour of the system this is.
    pub variant_id: Option<String>,
    /// The running version.
    #[schema(example = "1.1.0")]
    pub version_id: Option<String>,
    /// The source revision.
    pub build_id: Option<String>,
    /// The architecture in the manifest's words.
    pub arch: Option<String>,
}

/// Which versions are known, and what speaks for and against each.
#[derive(Debug, ToSchema)]
pub struct Explanation {
    /// What runs: `variant`, `arch`, `version`.
    #[schema(value_type = Object)]
    pub running: Value,
    /// The place of this host in the fleet.
    pub seed: u32,
    /// The time that the waves are judged by.
    pub now: DateTime<Utc>,
    /// Each known version with its `verdict`, the `reason` for it, and when its wave opens.
    #[schema(value_type = Vec<Object>)]
    pub updates: Vec<Value>,
}

/// By what something is followed that takes its time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Underway {
    /// Its number.
    pub follow: u64,
}

/// 400.
#[derive(Debug, IntoResponses)]
#[response(
    status = 400,
    description = "The request is wrong; the text says where",
    content_type = "text/plain"
)]
pub struct BadRequest(pub String);

/// 404.
#[derive(Debug, IntoResponses)]
#[response(
    status = 404,
    description = "There is none: nothing is chosen, staged or recorded yet",
    content_type = "text/plain"
)]
pub struct Nothing(pub String);

/// 408.
#[derive(Debug, IntoResponses)]
#[response(status = 408, description = "The body did not arrive in time", content_type = "text/plain")]
pub struct TooSlow(pub String);

/// 409.
#[derive(Debug, IntoResponses)]
#[response(status = 409, description = "The state of updates does not allow it", content_type = "text/plain")]
pub struct Disallowed(pub String);

/// 413.
#[derive(Debug, IntoResponses)]
#[response(status = 413, description = "The body is too large", content_type = "text/plain")]
pub struct TooLarge(pub String);

/// 422.
#[derive(Debug, IntoResponses)]
#[response(status = 422, description = "Nothing is pending in the transaction", content_type = "text/plain")]
pub struct NothingPending(pub String);

/// 423.
#[derive(Debug, IntoResponses)]
#[response(status = 423, description = "An update command runs; ask again", content_type = "text/plain")]
pub struct Busy(pub String);

/// 503.
#[derive(Debug, IntoResponses)]
#[response(
    status = 503,
    description = "Something is owed; a line for each of it",
    content_type = "text/plain"
)]
pub struct Owing(pub String);

/// 500.
#[derive(Debug, IntoResponses)]
#[response(
    status = 500,
    description = "It could not be done; the text says why",
    content_type = "text/plain"
)]
pub struct Unable(pub String);

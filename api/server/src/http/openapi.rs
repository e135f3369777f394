//! The description of this API, made from the code that answers.
//!
//! A path is in the description because its handler says so, and is routed because of the same words; the two cannot
//! differ. What the handlers answer with is held against it by a test that walks all of it over a real socket.

use utoipa::OpenApi;

/// What is said of the API as a whole.
#[derive(Debug, OpenApi)]
#[openapi(info(
    title = "apiserver",
    description = "Settings, updates and reboots of one host. Answers are JSON; errors are plain text: one sentence, \
                   and where there is one a line with the next step."
))]
pub struct Whole;

//! Errors as status codes and plain text.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use host_io::Advise;
use host_io::report;

use crate::change::ChangeError;
use crate::store;
use crate::update::Refusal;

/// A request that was not done.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    /// 400: the request is wrong.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// 404: there is no such thing.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    /// 405: there is, but not for this method.
    #[must_use]
    pub fn wrong_method(message: impl Into<String>) -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message: message.into() }
    }

    /// 408: the request took too long to arrive.
    #[must_use]
    pub fn too_slow(message: impl Into<String>) -> Self {
        Self { status: StatusCode::REQUEST_TIMEOUT, message: message.into() }
    }

    /// 413: the request is too large.
    #[must_use]
    pub fn too_large(message: impl Into<String>) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message: message.into() }
    }

    /// 500: we could not.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: message.into() }
    }

    /// `error` as its sentence and its next step.
    #[must_use]
    pub fn from_error(status: StatusCode, error: &dyn Advise) -> Self {
        let told = report::json(error);
        let text = |field: &str| told[field].as_str().map(str::to_owned);
        let message = text("message").unwrap_or_default();
        Self {
            status,
            message: text("help").map_or(message.clone(), |help| format!("{message}\nhelp: {help}")),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!("{}", self.message);
        } else {
            tracing::debug!("{}: {}", self.status, self.message);
        }
        (self.status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.message).into_response()
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        let status = match &error {
            ChangeError::UnknownAway { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::from_error(status, &error)
    }
}

impl From<datastore::KeyError> for Failure {
    fn from(error: datastore::KeyError) -> Self {
        Self::bad_request(format!("failed to {error}"))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let status = match &error {
            store::Error::NothingPending(_) => StatusCode::UNPROCESSABLE_ENTITY,
            store::Error::Datastore(
                datastore::Error::Key(_)
                | datastore::Error::Name { .. }
                | datastore::Error::NameTooLong { .. }
                | datastore::Error::NotStorable { .. }
                | datastore::Error::Collision { .. },
            ) => StatusCode::BAD_REQUEST,
            store::Error::Impossible { .. } | store::Error::TooMuch { .. } | store::Error::TooManyOpen(_) => {
                StatusCode::BAD_REQUEST
            }
            store::Error::Datastore(_) | store::Error::Render(_) | store::Error::Seed(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::from_error(status, &error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            // Callers that wait ask again on this code and on no other.
            Refusal::Busy => StatusCode::LOCKED,
            Refusal::Disallowed { .. }
            | Refusal::GoesBack { .. }
            | Refusal::MayNotBoot { .. }
            | Refusal::Forbidden { .. }
            | Refusal::NothingToCancel { .. } => StatusCode::CONFLICT,
            Refusal::NothingChosen | Refusal::NotStaged(_) | Refusal::NeverRun => StatusCode::NOT_FOUND,
            Refusal::Updog { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::from_error(status, &refusal)
    }
}

/// Runs work that blocks (files, child processes) on a thread that may wait. A panic in it fails this request only.
///
/// # Errors
/// Those of the work; 500 when it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Failure::internal("failed to answer: the server has a defect, see its log")))
}

//! How far an update is: once, or as it goes.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use serde_json::Value;
use tokio::sync::watch;

use super::{Api, Failure, answers};
use crate::stop;
use crate::update::Dispatcher;

/// How often the work of others is looked at: they leave their events in a file.
const LOOK: Duration = Duration::from_millis(250);
/// How often a stream without news shows that it lives.
const ALIVE: Duration = Duration::from_secs(10);

/// `GET /updates/progress`: the latest event of the work on an update. With `Accept: text/event-stream` that one and
/// each after it, until the work ends; at once, when none runs.
///
/// # Errors
/// 404 when there was no such work since the machine started.
#[utoipa::path(get, path = "/updates/progress", responses(
    (status = 200, description = "The latest event", content((answers::Progress = "application/json"), (String = "text/event-stream"))),
    answers::Nothing,
))]
pub async fn progress(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Failure> {
    let latest = tokio::task::block_in_place(|| api.updates.progress().latest());
    let streams = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    if latest.is_none() && !(streams && api.updates.is_busy()) {
        return Err(Failure::not_found("there was no work on an update since this host started"));
    }
    if !streams {
        return Ok(Json(latest).into_response());
    }
    let news = News {
        own: api.updates.progress().watch(),
        updates: api.updates,
        stopping: api.stopping,
        told: None,
    };
    Ok(Sse::new(news.stream()).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

/// What a stream has told, and where its news come from.
struct News {
    own: watch::Receiver<Option<Value>>,
    updates: Dispatcher,
    stopping: watch::Receiver<bool>,
    told: Option<Value>,
}

impl News {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, |mut news| async move {
            let event = news.next().await?;
            Some((Ok(Event::default().data(event.to_string())), news))
        })
    }

    /// The next event; `None` once the work has ended and its last one was told.
    async fn next(&mut self) -> Option<Value> {
        loop {
            self.own.borrow_and_update();
            // Before the event: one that is told in between is then seen in the next round.
            let (busy, latest) =
                tokio::task::block_in_place(|| (self.updates.is_busy(), self.updates.progress().latest()));
            if latest.is_some() && latest != self.told {
                self.told.clone_from(&latest);
                return latest;
            }
            if !busy {
                return None;
            }
            tokio::select! {
                // An error means that nothing more is told; the time below still ends this.
                Ok(()) = self.own.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                _ = stop::asked(&mut self.stopping) => return None,
            }
        }
    }
}

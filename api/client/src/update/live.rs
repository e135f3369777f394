//! Showing how far the work is while we wait for it: a bar on a terminal, a line every five seconds elsewhere, the events
//! themselves for programs.

use std::time::Duration;

use api_model::CommandType;
use chrono::{DateTime, Utc};
use host_io::{bar, say};
use tokio::time::Instant;

use super::form::Form;
use super::progress::{Latest, span};

/// How often a person who waits is told so.
const NOTICE: Duration = Duration::from_secs(5);

/// Where progress is shown.
#[derive(Debug)]
pub struct Live {
    look: Look,
    shown: Option<DateTime<Utc>>,
}

#[derive(Debug)]
enum Look {
    Json,
    Bar,
    Lines { last: Option<Instant> },
}

impl Live {
    /// As `form` and stderr want it.
    #[must_use]
    pub fn new(form: Form) -> Self {
        let look = if form.is_json() {
            Look::Json
        } else if bar::is_watched() {
            Look::Bar
        } else {
            Look::Lines { last: None }
        };
        Self { look, shown: None }
    }

    /// From now on only what happens after `latest` counts: it is of an earlier command.
    pub fn begin(&mut self, latest: Option<&Latest>) {
        self.shown = latest.map(|latest| latest.at);
        if let Look::Lines { last } = &mut self.look {
            *last = Some(Instant::now());
        }
    }

    /// Shows that `command`, begun `since`, still runs. Returns whether something has happened since the last call.
    pub fn show(&mut self, command: CommandType, since: Instant, latest: Option<&Latest>) -> bool {
        let news = latest.filter(|latest| self.shown != Some(latest.at));
        if let Some(news) = news {
            self.shown = Some(news.at);
        }
        let now = Instant::now();
        match &mut self.look {
            Look::Json => {
                if let Some(news) = news.filter(|news| news.event["event"] == "progress") {
                    // The end of the command tells more than this.
                    let _reader_may_be_gone = say::answer(&format!("{}\n", news.event));
                }
            }
            Look::Bar => {
                if let Some(stage) = news.and_then(Latest::stage) {
                    bar::draw(&stage.part(&stage.what()));
                }
            }
            Look::Lines { last } => {
                if now.duration_since(*last.get_or_insert(since)) >= NOTICE {
                    *last = Some(now);
                    let waited = span(now.duration_since(since).as_secs());
                    match latest.filter(|latest| self.shown == Some(latest.at)).and_then(Latest::stage) {
                        Some(stage) => say::line(&format!("{command} still runs after {waited}: {stage}")),
                        None => say::line(&format!("{command} still runs after {waited}")),
                    }
                }
            }
        }
        news.is_some()
    }

    /// Takes the bar away.
    pub fn end(&mut self) {
        bar::hide();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

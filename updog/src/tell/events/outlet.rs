//! Where events go.

use std::io;
use std::sync::{Arc, OnceLock};

use host_io::{Clock, Fs, Paths};
use serde_json::Value;

use super::Format;
use super::event::Event;
use super::latest::{Kind, Latest};
use super::look::{Look, Message};
use super::queue::Queue;

/// Where events go: to whoever reads this run's output, and to the file with the latest one.
pub struct Events {
    voice: Option<Voice>,
    latest: Option<Latest>,
}

struct Voice {
    look: Look,
    queue: Queue<Message>,
    unwritten: Arc<OnceLock<io::Error>>,
}

impl Events {
    /// Events of a run of `command`.
    #[must_use]
    pub fn new(
        format: Format,
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        paths: &Paths,
        command: &'static str,
    ) -> Self {
        let look = Look::of(format);
        let unwritten = Arc::new(OnceLock::new());
        let queue = Queue::start(look.speaker(Arc::clone(&unwritten)));
        Self {
            voice: Some(Voice { look, queue, unwritten }),
            latest: Some(Latest::new(fs, clock, paths, command)),
        }
    }

    /// Events for nobody.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self { voice: None, latest: None }
    }

    /// Tells one event. Returns at once, whoever listens.
    pub fn tell(&self, event: &Event<'_>) {
        if let Some(Voice { look, queue, .. }) = &self.voice {
            let stage = match event {
                Event::Progress(progress) => Some((progress.phase, progress.image)),
                Event::Started | Event::Plan { .. } | Event::Done(_) => None,
            };
            if let Some(message) = look.message(event) {
                queue.leave(stage, message);
            }
        }
        if let Some(latest) = &self.latest {
            let kind = match event {
                Event::Started => Kind::First,
                Event::Progress(_) => Kind::Progress,
                Event::Plan { .. } | Event::Done(_) => Kind::Landmark,
            };
            latest.write(kind, event);
        }
    }

    /// An answer follows: what was left so far is said first, and a bar is taken away. It does not wait long for a reader that
    /// stands still.
    pub fn before_an_answer(&self) {
        if let Some(Voice { queue, .. }) = &self.voice {
            queue.leave(None, Message::Landmark(None));
            queue.drain();
        }
    }

    /// The run failed: the file with the latest event says so. What the reader of the output gets is the end of the
    /// program.
    pub fn failed(&self, event: &Value) {
        if let Some(latest) = &self.latest {
            latest.write(Kind::Landmark, event);
        }
    }

    /// Waits until everything was said, as long as somebody listens, and tells why stdout did not take all of it.
    #[must_use]
    pub fn close(&self) -> Option<&io::Error> {
        let Voice { queue, unwritten, .. } = self.voice.as_ref()?;
        queue.close();
        unwritten.get()
    }
}

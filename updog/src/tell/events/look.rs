//! How events look: a bar, lines, or JSON.

use std::io;
use std::sync::{Arc, OnceLock};

use host_io::bar::{self, Part, mib, minutes};
use host_io::say;

use super::Format;
use super::event::{Event, Progress};
use super::queue::Stage;
use super::whole::Whole;

/// How events look to whoever reads this run's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// One object a line, on stdout.
    Json,
    /// A bar, on stderr.
    Bar,
    /// A line per tenth of a stage, on stderr.
    Lines,
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// This line on stdout.
    Out(String),
    /// An update begins, with this sentence; how much there is to do, where that is known.
    Begins(String, Option<Whole>),
    /// How far a stage is.
    Progress(Progress),
    /// The running stage is over; then this sentence, where there is one.
    Landmark(Option<String>),
}

impl Look {
    /// What fits `format` and where stderr leads.
    pub(super) fn of(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Text if bar::is_watched() => Self::Bar,
            Format::Text => Self::Lines,
        }
    }

    /// What is said of `event`.
    pub(super) fn message(self, event: &Event<'_>) -> Option<Message> {
        match (self, event) {
            (Self::Json, event) => {
                let line = serde_json::to_string(event).expect("events are plain data");
                Some(Message::Out(format!("{line}\n")))
            }
            (Self::Bar | Self::Lines, Event::Progress(progress)) => Some(Message::Progress(*progress)),
            (Self::Bar | Self::Lines, Event::Plan { plan, begins: true }) => Some(Message::Begins(
                format!("Starting update to {} ({} to fetch)", plan.to, mib(plan.fetch_bytes)),
                Whole::of(plan),
            )),
            (
                Self::Bar | Self::Lines,
                Event::Plan { begins: false, .. } | Event::Started | Event::Done(_),
            ) => Some(Message::Landmark(None)),
        }
    }

    /// What says the messages, one after another. A reader that went away is no reason to stop; that stdout took
    /// something not, full as it may be, is kept in `unwritten`.
    pub(super) fn speaker(self, unwritten: Arc<OnceLock<io::Error>>) -> impl FnMut(Message) + Send + 'static {
        let mut last: Option<Line> = None;
        let mut whole: Option<Whole> = None;
        move |message| match message {
            Message::Out(line) => {
                if let Err(error) = say::answer(&line) {
                    let _the_first_one_is_enough = unwritten.set(error);
                }
            }
            Message::Begins(text, update) => {
                bar::hide();
                say::line(&text);
                whole = update;
            }
            // One bar from the first byte that is written to the last that is read back.
            Message::Progress(progress) if self == Self::Bar => {
                draw(whole.as_mut().map_or(progress, |whole| whole.with(progress)));
            }
            Message::Progress(progress) => {
                if let Some(text) = line(&mut last, progress) {
                    say::line(&text);
                }
            }
            Message::Landmark(text) => {
                bar::hide();
                if let Some(text) = text {
                    say::line(&text);
                }
            }
        }
    }
}

/// The last tenth that was printed of the stage that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    stage: Stage,
    tenth: u64,
}

fn draw(progress: Progress) {
    let Progress { phase, image, bytes, total, rate, eta } = progress;
    let what = format!("{} {image}", phase.as_str());
    bar::draw(&Part { what: &what, done: bytes, total, rate, left: eta });
}

/// How fast, and how long still.
fn speed(progress: Progress) -> String {
    if progress.rate == 0 {
        return String::new();
    }
    let rate = mib(progress.rate);
    match progress.eta {
        Some(eta) if eta > 0 => format!("{rate}/s, {} left", minutes(eta)),
        _ => format!("{rate}/s"),
    }
}

/// The line for `progress`, when it passed another tenth of its stage.
fn line(last: &mut Option<Line>, progress: Progress) -> Option<String> {
    let stage = (progress.phase, progress.image);
    let same = last.filter(|last| last.stage == stage);
    let tenth = match progress.total {
        // Nothing to do is all done.
        Some(total) => (progress.bytes.saturating_mul(10)).checked_div(total).unwrap_or(10),
        None => 0,
    };
    *last = Some(Line { stage, tenth: same.map_or(0, |last| last.tenth).max(tenth) });
    if tenth <= same.map_or(0, |last| last.tenth) {
        return None;
    }
    let Progress { phase, image, bytes, .. } = progress;
    let speed = speed(progress);
    let speed = if speed.is_empty() { speed } else { format!(", {speed}") };
    Some(format!("{} {image}: {} % ({}{speed})", phase.as_str(), tenth * 10, mib(bytes)))
}

#[cfg(test)]
mod tests {
    use super::super::event::Phase;
    use super::*;

    fn at(bytes: u64, total: Option<u64>) -> Progress {
        Progress { phase: Phase::Write, image: "root", bytes, total, rate: 0, eta: None }
    }

    #[test]
    fn a_log_gets_a_line_per_tenth() {
        let mut last = None;
        let lines: Vec<String> =
            (0..=1000).filter_map(|bytes| line(&mut last, at(bytes << 20, Some(1000 << 20)))).collect();
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[0], "write root: 10 % (100.0 MiB)");
        assert_eq!(lines[9], "write root: 100 % (1000.0 MiB)");
        // A stage whose length nobody knows says something when it is over.
        assert_eq!(line(&mut last, Progress { image: "boot", ..at(5 << 20, None) }), None);
        assert_eq!(
            line(&mut last, Progress { image: "boot", ..at(7 << 20, Some(7 << 20)) }).unwrap(),
            "write boot: 100 % (7.0 MiB)"
        );
        // An empty one does not divide by zero.
        assert_eq!(
            line(&mut last, Progress { image: "hash", ..at(0, Some(0)) }).unwrap(),
            "write hash: 100 % (0.0 MiB)"
        );
    }

    #[test]
    fn a_line_says_how_fast_and_how_long_still() {
        let progress = Progress { rate: 8 << 20, eta: Some(75), ..at(400 << 20, Some(1000 << 20)) };
        assert_eq!(line(&mut None, progress).unwrap(), "write root: 40 % (400.0 MiB, 8.0 MiB/s, 1:15 left)");
        let at_the_end = Progress { rate: 8 << 20, eta: Some(0), ..at(1 << 20, Some(1 << 20)) };
        assert_eq!(line(&mut None, at_the_end).unwrap(), "write root: 100 % (1.0 MiB, 8.0 MiB/s)");
    }
}

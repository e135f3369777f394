//! What happens, told as events; how they look is decided here and nowhere else.
//!
//! The stages report bytes. On a terminal that is a bar, otherwise a line per tenth, with `--json` one object a line on
//! stdout. Nobody who listens can hold up or fail an update: when the reader of stdout goes away, the work goes on.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::plan::Plan;

/// What the program is doing while bytes move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// From the repository to memory or to the cache.
    Fetch,
    /// From the repository into a partition.
    Write,
    /// From memory to the medium.
    Sync,
    /// From the medium back, to compare.
    ReadBack,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::ReadBack => "read back",
        }
    }
}

/// How far one stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// To what: `boot`, `root`, `hash`, or `migrations`.
    pub image: &'static str,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, where that is known before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Done {
    /// The subcommand.
    pub command: &'static str,
    /// What was installed, activated or taken back; null when there was nothing to do.
    pub update: serde_json::Value,
    /// The set that was changed.
    pub set: Option<String>,
    /// Bytes received over the network, metadata included.
    pub bytes_fetched: u64,
    /// Bytes that went to the partitions.
    pub bytes_written: u64,
    /// Bytes that were already right there.
    pub bytes_skipped: u64,
    /// What was read back: a device, or an image file, where it is advisory; null when nothing was written.
    pub read_back: Option<&'static str>,
    /// Whether a reboot was asked for.
    pub reboot: bool,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// The operation lock is held.
    Started,
    /// What will be done.
    Plan {
        /// The plan.
        plan: &'a Plan,
    },
    /// Bytes moved.
    Progress(Progress),
    /// It is done.
    Done(Done),
}

/// Where events go.
#[derive(Debug)]
pub struct Events(Look);

#[derive(Debug)]
enum Look {
    Json,
    Bar(Mutex<Option<Bar>>),
    Lines(Mutex<Option<Line>>),
    #[cfg(test)]
    Silent,
}

/// The bar of the stage that is running.
#[derive(Debug)]
struct Bar {
    stage: (Phase, &'static str),
    bar: ProgressBar,
}

/// The last tenth that was printed of the stage that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    stage: (Phase, &'static str),
    tenth: u64,
}

impl Events {
    /// Events as JSON lines on stdout.
    #[must_use]
    pub fn json() -> Self {
        Self(Look::Json)
    }

    /// Events for a person: a bar where stderr is a terminal, lines otherwise.
    #[must_use]
    pub fn for_people() -> Self {
        if std::io::stderr().is_terminal() {
            Self(Look::Bar(Mutex::new(None)))
        } else {
            Self(Look::Lines(Mutex::new(None)))
        }
    }

    /// Events for nobody.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self(Look::Silent)
    }

    /// Tells one event.
    pub fn tell(&self, event: &Event<'_>) {
        match &self.0 {
            #[cfg(test)]
            Look::Silent => {}
            Look::Json => print_json(event),
            Look::Bar(bar) => {
                let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Event::Progress(progress) => draw(&mut bar, *progress),
                    Event::Started | Event::Plan { .. } | Event::Done(_) => {
                        if let Some(last) = bar.take() {
                            last.bar.finish();
                        }
                        narrate(event);
                    }
                }
            }
            Look::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Event::Progress(progress) => {
                        if let Some(text) = line(&mut last, *progress) {
                            eprintln!("{text}");
                        }
                    }
                    Event::Started | Event::Plan { .. } | Event::Done(_) => narrate(event),
                }
            }
        }
    }

    /// A meter for one stage, which tells how far it is.
    #[must_use]
    pub fn meter(&self, phase: Phase, image: &'static str, total: Option<u64>) -> Meter<'_> {
        let progress = Progress { phase, image, bytes: 0, total };
        self.tell(&Event::Progress(progress));
        Meter { events: self, progress, told: progress }
    }
}

/// Counts the bytes of one stage and tells them, at most a hundred times.
#[derive(Debug)]
pub struct Meter<'a> {
    events: &'a Events,
    progress: Progress,
    told: Progress,
}

impl Meter<'_> {
    /// How often an unknown total is told.
    const STEP: u64 = 4 << 20;

    /// `count` more bytes are done.
    pub fn add(&mut self, count: u64) {
        self.progress.bytes += count;
        let step = self.progress.total.map_or(Self::STEP, |total| (total / 100).max(1));
        if self.progress.bytes >= self.told.bytes + step {
            self.tell();
        }
    }

    /// The stage is over: whatever was counted is all there is.
    pub fn finish(mut self) {
        self.progress.total = Some(self.progress.bytes);
        self.tell();
    }

    fn tell(&mut self) {
        if self.progress != self.told {
            self.told = self.progress;
            self.events.tell(&Event::Progress(self.progress));
        }
    }
}

/// One object on one line of stdout. A reader that went away is no reason to stop.
fn print_json(value: &impl Serialize) {
    let mut line = serde_json::to_vec(value).expect("events are plain data");
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    let _reader_may_be_gone = out.write_all(&line).and_then(|()| out.flush());
}

fn narrate(event: &Event<'_>) {
    if let Event::Plan { plan } = event {
        eprintln!("Starting update to {} ({} to fetch)", plan.to, mib(plan.fetch_bytes));
    }
}

fn draw(current: &mut Option<Bar>, progress: Progress) {
    let stage = (progress.phase, progress.image);
    if current.as_ref().is_none_or(|bar| bar.stage != stage) {
        if let Some(last) = current.take() {
            last.bar.finish();
        }
        let bar = ProgressBar::with_draw_target(progress.total, ProgressDrawTarget::stderr());
        bar.set_style(style(progress.total.is_some()));
        bar.set_prefix(format!("{} {}", progress.phase.as_str(), progress.image));
        *current = Some(Bar { stage, bar });
    }
    if let Some(Bar { bar, .. }) = current {
        if progress.total.is_some() && bar.length().is_none() {
            bar.set_style(style(true));
        }
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.bytes);
    }
}

fn style(total_is_known: bool) -> ProgressStyle {
    let template = if total_is_known {
        "{prefix:<20} {wide_bar} {bytes:>11} / {total_bytes:<11}"
    } else {
        "{prefix:<20} {spinner} {bytes:>11}"
    };
    ProgressStyle::with_template(template).expect("the template is a constant")
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
    Some(format!("{} {image}: {} % ({})", phase.as_str(), tenth * 10, mib(bytes)))
}

#[expect(clippy::cast_precision_loss, reason = "one decimal for a person to read")]
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: u64, total: Option<u64>) -> Progress {
        Progress { phase: Phase::Write, image: "root", bytes, total }
    }

    #[test]
    fn events_are_what_other_programs_read() {
        let text = |event: &Event<'_>| serde_json::to_string(event).unwrap();
        assert_eq!(text(&Event::Started), r#"{"event":"started"}"#);
        assert_eq!(
            text(&Event::Progress(Progress { phase: Phase::ReadBack, ..at(5, Some(10)) })),
            r#"{"event":"progress","phase":"read-back","image":"root","bytes":5,"total":10}"#
        );
        assert_eq!(
            text(&Event::Progress(at(5, None))),
            r#"{"event":"progress","phase":"write","image":"root","bytes":5}"#
        );
        let done = Done { command: "update", bytes_fetched: 3, ..Done::default() };
        assert!(text(&Event::Done(done)).starts_with(r#"{"event":"done","command":"update","update":null"#));
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
}

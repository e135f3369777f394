//! Messages to and fro, until the command or one of the sides ends.

use api_model::exec::{
    CLOSE_NORMAL, Capacity, ClientMessage, Initialize, PING_EVERY, SILENCE, ServerMessage,
};
use futures_util::{SinkExt as _, StreamExt as _};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::connect::Socket;
use super::output::Output;
use super::terminal::size;

/// What a program exits with when a signal ended it, without the signal's number.
const SIGNALLED: u8 = 128;
/// The signal of a write that nobody reads.
const SIGPIPE: u8 = 13;

/// Why the command's exit code is not known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The connection broke.
    #[error("talk to the server")]
    Broken(#[source] Box<WsError>),
    /// The connection ended without a last word.
    #[error("learn how the command ended: the server hung up")]
    HungUp,
    /// Nothing came for too long.
    #[error("learn how the command ended: the server was silent for {} s", SILENCE.as_secs())]
    Silent,
    /// The server gave up.
    #[error("{reason}")]
    GivenUp {
        /// Why.
        reason: String,
    },
    /// The server said something that we do not understand.
    #[error("understand the server: {0}")]
    Nonsense(String),
    /// Signals cannot be listened to.
    #[error("listen to signals")]
    Signals(#[source] std::io::Error),
}

impl From<WsError> for SessionError {
    fn from(error: WsError) -> Self {
        match error {
            WsError::ConnectionClosed | WsError::AlreadyClosed => Self::HungUp,
            other => Self::Broken(Box::new(other)),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The command ended with this code.
    Exit(u8),
    /// We were asked to end by this signal.
    Signalled(u8),
}

impl End {
    fn code(self) -> u8 {
        match self {
            Self::Exit(code) => code,
            Self::Signalled(number) => SIGNALLED + number,
        }
    }
}

/// Runs `what` and returns the exit code: the command's, or that of a program which a signal ended.
///
/// # Errors
/// When how the command ended is not known.
pub async fn run(
    socket: Socket,
    what: Initialize,
    input: mpsc::Receiver<Vec<u8>>,
    output: Output,
) -> Result<u8, SessionError> {
    let mut signals = Signals::listen().map_err(SessionError::Signals)?;
    let end = talk(socket, what, input, &output, &mut signals).await?;
    let End::Exit(code) = end else { return Ok(end.code()) };
    // What the command said before its end is part of the answer; a reader who has gone wants no more of it.
    tokio::select! {
        written = output.finish() => Ok(if written.is_ok() { code } else { End::Signalled(SIGPIPE).code() }),
        number = signals.ends.first() => Ok(End::Signalled(number).code()),
    }
}

async fn talk(
    socket: Socket,
    what: Initialize,
    mut input: mpsc::Receiver<Vec<u8>>,
    output: &Output,
    Signals { window, ends }: &mut Signals,
) -> Result<End, SessionError> {
    let (mut sink, mut stream) = socket.split();
    let has_tty = what.tty.is_some();
    sink.send(text(&ClientMessage::Initialize(what))).await?;
    let mut room = Room::default();
    let mut input_is_open = true;
    let mut heard = Instant::now();
    let mut pings = interval_at(heard + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = async {
            let place = output.room().await;
            (place, stream.next().await)
        };
        tokio::select! {
            (place, message) = message => {
                heard = Instant::now();
                let Some(place) = place else { return Ok(End::Signalled(SIGPIPE)) };
                match message.ok_or(SessionError::HungUp)?? {
                    Message::Binary(bytes) => place.send(bytes.into()),
                    Message::Text(words) => room.grow(&words)?,
                    Message::Close(frame) => return exit(frame.as_ref()).map(End::Exit),
                    // The library answers pings by itself, with the next thing that is sent.
                    Message::Ping(_) => sink.flush().await?,
                    Message::Pong(_) | Message::Frame(_) => {}
                }
            }
            chunk = input.recv(), if input_is_open && room.is_left() => match chunk {
                Some(chunk) => {
                    room.take();
                    sink.send(Message::binary(chunk)).await?;
                }
                None => {
                    input_is_open = false;
                    sink.send(text(&ClientMessage::ContentComplete)).await?;
                }
            },
            _ = pings.tick() => {
                // While our own reader keeps us from listening, silence is ours and not the server's.
                if !output.has_room() {
                    heard = Instant::now();
                }
                if heard.elapsed() >= SILENCE {
                    return Err(SessionError::Silent);
                }
                sink.send(Message::Ping(Vec::new().into())).await?;
            }
            Some(()) = window.recv(), if has_tty => {
                if let Some(size) = size() {
                    sink.send(text(&ClientMessage::Winch(size))).await?;
                }
            }
            number = ends.first() => {
                // The server ends the command when we are gone; saying so is a courtesy.
                let _gone = sink.close().await;
                return Ok(End::Signalled(number));
            }
        }
    }
}

fn text(message: &ClientMessage) -> Message {
    Message::text(serde_json::to_string(message).expect("our messages are JSON"))
}

/// The exit code that a close frame tells.
fn exit(frame: Option<&CloseFrame>) -> Result<u8, SessionError> {
    let frame = frame.ok_or(SessionError::HungUp)?;
    let reason = frame.reason.as_str();
    if frame.code != CloseCode::from(CLOSE_NORMAL) {
        let reason = if reason.is_empty() {
            format!("the server gave up with code {}", u16::from(frame.code))
        } else {
            reason.to_owned()
        };
        return Err(SessionError::GivenUp { reason });
    }
    reason.parse().map_err(|_| SessionError::Nonsense(format!("{reason:?} is no exit code")))
}

/// How much input may still be sent. Before the server has said anything, none.
#[derive(Debug, Default)]
struct Room {
    capacity: Option<Capacity>,
    sent: u64,
}

impl Room {
    fn grow(&mut self, words: &str) -> Result<(), SessionError> {
        let ServerMessage::Capacity(capacity) =
            serde_json::from_str(words).map_err(|error| SessionError::Nonsense(error.to_string()))?;
        self.capacity = Some(capacity);
        Ok(())
    }

    fn is_left(&self) -> bool {
        self.capacity.is_some_and(|capacity| {
            self.sent.saturating_sub(capacity.messages_written) < capacity.max_messages_outstanding
        })
    }

    fn take(&mut self) {
        self.sent += 1;
    }
}

/// The signals that mean something here.
struct Signals {
    window: Signal,
    ends: Ends,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let end = |number: u8| signal(SignalKind::from_raw(i32::from(number))).map(|signal| (number, signal));
        // Hangup, interrupt, quit, terminate: from others. In raw mode the keyboard sends none of them.
        let ends = Ends([end(1)?, end(2)?, end(3)?, end(15)?]);
        Ok(Self { window: signal(SignalKind::window_change())?, ends })
    }
}

/// The signals that end us.
struct Ends([(u8, Signal); 4]);

impl Ends {
    /// The number of the first one that comes.
    async fn first(&mut self) -> u8 {
        let [hangup, interrupt, quit, terminate] = &mut self.0;
        tokio::select! {
            _ = hangup.1.recv() => hangup.0,
            _ = interrupt.1.recv() => interrupt.0,
            _ = quit.1.recv() => quit.0,
            _ = terminate.1.recv() => terminate.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16, reason: &'static str) -> Result<u8, String> {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        exit(Some(&frame)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_last_word_of_the_server_is_the_exit_code_or_a_reason() {
        assert_eq!(closed(1000, "0"), Ok(0));
        assert_eq!(closed(1000, "137"), Ok(137));
        assert_eq!(closed(1000, "256"), Err("understand the server: \"256\" is no exit code".to_owned()));
        assert_eq!(closed(1000, ""), Err("understand the server: \"\" is no exit code".to_owned()));
        assert_eq!(closed(1011, "no engine"), Err("no engine".to_owned()));
        assert_eq!(closed(1011, ""), Err("the server gave up with code 1011".to_owned()));
        assert!(exit(None).is_err());
    }

    #[test]
    fn input_waits_until_there_is_room_for_it() {
        let mut room = Room::default();
        assert!(!room.is_left(), "the server has said nothing yet");
        room.grow(r#"{"Capacity":{"max_messages_outstanding":2,"messages_written":0}}"#).unwrap();
        room.take();
        assert!(room.is_left());
        room.take();
        assert!(!room.is_left());
        room.grow(r#"{"Capacity":{"max_messages_outstanding":2,"messages_written":1}}"#).unwrap();
        assert!(room.is_left());
        assert!(room.grow("{}").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_falls_silent_is_given_up_after_a_while() {
        use tokio_tungstenite::tungstenite::protocol::Role;

        let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
        let socket = Socket::from_raw_socket(ours, Role::Client, None).await;
        let what = Initialize { command: vec!["x".into()], target: "admin".to_owned(), tty: None };
        let (_nobody_types, input) = mpsc::channel(1);
        let began = Instant::now();
        let error = run(socket, what, input, Output::stdout().unwrap()).await.unwrap_err();
        assert!(matches!(error, SessionError::Silent), "{error}");
        assert!((SILENCE..SILENCE + PING_EVERY * 2).contains(&began.elapsed()));
        drop(theirs);
    }

    #[test]
    fn failures_are_told_in_these_words() {
        for (failure, words) in [
            (SessionError::Broken(Box::new(WsError::ConnectionClosed)), "talk to the server"),
            (SessionError::HungUp, "learn how the command ended: the server hung up"),
            (SessionError::GivenUp { reason: "it is torn".into() }, "it is torn"),
            (SessionError::Signals(std::io::Error::other("the disk is gone")), "listen to signals"),
        ] {
            assert_eq!(failure.to_string(), words);
        }
    }
}

//! A conversation from its first message to its close.
//!
//! Three streams go on side by side: input to the command, its output to the client, and messages to the client. None of
//! them waits for another: a command that does not read, or a client that does not, holds up only its own direction.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api_model::exec::{
    CAPACITY_EVERY, Capacity, ClientMessage, Initialize, MAX_MESSAGES_OUTSTANDING, PING_EVERY, SILENCE,
    ServerMessage,
};
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use host_io::plain;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::child::{self, Input, Output, Running};
use super::engine::Engine;
use super::goodbye::Goodbye;

/// How many messages to the client may wait for the socket.
const OUTGOING: usize = 32;
/// How much output goes into one message.
const CHUNK: usize = 16 << 10;
/// What ends the input of a terminal.
const END_OF_TRANSMISSION: u8 = 4;
/// How long output may still come after the command has ended: what it left behind may keep the stream open.
const LAST_OUTPUT: Duration = Duration::from_secs(2);
/// How long the client may take to receive the close.
const LAST_WORD: Duration = Duration::from_secs(5);
/// The most that a log has of what a client may say, in characters.
const LONGEST_IN_LOG: usize = 200;

/// The most bytes of input that wait for one command: as many as its messages may be under way, at the size in which our
/// client sends them.
const WAITING_FOR_ONE: usize = 16 << 20;
/// The most bytes of input that wait for all commands together.
const WAITING_IN_ALL: usize = 64 << 20;
static IN_ALL: AtomicUsize = AtomicUsize::new(0);

/// Input that waits for its command, counted until it is written or lost.
struct Waiting {
    bytes: Bytes,
    own: Arc<AtomicUsize>,
}

impl Waiting {
    /// `None` where that would be more than this server holds in memory.
    fn with(bytes: Bytes, own: &Arc<AtomicUsize>) -> Option<Self> {
        let (len, waiting) = (bytes.len(), Self { bytes, own: Arc::clone(own) });
        let one = own.fetch_add(len, Ordering::Relaxed) + len;
        let all = IN_ALL.fetch_add(len, Ordering::Relaxed) + len;
        (one <= WAITING_FOR_ONE && all <= WAITING_IN_ALL).then_some(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.own.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        IN_ALL.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Holds a conversation over `socket` until the command has ended, the client has gone, or the server is to stop.
pub async fn session(socket: WebSocket, engine: Engine, peer: String, stopping: watch::Receiver<bool>) {
    let (mut sink, mut incoming) = socket.split();
    let (outgoing, mut messages) = mpsc::channel(OUTGOING);
    let sending = tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            let last = matches!(message, Message::Close(_));
            if sink.send(message).await.is_err() || last {
                break;
            }
        }
    });
    let goodbye = converse(&mut incoming, &outgoing, &engine, &peer, stopping).await;
    tracing::info!("exec of {peer} ended: {}", for_log(&format!("{goodbye:?}")));
    if let Some(frame) = goodbye.frame() {
        let close = async {
            // A send fails when the client has gone: then there is nobody to tell.
            let _ = outgoing.send(Message::Close(Some(frame))).await;
            drop(outgoing);
            let _ = sending.await;
            // The client answers a close with a close; a socket that vanishes before would be an error to it.
            while incoming.next().await.is_some_and(|message| message.is_ok()) {}
        };
        if timeout(LAST_WORD, close).await.is_err() {
            tracing::debug!("the client did not receive the close");
        }
    } else {
        sending.abort();
    }
}

type Incoming = SplitStream<WebSocket>;
type Outgoing = mpsc::Sender<Message>;

async fn converse(
    incoming: &mut Incoming,
    outgoing: &Outgoing,
    engine: &Engine,
    peer: &str,
    stopping: watch::Receiver<bool>,
) -> Goodbye {
    if tell_capacity(outgoing, 0).await.is_err() {
        return Goodbye::Gone;
    }
    let asked = match timeout(SILENCE, beginning(incoming)).await {
        Ok(Ok(asked)) => asked,
        Ok(Err(goodbye)) => return goodbye,
        Err(_) => return Goodbye::OutOfTurn("nothing was asked for in time"),
    };
    let started = engine.call(&asked).map_err(|error| error.to_string()).and_then(|call| {
        // Arguments are nobody else's business: a password may be among them.
        tracing::info!("exec in {} by {peer}: {}", asked.target, program(&asked));
        child::start(&call, asked.tty)
            .map_err(|error| format!("failed to run {}: {error}", call.program.display()))
    });
    let (running, input, output) = match started {
        Ok(started) => started,
        Err(reason) => return Goodbye::Unable(reason),
    };
    let (to_command, from_client) = mpsc::channel(usize::try_from(MAX_MESSAGES_OUTSTANDING).unwrap_or(1));
    let end = asked.tty.map(|_| END_OF_TRANSMISSION);
    let writing = tokio::spawn(write(input, from_client, outgoing.clone(), end));
    let reading = tokio::spawn(read(output, outgoing.clone()));
    let goodbye = watch_over(incoming, outgoing, running, to_command, stopping).await;
    writing.abort();
    match goodbye {
        Goodbye::Ended(_) => {
            let stop = reading.abort_handle();
            if timeout(LAST_OUTPUT, reading).await.is_err() {
                stop.abort();
            }
        }
        _ => reading.abort(),
    }
    goodbye
}

/// What is run, without what it is given: neither in words of their own nor behind a space in the first one.
fn program(asked: &Initialize) -> String {
    let program = asked.command.first().map_or_else(Default::default, |program| program.to_string_lossy());
    for_log(program.split_whitespace().next().unwrap_or_default())
}

/// Words of a client as they may stand in a log: in one line, and not for ever.
fn for_log(words: &str) -> String {
    let mut shown = words.chars();
    let mut text: String = shown.by_ref().take(LONGEST_IN_LOG).map(plain::in_a_line).collect();
    if shown.next().is_some() {
        text.push('…');
    }
    text
}

/// The first message that says something.
async fn beginning(incoming: &mut Incoming) -> Result<Initialize, Goodbye> {
    loop {
        match incoming.next().await {
            Some(Ok(Message::Text(text))) => match parsed(text.as_str())? {
                ClientMessage::Initialize(asked) => return Ok(asked),
                ClientMessage::Winch(_) => {}
                ClientMessage::ContentComplete => {
                    return Err(Goodbye::OutOfTurn("the end of the input came before the beginning"));
                }
            },
            Some(Ok(Message::Binary(_))) => {
                return Err(Goodbye::OutOfTurn("input came before the beginning"));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Err(Goodbye::Gone),
            Some(Err(error)) => return Err(broken(&error)),
        }
    }
}

/// Takes what the client sends until the command or the client has gone.
async fn watch_over(
    incoming: &mut Incoming,
    outgoing: &Outgoing,
    mut running: Running,
    to_command: mpsc::Sender<Waiting>,
    mut stopping: watch::Receiver<bool>,
) -> Goodbye {
    let mut to_command = Some(to_command);
    let own = Arc::new(AtomicUsize::new(0));
    let mut heard = Instant::now();
    let mut ticks = interval_at(heard + PING_EVERY, PING_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let goodbye = loop {
        let message = tokio::select! {
            ended = running.wait() => return match ended {
                Ok(status) => Goodbye::ended(status),
                Err(error) => Goodbye::Unable(format!("failed to wait for the command: {error}")),
            },
            _ = stopping.wait_for(|&stop| stop) => break Goodbye::Unable("the server is stopping".to_owned()),
            _ = ticks.tick() => {
                if heard.elapsed() > SILENCE {
                    break Goodbye::Gone;
                }
                // A full queue has something for the client already.
                if let Err(TrySendError::Closed(_)) = outgoing.try_send(Message::Ping(Bytes::new())) {
                    break Goodbye::Gone;
                }
                continue;
            }
            message = incoming.next() => message,
        };
        heard = Instant::now();
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                // Once the input has ended there is nowhere to put more; and a command may have closed its side.
                let Some(input) = &to_command else { continue };
                let Some(waiting) = Waiting::with(bytes, &own) else { break Goodbye::TooMuch };
                match input.try_send(waiting) {
                    Ok(()) | Err(TrySendError::Closed(_)) => {}
                    Err(TrySendError::Full(_)) => break Goodbye::TooMuch,
                }
            }
            Some(Ok(Message::Text(text))) => match parsed(text.as_str()) {
                Ok(ClientMessage::ContentComplete) => to_command = None,
                Ok(ClientMessage::Winch(size)) => running.resize(size),
                Ok(ClientMessage::Initialize(_)) => break Goodbye::OutOfTurn("a command runs already"),
                Err(goodbye) => break goodbye,
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => break Goodbye::Gone,
            Some(Err(error)) => break broken(&error),
        }
    };
    running.stop().await;
    goodbye
}

fn parsed(text: &str) -> Result<ClientMessage, Goodbye> {
    serde_json::from_str(text).map_err(|error| Goodbye::Invalid(format!("this is no message: {error}")))
}

/// A message over the limit is the client's mistake; anything else is a connection that broke.
fn broken(error: &axum::Error) -> Goodbye {
    let told = host_io::report::chain(error);
    if told.contains("too long") || told.contains("too big") {
        return Goodbye::TooMuch;
    }
    tracing::debug!("the connection broke: {told}");
    Goodbye::Gone
}

/// The client's input, to the command; at its end that of the command's.
async fn write(
    mut input: Input,
    mut from_client: mpsc::Receiver<Waiting>,
    outgoing: Outgoing,
    end: Option<u8>,
) {
    let mut written = 0;
    while let Some(waiting) = from_client.recv().await {
        // A command may close its input and go on: what else is sent goes nowhere, and counts as written.
        let gone = input.write_all(&waiting.bytes).await.is_err() || input.flush().await.is_err();
        written += 1;
        if written % CAPACITY_EVERY == 0 && tell_capacity(&outgoing, written).await.is_err() {
            return;
        }
        if gone {
            tracing::debug!("the command takes no more input");
        }
    }
    if let Some(end) = end {
        // A terminal has no end; this is the key that a person would press.
        let _ = input.write_all(&[end]).await;
        let _ = input.flush().await;
    } else {
        let _ = input.shutdown().await;
    }
}

/// The command's output, to the client.
async fn read(mut output: Output, outgoing: Outgoing) {
    let mut chunk = vec![0; CHUNK];
    loop {
        match output.read(&mut chunk).await {
            // A terminal that nobody has open any more ends with an error instead.
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            Err(_) => {}
            Ok(length) => {
                let bytes = Bytes::copy_from_slice(&chunk[..length]);
                if outgoing.send(Message::Binary(bytes)).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn tell_capacity(outgoing: &Outgoing, written: u64) -> Result<(), mpsc::error::SendError<Message>> {
    let capacity = ServerMessage::Capacity(Capacity {
        max_messages_outstanding: MAX_MESSAGES_OUTSTANDING,
        messages_written: written,
    });
    let text = serde_json::to_string(&capacity).expect("numbers are JSON");
    outgoing.send(Message::Text(text.into())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_that_waits_is_bounded_in_bytes_and_given_back() {
        let own = Arc::new(AtomicUsize::new(0));
        let message = || Bytes::from(vec![0; 64 << 10]);
        let waiting: Vec<Waiting> =
            (0..WAITING_FOR_ONE / (64 << 10)).map_while(|_| Waiting::with(message(), &own)).collect();
        assert_eq!(waiting.len(), WAITING_FOR_ONE / (64 << 10));
        assert!(Waiting::with(Bytes::from_static(b"x"), &own).is_none(), "one command has no more");
        // Others have theirs, up to what there is in all.
        let others: Vec<Arc<AtomicUsize>> = (0..8).map(|_| Arc::default()).collect();
        let more: Vec<Waiting> = others
            .iter()
            .flat_map(|own| (0..WAITING_FOR_ONE / (64 << 10)).map_while(|_| Waiting::with(message(), own)))
            .collect();
        assert_eq!(waiting.len() + more.len(), WAITING_IN_ALL / (64 << 10));
        drop((waiting, more));
        assert_eq!((own.load(Ordering::Relaxed), IN_ALL.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn the_log_names_the_program_and_none_of_its_arguments() {
        let named = |words: &[&str]| {
            let command = words.iter().map(std::ffi::OsString::from).collect();
            program(&Initialize { command, target: "admin".to_owned(), tty: None })
        };
        assert_eq!(named(&["mysql", "--password=secret"]), "mysql");
        assert_eq!(named(&["mysql --password=secret"]), "mysql", "quoted once too often");
        assert_eq!(named(&[]), "");
        // Neither a line nor a gigabyte of their own.
        assert_eq!(named(&["a\u{1b}[2J\u{7}b"]), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(for_log("a\nINFO \u{202e}b"), "a\u{fffd}INFO \u{fffd}b");
        assert_eq!(named(&["x".repeat(1 << 20).as_str()]).chars().count(), LONGEST_IN_LOG + 1);
    }
}

//! What travels over the WebSocket of `GET /exec`.
//!
//! Control messages are JSON in text frames, input and output are binary frames. The client begins with
//! [`ClientMessage::Initialize`]; the server ends with a close frame whose code says how it went and whose reason, for a
//! command that ran to its end, is the exit code (`docs/compatibility.md`, "Exec").

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

/// How many messages of input may be under way, unwritten, before the server gives up on the client.
pub const MAX_MESSAGES_OUTSTANDING: u64 = 1024;
/// After how many written messages of input the server tells its capacity again.
pub const CAPACITY_EVERY: u64 = 128;
/// How often each side pings the other one.
pub const PING_EVERY: Duration = Duration::from_secs(2);
/// How long a side may be silent before the other one takes it for gone.
pub const SILENCE: Duration = Duration::from_secs(10);
/// The most bytes of one message, either way.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The command ended; the reason of the close frame is its exit code in decimal digits.
pub const CLOSE_NORMAL: u16 = 1000;
/// A text frame that is no message.
pub const CLOSE_INVALID: u16 = 1007;
/// Messages in the wrong order: input before the beginning, or two beginnings.
pub const CLOSE_POLICY: u16 = 1008;
/// The client did not heed the capacity.
pub const CLOSE_SIZE: u16 = 1009;
/// The command could not be started or watched.
pub const CLOSE_ERROR: u16 = 1011;

/// From the client, as JSON in a text frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// Always the first: what to run and where.
    Initialize(Initialize),
    /// There is no more input; the command's standard input is closed.
    ContentComplete,
    /// The client's window has another size now.
    Winch(Size),
}

/// From the server, as JSON in a text frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// How much more input the client may send. The first one comes at once and says that the server is there.
    Capacity(Capacity),
}

/// What to run and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialize {
    /// The command and its arguments. Written as `{"Unix":[bytes]}` each, read also as plain texts.
    #[serde(deserialize_with = "words")]
    pub command: Vec<OsString>,
    /// The container.
    pub target: String,
    /// The terminal that the command gets; `None` for plain input and output.
    pub tty: Option<TtyInit>,
}

/// A terminal as it is at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TtyInit {
    /// Its size, where the client knows it.
    pub size: Option<Size>,
}

/// The size of a window, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

/// How much input the server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// How many messages may be sent and not yet written.
    pub max_messages_outstanding: u64,
    /// How many were written to the command so far.
    pub messages_written: u64,
}

/// A word of a command as it may be written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Text(String),
    Bytes {
        #[serde(rename = "Unix")]
        unix: Vec<u8>,
    },
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OsString>, D::Error> {
    let words = Vec::<Word>::deserialize(deserializer)?;
    Ok(words
        .into_iter()
        .map(|word| match word {
            Word::Text(text) => text.into(),
            Word::Bytes { unix } => OsString::from_vec(unix),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(json: &str) -> ClientMessage {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_beginning_is_written_in_bytes_and_read_in_words_as_well() {
        let message = ClientMessage::Initialize(Initialize {
            command: vec!["ls".into(), OsString::from_vec(vec![0xff])],
            target: "admin".to_owned(),
            tty: Some(TtyInit { size: Some(Size { rows: 24, cols: 80 }) }),
        });
        let json = r#"{"Initialize":{"command":[{"Unix":[108,115]},{"Unix":[255]}],"target":"admin","tty":{"size":{"rows":24,"cols":80}}}}"#;
        assert_eq!(serde_json::to_string(&message).unwrap(), json);
        assert_eq!(client(json), message);
        let plain = r#"{"Initialize":{"command":["ls","-l"],"target":"admin","tty":null}}"#;
        let ClientMessage::Initialize(plain) = client(plain) else { panic!("no beginning") };
        assert_eq!(plain.command, ["ls", "-l"]);
        assert_eq!(plain.tty, None);
    }

    #[test]
    fn the_other_messages_have_their_usual_form() {
        assert_eq!(client("\"ContentComplete\""), ClientMessage::ContentComplete);
        let size = Size { rows: 1, cols: 2 };
        assert_eq!(client(r#"{"Winch":{"rows":1,"cols":2}}"#), ClientMessage::Winch(size));
        let capacity =
            ServerMessage::Capacity(Capacity { max_messages_outstanding: 1024, messages_written: 0 });
        let json = r#"{"Capacity":{"max_messages_outstanding":1024,"messages_written":0}}"#;
        assert_eq!(serde_json::to_string(&capacity).unwrap(), json);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for json in [
            "{}",
            "\"Initialize\"",
            r#"{"Winch":{"rows":-1,"cols":2}}"#,
            r#"{"Initialize":{"command":"ls","target":"admin","tty":null}}"#,
            r#"{"Initialize":{"command":[7],"target":"admin","tty":null}}"#,
        ] {
            assert!(serde_json::from_str::<ClientMessage>(json).is_err(), "{json}");
        }
    }
}

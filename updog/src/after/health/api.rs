//! Asking the API until it answers.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// How long to wait between two questions to an API that does not answer yet.
const AGAIN: Duration = Duration::from_millis(50);
/// How long one answer of the API may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What is asked: what the system is, and what its settings are. Whoever depends on this host asks for these.
const QUESTIONS: [&str; 2] = ["/os", "/settings"];

/// Asks the API until it answers.
#[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
pub(super) async fn answers(socket: &Path, limit: Duration) -> Result<(), String> {
    let give_up = Instant::now() + limit;
    loop {
        let why = match tokio::time::timeout(ANSWER, ask(socket)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} s", ANSWER.as_secs()),
        };
        if Instant::now() >= give_up {
            return Err(format!("the API did not answer within {} s: {why}", limit.as_secs_f32()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Every question to the API: any answer of a server that works will do.
async fn ask(socket: &Path) -> Result<(), String> {
    for question in QUESTIONS {
        ask_for(socket, question).await?;
    }
    Ok(())
}

async fn ask_for(socket: &Path, what: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", socket.display());
    let mut stream = UnixStream::connect(socket).await.map_err(failed)?;
    let question = format!("GET {what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.map_err(failed)?;
    let mut head = Vec::new();
    stream.take(64).read_to_end(&mut head).await.map_err(failed)?;
    let head = String::from_utf8_lossy(&head);
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    match status {
        Some(status) if status < 500 => Ok(()),
        Some(status) => Err(format!("it answers {what} with status {status}")),
        None => Err("it answers with something that is no HTTP".to_owned()),
    }
}

//! Many callers at the same time, each on a connection of its own that it keeps.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is asked, by how many, how often, and with which pause after an answer.
pub(super) struct Load {
    pub(super) uri: &'static str,
    pub(super) callers: u32,
    pub(super) each: u32,
    pub(super) pause: Duration,
}

/// What came of it.
pub(super) struct Answers {
    pub(super) count: usize,
    pub(super) errors: usize,
    pub(super) wall: Duration,
    /// Of one body, in bytes.
    pub(super) body: usize,
    took: Vec<Duration>,
}

impl Answers {
    /// The time that so many of a thousand answers took at most.
    pub(super) fn permille(&self, permille: usize) -> Duration {
        let last = self.took.len().saturating_sub(1);
        self.took.get(last * permille / 1000).copied().unwrap_or_default()
    }
}

/// Asks, and takes the times.
#[expect(clippy::disallowed_methods, reason = "times are measured")]
pub(super) fn many(socket: &Path, load: &Load) -> io::Result<Answers> {
    // What is read and rendered once is not what many callers cost.
    let body = Caller::connect(socket)?.ask(load.uri)?.1;
    let started = Instant::now();
    let results: Vec<(Vec<Duration>, usize)> = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..load.callers).map(|number| scope.spawn(move || one(socket, load, number))).collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller does not panic")).collect()
    });
    let wall = started.elapsed();
    let errors = results.iter().map(|(_, errors)| errors).sum();
    let mut took: Vec<Duration> = results.into_iter().flat_map(|(took, _)| took).collect();
    took.sort_unstable();
    Ok(Answers { count: took.len(), errors, wall, body, took })
}

#[expect(clippy::disallowed_methods, reason = "times are measured")]
fn one(socket: &Path, load: &Load, number: u32) -> (Vec<Duration>, usize) {
    let (mut took, mut errors, mut caller) = (Vec::new(), 0, None);
    // They do not all begin at once when they pause.
    std::thread::sleep(load.pause * number / load.callers);
    for _ in 0..load.each {
        let started = Instant::now();
        let asked = match caller.take() {
            Some(caller) => Ok(caller),
            None => Caller::connect(socket),
        };
        match asked.and_then(|mut asked| Ok((asked.ask(load.uri)?, asked))) {
            Ok(((200, _), kept)) => {
                took.push(started.elapsed());
                caller = Some(kept);
            }
            Ok(_) | Err(_) => errors += 1,
        }
        std::thread::sleep(load.pause);
    }
    (took, errors)
}

/// One connection.
pub(super) struct Caller(BufReader<UnixStream>);

impl Caller {
    pub(super) fn connect(socket: &Path) -> io::Result<Self> {
        Ok(Self(BufReader::with_capacity(64 << 10, UnixStream::connect(socket)?)))
    }

    /// The code of an answer and the length of its body, read to its end.
    fn ask(&mut self, uri: &str) -> io::Result<(u16, usize)> {
        write!(self.0.get_mut(), "GET {uri} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        self.answer()
    }

    /// Sends a body of JSON and returns the code of the answer.
    pub(super) fn tell(&mut self, method: &str, uri: &str, body: &str) -> io::Result<u16> {
        let length = body.len();
        write!(
            self.0.get_mut(),
            "{method} {uri} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        Ok(self.answer()?.0)
    }

    fn answer(&mut self) -> io::Result<(u16, usize)> {
        let broken = || io::Error::other("no answer in HTTP");
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        let mut length = 0;
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err(broken());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((_, value)) =
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().map_err(|_| broken())?;
            }
        }
        let read = io::copy(&mut self.0.by_ref().take(length), &mut io::sink())?;
        if read == length {
            Ok((code, usize::try_from(length).map_err(|_| broken())?))
        } else {
            Err(broken())
        }
    }
}

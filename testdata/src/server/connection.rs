//! One connection, from its first request to its end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, Delivery, End, answer};
use super::http::{Request, read_request};
use super::lock::lock;
use super::log::Entry;
use super::shared::Shared;

/// Bytes per write.
const CHUNK: usize = 64 << 10;
/// Writes per second of a slow answer.
const BEATS: u64 = 20;

/// One connection and its place in the server.
pub(super) struct Connection {
    pub(super) number: u64,
    pub(super) stream: Arc<TcpStream>,
    pub(super) shared: Arc<Shared>,
}

/// Whether the connection goes on.
enum Next {
    Request,
    End(End),
}

impl Connection {
    /// Serves until the client closes, a fault ends the connection, or the server stops.
    pub(super) fn serve(self) {
        // A broken connection concerns the client; the log has what was sent until then.
        let end = self.requests().unwrap_or(End::Close);
        match end {
            End::Close => {
                let _already_closed = self.stream.shutdown(Shutdown::Both);
            }
            End::Reset => {
                // The last one to close a socket without lingering resets it.
                let _already_closed =
                    rustix::net::sockopt::set_socket_linger(&*self.stream, Some(Duration::ZERO));
            }
            End::Stall => {
                // Ends when the client closes, or when the server stops and shuts the socket down.
                let _all_is_ignored = io::copy(&mut &*self.stream, &mut io::sink());
            }
        }
        self.shared.close(self.number);
    }

    fn requests(&self) -> io::Result<End> {
        let mut buffer = Vec::new();
        while let Some(request) = read_request(&*self.stream, &mut buffer)? {
            let entry = self.shared.log.arrived(&request, self.number);
            self.shared.run_errands(&request.target);
            let fault = lock(&self.shared.plans).strike(&request.target, request.range.is_some());
            let habits = lock(&self.shared.habits).next_answer();
            let (answer, delivery) = answer(&self.shared.dir, &request, fault, &habits)?;
            if let Next::End(end) = self.send(&request, entry, answer, delivery)? {
                return Ok(end);
            }
        }
        Ok(End::Close)
    }

    fn send(
        &self,
        request: &Request,
        entry: Entry,
        mut answer: Answer,
        delivery: Delivery,
    ) -> io::Result<Next> {
        if let Delivery::Nothing(end) = delivery {
            return Ok(Next::End(end));
        }
        let head = answer.head(request.keep_alive);
        self.shared.log.answered(entry, answer.status, head.len() as u64);
        (&*self.stream).write_all(head.as_bytes())?;
        match delivery {
            Delivery::Nothing(end) => return Ok(Next::End(end)),
            Delivery::Plain => {
                self.copy(entry, &mut answer.body, CHUNK, Duration::ZERO, answer.chunked)?;
                if answer.chunked {
                    (&*self.stream).write_all(b"0\r\n\r\n")?;
                }
            }
            Delivery::Cut { after, end } => {
                self.copy(entry, &mut answer.body.take(after), CHUNK, Duration::ZERO, answer.chunked)?;
                return Ok(Next::End(end));
            }
            Delivery::Slow { bytes_per_second, reset_after } => {
                let beats = BEATS.min(bytes_per_second);
                let chunk = usize::try_from(bytes_per_second / beats).unwrap_or(usize::MAX).min(CHUNK * 16);
                let pause = Duration::from_secs(1) / u32::try_from(beats).unwrap_or(1);
                let body = &mut answer.body;
                let limit = reset_after.unwrap_or(u64::MAX);
                self.copy(entry, &mut body.take(limit), chunk, pause, false)?;
                if reset_after.is_some() && body.read(&mut [0])? > 0 {
                    return Ok(Next::End(End::Reset));
                }
            }
        }
        Ok(if request.keep_alive { Next::Request } else { Next::End(End::Close) })
    }

    /// Sends all of `body`, `chunk` bytes at a time, with a pause before each.
    fn copy(
        &self,
        entry: Entry,
        body: &mut dyn Read,
        chunk: usize,
        pause: Duration,
        framed: bool,
    ) -> io::Result<()> {
        let mut bytes = vec![0; chunk];
        loop {
            let count = body.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            if !pause.is_zero() && !self.shared.pause(pause) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.shared.log.bytes(entry, count as u64);
            if framed {
                (&*self.stream).write_all(format!("{count:x}\r\n").as_bytes())?;
            }
            (&*self.stream).write_all(&bytes[..count])?;
            if framed {
                (&*self.stream).write_all(b"\r\n")?;
            }
        }
    }
}

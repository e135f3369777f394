//! Somebody who knows the time: answers NTP (RFC 5905) on the loopback, by the clock of this machine.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A request and its answer, without what may follow.
const LEN: usize = 48;
/// From 1900, where NTP begins, to 1970.
const SECONDS_TO_1970: u64 = 2_208_988_800;
/// Version 4; the modes of who asks and who answers.
const VERSION: u8 = 4;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;

/// Listens for as long as this process runs, and answers once it is told to.
pub(super) struct TimeServer {
    port: u16,
    tells: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
}

impl TimeServer {
    /// Listens on a free port of the loopback, and says nothing yet.
    pub(super) fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = socket.local_addr()?.port();
        let (tells, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (may, count) = (tells.clone(), answered.clone());
        std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut packet) {
                if !may.load(Ordering::Relaxed) {
                    continue;
                }
                let Some(answer) = answer(&packet[..len], timestamp()) else { continue };
                if socket.send_to(&answer, from).is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(Self { port, tells, answered })
    }

    /// Tells the time from now on.
    pub(super) fn tell(&self) {
        self.tells.store(true, Ordering::Relaxed);
    }

    /// Where it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How often it was asked and has answered.
    pub(super) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

/// The answer of a server that has its time from a clock of its own; `None` for what is no request.
fn answer(request: &[u8], now: u64) -> Option<[u8; LEN]> {
    let first = *request.first().filter(|_| request.len() >= LEN)?;
    if first & 7 != CLIENT {
        return None;
    }
    let mut answer = [0; LEN];
    answer[0] = VERSION << 3 | SERVER;
    // Stratum 1; the interval is the caller's; to a microsecond or so.
    (answer[1], answer[2], answer[3]) = (1, request[2], 0xec);
    answer[12..16].copy_from_slice(b"LOCL");
    let now = now.to_be_bytes();
    answer[16..24].copy_from_slice(&now);
    // The caller knows its request again by the time that it was sent at.
    answer[24..32].copy_from_slice(&request[40..48]);
    answer[32..40].copy_from_slice(&now);
    answer[40..48].copy_from_slice(&now);
    Some(answer)
}

/// Seconds since 1900, and their fraction in the lower half.
#[expect(clippy::disallowed_methods, reason = "it is the time of this machine that is told")]
fn timestamp() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs() + SECONDS_TO_1970) << 32 | fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_is_told_the_time_and_knows_the_answer_again() {
        let mut request = [0; LEN];
        request[0] = VERSION << 3 | CLIENT;
        request[2] = 6;
        request[40..48].copy_from_slice(b"whenever");
        let now = 0x1234_5678_9abc_def0;
        let told = answer(&request, now).unwrap();
        assert_eq!((told[0], told[1], told[2]), (0x24, 1, 6));
        assert_eq!(&told[24..32], b"whenever");
        assert_eq!(told[32..40], now.to_be_bytes());
        assert_eq!(told[40..48], now.to_be_bytes());
        // An answer is not answered, and neither is half a request.
        assert_eq!(answer(&told, now), None);
        assert_eq!(answer(&request[..40], now), None);
    }

    #[test]
    fn it_is_asked_over_the_loopback() {
        let server = TimeServer::start().unwrap();
        server.tell();
        let caller = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut request = [0; LEN];
        request[0] = VERSION << 3 | CLIENT;
        caller.send_to(&request, (Ipv4Addr::LOCALHOST, server.port())).unwrap();
        let mut told = [0; LEN];
        assert_eq!(caller.recv(&mut told).unwrap(), LEN);
        let seconds = u64::from(u32::from_be_bytes(told[40..44].try_into().unwrap()));
        assert!(seconds.abs_diff(timestamp() >> 32) < 60);
    }
}

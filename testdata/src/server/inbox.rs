//! What the kernel has for a program that has not read it yet: `sock_diag(7)`, asked for one socket.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketType, connect, recv, send, socket};

/// `SOCK_DIAG_BY_FAMILY`: the type of the question, and of its answer.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const QUESTION: u32 = 16 + 56;
/// Where `idiag_rqueue` lies: behind `struct nlmsghdr`, four bytes, `struct inet_diag_sockid` and `idiag_expires`.
const UNREAD: std::ops::Range<usize> = 72..76;
/// Where attributes begin: behind `struct nlmsghdr` and `struct inet_diag_msg`.
const ATTRIBUTES: usize = 16 + 72;
/// `INET_DIAG_INFO`, which brings a `struct tcp_info`, and where `tcpi_bytes_received` lies in that.
const INFO: u16 = 2;
const RECEIVED: std::ops::Range<usize> = 128..136;

/// The receiving side of a socket at the other end of a connection on this machine.
pub(super) struct Inbox {
    kernel: OwnedFd,
    question: Vec<u8>,
}

impl Inbox {
    /// The one that `stream` is connected to.
    pub(super) fn of_peer(stream: &TcpStream) -> io::Result<Self> {
        let (SocketAddr::V4(own), SocketAddr::V4(peer)) = (stream.local_addr()?, stream.peer_addr()?) else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "only IPv4 is asked for here"));
        };
        let kernel = socket(AddressFamily::NETLINK, SocketType::DGRAM, Some(SOCK_DIAG))?;
        connect(&kernel, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { kernel, question: question(peer, own) })
    }

    /// Whether the program has read all of the `sent` bytes that ever went there; `None` where there is no such socket any
    /// more. What the kernel has not looked at yet, as the socket was in use when it came, is not read.
    pub(super) fn has_read(&self, sent: u64) -> Option<bool> {
        send(&self.kernel, &self.question, rustix::net::SendFlags::empty()).expect("the kernel listens");
        let mut answer = [0; 4096];
        let (_, length) = recv(&self.kernel, &mut answer, RecvFlags::empty()).expect("the kernel answers");
        let answer = &answer[..length];
        if answer.get(4..6) != Some(BY_FAMILY.to_ne_bytes().as_slice()) {
            return None;
        }
        let unread = answer.get(UNREAD).and_then(|bytes| bytes.try_into().ok());
        let unread = unread.map(u32::from_ne_bytes).expect("an answer has its fields");
        // Of one that is closed there is none, and it was read to its end.
        let received = received(answer.get(ATTRIBUTES..).unwrap_or_default()).unwrap_or(sent);
        Some(unread == 0 && received >= sent)
    }
}

/// What an answer's attributes say of the bytes that have come.
fn received(mut attributes: &[u8]) -> Option<u64> {
    let number = |bytes: &[u8]| bytes.try_into().map(u16::from_ne_bytes).ok().map(usize::from);
    while let (Some(length), Some(kind)) =
        (attributes.get(..2).and_then(number), attributes.get(2..4).and_then(number))
    {
        let attribute = attributes.get(4..length)?;
        if kind == usize::from(INFO) {
            return attribute.get(RECEIVED)?.try_into().map(u64::from_ne_bytes).ok();
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn question(of: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(QUESTION.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    // Number and sender, which nobody here looks at.
    bytes.extend([0; 8]);
    // AF_INET, IPPROTO_TCP, the bit of what is asked for beside, any state.
    bytes.extend([2, 6, 1 << (INFO - 1), 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(of.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    for end in [of, to] {
        bytes.extend(end.ip().octets());
        bytes.extend([0; 12]);
    }
    // Any interface, and no cookie.
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn what_came_is_unread_until_it_is_read() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let inbox = Inbox::of_peer(&server).unwrap();
        assert_eq!(inbox.has_read(0), Some(true));
        server.write_all(&[7; 1000]).unwrap();
        assert_eq!(inbox.has_read(1000), Some(false));
        client.read_exact(&mut [0; 400]).unwrap();
        assert_eq!(inbox.has_read(1000), Some(false));
        client.read_exact(&mut [0; 600]).unwrap();
        assert_eq!((inbox.has_read(1000), inbox.has_read(1001)), (Some(true), Some(false)));
        server.write_all(&[7; 1000]).unwrap();
        drop(client);
        assert_eq!(inbox.has_read(2000), None, "nobody will read them");
    }

    #[test]
    fn who_has_read_all_and_gone_has_read_all() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let inbox = Inbox::of_peer(&server).unwrap();
        server.write_all(&[7; 1000]).unwrap();
        client.read_exact(&mut [0; 1000]).unwrap();
        drop(client);
        assert_eq!(inbox.has_read(1000), Some(true));
    }
}

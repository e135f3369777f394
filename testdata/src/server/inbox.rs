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

    /// The bytes that have come and were not read; none where there is no such socket any more.
    pub(super) fn unread(&self) -> u32 {
        send(&self.kernel, &self.question, rustix::net::SendFlags::empty()).expect("the kernel listens");
        let mut answer = [0; 4096];
        let (_, length) = recv(&self.kernel, &mut answer, RecvFlags::empty()).expect("the kernel answers");
        let answer = &answer[..length];
        if answer.get(4..6) != Some(BY_FAMILY.to_ne_bytes().as_slice()) {
            return 0;
        }
        let unread = answer.get(UNREAD).and_then(|bytes| bytes.try_into().ok());
        unread.map(u32::from_ne_bytes).expect("an answer has its fields")
    }
}

fn question(of: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(QUESTION.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    // Number and sender, which nobody here looks at.
    bytes.extend([0; 8]);
    // AF_INET, IPPROTO_TCP, no extensions, any state.
    bytes.extend([2, 6, 0, 0]);
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
        assert_eq!(inbox.unread(), 0);
        server.write_all(&[7; 1000]).unwrap();
        assert_eq!(inbox.unread(), 1000);
        client.read_exact(&mut [0; 400]).unwrap();
        assert_eq!(inbox.unread(), 600);
        drop(client);
        assert_eq!(inbox.unread(), 0, "nobody will read them");
    }
}

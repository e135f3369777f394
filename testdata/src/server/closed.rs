//! The opposite of a server.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A port of the loopback that refuses every connection, and that nobody else opens while this is held. A port that was
/// free a moment ago may have become the server of the test next door.
#[derive(Debug)]
pub struct ClosedPort {
    address: SocketAddr,
    _bound: OwnedFd,
}

impl ClosedPort {
    /// Takes a port and does not listen on it.
    ///
    /// # Panics
    /// When the loopback has no free port.
    #[must_use]
    pub fn new() -> Self {
        let bound = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&bound, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a free port of the loopback");
        let address = getsockname(&bound).expect("a bound socket has an address");
        let address = SocketAddrV4::try_from(address).expect("an address as it was asked for");
        Self { address: address.into(), _bound: bound }
    }

    /// Where nobody answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Default for ClosedPort {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn nobody_answers_there_and_nobody_else_can() {
        let closed = ClosedPort::new();
        let refused = TcpStream::connect(closed.address()).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let taken = TcpListener::bind(closed.address()).expect_err("it is taken");
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    }
}

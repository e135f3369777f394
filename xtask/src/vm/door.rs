//! The other side of the way into the VM's API: a unix socket as `apiclient` wants it, in front of a TCP port.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A socket that leads to a port of the loopback for as long as this process runs.
pub(super) struct Door {
    socket: PathBuf,
}

impl Door {
    /// Listens at `socket` for whoever wants to reach `port`.
    pub(super) fn open(socket: &Path, port: u16) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        // It ends with the process: nobody connects any more once the socket's directory is gone.
        std::thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    if let Ok(guest) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                        let _ = both_ways(caller, guest);
                    }
                });
            }
        });
        Ok(Self { socket: socket.to_owned() })
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

fn both_ways(mut caller: UnixStream, mut guest: TcpStream) -> io::Result<()> {
    let (mut from_caller, mut to_guest) = (caller.try_clone()?, guest.try_clone()?);
    let asking = std::thread::spawn(move || {
        let copied = io::copy(&mut from_caller, &mut to_guest);
        let _ = to_guest.shutdown(Shutdown::Write);
        copied
    });
    let answered = io::copy(&mut guest, &mut caller);
    let _ = caller.shutdown(Shutdown::Write);
    let _ = asking.join();
    answered.map(drop)
}

//! The way into the VM's API from outside: hands each connection on a TCP port over to a unix socket, and back.
//!
//! `vm-door ADDRESS:PORT SOCKET`

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(socket), None) = (args.next(), args.next(), args.next()) else {
        host_io::say::line("vm-door: usage: vm-door ADDRESS:PORT SOCKET");
        return ExitCode::from(2);
    };
    match serve(&address, &PathBuf::from(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            host_io::say::line(&format!("vm-door: failed to listen on {address}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, socket: &std::path::Path) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    for outside in listener.incoming() {
        let (outside, socket) = (outside?, socket.to_owned());
        std::thread::spawn(move || {
            // A caller whom nobody answers sees the connection end.
            if let Ok(inside) = UnixStream::connect(&socket) {
                let _ = both_ways(outside, inside);
            }
        });
    }
    Ok(())
}

fn both_ways(mut outside: TcpStream, mut inside: UnixStream) -> io::Result<()> {
    let (mut from_outside, mut to_inside) = (outside.try_clone()?, inside.try_clone()?);
    let asking = std::thread::spawn(move || {
        let copied = io::copy(&mut from_outside, &mut to_inside);
        let _ = to_inside.shutdown(Shutdown::Write);
        copied
    });
    let answered = io::copy(&mut inside, &mut outside);
    let _ = outside.shutdown(Shutdown::Write);
    let _ = asking.join();
    answered.map(drop)
}

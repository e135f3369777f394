//! A place of our own in the network and among the mounts: nobody else sees what is mounted, it is gone with us, and the
//! address at which the machine found its repository leads to it here as well.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::ExitStatus;

use crate::bench::tools::{command, said};
use crate::vm::machine::REPOSITORY;

/// Why it cannot be had here, where it cannot.
pub(super) fn refusal() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can mount the file systems that power cuts leave".to_owned());
    }
    let tried = said(command("unshare").args(["--net", "--mount", "true"]));
    tried.err().map(|error| format!("nothing can be mounted unseen by others: {error}"))
}

/// Runs ourselves again in such a place, with more arguments.
pub(super) fn enter(more: &[&str]) -> io::Result<ExitStatus> {
    let own = std::env::current_exe()?;
    command("unshare")
        .args(["--net", "--mount"])
        .arg(own)
        .args(std::env::args_os().skip(1))
        .args(more)
        .status()
}

/// Raises the loopback of the new network.
pub(super) fn raise() -> Result<(), Box<dyn Error>> {
    said(command("busybox").args(["ip", "link", "set", "lo", "up"])).map(drop)
}

/// Lets the repository's address lead to a port of the loopback.
pub(super) fn lead_to(port: u16) -> Result<(), Box<dyn Error>> {
    said(command("busybox").args(["ip", "addr", "add", &format!("{REPOSITORY}/32"), "dev", "lo"]))?;
    let listener = TcpListener::bind((REPOSITORY, 80))
        .map_err(|error| format!("listen where the machine found its repository: {error}"))?;
    // It ends with the process, and with it the network that it is in.
    std::thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    let _gone = both_ways(&caller, &server);
                }
            });
        }
    });
    Ok(())
}

fn both_ways(mut caller: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
    let (mut from_caller, mut to_server) = (caller.try_clone()?, server.try_clone()?);
    let asking = std::thread::spawn(move || {
        let copied = io::copy(&mut from_caller, &mut to_server);
        let _gone = to_server.shutdown(Shutdown::Write);
        copied
    });
    let answered = io::copy(&mut server, &mut caller);
    let _gone = caller.shutdown(Shutdown::Write);
    let _asked = asking.join();
    answered.map(drop)
}

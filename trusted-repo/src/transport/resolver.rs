//! Names of hosts, looked up by the system, which keeps a thread waiting meanwhile.
//!
//! The HTTP library and tokio would do so on a pool of theirs, which panics where the system has no thread for it.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

/// How a client looks names up.
#[derive(Debug)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The library puts the port of the address there.
            let found = look_up(name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The addresses of the host `name`.
pub(super) async fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (tell, told) = oneshot::channel();
    let name = name.to_owned();
    let looking = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        let _nobody_waits_any_more = tell.send(found);
    });
    looking.map_err(|error| {
        io::Error::new(error.kind(), format!("no thread can be started to look it up: {error}"))
    })?;
    told.await.expect("a thread that looks a name up tells what it found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_systems_word_on_a_name_is_handed_on() {
        let found = look_up("localhost", 80).await.expect("every host knows itself");
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{found:?}");
        assert!(look_up("nobody.invalid", 80).await.is_err());
    }
}

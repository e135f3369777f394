//! A door between `updog` and the web server that counts what goes through, and can end a run at a given byte.
//!
//! The server's log tells bytes when a request is over, and then also those that nobody took any more. Here each byte counts
//! as it is handed to the client's side.

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What the kernel may hold on our side of a connection. It counts as handed over, so it is little.
const WAITING: u32 = 64 << 10;
/// What is handed over at once.
const PIECE: usize = 64 << 10;

/// A port that leads to the web server. Dropping it closes it.
pub(crate) struct Turnstile {
    runtime: Runtime,
    port: u16,
    counts: Arc<Counts>,
}

/// What went through, and who is inside.
#[derive(Default)]
struct Counts {
    /// Bytes for the client, headers counted.
    passed: watch::Sender<u64>,
    connections: watch::Sender<usize>,
}

/// A connection that counts as open.
struct Open(Arc<Counts>);

impl Open {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.connections.send_modify(|open| *open += 1);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.send_modify(|open| *open -= 1);
    }
}

impl Turnstile {
    /// A way to the server that listens on this port.
    pub(crate) fn before(server: u16) -> Result<Self, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            // Those who are let in have it from here.
            socket.set_send_buffer_size(WAITING)?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            socket.listen(64)
        })?;
        let (port, counts) = (listener.local_addr()?.port(), Arc::new(Counts::default()));
        let all = Arc::clone(&counts);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let open = Open::new(&all);
                tokio::spawn(async move {
                    // Either side may go away at any time; then the other is told so.
                    let _ended = through(client, server, &open.0.passed).await;
                });
            }
        });
        Ok(Self { runtime, port, counts })
    }

    /// Where `path` is served.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The bytes that went through since this was asked last, once nobody is inside any more.
    pub(crate) fn passed(&self) -> Result<u64, Box<dyn Error>> {
        self.runtime.block_on(self.counts.connections.subscribe().wait_for(|open| *open == 0))?;
        Ok(self.counts.passed.send_replace(0))
    }

    /// Starts a call and kills it when so many bytes have gone through. One that ends by itself is an error.
    pub(crate) fn kill_after(&self, bytes: u64, call: Command) -> Result<(), Box<dyn Error>> {
        let name = call.get_program().to_string_lossy().into_owned();
        self.runtime.block_on(async {
            let mut call = tokio::process::Command::from(call);
            call.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
            let mut child = call.spawn().map_err(|error| format!("start {name}: {error}"))?;
            let mut passed = self.counts.passed.subscribe();
            tokio::select! {
                enough = passed.wait_for(|passed| *passed >= bytes) => drop(enough?),
                ended = child.wait() => return Err(format!("kill {name}: it ended before, with {}", ended?).into()),
            }
            Ok(child.kill().await?)
        })
    }
}

/// One connection, both ways, until one of them ends.
async fn through(client: TcpStream, server: u16, passed: &watch::Sender<u64>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let (mut asks, mut takes) = client.into_split();
    let (mut answers, mut hears) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?.into_split();
    let down = async {
        let mut piece = vec![0; PIECE];
        loop {
            let count = answers.read(&mut piece).await?;
            if count == 0 {
                return Ok(());
            }
            takes.write_all(&piece[..count]).await?;
            passed.send_modify(|passed| *passed += count as u64);
        }
    };
    tokio::select! {
        up = copy(&mut asks, &mut hears) => up.map(drop),
        down = down => down,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net;
    use std::thread::{JoinHandle, spawn};

    use super::*;

    /// A server that sends so much to each that comes, and asks for a byte before.
    fn server(sends: usize) -> u16 {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                spawn(move || {
                    let (mut stream, mut asked) = (stream, [0]);
                    let _gone =
                        stream.read_exact(&mut asked).and_then(|()| stream.write_all(&vec![7; sends]));
                });
            }
        });
        port
    }

    fn client(door: &Turnstile) -> JoinHandle<usize> {
        let port = door.port;
        spawn(move || {
            let mut stream = net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("let in");
            stream.write_all(b"?").expect("asked");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("all of it")
        })
    }

    #[test]
    fn what_goes_through_is_counted_and_the_count_begins_anew() {
        let door = Turnstile::before(server(1 << 20)).expect("a door");
        let both = [client(&door), client(&door)].map(|client| client.join().expect("no panic"));
        assert_eq!(both, [1 << 20; 2]);
        assert_eq!(door.passed().expect("counted"), 2 << 20);
        assert_eq!(door.passed().expect("counted"), 0);
    }

    #[test]
    fn a_call_is_killed_when_so_much_went_through() {
        let door = Turnstile::before(server(1000)).expect("a door");
        let both = [client(&door), client(&door)];
        let mut endless = Command::new("sleep");
        endless.arg("infinity");
        door.kill_after(1500, endless).expect("killed");
        assert_eq!(both.map(|client| client.join().expect("no panic")), [1000; 2]);
        let error = door.kill_after(3000, Command::new("true")).expect_err("nothing comes any more");
        assert_eq!(error.to_string(), "kill true: it ended before, with exit status: 0");
    }
}

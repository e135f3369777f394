//! A lock server that speaks FleetLock, with one slot for each group, on a free port of the loopback; it misbehaves on
//! request and writes down whatever it is asked.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What goes wrong with one request.
#[derive(Debug)]
pub enum LockFault {
    /// The connection is closed without a word, before anything is done.
    NoAnswer,
    /// The same after it was done: the slot is given, and nobody hears of it.
    NoAnswerAfter,
    /// A page that is none of the protocol's.
    Page(u16),
    /// Sent on to this address.
    Redirect(String),
    /// It is answered, rightly, when the test says so, and the test is told that it has come.
    Waits(Gate),
}

/// Holds an answer back.
#[derive(Debug)]
pub struct Gate {
    come: Sender<()>,
    open: Receiver<()>,
}

/// The test's side of a [`Gate`].
#[derive(Debug)]
pub struct GateKeeper {
    come: Receiver<()>,
    open: Sender<()>,
}

impl Gate {
    /// A gate and its keeper.
    #[must_use]
    pub fn new() -> (Self, GateKeeper) {
        let (come, seen) = channel();
        let (opens, open) = channel();
        (Self { come, open }, GateKeeper { come: seen, open: opens })
    }
}

impl GateKeeper {
    /// Waits until the request has come.
    ///
    /// # Panics
    /// When the server is gone before.
    pub fn come(&self) {
        self.come.recv().expect("a request");
    }

    /// Lets it be answered.
    pub fn open(self) {
        let _the_server_may_be_gone = self.open.send(());
    }
}

/// One request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `pre-reboot` or `steady-state`, or another path.
    pub door: String,
    /// Whether it had the header of the protocol.
    pub has_header: bool,
    /// Who asks.
    pub id: String,
    /// Of which group.
    pub group: String,
}

#[derive(Debug, Default)]
struct State {
    slots: BTreeMap<String, String>,
    asked: Vec<Asked>,
    faults: VecDeque<(String, LockFault)>,
    ends: bool,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server. Dropping it closes its port.
#[derive(Debug)]
pub struct FleetLock {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl FleetLock {
    /// Serves from now on.
    ///
    /// # Panics
    /// When the loopback has no free port.
    #[must_use]
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of the loopback");
        let address = listener.local_addr().expect("it listens");
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.state().ends {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&served)) else { continue };
                std::thread::spawn(move || {
                    let _the_other_side_may_be_gone = serve(&stream, &shared);
                });
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Its address, as settings have it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/lock/", self.address)
    }

    /// The next request at `door` (`pre-reboot`, `steady-state`) meets this.
    pub fn fault(&self, door: &str, fault: LockFault) {
        self.shared.state().faults.push_back((door.to_owned(), fault));
    }

    /// Who holds the slot of a group.
    #[must_use]
    pub fn holder(&self, group: &str) -> Option<String> {
        self.shared.state().slots.get(group).cloned()
    }

    /// Gives the slot of a group to somebody, or to nobody.
    pub fn give(&self, group: &str, id: Option<&str>) {
        let mut state = self.shared.state();
        match id {
            Some(id) => state.slots.insert(group.to_owned(), id.to_owned()),
            None => state.slots.remove(group),
        };
    }

    /// What was asked so far, and no more of it from now on.
    #[must_use]
    pub fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.state().asked)
    }

    /// The doors of [`FleetLock::taken`].
    #[must_use]
    pub fn doors(&self) -> Vec<String> {
        self.taken().into_iter().map(|asked| asked.door).collect()
    }
}

impl Default for FleetLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for FleetLock {
    fn drop(&mut self) {
        self.shared.state().ends = true;
        let _wakes_it = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut has_header) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        match line.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().unwrap_or_default(),
            Some(("fleet-lock-protocol", value)) => has_header = value.trim() == "true",
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body["client_params"][name].as_str().unwrap_or_default().to_owned();
    let door = path.strip_prefix("/lock/v1/").unwrap_or(&path).to_owned();
    let asked = Asked { door, has_header, id: text("id"), group: text("group") };
    let fault = {
        let mut state = shared.state();
        state.asked.push(asked.clone());
        let at = state.faults.iter().position(|(door, _)| *door == asked.door);
        at.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault)
    };
    match fault {
        Some(LockFault::NoAnswer) => return Ok(()),
        Some(LockFault::NoAnswerAfter) => {
            let _nobody_hears_it = judge(&asked, shared);
            return Ok(());
        }
        Some(LockFault::Page(status)) => return answer(stream, status, "", "<html>not here</html>"),
        Some(LockFault::Redirect(to)) => {
            return answer(stream, 307, &format!("location: {to}\r\n"), "");
        }
        Some(LockFault::Waits(gate)) => {
            let _the_test_may_be_over = gate.come.send(());
            let _the_keeper_may_be_gone = gate.open.recv();
        }
        None => {}
    }
    match judge(&asked, shared) {
        Ok(()) => answer(stream, 200, "", ""),
        Err((kind, value)) => {
            answer(stream, 404, "", &serde_json::json!({"kind": kind, "value": value}).to_string())
        }
    }
}

fn judge(asked: &Asked, shared: &Shared) -> Result<(), (&'static str, String)> {
    if !asked.has_header || asked.id.is_empty() || asked.group.is_empty() {
        return Err(("bad_request", "this is no FleetLock".to_owned()));
    }
    let mut state = shared.state();
    let holder = state.slots.get(&asked.group).cloned();
    match (asked.door.as_str(), holder) {
        ("pre-reboot", Some(holder)) if holder != asked.id => {
            Err(("all_slots_taken", format!("the slot of {} is taken", asked.group)))
        }
        ("pre-reboot", _) => {
            state.slots.insert(asked.group.clone(), asked.id.clone());
            Ok(())
        }
        ("steady-state", holder) => {
            if holder.as_ref() == Some(&asked.id) {
                state.slots.remove(&asked.group);
            }
            Ok(())
        }
        _ => Err(("not_found", "there is no such door".to_owned())),
    }
}

fn answer(mut stream: &TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())
}

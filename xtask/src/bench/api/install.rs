//! An update with and without somebody who watches it.
//!
//! Wall time on a busy machine says little about a few requests a second, so what watching costs is told as the
//! server's processor time beside the time of the install; that is what the install could lose at most.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use testdata::{Fault, Release, Size, World, WorldOptions};

use super::server::Server;

/// How often somebody who watches asks.
const ASK: Duration = Duration::from_millis(250);
/// How often the end is looked for in either case.
const LOOK: Duration = Duration::from_millis(50);
/// How many installs of each kind; the median counts.
const ROUNDS: usize = 3;
/// How long the root image is on its way: long enough for several questions, and for processor time to be told.
const LINK: u64 = 5;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What an install was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Install {
    pub(super) wall: Duration,
    /// Processor time of the server, without its child's.
    pub(super) server: Duration,
    pub(super) asked: u32,
}

/// Both kinds.
pub(super) struct Installs {
    pub(super) alone: Install,
    pub(super) watched: Install,
}

impl Installs {
    /// What watching costs, as a part of the install's time.
    pub(super) fn cost(&self) -> f64 {
        let more = self.watched.server.saturating_sub(self.alone.server);
        more.as_secs_f64() / self.watched.wall.as_secs_f64()
    }
}

/// Whether somebody watches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    Nobody,
    Somebody,
}

/// Installs and measures, in turns.
pub(super) fn measure() -> Result<Installs, Box<dyn Error>> {
    let world = World::with(WorldOptions { size: Size::Demo, dir: None });
    world.publish(Release::new("1.0.0"));
    world.publish(Release::new("1.1.0"));
    let (path, len) = root_image(&world)?;
    world.server().fault(&path, Fault::Slow { bytes_per_second: len / LINK });
    let mut rounds = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rounds.0.push(install(&world, Watch::Nobody)?);
        rounds.1.push(install(&world, Watch::Somebody)?);
    }
    let median = |mut installs: Vec<Install>| {
        installs.sort_by_key(|install| install.server);
        installs[installs.len() / 2]
    };
    Ok(Installs { alone: median(rounds.0), watched: median(rounds.1) })
}

/// The whole root image of the new release: its path on the server, and its length.
fn root_image(world: &World) -> Result<(String, u64), Box<dyn Error>> {
    for entry in std::fs::read_dir(world.repo_dir().join("targets"))? {
        let (name, len) = entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?.len())))?;
        let name = name.to_string_lossy();
        if name.ends_with("-1.1.0-root.lz4") {
            return Ok((format!("/targets/{name}"), len));
        }
    }
    Err("find the root image of the new release".into())
}

#[expect(clippy::disallowed_methods, reason = "times are measured")]
fn install(world: &World, watch: Watch) -> Result<Install, Box<dyn Error>> {
    let mut host = world.host("1.0.0");
    host.boot();
    // Its own server makes place for the one that ships.
    host.power_off();
    let server = Server::on(host.paths().root())?;
    post(server.socket(), "/actions/refresh-updates")?;
    settled(server.socket(), &mut || Ok(()))?;
    let (before, started) = (server.spent()?, Instant::now());
    post(server.socket(), "/actions/prepare-update")?;
    let (mut asked, mut next) = (0, started);
    settled(server.socket(), &mut || {
        if watch == Watch::Somebody && Instant::now() >= next {
            ask(server.socket(), "GET", "/updates/progress")?;
            asked += 1;
            next += ASK;
        }
        Ok(())
    })?;
    Ok(Install { wall: started.elapsed(), server: server.spent()? - before, asked })
}

/// Looks until no command runs any more, and does `meanwhile` in between.
#[expect(clippy::disallowed_methods, reason = "a bounded wait needs a monotonic clock")]
fn settled(
    socket: &Path,
    meanwhile: &mut dyn FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let (code, body) = ask(socket, "GET", "/updates/status")?;
        match code {
            423 if Instant::now() < give_up => {}
            200 if body.contains("\"Success\"") => return Ok(()),
            _ => return Err(format!("wait for an install: {code} {body}").into()),
        }
        meanwhile()?;
        std::thread::sleep(LOOK);
    }
}

fn post(socket: &Path, uri: &str) -> Result<(), Box<dyn Error>> {
    match ask(socket, "POST", uri)? {
        (204, _) => Ok(()),
        (code, body) => Err(format!("ask for {uri}: {code} {body}").into()),
    }
}

fn ask(socket: &Path, method: &str, uri: &str) -> Result<(u16, String), Box<dyn Error>> {
    let mut stream = UnixStream::connect(socket)?;
    write!(
        stream,
        "{method} {uri} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let code = answer.split(' ').nth(1).ok_or("no answer in HTTP")?.parse()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((code, body.to_owned()))
}

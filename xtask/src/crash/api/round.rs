//! One host, from its first boot to the booted update, with kills on the way.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use host_io::OperationLock;
use serde_json::{Value, json};
use testdata::{Ear, Host, World};

use super::judge::{Facts, Written, lies};
use crate::crash::dice::{Dice, Victim};

/// How often an update is disturbed before it is left alone: at least so often, and up to as much more.
const KILLS: usize = 3;
/// How long an action may take in all.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the status is asked for.
const ASK: Duration = Duration::from_millis(20);

/// What an update is when nobody is killed.
pub(super) struct Measure {
    pub(super) prepare: Duration,
    pub(super) activate: Duration,
    written: Written,
}

/// What one round showed.
pub(super) struct Round {
    pub(super) kills: Vec<String>,
    pub(super) statuses: u32,
    pub(super) lies: Vec<String>,
}

impl Round {
    pub(super) fn json(&self, number: u32) -> Value {
        json!({"round": number, "kills": self.kills, "statuses": self.statuses, "lies": self.lies})
    }
}

impl Measure {
    /// Updates a host, and takes the time.
    pub(super) fn undisturbed(world: &World) -> Result<Self, Box<dyn Error>> {
        let host = start(world)?;
        act(&host, "refresh-updates")?;
        settled(&host)?;
        let mut took = Vec::new();
        for action in ["prepare-update", "activate-update"] {
            let started = now();
            act(&host, action)?;
            settled(&host)?;
            took.push(started.elapsed());
        }
        Ok(Self { prepare: took[0], activate: took[1], written: Written::of(&host) })
    }
}

/// Plays a round; `ear` hears the server's log.
pub(super) fn play(
    world: &World,
    measure: &Measure,
    dice: &mut Dice,
    ear: Ear,
) -> Result<Round, Box<dyn Error>> {
    let mut host = start(world)?;
    if ear != Ear::Open {
        host.log_heard_by(ear);
        kill(&mut host, Victim::Server)?;
    }
    let mut round = Round { kills: Vec::new(), statuses: 0, lies: Vec::new() };
    let disturbed = KILLS + usize::try_from(dice.below(1 + KILLS as u64))?;
    act(&host, "refresh-updates")?;
    loop {
        let status = settled(&host)?;
        round.statuses += 1;
        round.lies.extend(lies(&status, Facts::of(&host, &measure.written)));
        let more = round.kills.len() < disturbed;
        let (action, takes) = match status["update_state"].as_str() {
            Some("Idle") => ("refresh-updates", measure.activate),
            Some("Available") => ("prepare-update", measure.prepare),
            // Whoever got this far is sent back while there are kills left.
            Some("Staged") if more && dice.below(2) == 0 => ("prepare-update", measure.prepare),
            Some("Staged") => ("activate-update", measure.activate),
            Some("Ready") if more => ("deactivate-update", measure.activate),
            _ => break,
        };
        act(&host, action)?;
        if more {
            let (after, victim) = (dice.moment(takes), dice.victim());
            std::thread::sleep(after);
            round.kills.push(format!("{victim} {} ms into {action}", after.as_millis()));
            kill(&mut host, victim)?;
        }
    }
    let report = host.reboot();
    if report.version_at_once() != Some("1.1.0") {
        round.lies.push(format!("Ready, and 1.1.0 did not boot: {report:?}"));
    }
    Ok(round)
}

fn start(world: &World) -> Result<Host, Box<dyn Error>> {
    let mut host = world.host("1.0.0");
    match host.boot().version_at_once() {
        Some("1.0.0") => Ok(host),
        other => Err(format!("boot a new host: {other:?} runs").into()),
    }
}

fn kill(host: &mut Host, victim: Victim) -> Result<(), Box<dyn Error>> {
    let worker = OperationLock::holder(host.paths()).map(|holder| holder.pid());
    if let (Some(pid), Victim::Worker | Victim::Both) = (worker, victim) {
        // It may have ended just now: nothing else of ours gets its number within this line.
        let _ended = Command::new("kill").args(["-KILL", &pid.to_string()]).output()?;
    }
    if victim != Victim::Worker {
        host.crash_api().map_err(|reason| format!("start apiserver after a crash: {reason}"))?;
    }
    Ok(())
}

/// Starts an action. Busy is an answer that comes while a worker outlives its server; one asks again.
fn act(host: &Host, action: &str) -> Result<(), Box<dyn Error>> {
    let uri = format!("/actions/{action}");
    let started = now();
    loop {
        let ran = host.run("apiclient", &["raw", "-u", &uri, "-m", "POST"]);
        if ran.ok() {
            return Ok(());
        }
        if !ran.stderr.contains("Status 423") || started.elapsed() > PATIENCE {
            return Err(format!("ask for {action}: {}", ran.complaint()).into());
        }
        std::thread::sleep(ASK);
    }
}

/// The first status that is not busy.
fn settled(host: &Host) -> Result<Value, Box<dyn Error>> {
    let started = now();
    loop {
        let ran = host.run("apiclient", &["raw", "-u", "/updates/status"]);
        if ran.ok() {
            return Ok(ran.json());
        }
        if !ran.stderr.contains("Status 423") || started.elapsed() > PATIENCE {
            return Err(format!("ask for the status: {}", ran.complaint()).into());
        }
        std::thread::sleep(ASK);
    }
}

#[expect(clippy::disallowed_methods, reason = "a bounded wait and a measured time need a monotonic clock")]
fn now() -> Instant {
    Instant::now()
}

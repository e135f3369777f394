//! A fleet tool that knows nothing but `apiclient raw`: it calls, reads and fails as the Bottlerocket update operator
//! does, on a whole host with the real programs.

use serde::Deserialize;
use testdata::{BootFault, Fault, Host, Release, World};

/// What it reads of a status. A null or a negative number where it expects something else stops it for good.
#[derive(Debug, Deserialize)]
struct Status {
    update_state: State,
    available_updates: Vec<semver::Version>,
    chosen_update: Option<Image>,
    most_recent_command: Command,
    /// It knows nothing of this; we look at it.
    failed_update: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
enum State {
    Idle,
    Available,
    Staged,
    Ready,
}

#[derive(Debug, Deserialize)]
struct Image {
    version: semver::Version,
}

#[derive(Debug, Deserialize)]
struct Command {
    cmd_type: Word,
    cmd_status: Outcome,
    exit_status: u32,
    stderr: String,
}

/// The commands that it knows. There is no fourth one.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Word {
    Refresh,
    Prepare,
    Activate,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
enum Outcome {
    Success,
    Failed,
    Unknown,
}

/// The tool on one host.
struct Operator<'a>(&'a Host);

impl Operator<'_> {
    /// One call: the body, or the code that it reads out of stderr.
    fn call(&self, args: &[&str]) -> Result<String, u16> {
        let ran = self.0.run("apiclient", &[&["raw"], args].concat());
        // Ended by a signal is what a reboot looks like from here.
        if ran.ok() || ran.code().is_none() {
            return Ok(ran.stdout);
        }
        // It takes the first word after the first "Status", whatever stands before it, and has no answer to its absence.
        let (_, after) = ran.stderr.split_once("Status").unwrap_or_else(|| panic!("no status: {ran}"));
        Err(after.split_whitespace().next().unwrap().parse().unwrap_or_else(|_| panic!("no code: {ran}")))
    }

    /// The status, once nothing is busy: 423 is the one answer that it tries again.
    fn status(&self) -> Status {
        loop {
            match self.call(&["-u", "/updates/status"]) {
                Ok(body) => {
                    return serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
                }
                Err(423) => std::thread::yield_now(),
                Err(code) => panic!("the status is fatal: {code}"),
            }
        }
    }

    /// An action and its end; its own command must be the last one then.
    fn act(&self, action: &str, word: Word) -> Status {
        self.call(&["-u", &format!("/actions/{action}"), "-m", "POST"]).unwrap();
        let status = self.status();
        assert_eq!(status.most_recent_command.cmd_type, word, "{status:?}");
        status
    }

    /// The same, when it has to succeed.
    fn succeed(&self, action: &str, word: Word) -> Status {
        let status = self.act(action, word);
        let last = &status.most_recent_command;
        assert_eq!((&last.cmd_status, last.exit_status, last.stderr.as_str()), (&Outcome::Success, 0, ""));
        status
    }

    fn version(&self) -> semver::Version {
        let os: serde_json::Value = serde_json::from_str(&self.call(&["-u", "/os"]).unwrap()).unwrap();
        os["version_id"].as_str().unwrap().parse().unwrap()
    }
}

fn version(text: &str) -> semver::Version {
    text.parse().unwrap()
}

/// A host that runs 1.0.0, in a world that has it and offers `release`.
fn offered_by(release: Release) -> (World, Host) {
    let world = World::new();
    world.publish(Release::new("1.0.0"));
    world.publish(release);
    let mut host = world.host("1.0.0");
    host.boot();
    (world, host)
}

#[test]
fn an_operator_checks_prepares_activates_and_reboots_into_the_update() {
    let (_world, mut host) = offered_by(Release::new("1.1.0"));
    let operator = Operator(&host);
    assert_eq!(operator.version(), version("1.0.0"));
    assert_eq!(operator.call(&["-u", "/updates/status"]), Err(404), "nothing was done yet");

    let status = operator.succeed("refresh-updates", Word::Refresh);
    assert_eq!((status.update_state, &status.available_updates[0]), (State::Available, &version("1.1.0")));
    assert_eq!(status.chosen_update.unwrap().version, version("1.1.0"));
    assert_eq!(operator.succeed("prepare-update", Word::Prepare).update_state, State::Staged);
    assert_eq!(operator.succeed("activate-update", Word::Activate).update_state, State::Ready);
    assert_eq!(operator.call(&["-u", "/actions/reboot", "-m", "POST"]).as_deref(), Ok(""));

    let report = host.reboot_if_requested().unwrap();
    assert_eq!(report.version_at_once(), Some("1.1.0"));
    let operator = Operator(&host);
    assert_eq!(operator.version(), version("1.1.0"));
    let status = operator.status();
    assert_eq!((status.update_state, status.most_recent_command.cmd_type), (State::Idle, Word::Activate));
    let status = operator.succeed("refresh-updates", Word::Refresh);
    assert!(status.update_state == State::Idle && status.chosen_update.is_none());
}

#[test]
fn each_refusal_has_its_code_and_a_failure_is_told_in_the_status() {
    let (world, mut host) = offered_by(Release::new("1.1.0"));
    let operator = Operator(&host);
    let post = |action: &str| operator.call(&["-u", &format!("/actions/{action}"), "-m", "POST"]);
    for action in ["prepare-update", "activate-update", "deactivate-update"] {
        assert_eq!(post(action), Err(409), "{action} while nothing is known");
    }
    assert_eq!(operator.call(&["-u", "/nowhere"]), Err(404));
    operator.succeed("refresh-updates", Word::Refresh);
    assert_eq!(post("activate-update"), Err(409), "nothing is staged");

    // An update on a command line: busy is 423 and nothing else.
    let lock = host_io::OperationLock::acquire(host.paths()).unwrap();
    for action in ["refresh-updates", "prepare-update", "activate-update"] {
        assert_eq!(post(action), Err(423));
    }
    assert_eq!(operator.call(&["-u", "/updates/status"]), Err(423));
    drop(lock);

    world.server().fault("1.1.0-root", Fault::Status(500));
    let status = operator.act("prepare-update", Word::Prepare);
    let last = status.most_recent_command;
    assert_eq!((status.update_state, last.cmd_status), (State::Available, Outcome::Failed));
    assert!(last.exit_status == 1 && last.stderr.contains("failed to"), "{}", last.stderr);
    world.server().heal();
    assert_eq!(operator.succeed("prepare-update", Word::Prepare).update_state, State::Staged);

    host.power_off();
    let operator = Operator(&host);
    assert_eq!(operator.call(&["-u", "/updates/status"]), Err(503), "nobody is at the socket");
}

#[test]
fn a_release_that_did_not_come_up_is_not_chosen_again() {
    let (_world, mut host) = offered_by(Release::new("1.1.0").boot_fault(BootFault::Panic));
    let operator = Operator(&host);
    operator.succeed("refresh-updates", Word::Refresh);
    operator.succeed("prepare-update", Word::Prepare);
    operator.succeed("activate-update", Word::Activate);
    operator.call(&["-u", "/actions/reboot", "-m", "POST"]).unwrap();
    let report = host.reboot_if_requested().unwrap();
    assert_eq!(report.failed().count(), 1);

    let operator = Operator(&host);
    assert_eq!(operator.version(), version("1.0.0"));
    let status = operator.status();
    assert!(status.update_state == State::Idle && status.chosen_update.is_none(), "{status:?}");
    let failed = status.failed_update.unwrap();
    assert_eq!(failed["image"]["version"], "1.1.0");
    assert!(
        failed["held"].is_boolean() && failed["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
        "{failed}"
    );
    let status = operator.succeed("refresh-updates", Word::Refresh);
    assert!(status.update_state == State::Idle && status.chosen_update.is_none(), "{status:?}");

    // A person says otherwise.
    assert_eq!(operator.call(&["-u", "/actions/clear-failed", "-m", "POST"]).as_deref(), Ok(""));
    let status = operator.succeed("refresh-updates", Word::Refresh);
    assert_eq!((status.update_state, status.failed_update), (State::Available, None));
}

#[test]
fn what_can_be_known_before_the_work_starts_is_refused_and_not_begun() {
    let (world, mut host) = offered_by(Release::new("1.1.0"));
    let operator = Operator(&host);
    operator.succeed("refresh-updates", Word::Refresh);
    operator.succeed("prepare-update", Word::Prepare);

    // Taken back since it was staged: no node is drained for an image that will not be activated.
    world.recall("1.1.0");
    let post =
        |host: &Host, action: &str| Operator(host).call(&["-u", &format!("/actions/{action}"), "-m", "POST"]);
    assert_eq!(post(&host, "activate-update"), Err(409));
    let last = Operator(&host).status().most_recent_command;
    assert_eq!((last.cmd_type, last.cmd_status), (Word::Prepare, Outcome::Success), "nothing was begun");

    // A boot that nobody marked good may not lose its way back.
    world.publish(Release::new("1.2.0"));
    host.reboot();
    let operator = Operator(&host);
    operator.succeed("refresh-updates", Word::Refresh);
    operator.succeed("prepare-update", Word::Prepare);
    operator.succeed("activate-update", Word::Activate);
    assert_eq!(host.reboot_unproven().version_at_once(), Some("1.2.0"));
    world.publish(Release::new("1.3.0"));
    let operator = Operator(&host);
    assert_eq!(operator.succeed("refresh-updates", Word::Refresh).update_state, State::Available);
    assert_eq!(post(&host, "prepare-update"), Err(409));
    let last = Operator(&host).status().most_recent_command;
    assert_eq!((last.cmd_type, last.cmd_status), (Word::Refresh, Outcome::Success), "nothing was begun");
}

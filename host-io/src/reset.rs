//! A reset that nobody can refuse: for a boot that was not marked good in time.
//!
//! An open session, a program that must not be interrupted, a service that does not stop, a service manager that has
//! stopped answering: each has its say, and its time; then the kernel is asked. What a person or the API asks for goes
//! through [`crate::Host::reboot`] and respects them all.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long the service manager may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a shutdown in good order may take: longer than the 90 s that one service has to stop.
const IN_ORDER: Duration = Duration::from_secs(180);
/// How long one may take that kills what runs.
const BY_FORCE: Duration = Duration::from_secs(60);
/// How long what was written may take to reach a disk that may be the reason for all this.
const SYNC: Duration = Duration::from_secs(10);

/// One way to reset the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The service manager stops everything in order; inhibitors are not asked.
    InOrder,
    /// The service manager kills everything.
    ByForce,
    /// The kernel, at once.
    Kernel,
}

impl Way {
    /// Every way, the gentlest first.
    const ALL: [Self; 3] = [Self::InOrder, Self::ByForce, Self::Kernel];

    /// How long to wait for the reset before the next way is taken.
    fn patience(self) -> Duration {
        match self {
            Self::InOrder => IN_ORDER,
            Self::ByForce => BY_FORCE,
            Self::Kernel => Duration::ZERO,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::InOrder => "systemctl reboot --ignore-inhibitors",
            Self::ByForce => "systemctl reboot --force",
            Self::Kernel => "reboot(2)",
        }
    }
}

/// What can reset a machine, or stand in for one.
pub(crate) trait Machine {
    /// Takes one way. That it was taken does not mean that the machine will come to its end.
    fn take(&mut self, way: Way) -> io::Result<()>;

    /// Waits for the reset, which ends this program.
    fn wait(&mut self, time: Duration);
}

/// Takes one way after the other until one leads to a reset. Returns only when none did, with what became of each.
pub(crate) fn reset(machine: &mut dyn Machine) -> io::Error {
    let mut refused = Vec::new();
    for way in Way::ALL {
        let why = match machine.take(way) {
            Ok(()) => {
                tracing::warn!("resetting the machine: {}", way.what());
                machine.wait(way.patience());
                format!("{}: still up after {} s", way.what(), way.patience().as_secs())
            }
            Err(error) => format!("{}: {error}", way.what()),
        };
        tracing::warn!("{why}");
        refused.push(why);
    }
    io::Error::other(refused.join("; "))
}

/// The machine that this program runs on.
pub(crate) struct ThisMachine;

impl Machine for ThisMachine {
    fn take(&mut self, way: Way) -> io::Result<()> {
        match way {
            // The short form is known to every version of it.
            Way::InOrder => systemctl(&["reboot", "-i", "--no-block"]),
            Way::ByForce => systemctl(&["reboot", "--force", "--no-wall"]),
            Way::Kernel => {
                sync_within(SYNC);
                Ok(rustix::system::reboot(rustix::system::RebootCommand::Restart)?)
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Lets the caches reach the disks, unless that takes too long.
fn sync_within(time: Duration) {
    let (done, synced) = std::sync::mpsc::channel();
    let started = std::thread::Builder::new().spawn(move || {
        rustix::fs::sync();
        let _nobody_waits_any_more = done.send(());
    });
    if started.is_ok() {
        let _in_time_or_not = synced.recv_timeout(time);
    }
}

fn systemctl(args: &[&str]) -> io::Result<()> {
    answers("systemctl", args, ANSWER)
}

/// Runs a program that has to answer in time.
fn answers(program: &str, args: &[&str], time: Duration) -> io::Result<()> {
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = Pid::from_child(&child);
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        let _nobody_waits_any_more = done.send(child.wait_with_output());
    })?;
    match ended.recv_timeout(time) {
        Ok(output) => {
            let output = output?;
            if output.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(io::Error::other(format!("{}: {said}", output.status)))
        }
        Err(_) => {
            // It is not reaped yet, so its number is nobody else's.
            let _gone_already = kill_process(pid, Signal::KILL);
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", time.as_secs_f32())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that refuses some ways, and comes to its end by one or by none.
    struct Stubborn {
        refuses: Vec<Way>,
        ends_by: Option<Way>,
        taken: Vec<Way>,
        waited: Vec<u64>,
    }

    impl Stubborn {
        fn reset(refuses: &[Way], ends_by: Option<Way>) -> (Vec<Way>, Vec<u64>, Option<String>) {
            let mut machine =
                Self { refuses: refuses.to_vec(), ends_by, taken: Vec::new(), waited: Vec::new() };
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reset(&mut machine)));
            (machine.taken, machine.waited, ended.ok().map(|error| error.to_string()))
        }
    }

    impl Machine for Stubborn {
        fn take(&mut self, way: Way) -> io::Result<()> {
            self.taken.push(way);
            if self.refuses.contains(&way) {
                return Err(io::Error::other("Operation inhibited by \"a person\""));
            }
            // The kernel's reset comes at once.
            assert!(self.ends_by != Some(Way::Kernel) || way != Way::Kernel, "the machine is gone");
            Ok(())
        }

        fn wait(&mut self, time: Duration) {
            self.waited.push(time.as_secs());
            assert!(self.ends_by != self.taken.last().copied(), "the machine is gone");
        }
    }

    #[test]
    fn who_objects_or_does_not_stop_delays_a_reset_and_prevents_none() {
        use Way::{ByForce, InOrder, Kernel};
        // A machine in order needs no more than to be asked.
        assert_eq!(Stubborn::reset(&[], Some(InOrder)), (vec![InOrder], vec![180], None));
        // A service that does not stop, and a shutdown that nobody carries on.
        assert_eq!(Stubborn::reset(&[], Some(ByForce)), (vec![InOrder, ByForce], vec![180, 60], None));
        assert_eq!(Stubborn::reset(&[], Some(Kernel)), (vec![InOrder, ByForce, Kernel], vec![180, 60], None));
        // A service manager that refuses, or that is not there.
        assert_eq!(Stubborn::reset(&[InOrder], Some(ByForce)), (vec![InOrder, ByForce], vec![60], None));
        assert_eq!(
            Stubborn::reset(&[InOrder, ByForce], Some(Kernel)),
            (vec![InOrder, ByForce, Kernel], vec![], None)
        );
    }

    #[test]
    fn a_machine_that_cannot_be_reset_tells_what_became_of_each_way() {
        let (taken, _, said) = Stubborn::reset(&[Way::InOrder, Way::Kernel], None);
        assert_eq!(taken, Way::ALL);
        let said = said.unwrap();
        assert!(said.contains("--ignore-inhibitors: Operation inhibited"), "{said}");
        assert!(said.contains("--force: still up after 60 s") && said.contains("reboot(2): "), "{said}");
    }

    #[test]
    fn a_service_manager_that_does_not_answer_is_not_waited_for() {
        let error = answers("sleep", &["600"], Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.to_string(), "no answer within 0.05 s");
        assert!(answers("false", &[], ANSWER).is_err());
        answers("true", &[], ANSWER).unwrap();
    }
}

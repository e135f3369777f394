//! One check for updates, with what it cost.

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use host_io::Paths;

use super::repository::Served;
use crate::bench::procfs;
use crate::bench::tools::shipped;

/// How often everything is measured; the median counts.
pub(super) const ROUNDS: usize = 5;

/// How many checks one measurement of processor time is taken over: the system counts it in hundredths of a second.
const CHECKS: u32 = 40;

/// What a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finds {
    /// The host runs the newest release, as almost all hosts do almost always.
    Nothing,
    /// A newer one is on offer.
    Update,
}

/// Who checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// A host that has checked before.
    Remembers,
    /// A host whose memory is taken away before each check.
    Forgets,
}

/// What one check cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) requests: u64,
    /// Requests and answers, with all headers.
    pub(super) bytes: u64,
    /// User and system time of the program.
    pub(super) cpu: Duration,
}

impl Cost {
    /// The median of each figure.
    pub(super) fn median(costs: &[Self]) -> Self {
        fn middle<T: Ord + Copy>(costs: &[Cost], figure: impl Fn(&Cost) -> T) -> T {
            let mut figures: Vec<T> = costs.iter().map(figure).collect();
            figures.sort_unstable();
            figures[figures.len() / 2]
        }
        Self {
            requests: middle(costs, |cost| cost.requests),
            bytes: middle(costs, |cost| cost.bytes),
            cpu: middle(costs, |cost| cost.cpu),
        }
    }
}

impl Served {
    /// The cost of a check by `client`: requests and bytes of one, processor time on average over some.
    pub(super) fn check(&self, client: Client, finds: Finds) -> Result<Cost, Box<dyn Error>> {
        // So that there is something to remember.
        self.check_once(finds)?;
        let mut cpu = Duration::ZERO;
        for _ in 0..CHECKS {
            if client == Client::Forgets {
                fs::remove_dir_all(Paths::under(&self.host).trust())?;
            }
            self.world.server().clear_log();
            let before = procfs::children()?;
            self.check_once(finds)?;
            cpu += procfs::children()? - before;
        }
        let requests = self.world.server().requests();
        Ok(Cost {
            requests: requests.len() as u64,
            bytes: requests.iter().map(testdata::server::Request::wire_bytes).sum(),
            cpu: cpu / CHECKS,
        })
    }

    fn check_once(&self, finds: Finds) -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(shipped("updog"));
        command.arg("--root").arg(&self.host).args(["check-update", "--json", "--log-level", "error"]);
        let ran = command.env_clear().stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&ran.stderr);
        let as_wanted = match finds {
            Finds::Nothing => ran.status.code() == Some(1) && said.contains("No update available"),
            Finds::Update => ran.status.success(),
        };
        if as_wanted { Ok(()) } else { Err(format!("check for updates: {}", said.trim()).into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_of_each_figure() {
        let cost = |requests, bytes| Cost { requests, bytes, cpu: Duration::ZERO };
        assert_eq!(Cost::median(&[cost(1, 9), cost(3, 8), cost(2, 7)]), cost(2, 8));
    }
}

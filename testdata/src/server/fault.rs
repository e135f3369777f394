//! What can go wrong, where and how often.

/// A way to misbehave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status and a line of text.
    Status(u16),
    /// As if there were no such file.
    NotFound,
    /// Sends the client on to this address with the request's path and query behind it.
    Redirect(String),
    /// Reads the request and resets the connection.
    Reset,
    /// Sends so many bytes of the body, then resets the connection. The client may see fewer: a reset overtakes data.
    ResetAfter(u64),
    /// Reads the request and never answers, until the client goes away or the server is dropped.
    Stall,
    /// Announces the whole length, sends so many bytes of the body, and closes.
    Truncate(u64),
    /// This byte of the file never comes: an answer that has it ends before it, as [`Fault::Truncate`] ends one.
    /// What does not have it is served in full.
    Hole(u64),
    /// Serves these bytes instead of the file, correctly, with a validator of their own.
    Swap(Vec<u8>),
    /// Answers a range that was asked for with another one, and says so. Only for requests with a range.
    WrongRange,
    /// A page of HTML with status 200, as a captive portal does.
    Html,
    /// Sends the body at this speed.
    Slow {
        /// Bytes per second, at least 1.
        bytes_per_second: u64,
    },
    /// Sends the body at this speed, and resets the connection after so many bytes of it where there is more: a link
    /// that is thin and breaks again and again. The client may see fewer: a reset overtakes data.
    SlowReset {
        /// Bytes per second, at least 1.
        bytes_per_second: u64,
        /// Bytes of the body before the reset.
        after: u64,
    },
}

/// A fault and how often it strikes. A [`Fault`] alone strikes always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    fault: Fault,
    left: Option<u32>,
}

impl Fault {
    /// For the next request only.
    #[must_use]
    pub fn once(self) -> Plan {
        self.times(1)
    }

    /// For the next `count` requests.
    #[must_use]
    pub fn times(self, count: u32) -> Plan {
        Plan { fault: self, left: Some(count) }
    }

    /// For all requests from now on.
    #[must_use]
    pub fn always(self) -> Plan {
        Plan { fault: self, left: None }
    }
}

impl From<Fault> for Plan {
    fn from(fault: Fault) -> Self {
        fault.always()
    }
}

/// The plans in force, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Plans {
    plans: Vec<(String, Plan)>,
}

impl Plans {
    pub(super) fn add(&mut self, pattern: &str, plan: Plan) {
        self.plans.push((pattern.to_owned(), plan));
    }

    pub(super) fn clear(&mut self) {
        self.plans.clear();
    }

    /// The fault for a request; it is spent by asking.
    pub(super) fn strike(&mut self, target: &str, has_range: bool) -> Option<Fault> {
        self.plans.retain(|(_, plan)| plan.left != Some(0));
        let fits = |(pattern, plan): &&mut (String, Plan)| {
            matches(pattern, target) && (has_range || plan.fault != Fault::WrongRange)
        };
        let (_, plan) = self.plans.iter_mut().find(fits)?;
        plan.left = plan.left.map(|left| left - 1);
        Some(plan.fault.clone())
    }
}

/// Whether `target` contains the parts of `pattern` between its stars, one after another.
pub(super) fn matches(pattern: &str, target: &str) -> bool {
    let rest = pattern.split('*').try_fold(target, |rest, part| Some(&rest[rest.find(part)? + part.len()..]));
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_part_of_the_target_and_a_star_is_anything() {
        let target = "/targets/abc.root.lz4?seed=5&version=1.0.0";
        for pattern in ["", "*", "root", "/targets/*.root.lz4", "seed=5", "targets*version=1.0.0"] {
            assert!(matches(pattern, target), "{pattern}");
        }
        for pattern in ["boot", "root*targets", "seed=5*seed"] {
            assert!(!matches(pattern, target), "{pattern}");
        }
    }

    #[test]
    fn plans_are_used_up_in_the_order_in_which_they_were_made() {
        let mut plans = Plans::default();
        plans.add("a", Fault::Reset.once());
        plans.add("a", Fault::Status(503).times(2));
        plans.add("", Fault::WrongRange.into());
        let mut strike = |target, range| plans.strike(target, range);
        assert_eq!(strike("/b", false), None);
        assert_eq!(strike("/a", false), Some(Fault::Reset));
        assert_eq!(strike("/a", false), Some(Fault::Status(503)));
        assert_eq!(strike("/b", true), Some(Fault::WrongRange));
        assert_eq!(strike("/a", false), Some(Fault::Status(503)));
        assert_eq!(strike("/a", false), None);
        assert_eq!(strike("/a", true), Some(Fault::WrongRange));
    }
}

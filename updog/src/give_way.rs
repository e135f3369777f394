//! Leaving processor and disk to what the host is there for.
//!
//! A niceness is all that is set: as long as nobody gives a thread an I/O class of its own, Linux derives its disk
//! priority from it (best effort, level `(nice + 20) / 5`), for the schedulers that know priorities.

use rustix::process::{getpriority_process, setpriority_process};

/// The most that a thread can give way.
pub const MOST: u8 = 19;

/// Lets the calling thread, and those that it starts from now on, give way to others as far as `nice` says. A thread
/// that gives way further already stays as it is. What refuses is told and no reason to stop: the update is the same.
pub fn to_others(nice: u8) {
    let wanted = i32::from(nice.min(MOST));
    let done = getpriority_process(None)
        .and_then(|now| if now < wanted { setpriority_process(None, wanted) } else { Ok(()) });
    if let Err(error) = done {
        tracing::warn!("failed to give way to other work (nice {wanted}): {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn niceness() -> i32 {
        getpriority_process(None).unwrap()
    }

    #[test]
    fn a_thread_and_those_that_it_starts_give_way_and_never_less_than_before() {
        let outside = niceness();
        let check = move || {
            to_others(7);
            assert_eq!(niceness(), outside.max(7));
            assert_eq!(std::thread::spawn(niceness).join().unwrap(), outside.max(7));
            to_others(3);
            assert_eq!(niceness(), outside.max(7));
        };
        std::thread::spawn(check).join().unwrap();
        assert_eq!(niceness(), outside, "who did not ask for it is as before");
    }
}

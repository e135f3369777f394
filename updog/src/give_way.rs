//! Leaving processor and disk to what the host is there for.
//!
//! A niceness is all that is set: as long as nobody gives a thread an I/O class of its own, Linux derives its disk
//! priority from it (best effort, level `(nice + 20) / 5`), for the schedulers that know priorities.

use std::fs;
use std::io;

use rustix::process::{Pid, getpriority_process, setpriority_process};

/// The most that a program can give way.
pub const MOST: u8 = 19;

/// Lets all threads of this program, and those that they start from now on, give way to others as far as `nice` says.
/// One that gives way further already stays as it is. What refuses is told and no reason to stop: the update is the same.
pub fn to_others(nice: u8) {
    let wanted = i32::from(nice.min(MOST));
    let give_way = |thread| match getpriority_process(thread)? {
        now if now < wanted => setpriority_process(thread, wanted),
        _ => Ok(()),
    };
    let mut done = give_way(None).map_err(io::Error::from);
    // Linux knows a niceness for each thread: those that carry the network run already.
    for thread in others().unwrap_or_default() {
        match give_way(Some(thread)) {
            Err(rustix::io::Errno::SRCH) => {} // It has ended meanwhile.
            result => done = done.and(result.map_err(io::Error::from)),
        }
    }
    if let Err(error) = done {
        tracing::warn!("failed to give way to other work (nice {wanted}): {error}");
    }
}

/// The threads of this program.
fn others() -> io::Result<Vec<Pid>> {
    let names = fs::read_dir("/proc/self/task")?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn niceness() -> i32 {
        getpriority_process(None).unwrap()
    }

    #[test]
    fn all_threads_and_those_that_they_start_give_way_and_never_less_than_before() {
        let outside = niceness();
        let (asked, was_asked) = mpsc::channel();
        let earlier = std::thread::spawn(move || {
            was_asked.recv().unwrap();
            niceness()
        });
        to_others(7);
        assert_eq!(niceness(), outside.max(7));
        assert_eq!(std::thread::spawn(niceness).join().unwrap(), outside.max(7));
        asked.send(()).unwrap();
        assert_eq!(earlier.join().unwrap(), outside.max(7));
        to_others(3);
        assert_eq!(niceness(), outside.max(7));
    }
}

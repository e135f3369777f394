//! What the kernel says of a process in `/proc`: its processor time and its memory.

use std::error::Error;
use std::fs;
use std::time::Duration;

/// Clock ticks per second in `/proc`; the same on every Linux that Rust runs on.
const TICKS: u64 = 100;
/// Where the fields of `/proc/PID/stat` behind the program's name have `utime` and `stime`, and where those of its
/// children that have ended, which are `cutime` and `cstime`.
const OWN: usize = 11;
const CHILDREN: usize = 13;

/// The processor time of all our children that have ended, and of theirs.
pub(super) fn children() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/stat")?;
    spent(&text, CHILDREN).ok_or_else(|| format!("read the processor time of children in {text:?}").into())
}

/// The processor time of a process, without its children's.
pub(super) fn own(pid: u32) -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    spent(&text, OWN).ok_or_else(|| format!("read the processor time of a process in {text:?}").into())
}

/// The memory that a process has, in bytes; `None` once it has ended.
pub(super) fn resident(pid: u32) -> Option<u64> {
    bytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

/// The most memory that a process has had so far, in bytes; `None` once it has ended.
pub(super) fn high_mark(pid: u32) -> Option<u64> {
    bytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:")
}

/// A line such as `VmHWM:    1234 kB` in bytes.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Two fields of times. The second field is a name in parentheses that may hold anything, so they count from there.
fn spent(stat: &str, first: usize) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(first);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    Some(Duration::from_millis((user + system) * 1000 / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let status = "Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 9 kB\n";
        assert_eq!(bytes(status, "VmHWM:"), Some(1234 * 1024));
        assert_eq!(bytes(status, "VmRSS:"), Some(9 * 1024));
        assert_eq!(bytes("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "77 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 12 3 900 800 20 0 1 0";
        assert_eq!(spent(stat, OWN), Some(Duration::from_millis(150)));
        assert_eq!(spent(stat, CHILDREN), Some(Duration::from_millis(17_000)));
        assert_eq!(spent("77 (x) S 1", OWN), None);
    }
}

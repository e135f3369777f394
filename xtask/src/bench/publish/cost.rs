//! What a program took: from its start to its end, on the processor, and in memory.

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks per second in `/proc`; the same on every Linux that Rust runs on.
const TICKS: u64 = 100;
/// How often it is looked at how much memory a program has had. The system keeps the peak, so only what comes in the last
/// such moment is missed.
const LOOK: Duration = Duration::from_millis(5);

/// What it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// The most memory that it had at once, in bytes.
    pub(super) memory: u64,
}

impl Cost {
    /// One after the other.
    pub(super) fn then(self, next: Self) -> Self {
        Self { wall: self.wall + next.wall, cpu: self.cpu + next.cpu, memory: self.memory.max(next.memory) }
    }

    /// The median of each figure.
    pub(super) fn median(costs: &[Self]) -> Self {
        fn middle<T: Ord + Copy>(costs: &[Cost], figure: impl Fn(&Cost) -> T) -> T {
            let mut figures: Vec<T> = costs.iter().map(figure).collect();
            figures.sort_unstable();
            figures[figures.len() / 2]
        }
        Self {
            wall: middle(costs, |cost| cost.wall),
            cpu: middle(costs, |cost| cost.cpu),
            memory: middle(costs, |cost| cost.memory),
        }
    }
}

/// Runs a program to its end. What it says on stdout is the second half of the answer.
#[expect(clippy::disallowed_methods, reason = "a time is measured")]
pub(super) fn run(command: &mut Command) -> Result<(Cost, String), Box<dyn Error>> {
    let what = command.get_program().to_string_lossy().into_owned();
    let cpu = children()?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start {what}: {error}"))?;
    let mut pipes = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let said = std::thread::spawn(move || {
        let (mut out, mut err) = (String::new(), String::new());
        pipes.0.read_to_string(&mut out).and(pipes.1.read_to_string(&mut err)).map(|_| (out, err))
    });
    let mut memory = 0;
    let status = loop {
        memory = memory.max(peak(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let wall = started.elapsed();
    let (out, err) = said.join().expect("it reads two pipes")?;
    if !status.success() {
        return Err(format!("run {what}: {}", err.trim()).into());
    }
    Ok((Cost { wall, cpu: children()?.saturating_sub(cpu), memory }, out))
}

/// The most memory that a process has had so far; 0 once it has ended.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// The processor time of all our children that have ended.
fn children() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("read /proc/self/stat: it has no name in parentheses")?;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(13).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 1000 / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_seen_from_its_start_to_its_end() {
        let (cost, said) = run(Command::new("sh").args(["-c", "echo here; sleep 0.05"])).unwrap();
        assert_eq!(said, "here\n");
        assert!(cost.wall >= Duration::from_millis(50) && cost.memory > 100_000, "{cost:?}");
        let failed = run(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).unwrap_err();
        assert_eq!(failed.to_string(), "run sh: no");
    }

    #[test]
    fn one_after_the_other_takes_both_times_and_the_larger_memory() {
        let cost = |seconds, memory| {
            let time = Duration::from_secs(seconds);
            Cost { wall: time, cpu: 2 * time, memory }
        };
        assert_eq!(cost(1, 50).then(cost(2, 20)), cost(3, 50));
        assert_eq!(Cost::median(&[cost(5, 1), cost(1, 9), cost(3, 2)]), cost(3, 2));
    }
}

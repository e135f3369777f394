//! What a call cost: time on the wall, time of processors, the most memory.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::procfs;

/// How often memory is looked at. The kernel keeps the highest mark, so only what happens in a process's last moment
/// can be missed.
const LOOK: Duration = Duration::from_millis(5);

/// What a call cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of all processors.
    pub(crate) cpu: f64,
    /// The most bytes in memory, all its processes counted.
    pub(crate) memory: u64,
}

impl Spent {
    /// One after the other.
    pub(crate) fn then(self, next: Self) -> Self {
        Self { wall: self.wall + next.wall, cpu: self.cpu + next.cpu, memory: self.memory.max(next.memory) }
    }

    /// The median of each figure.
    pub(crate) fn median(all: &[Self]) -> Self {
        fn middle(all: &[Spent], figure: impl Fn(&Spent) -> f64) -> f64 {
            let mut figures: Vec<f64> = all.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        }
        let mut memory: Vec<u64> = all.iter().map(|spent| spent.memory).collect();
        memory.sort_unstable();
        Self {
            wall: middle(all, |spent| spent.wall),
            cpu: middle(all, |spent| spent.cpu),
            memory: memory.get(memory.len() / 2).copied().unwrap_or_default(),
        }
    }
}

/// Runs a call to its end. One that fails is an error, with its last words.
#[expect(clippy::disallowed_methods, reason = "a stopwatch is what this is")]
pub(crate) fn measured(command: &mut Command) -> Result<(Output, Spent), Box<dyn Error>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let before = procfs::children()?;
    let start = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start {name}: {error}"))?;
    let (id, over) = (child.id(), Arc::new(AtomicBool::new(false)));
    let watcher = {
        let over = Arc::clone(&over);
        std::thread::spawn(move || {
            let mut marks = BTreeMap::new();
            while !over.load(Ordering::Relaxed) {
                look(id, &mut marks);
                std::thread::sleep(LOOK);
            }
            marks.values().sum::<u64>()
        })
    };
    let output = child.wait_with_output();
    let wall = start.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let memory = watcher.join().map_err(|_| "watch the memory of a program")?;
    let output = output?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return Err(format!("run {name}: {}: {last}", output.status).into());
    }
    let cpu = (procfs::children()? - before).as_secs_f64();
    Ok((output, Spent { wall, cpu, memory }))
}

/// Notes the highest mark of a process and of all below it.
fn look(id: u32, marks: &mut BTreeMap<u32, u64>) {
    if let Some(mark) = procfs::high_mark(id) {
        marks.insert(id, mark);
    }
    let below = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    below.split_whitespace().filter_map(|id| id.parse().ok()).for_each(|id| look(id, marks));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_of_each_figure() {
        let of = |wall, memory| Spent { wall, cpu: 1.0, memory };
        assert_eq!(Spent::median(&[of(1.0, 9), of(3.0, 7), of(2.0, 8)]), of(2.0, 8));
    }

    #[test]
    fn one_after_the_other_takes_both_times_and_the_larger_memory() {
        let of = |wall, memory| Spent { wall, cpu: 2.0 * wall, memory };
        assert_eq!(of(1.0, 50).then(of(2.0, 20)), of(3.0, 50));
    }

    #[test]
    fn a_call_that_fails_is_told_with_its_last_words() {
        let error = measured(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).expect_err("it fails");
        assert!(error.to_string().ends_with("exit status: 3: no"), "{error}");
        let (output, spent) = measured(Command::new("sh").args(["-c", "echo yes"])).expect("it runs");
        assert!(output.stdout == b"yes\n" && spent.wall > 0.0);
    }
}

//! Peak memory of this process and of everything that it started, by program.
//!
//! The kernel keeps each process's high-water mark, and starts it anew at `exec`; reading it every few milliseconds
//! therefore misses only what a process grew in the very last of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(10);

/// Peak resident bytes by program name.
pub(crate) type Peaks = BTreeMap<String, u64>;

/// A watch that runs until it is asked for its result.
pub(crate) struct MemoryWatch {
    stop: Arc<AtomicBool>,
    peaks: Arc<Mutex<Peaks>>,
    thread: JoinHandle<()>,
}

impl MemoryWatch {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let peaks = Arc::new(Mutex::new(Peaks::new()));
        let thread = std::thread::spawn({
            let (stop, peaks) = (Arc::clone(&stop), Arc::clone(&peaks));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    sample(&mut peaks.lock().expect("nobody panics while holding the peaks"));
                    std::thread::sleep(EVERY);
                }
            }
        });
        Self { stop, peaks, thread }
    }

    pub(crate) fn finish(self) -> Peaks {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        let mut peaks = self.peaks.lock().expect("nobody panics while holding the peaks");
        sample(&mut peaks);
        std::mem::take(&mut peaks)
    }
}

/// What `/proc/PID/status` says of one process.
struct Process {
    name: String,
    parent: u32,
    peak: u64,
}

fn sample(peaks: &mut Peaks) {
    let processes: BTreeMap<u32, Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| {
            let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            Some((pid, parse(&program, &status)?))
        })
        .collect();
    for (&pid, process) in &processes {
        if is_ours(pid, &processes) {
            let peak = peaks.entry(process.name.clone()).or_default();
            *peak = process.peak.max(*peak);
        }
    }
}

/// Whether `pid` is this process or descends from it.
fn is_ours(pid: u32, processes: &BTreeMap<u32, Process>) -> bool {
    let mut next = pid;
    // As many steps up as there are processes: a table that was read while it changed may hold a circle.
    for _ in 0..=processes.len() {
        if next == std::process::id() {
            return true;
        }
        match processes.get(&next) {
            Some(process) => next = process.parent,
            None => return false,
        }
    }
    false
}

/// The program is told by its file: a process that has not yet executed its program bears its parent's name, or that of
/// a parent's thread.
fn parse(program: &Path, status: &str) -> Option<Process> {
    let field = |name: &str| {
        status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    };
    let name = program.file_name()?.to_str()?;
    // Migrations are executed from sealed memory files.
    let name = if name.starts_with("memfd:") { "migration".to_owned() } else { name.to_owned() };
    let kib: u64 = field("VmHWM")?.split_whitespace().next()?.parse().ok()?;
    Some(Process { name, parent: field("PPid")?.parse().ok()?, peak: kib * 1024 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_and_a_kernel_thread_has_none_of_it() {
        let process = parse(Path::new("/usr/bin/updog"), "Name:\tworker\nPPid:\t7\nVmHWM:\t    2048 kB\n");
        let process = process.expect("complete");
        assert_eq!((process.name.as_str(), process.parent, process.peak), ("updog", 7, 2 << 20));
        assert!(parse(Path::new("/"), "Name:\tkthreadd\nPPid:\t0\n").is_none());
        let sealed = parse(Path::new("/memfd:migration (deleted)"), "PPid:\t7\nVmHWM:\t1 kB\n");
        assert_eq!(sealed.expect("complete").name, "migration");
    }

    #[test]
    fn this_very_process_is_watched() {
        let peaks = MemoryWatch::start().finish();
        assert!(peaks.values().any(|&peak| peak > 0), "{peaks:?}");
    }
}

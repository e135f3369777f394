//! The state of units whose start nobody waits for.
//!
//! A host container's start pulls its image first, which may take as long as the unit allows. So it is started without
//! waiting, and what becomes of it is asked for from time to time: a unit that fails is owed, and said so.

use host_io::Paths;

use super::command;

/// What is wrong with a unit, as a fragment that completes "failed to"; `None` when nothing is, or nobody can say.
#[must_use]
pub fn look(paths: &Paths, unit: &str) -> Option<String> {
    let words = ["systemctl", "show", "--property=ActiveState,SubState,Result", "--", unit];
    let told = command::ask(paths, &words.map(str::to_owned))?;
    judge(unit, &told)
}

/// What the answer of the service manager says.
fn judge(unit: &str, told: &str) -> Option<String> {
    let value = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim()
    };
    let failed = value("ActiveState") == "failed" || value("SubState").starts_with("auto-restart");
    let result = value("Result");
    failed.then(|| {
        format!("keep {unit} running: it ended with the result {result:?}, see journalctl -u {unit}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_failed_or_is_started_again_and_again_is_told_and_one_that_pulls_an_image_is_not() {
        let judged = |active: &str, sub: &str, result: &str| {
            judge("a.service", &format!("ActiveState={active}\nSubState={sub}\nResult={result}\n"))
        };
        assert_eq!(judged("activating", "start-pre", "success"), None);
        assert_eq!(judged("active", "running", "success"), None);
        assert_eq!(judged("inactive", "dead", "success"), None);
        assert!(judged("failed", "failed", "exit-code").unwrap().contains("\"exit-code\""));
        assert!(judged("activating", "auto-restart", "timeout").unwrap().contains("\"timeout\""));
        assert_eq!(judge("a.service", ""), None);
    }
}

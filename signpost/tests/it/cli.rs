//! Runs the program.

use std::process::Command;

use crate::disks::Image;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `signpost ARGS`.
pub(crate) fn signpost(args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_signpost")).args(args).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// The run, which must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The run, which must have failed with one sentence and one next step on stderr.
    #[track_caller]
    pub(crate) fn refused(self, said: &str) -> Self {
        assert_eq!(self.code, 1, "{self:?}");
        let sentences = self.stderr.lines().filter(|line| line.starts_with("signpost: failed to ")).count();
        let steps = self.stderr.lines().filter(|line| line.starts_with("help: ")).count();
        assert_eq!((sentences, steps), (1, 1), "{self:?}");
        assert!(self.stderr.contains(said), "expected {said:?} in {self:?}");
        self
    }
}

impl Image {
    /// Runs the program on this image, below its directory.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let (root, disk) = (self.dir.path().to_str().unwrap(), self.disk());
        signpost(&[&["--root", root, "--disk", disk], args].concat())
    }

    /// Runs the program on this image while a set is running.
    pub(crate) fn run_as(&self, active: &str, args: &[&str]) -> Ran {
        self.run(&[&["--active", active], args].concat())
    }
}

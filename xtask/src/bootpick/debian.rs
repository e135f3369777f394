//! A compiler without rustup: Debian's packages, unpacked into a folder of their own so that nothing installed changes.
//! They have no UEFI target's standard library, so that is built from its source with them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::arch::Arch;

/// Debian's names for the compiler, its library, the library's source, the code generator, and a linker.
const PACKAGES: [&str; 7] = [
    "rustc-web",
    "rust-web-src",
    "libstd-rust-web-1.96",
    "libstd-rust-web-dev",
    "libllvm22",
    "lld-19",
    "libllvm19",
];

/// The packages' files below one folder.
pub(super) struct Unpacked {
    root: PathBuf,
}

impl Unpacked {
    /// Fetches and unpacks what is not there yet.
    pub(super) fn prepare(into: &Path) -> Result<Self, Box<dyn Error>> {
        let root = into.join("debian-toolchain");
        let done = root.join("unpacked");
        if !done.exists() {
            let packages = root.join("packages");
            std::fs::create_dir_all(&packages)?;
            let wanted = PACKAGES.map(|package| latest(package).unwrap_or_else(|| package.to_owned()));
            run(Command::new("apt-get").arg("download").args(&wanted).current_dir(&packages))?;
            for package in std::fs::read_dir(&packages)? {
                run(Command::new("dpkg").arg("-x").arg(package?.path()).arg(&root))?;
            }
            std::fs::write(&done, wanted.join("\n"))?;
        }
        Ok(Self { root })
    }

    /// Makes cargo use them.
    pub(super) fn apply(&self, command: &mut Command, arch: Arch) {
        let usr = self.root.join("usr");
        let linker = format!("CARGO_TARGET_{}_LINKER", arch.target().to_uppercase().replace('-', "_"));
        command
            .env("RUSTC", usr.join("bin/rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env(linker, usr.join("bin/lld-link-19"))
            .env("LD_LIBRARY_PATH", usr.join(format!("lib/{}-linux-gnu", std::env::consts::ARCH)))
            .args(["-Zbuild-std=core,alloc,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"]);
    }
}

/// A package's name in the distribution's present state: names that carry a version move on.
fn latest(package: &str) -> Option<String> {
    let known = Command::new("apt-cache").args(["show", "--no-all-versions", package]).output().ok()?;
    known.status.success().then(|| package.to_owned())
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("run {command:?}: it ended with {status}").into()) }
}

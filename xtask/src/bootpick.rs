//! `cargo xtask bootpick`: builds the boot program for each kind of machine that has UEFI, and holds it to its size.

mod arch;
mod debian;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Parser, ValueEnum};

use crate::Outcome;
use crate::cargo::{cargo, workspace};
pub(crate) use arch::Arch;

/// Firmware reads it from a small and slow partition, and people read it before they sign it.
const LARGEST: u64 = 100_000;

/// Arguments of `cargo xtask bootpick`.
#[derive(Parser)]
#[command(after_help = "Examples:
  cargo xtask bootpick                        target/bootpick/BOOTX64.EFI
  cargo xtask bootpick --arch aarch64         target/bootpick/BOOTAA64.EFI
  cargo xtask bootpick --toolchain debian     where rustup has no UEFI target")]
pub(crate) struct Args {
    /// The machine to build for; may be given more than once
    #[arg(long, value_enum, default_values_t = [Arch::X86_64])]
    arch: Vec<Arch>,
    /// Whose compiler
    #[arg(long, value_enum, default_value_t = Toolchain::Rustup)]
    toolchain: Toolchain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Toolchain {
    /// The installed one, with the standard library that rustup has for the target
    Rustup,
    /// Debian's packages, unpacked below target/; the standard library is built with it
    Debian,
}

/// Builds it for each machine asked for.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut small = true;
    for &arch in &args.arch {
        let built = build(arch, args.toolchain, &[])?;
        let bytes = std::fs::metadata(&built)?.len();
        let place = built.strip_prefix(workspace()).unwrap_or(&built).display();
        println!("{place}: {bytes} bytes");
        if bytes > LARGEST {
            eprintln!("xtask: {place} is larger than {LARGEST} bytes");
            small = false;
        }
    }
    Ok(small)
}

/// Builds it in an environment with `variables`, and says where it is.
pub(crate) fn build(
    arch: Arch,
    toolchain: Toolchain,
    variables: &[(String, String)],
) -> Result<PathBuf, Box<dyn Error>> {
    let own = workspace().join("bootpick");
    let into = workspace().join("target/bootpick");
    let mut command = cargo();
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.current_dir(&own).args(["build", "--release", "--locked", "--quiet", "--target", arch.target()]);
    command.arg("--target-dir").arg(into.join(match toolchain {
        Toolchain::Rustup => "rustup",
        Toolchain::Debian => "debian",
    }));
    match toolchain {
        Toolchain::Rustup => add_target(arch)?,
        Toolchain::Debian => debian::Unpacked::prepare(&into)?.apply(&mut command, arch),
    }
    let status = command.status()?;
    if !status.success() {
        return Err(format!("build bootpick for {}: cargo ended with {status}", arch.target()).into());
    }
    let made = into
        .join(match toolchain {
            Toolchain::Rustup => "rustup",
            Toolchain::Debian => "debian",
        })
        .join(arch.target())
        .join("release/bootpick.efi");
    let placed = into.join(arch.file_name());
    std::fs::copy(&made, &placed)?;
    Ok(placed)
}

/// Whether the installed compiler has what it takes, without asking anybody for more.
pub(crate) fn can_be_built() -> bool {
    sysroot().is_ok_and(|root| root.join("lib/rustlib").join(Arch::X86_64.target()).is_dir())
}

/// Asks rustup for the target's standard library unless it is there.
fn add_target(arch: Arch) -> Result<(), Box<dyn Error>> {
    if sysroot()?.join("lib/rustlib").join(arch.target()).is_dir() {
        return Ok(());
    }
    let status = Command::new("rustup").args(["target", "add", arch.target()]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => Err(format!(
            "add the target {} with rustup; where it has none, \"cargo xtask bootpick --toolchain debian\" builds without it",
            arch.target()
        )
        .into()),
    }
}

fn sysroot() -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    Ok(Path::new(String::from_utf8(output.stdout)?.trim()).to_owned())
}

//! The UEFI program: `bootpick`'s rules on the firmware's disk, files and console. On any other system there is nothing
//! to do for it.

#![cfg_attr(target_os = "uefi", no_std, no_main)]

#[cfg(target_os = "uefi")]
extern crate alloc;

#[cfg(target_os = "uefi")]
mod firmware;

#[cfg(not(target_os = "uefi"))]
fn main() -> std::process::ExitCode {
    eprintln!("bootpick: this is a UEFI program: \"cargo xtask bootpick\" builds it");
    std::process::ExitCode::FAILURE
}

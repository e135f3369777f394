//! A machine with 64-bit Arm. It takes the disk as it is; what starts there is its own boot program.

use std::error::Error;

use super::Stage;
use crate::bootpick::{self, Arch, Toolchain};
use crate::vm::disk;
use crate::vm::firmware::Firmware;
use crate::vm::needs;
use crate::vm::program;
use crate::vm::unmet::Unmet;

impl Stage<'_> {
    /// Puts the disk into such a machine, with a program for it in set B that ends at once. Set A keeps its kernel, which is
    /// for another processor.
    pub(in crate::vm) fn moves_to_arm(&mut self) -> Result<(), Unmet> {
        let missing = needs::missing_for_arm();
        if !missing.is_empty() {
            return Err(Unmet::not_run(format!(
                "the emulator of 64-bit Arm is not here: install {}",
                missing.join(" ")
            )));
        }
        let moved = || -> Result<Firmware, Box<dyn Error>> {
            let bootpick = bootpick::build(Arch::Aarch64, Toolchain::Rustup, &[])
                .or_else(|_| bootpick::build(Arch::Aarch64, Toolchain::Debian, &[]))?;
            disk::arm(&self.disk(), &bootpick, &program::ending_at_once(), &self.dir)?;
            Ok(Firmware::arm(&self.dir)?)
        };
        let firmware =
            moved().map_err(|error| Unmet::new(format!("put the disk into a machine with Arm: {error}")))?;
        self.firmware = Some(firmware);
        self.say("the disk is put into a machine with 64-bit Arm");
        Ok(())
    }
}

//! The rules on a real machine. The only folder with `unsafe`: the firmware's interfaces are pointers.
//!
//! - [`protocol`]: the firmware's interfaces, opened beside whoever else has them open
//! - [`place`]: where things are: device paths
//! - [`disk`]: the disk that we were started from
//! - [`volume`]: a boot partition's files
//! - [`image`]: a kernel, loaded and started
//! - [`initrd`]: its initramfs, handed over when it asks for it
//! - [`variables`]: what is told to the system that runs then
//! - [`clock`]: microseconds since the processor was started
//! - [`machine`]: all of it as the rules want it

mod clock;
mod disk;
mod image;
mod initrd;
mod machine;
mod place;
mod protocol;
mod variables;
mod volume;

use core::fmt;
use core::fmt::Write as _;
use core::time::Duration;

use uefi::runtime::ResetType;
use uefi::{Status, boot, entry, runtime, system};

use bootpick::boot::NothingBoots;
use machine::Firmware;

/// How long what was said can be read before the machine is reset.
const READ_ON: Duration = Duration::from_secs(30);

#[entry]
fn main() -> Status {
    let started = clock::now();
    say(format_args!("version {}, interface {}", env!("CARGO_PKG_VERSION"), bootpick::content::INTERFACE));
    variables::introduce(started);
    match disk::own() {
        Ok((mut disk, place)) => {
            let NothingBoots = bootpick::boot::boot(&mut disk, &mut Firmware::new(place));
        }
        Err(why) => say(format_args!("there is no disk to start from: {why}")),
    }
    give_up(format_args!("nothing boots"))
}

/// Says it, waits, and starts anew: another start may find a disk that answers again.
fn give_up(why: fmt::Arguments<'_>) -> ! {
    say(format_args!("{why}; reset in {} s", READ_ON.as_secs()));
    boot::stall(READ_ON);
    runtime::reset(ResetType::COLD, Status::ABORTED, None)
}

/// A line on the console. A console that does not work is no reason not to boot.
fn say(line: fmt::Arguments<'_>) {
    system::with_stdout(|out| {
        let _ = writeln!(out, "bootpick: {line}");
    });
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached as far as we know; a machine that stands still would be worse than one that tries again.
    give_up(format_args!("{info}"))
}

//! The firmware as the rules want it.

use alloc::format;
use alloc::string::String;
use core::fmt;

use bootpick::boot::Machine;
use bootpick::command_line;
use bootpick::content::{self, Content};
use signpost::handover::Handover;
use signpost::start::Candidate;
use uefi::boot;

use super::image::Image;
use super::initrd::Initrd;
use super::place::Place;
use super::volume::Volume;
use super::{say, variables};

/// How long a set may take from being chosen to taking over, in seconds, before the firmware resets the machine. Afterwards
/// its own initramfs watches over it.
const PATIENCE: usize = 120;
/// Ours: numbers below 64 Ki are the firmware's.
const WATCHDOG_CODE: u64 = 0x1_5167;

/// This machine, and the disk that carries the sets.
pub(super) struct Firmware {
    disk: Place,
}

/// A set in memory.
pub(super) struct Loaded {
    content: Content,
    image: Image,
}

impl Firmware {
    pub(super) fn new(disk: Place) -> Self {
        Self { disk }
    }
}

impl Machine for Firmware {
    type Loaded = Loaded;

    fn say(&mut self, line: fmt::Arguments<'_>) {
        say(line);
    }

    fn arm_watchdog(&mut self) {
        if let Err(error) = boot::set_watchdog_timer(PATIENCE, WATCHDOG_CODE, None) {
            say(format_args!("the watchdog cannot be armed: {error}"));
        }
    }

    fn disarm_watchdog(&mut self) {
        // Firmware without one says so, and means the same.
        let _ = boot::set_watchdog_timer(0, WATCHDOG_CODE, None);
    }

    fn load(&mut self, candidate: &Candidate) -> Result<Loaded, String> {
        let mut volume = Volume::of(&self.disk, candidate)?;
        let content = content::choose(&volume.listing()?, variables::secure_boot())?;
        let image = match &content {
            Content::Unified(name) => {
                let path = format!("{}\\{name}", content::UNIFIED_FOLDER);
                say(format_args!("{candidate} holds the unified image {path}"));
                Image::load(&volume.place, &path)?
            }
            Content::Plain => {
                let line = command_line::compose(&volume.read(content::COMMAND_LINE)?, candidate.guid)?;
                say(format_args!("{candidate} holds {}, started with: {line}", content::KERNEL));
                let initrd = Initrd(volume.read(content::INITRD)?);
                Image::load(&volume.place, &format!("\\{}", content::KERNEL))?.with(&line, initrd)
            }
        };
        Ok(Loaded { content, image })
    }

    fn start(&mut self, loaded: Loaded, handover: &Handover) -> String {
        variables::selected(loaded.content.id(), handover);
        loaded.image.start()
    }
}

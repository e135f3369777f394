//! Every command that changes bits. Silent on stdout; stderr says what is true on the disk now.

use signpost::{Command, Error, OsDisk};

pub(super) fn run(command: Command, disk: &OsDisk) -> Result<(), Error> {
    let status = disk.apply(command)?;
    match status.next {
        Some(next) if next == status.active => tracing::info!("set {next} boots next; it is running now"),
        Some(next) => tracing::info!("set {next} boots next; set {} is running now", status.active),
        None => tracing::warn!("no set would boot next"),
    }
    for note in status.notes {
        tracing::warn!("{note}");
    }
    Ok(())
}

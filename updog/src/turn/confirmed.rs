//! Whether this boot was confirmed: its health checks passed, and its set is marked good. A set that was proven before tells
//! nothing of the boot at hand, so it is noted where each boot begins with nothing.

use host_io::swap;

use crate::context::Context;

/// Notes it, or that it is not so any more. What cannot be noted keeps a turn from ending, which is told.
pub fn note(context: &Context, confirmed: bool) {
    let path = context.paths.confirmed();
    let noted = match context.host.boot_id() {
        Ok(boot) if confirmed => swap::replace_volatile(&*context.fs, &path, boot.as_bytes(), 0o644),
        // A host that has no name for its boots takes no turns either.
        Ok(_) | Err(_) => swap::discard(&*context.fs, &path),
    };
    if let Err(error) = noted {
        tracing::warn!(
            "nobody will know that this boot was confirmed: failed to write {}: {error}",
            path.display()
        );
    }
}

/// Whether the boot of this name was confirmed.
#[must_use]
pub fn is(context: &Context, boot: &str) -> bool {
    context.fs.read_regular(&context.paths.confirmed(), 64).is_ok_and(|noted| noted == boot.as_bytes())
}

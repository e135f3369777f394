//! `prepare`: kept for scripts that call it.

use host_io::say;

/// Says that there is nothing to do.
pub fn run() {
    say::line("Nothing to prepare: \"updog update-image\" fetches and installs in one step");
}

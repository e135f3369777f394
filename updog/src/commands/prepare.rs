//! `prepare`: kept for scripts that call it.

/// Says that there is nothing to do.
pub fn run() {
    eprintln!("Nothing to prepare: \"updog update-image\" fetches and installs in one step");
}

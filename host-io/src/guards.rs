//! Guards by name, which one of the controls of `cargo xtask crash` leaves out to show that they are missed
//! (`docs/crash-consistency.md`). In a product every guard stands.

/// Whether a guard is to be asked.
#[must_use]
pub fn stands(guard: &str) -> bool {
    #[cfg(feature = "explore")]
    return !crate::explore::record::Record::own().is_some_and(|record| record.leaves_out(guard));
    #[cfg(not(feature = "explore"))]
    {
        let _name = guard;
        true
    }
}

//! The right to run a command. There is one of it, and whoever has it can be asked to stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Where the turn lies while nobody has it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<Option<watch::Sender<bool>>>>);

/// The turn. Dropping it gives it back.
#[derive(Debug)]
pub struct Turn {
    slot: Slot,
    asked: watch::Receiver<bool>,
}

impl Slot {
    /// Takes the turn; `None` while somebody has it.
    #[must_use]
    pub fn take(&self) -> Option<Turn> {
        let mut holder = self.holder();
        if holder.is_some() {
            return None;
        }
        let (cancel, asked) = watch::channel(false);
        *holder = Some(cancel);
        Some(Turn { slot: self.clone(), asked })
    }

    /// Whether somebody has it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.holder().is_some()
    }

    /// Asks whoever has it to stop; `false` when nobody has.
    #[must_use]
    pub fn cancel(&self) -> bool {
        self.holder().as_ref().is_some_and(|cancel| {
            cancel.send_replace(true);
            true
        })
    }

    fn holder(&self) -> MutexGuard<'_, Option<watch::Sender<bool>>> {
        // One assignment is all that happens under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Turns true once the holder is asked to stop.
    #[must_use]
    pub fn asked_to_stop(&self) -> watch::Receiver<bool> {
        self.asked.clone()
    }

    /// Whether the holder is asked to stop.
    #[must_use]
    pub fn is_asked_to_stop(&self) -> bool {
        *self.asked.borrow()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.slot.holder() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_turn_and_its_holder_can_be_asked_to_stop() {
        let slot = Slot::default();
        assert!(!slot.cancel(), "nobody has it");
        let turn = slot.take().unwrap();
        assert!(slot.is_taken() && slot.take().is_none());
        assert!(!turn.is_asked_to_stop());
        assert!(slot.cancel());
        assert!(turn.is_asked_to_stop());
        drop(turn);
        let next = slot.take().unwrap();
        assert!(!next.is_asked_to_stop(), "the next one is not meant");
    }
}

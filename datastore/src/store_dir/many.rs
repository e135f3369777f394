//! Many files, side by side on the cores that there are: each of them is a few calls of the kernel and no work of ours.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// From how many files on it is worth the while.
pub(super) const MANY: usize = 256;
/// How many work at one time, at most.
const HANDS: usize = 4;

/// What `work` makes of each item, in the order of the items.
pub(super) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let hands = thread::available_parallelism().map_or(1, NonZero::get).min(HANDS);
    if items.len() < MANY || hands == 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    thread::scope(|scope| {
        let share = move |items: &[T]| items.iter().map(work).collect::<Vec<R>>();
        let shares = items.chunks(items.len().div_ceil(hands));
        let begun = |items| {
            let thread = thread::Builder::new().spawn_scoped(scope, move || share(items));
            // Where the system gives no thread, this one does the work.
            thread.map_err(|_refused| items)
        };
        let begun: Vec<_> = shares.map(begun).collect();
        let done = begun.into_iter().map(|begun| match begun {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(items) => share(items),
        });
        done.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_what_was_asked() {
        for count in [0, 1, MANY - 1, MANY, MANY + 1, 5 * MANY + 3] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(each(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}

//! Many names, side by side on the cores that there are: each of them is a few calls of the kernel and no work of ours.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// From how many names on it is worth the while; they may be files, or directories with more of them.
pub(super) const MANY: usize = 64;
/// How many work at one time, at most.
const HANDS: usize = 4;

/// What `work` adds for each item, in the order of the items.
pub(super) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T, &mut Vec<R>) + Sync) -> Vec<R> {
    let work = &work;
    let share = move |items: &[T]| {
        let mut all = Vec::with_capacity(items.len());
        items.iter().for_each(|item| work(item, &mut all));
        all
    };
    let hands = thread::available_parallelism().map_or(1, NonZero::get).min(HANDS);
    if items.len() < MANY || hands == 1 {
        return share(items);
    }
    thread::scope(|scope| {
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
            let twice = |item: &usize, all: &mut Vec<_>| all.extend([item * 2, item * 2 + 1]);
            assert_eq!(each(&items, twice), (0..2 * count).collect::<Vec<_>>());
        }
    }
}

//! Several targets side by side.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::thread;

/// What `work` makes of each name, in the order of the names. At most `lanes` of them are worked on at a time, and each
/// begins as soon as there is room; after a failure nothing new begins.
pub(super) fn run<T: Send, E: Send>(
    lanes: NonZeroUsize,
    names: &[String],
    work: impl Fn(&str) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let waiting = Mutex::new(names.iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(names.len()));
    thread::scope(|scope| {
        for _ in 0..lanes.get().min(names.len()) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no panic while held").next();
                    let Some((number, name)) = next else { return };
                    let made = work(name);
                    if made.is_err() {
                        // Whoever comes next finds nothing.
                        waiting.lock().expect("no panic while held").by_ref().for_each(drop);
                    }
                    done.lock().expect("no panic while held").push((number, made));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("nobody panicked");
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| number.to_string()).collect()
    }

    #[test]
    fn every_name_is_worked_on_once_and_in_lanes() {
        let lanes = NonZeroUsize::new(3).expect("not zero");
        // Nobody gets past it alone.
        let together = Barrier::new(3);
        let made = run(lanes, &names(9), |name| {
            together.wait();
            Ok::<_, ()>(format!("done {name}"))
        });
        let expected: Vec<_> = names(9).iter().map(|name| format!("done {name}")).collect();
        assert_eq!(made, Ok(expected));
        assert_eq!(run(lanes, &[], |_| Ok::<(), ()>(())), Ok(Vec::new()));
    }

    #[test]
    fn a_failure_ends_it() {
        let worked = Mutex::new(0);
        let made = run(NonZeroUsize::MIN, &names(9), |name| {
            *worked.lock().expect("no panic while held") += 1;
            if name == "2" { Err("broken") } else { Ok(()) }
        });
        assert_eq!((made, worked.into_inner().expect("no panic")), (Err("broken"), 3));
    }
}

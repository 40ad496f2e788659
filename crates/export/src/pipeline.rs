//! Work on many pieces at once, taken in the order of the pieces.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Work that is done and waits for its turn, and whose turn it is.
struct Belt<T, C> {
    next_claim: usize,
    next_take: usize,
    done: BTreeMap<usize, T>,
    consumer: C,
    stopped: bool,
}

/// Does `work` on each number below `count`, on so many threads, each with a seat of its own from `seat`; gives what comes of
/// it to `take`, one by one in the order of numbers. No more than `threads` + 1 pieces are on the way at a time.
///
/// # Errors
/// The first error in the order of pieces that were worked on; the rest is then left.
pub(crate) fn in_order<S, T: Send, E: Send, C: FnMut(T) -> Result<(), E> + Send>(
    count: usize,
    threads: usize,
    seat: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T, E> + Sync,
    take: C,
) -> Result<(), E> {
    let threads = threads.clamp(1, count.max(1));
    let ahead = threads + 1;
    let belt = Mutex::new(Belt {
        next_claim: 0,
        next_take: 0,
        done: BTreeMap::<usize, Result<T, E>>::new(),
        consumer: take,
        stopped: false,
    });
    let moved = Condvar::new();
    let failure: Mutex<Option<E>> = Mutex::new(None);
    let worker = || {
        let mut seat = seat();
        loop {
            let at = {
                let mut belt = lock(&belt);
                while !belt.stopped
                    && belt.next_claim < count
                    && belt.next_claim >= belt.next_take + ahead
                {
                    belt = moved.wait(belt).unwrap_or_else(PoisonError::into_inner);
                }
                if belt.stopped || belt.next_claim >= count {
                    return;
                }
                belt.next_claim += 1;
                belt.next_claim - 1
            };
            let result = work(&mut seat, at);
            let mut belt = lock(&belt);
            belt.done.insert(at, result);
            // Whoever brings the next piece takes it, and those that waited for it.
            while let Some(piece) = {
                let next = belt.next_take;
                belt.done.remove(&next)
            } {
                belt.next_take += 1;
                let taken = piece.and_then(|piece| (belt.consumer)(piece));
                if let Err(error) = taken {
                    belt.stopped = true;
                    lock(&failure).get_or_insert(error);
                    belt.done.clear();
                    break;
                }
            }
            moved.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(worker);
        }
        worker();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::in_order;

    #[test]
    fn pieces_come_in_order_and_few_are_on_the_way() {
        let (begun, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut got = Vec::new();
        let work = |(): &mut (), at: usize| -> Result<usize, ()> {
            begun.fetch_add(1, Relaxed);
            assert!(begun.load(Relaxed) <= taken.load(Relaxed) + 4 + 4);
            Ok(at * at)
        };
        let take = |square| {
            taken.fetch_add(1, Relaxed);
            got.push(square);
            Ok(())
        };
        in_order(500, 4, || (), work, take).unwrap();
        assert_eq!(got, (0..500).map(|at| at * at).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_it() {
        let work = |(): &mut (), at: usize| if at == 7 { Err(at) } else { Ok(at) };
        let mut got = 0;
        let take = |_| {
            got += 1;
            Ok(())
        };
        assert_eq!(in_order(1000, 3, || (), work, take), Err(7));
        assert_eq!(got, 7);
        assert_eq!(
            in_order(0, 3, || (), |(): &mut (), _| Ok::<(), u8>(()), |()| Ok(())),
            Ok(())
        );
    }
}

//! A fork while other threads hold the locks of an arena: the child never waits for them.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{attached, directory, drain_one, owner, span};
use perf_arena::{Arena, Producer, Record};

/// Attaches, names events, and leaves again, so that the arena's lock is hardly ever free.
fn keep_the_lock_busy(arena: Arena, stop: &AtomicBool) {
    let producer = Producer::detached();
    let mut event = 0;
    while !stop.load(Ordering::Relaxed) {
        let _ = arena.attach(&producer, "busy");
        let _ = arena.add_event(event, 1, "EVENT", "ns");
        event += 1;
        arena.detach(&producer);
    }
}

#[test]
fn a_child_waits_for_no_lock_of_its_parents_threads() {
    let (place, own_place) = (directory(), directory());
    let mut owner = Some(owner(place.path()));
    let arena = owner.as_ref().unwrap().arena();
    arena.add_event(1, 1, "BEFORE", "ns").unwrap();
    assert_eq!(owner.as_mut().unwrap().take_new_events().len(), 1);
    let stop = AtomicBool::new(false);
    let failed = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| keep_the_lock_busy(arena, &stop));
        }
        let failed = (0..60).find(|round| {
            // SAFETY: the child allocates, which glibc allows, and leaves without the harness's own end.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: a plain system call. A child that waits for ever is ended by the alarm.
                unsafe { libc::alarm(20) };
                let good = in_child(owner.take().unwrap(), own_place.path(), round % 2 == 0);
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(i32::from(!good)) };
            }
            let mut status = 0;
            // SAFETY: the child is ours and `status` is an int.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            let owner = owner.as_mut().unwrap();
            owner.drain(usize::MAX);
            owner.maintain();
            owner.clear_staged();
            status != 0
        });
        stop.store(true, Ordering::Relaxed);
        failed
    });
    assert_eq!(
        failed, None,
        "the round whose child failed or had to be ended"
    );
    let owner = owner.unwrap();
    assert!(
        owner.path().unwrap().exists(),
        "the parent's, whatever the children did"
    );
    owner.close().unwrap();
}

/// Uses what was the parent's in every way that is allowed, and an arena of its own.
fn in_child(mut inherited: perf_arena::Owner, own_place: &std::path::Path, forgets: bool) -> bool {
    let arena = inherited.arena();
    if forgets {
        arena.forget();
        // Its table is gone. That must not be taken for one that has shrunk.
        if !inherited.take_new_events().is_empty() {
            return false;
        }
    }
    let refused = arena.attach(&Producer::detached(), "child").is_err()
        && arena.add_event(1, 1, "CHILD", "ns").is_err()
        && inherited.close().is_ok();
    let mut own = owner(own_place);
    let producer = attached(&own);
    let kept = producer.push(span(1)).is_ok() && drain_one(&mut own) == [Record(span(1))];
    refused && kept && own.close().is_ok()
}

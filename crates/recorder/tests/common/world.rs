//! A machine whose clocks a test turns by hand, so that hours pass in seconds. One a thread, as recorders without threads of
//! their own are.

use std::cell::RefCell;
use std::time::Duration;

use perf_format::{Anchor, SegmentId};
use perf_probe::clock::{FakeClock, Ticks};
use perf_recorder::Builder;

/// 2026-01-01 00:00:00 UTC.
pub(crate) const NEW_YEAR_NS: i64 = 1_767_225_600_000_000_000;
/// Ticks are ns.
const FIRST_TICKS: u64 = 1 << 40;

struct World {
    ticks: FakeClock,
    monotonic_raw_ns: i64,
    realtime_ns: i64,
    uptime: Duration,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

fn with<T>(act: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(|world| act(world.as_mut().expect("a world was made")))
}

fn anchor() -> Anchor {
    with(|world| Anchor {
        ticks: world.ticks.now().0,
        monotonic_raw_ns: world.monotonic_raw_ns,
        realtime_ns: world.realtime_ns,
        uncertainty_ns: 50,
        segment: SegmentId(0),
    })
}

fn time() -> (Duration, i64) {
    with(|world| (world.uptime, world.realtime_ns))
}

fn ns(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).expect("less than centuries")
}

/// A new world for this thread; the recorder that is built lives in it.
pub(crate) fn make(builder: Builder) -> Builder {
    let ticks = FakeClock::new(Ticks(FIRST_TICKS));
    let world = World {
        ticks: ticks.clone(),
        monotonic_raw_ns: 5_000_000_000,
        realtime_ns: NEW_YEAR_NS,
        uptime: Duration::ZERO,
    };
    WORLD.set(Some(world));
    builder.clock(ticks).anchor_source(anchor).time_source(time)
}

/// Time goes by, and every clock shows it.
pub(crate) fn pass(length: Duration) {
    with(|world| {
        world.ticks.advance(ns(length).cast_unsigned());
        world.monotonic_raw_ns += ns(length);
        world.realtime_ns += ns(length);
        world.uptime += length;
    });
}

/// Somebody sets the wall clock.
pub(crate) fn step_wall_clock(by_ns: i64) {
    with(|world| world.realtime_ns += by_ns);
}

/// The machine sleeps: the kernel's monotonic clocks do not show it. The counter of some machines goes on meanwhile, of
/// others it stands.
pub(crate) fn suspend(length: Duration, counter_goes_on: bool) {
    with(|world| {
        world.realtime_ns += ns(length);
        if counter_goes_on {
            world.ticks.advance(ns(length).cast_unsigned());
        }
    });
}

/// The machine sleeps, and wakes with a counter that begins anew.
pub(crate) fn suspend_and_reset(length: Duration) {
    with(|world| {
        world.realtime_ns += ns(length);
        world.ticks.set(Ticks(1_000));
    });
}

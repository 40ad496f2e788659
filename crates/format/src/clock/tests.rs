use super::*;
use crate::ClockDescriptor;

const NOW: i64 = 1_790_000_000_000_000_000;
const S0: SegmentId = SegmentId(0);

/// An anchor of a clock of 2 ticks a ns.
fn anchor(ns: i64, drift: i64) -> Anchor {
    Anchor {
        ticks: 5000 + 2 * ns as u64,
        monotonic_raw_ns: 77 + ns,
        realtime_ns: NOW + ns + drift,
        uncertainty_ns: 40,
        segment: S0,
    }
}

fn header(ticks_per_second: f64) -> FileHeader {
    let clock = ClockDescriptor {
        ticks_per_second,
        ..ClockDescriptor::default()
    };
    FileHeader {
        start_unix_ns: NOW,
        clock,
        ..FileHeader::default()
    }
}

#[test]
fn nothing_known_counts_a_tick_as_a_ns() {
    let map = ClockMap::new(None, &[]);
    assert_eq!(map.duration_ns(S0, 123), 123);
    assert_eq!(map.unix_ns(S0, 123), 123);
    assert!(!map.is_measured(S0));
    assert_eq!(map.uncertainty_ns(), None);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
        assert_eq!(
            ClockMap::new(Some(&header(rate)), &[]).duration_ns(S0, 123),
            123,
            "{rate}"
        );
    }
}

#[test]
fn one_anchor_gives_the_time_and_the_header_the_rate() {
    let map = ClockMap::new(Some(&header(4e9)), &[anchor(0, 0)]);
    assert!(!map.is_measured(S0));
    assert_eq!(map.duration_ns(S0, 4000), 1000);
    assert_eq!(map.unix_ns(S0, 5000 + 4000), NOW + 1000);
    assert_eq!(map.unix_ns(S0, 5000 - 4000), NOW - 1000);
}

#[test]
fn anchors_too_close_give_no_rate() {
    let map = ClockMap::new(
        Some(&header(4e9)),
        &[anchor(0, 0), anchor(MIN_RATE_SPAN_NS - 1, 0)],
    );
    assert!(!map.is_measured(S0));
    let map = ClockMap::new(
        Some(&header(4e9)),
        &[anchor(0, 0), anchor(MIN_RATE_SPAN_NS, 0)],
    );
    assert!(map.is_measured(S0));
    assert_eq!(map.ns_per_tick(S0), 0.5);
}

#[test]
fn two_anchors_at_one_tick_do_not_divide_by_zero() {
    let twin = Anchor {
        monotonic_raw_ns: 1 << 40,
        ..anchor(0, 0)
    };
    let map = ClockMap::new(Some(&header(2e9)), &[anchor(0, 0), twin]);
    assert_eq!(map.duration_ns(S0, 2000), 1000);
    assert_eq!(map.unix_ns(S0, 7000), NOW + 1000);
}

#[test]
fn a_slew_is_interpolated_and_meets_both_anchors() {
    // 100 µs in 10 s is 10 ppm.
    let second = 1_000_000_000;
    let anchors = [
        anchor(10 * second, 100_000),
        anchor(0, 0),
        anchor(20 * second, 0),
    ];
    let map = ClockMap::new(None, &anchors);
    assert!(map.steps().is_empty());
    for anchor in &anchors {
        assert_eq!(map.unix_ns(S0, anchor.ticks), anchor.realtime_ns);
    }
    assert_eq!(
        map.unix_ns(S0, 5000 + 10 * second as u64),
        NOW + 5 * second + 50_000
    );
    // Durations know nothing of it.
    assert_eq!(map.duration_ns(S0, 2 * second as u64), second as u64);
}

#[test]
fn a_step_is_marked_and_not_interpolated_over() {
    let second = 1_000_000_000i64;
    for step in [3_600 * second, -3_600 * second, 20_000_000, -20_000_000] {
        let map = ClockMap::new(
            None,
            &[
                anchor(0, 0),
                anchor(10 * second, 0),
                anchor(20 * second, step),
            ],
        );
        assert_eq!(map.steps().len(), 1, "{step}");
        assert_eq!(map.steps()[0].step_ns, step);
        let (before, after) = (
            5000 + 2 * 20 * second as u64 - 2,
            5000 + 2 * 20 * second as u64,
        );
        assert_eq!(map.unix_ns(S0, before), NOW + 20 * second - 1);
        assert_eq!(map.unix_ns(S0, after), NOW + 20 * second + step);
    }
}

#[test]
fn a_monotonic_clock_that_goes_backward_gives_no_rate() {
    let mut late = anchor(10_000_000, 0);
    late.monotonic_raw_ns = 0;
    let map = ClockMap::new(Some(&header(2e9)), &[anchor(0, 0), late]);
    assert!(!map.is_measured(S0));
    assert_eq!(map.ns_per_tick(S0), 0.5);
}

#[test]
fn segments_keep_their_own_rates() {
    let mut anchors = vec![anchor(0, 0), anchor(10_000_000, 0)];
    anchors.extend([0u64, 10_000_000].map(|ns| Anchor {
        ticks: ns,
        monotonic_raw_ns: ns as i64,
        realtime_ns: NOW + (1 << 40) + ns as i64,
        uncertainty_ns: 900,
        segment: SegmentId(3),
    }));
    let map = ClockMap::new(None, &anchors);
    assert_eq!(map.duration_ns(S0, 1000), 500);
    assert_eq!(map.duration_ns(SegmentId(3), 1000), 1000);
    assert_eq!(map.unix_ns(SegmentId(3), 7), NOW + (1 << 40) + 7);
    assert!(!map.one_scale());
    assert_eq!(map.segments().collect::<Vec<_>>(), [S0, SegmentId(3)]);
    assert_eq!(map.uncertainty_ns(), Some(900));
    assert_eq!(map.anchor_ticks(S0).collect::<Vec<_>>(), [5000, 20_005_000]);
    assert_eq!(map.anchor_ticks(SegmentId(7)).count(), 0);
}

#[test]
fn extreme_numbers_saturate() {
    let wild = |ticks, raw, real| Anchor {
        ticks,
        monotonic_raw_ns: raw,
        realtime_ns: real,
        uncertainty_ns: u64::MAX,
        segment: S0,
    };
    let map = ClockMap::new(
        None,
        &[
            wild(0, i64::MIN, i64::MAX),
            wild(u64::MAX, i64::MAX, i64::MIN),
        ],
    );
    for ticks in [0, 1, u64::MAX / 2, u64::MAX] {
        map.unix_ns(S0, ticks);
        map.duration_ns(S0, ticks);
    }
    assert_eq!(map.duration_ns(SegmentId(9), u64::MAX), u64::MAX);
}

use perf_format::{EventId, Extra, Tag};

use super::load::Load;
use super::*;

fn seconds(number: f64) -> Duration {
    Duration::from_secs_f64(number)
}

fn span(trace: u64, event: u32, value: u64) -> Row {
    Row {
        ring: 1,
        seq: trace,
        trace,
        event,
        tag: Tag::SPAN_OK,
        value,
    }
}

/// A clock of a tick a ns.
fn sampler(sampling: Sampling) -> Sampler {
    let mut sampler = Sampler::new(sampling, 1e9);
    sampler.meet(EventId(1), "ONE");
    sampler.meet(EventId(2), "TWO");
    sampler
}

fn weight(extra: Option<Extra>) -> Option<(u32, bool)> {
    extra.map(|extra| (extra.weight.get(), extra.is_lone))
}

#[test]
fn shares_are_one_in_a_number() {
    for (share, number, shown) in [
        (1.0, 1, "all"),
        (7.0, 1, "all"),
        (0.7, 1, "all"),
        (0.3, 3, "1 in 3"),
        (0.01, 100, "1 in 100"),
        (0.0, 0, "none"),
        (-1.0, 0, "none"),
        (f64::NAN, 0, "none"),
        (1e-30, u32::MAX, "1 in 4294967295"),
    ] {
        let rate = OneIn::of_share(share);
        assert_eq!(
            (rate.0, rate.to_string().as_str()),
            (number, shown),
            "{share}"
        );
    }
    let sampling = Sampling::new()
        .rate(0.01)
        .high_load(2e5, 1e-4)
        .high_load(1e5, 1e-3)
        .event_rate("ONE", 1.0);
    assert_eq!(
        sampling.to_string(),
        "1 in 100, 1 in 1000 from 100000/s on, 1 in 10000 from 200000/s on, ONE all"
    );
}

#[test]
fn traces_stay_whole_and_nest_as_the_rate_falls() {
    const TRACES: u64 = 100_000;
    let mut before: Vec<u64> = (1..=TRACES).collect();
    for number in [1_u32, 2, 3, 10, 100, 1000] {
        let sampler = sampler(Sampling::new().rate(1.0 / f64::from(number)));
        let mut kept = Vec::new();
        for trace in 1..=TRACES {
            let first = sampler.choose(&span(trace, 1, 5));
            // By the trace alone.
            let other = Row {
                ring: 9,
                seq: 7,
                tag: Tag::COUNTER,
                ..span(trace, 2, 6)
            };
            assert_eq!(first, sampler.choose(&other));
            if let Some(chosen) = weight(first) {
                assert_eq!(chosen, (number, false));
                kept.push(trace);
            }
        }
        let expected = TRACES as f64 / f64::from(number);
        let off = (kept.len() as f64 - expected).abs();
        assert!(
            off <= 5.0 * expected.sqrt(),
            "1 in {number}: {}",
            kept.len()
        );
        assert!(kept.iter().all(|trace| before.binary_search(trace).is_ok()));
        before = kept;
    }
}

#[test]
fn records_without_a_trace_are_chosen_by_ring_and_number() {
    let few = sampler(Sampling::new().rate(0.01));
    let many = sampler(Sampling::new().rate(0.1));
    let mut counts = [0, 0];
    for ring in 0..4 {
        for seq in 0..50_000 {
            let row = Row {
                ring,
                seq,
                ..span(0, 1, 5)
            };
            let chosen = [&few, &many].map(|sampler| weight(sampler.choose(&row)));
            counts[0] += usize::from(chosen[0].is_some());
            counts[1] += usize::from(chosen[1].is_some());
            assert!(matches!(chosen[0], None | Some((100, false))));
            assert!(matches!(chosen[1], None | Some((10, false))));
            assert!(chosen[0].is_none() || chosen[1].is_some());
        }
    }
    assert!((1_800..2_200).contains(&counts[0]), "{counts:?}");
    assert!((19_300..20_700).contains(&counts[1]), "{counts:?}");
}

#[test]
fn slow_spans_are_kept_for_themselves() {
    let limit = Duration::from_micros(5);
    let sampler = sampler(Sampling::new().rate(0.0).keep_above("ONE", limit));
    assert!(sampler.is_thinning());
    assert_eq!(weight(sampler.choose(&span(7, 1, 5_001))), Some((1, true)));
    assert_eq!(weight(sampler.choose(&span(0, 1, 5_001))), Some((1, true)));
    assert_eq!(sampler.choose(&span(7, 1, 4_900)), None);
    assert_eq!(sampler.choose(&span(7, 2, 1 << 60)), None);
    // The value of a counter is no duration; the key of an annotation is no event.
    for tag in [Tag::COUNTER, Tag::ANNOTATION_INT] {
        let row = Row {
            tag,
            ..span(7, 1, 1 << 40)
        };
        assert_eq!(sampler.choose(&row), None);
    }
    // A trace that is kept stays whole with it.
    let half = self::sampler(Sampling::new().rate(0.5).keep_above("ONE", limit));
    let chosen: Vec<_> = (1..100)
        .map(|trace| weight(half.choose(&span(trace, 1, 9_000))))
        .collect();
    assert!(chosen.contains(&Some((2, false))) && chosen.contains(&Some((1, true))));
    assert!(chosen.iter().all(Option::is_some));
}

#[test]
fn events_have_rates_of_their_own() {
    let sampling = Sampling::new()
        .rate(0.1)
        .event_rate("ONE", 1.0)
        .event_rate("TWO", 0.01);
    let sampler = sampler(sampling);
    let mut kept = [0, 0, 0];
    for trace in 1..=20_000 {
        let [one, two, other] =
            [1, 2, 3].map(|event| weight(sampler.choose(&span(trace, event, 5))));
        match other {
            Some(chosen) => {
                kept[0] += 1;
                assert_eq!(chosen, (10, false));
                assert_eq!(one, Some((10, false)), "a trace is whole");
            }
            None => {
                assert_eq!(one, Some((1, true)));
                assert_eq!(two, None);
            }
        }
        kept[1] += usize::from(one.is_some());
        if let Some(chosen) = two {
            kept[2] += 1;
            assert_eq!(chosen, (100, false));
        }
    }
    assert!(
        (1_800..2_200).contains(&kept[0]) && (140..260).contains(&kept[2]),
        "{kept:?}"
    );
    assert_eq!(kept[1], 20_000);
    // Without a trace each stands for as many as its own rate says.
    let untraced = (0..1_000).map(|seq| {
        let row = Row {
            seq,
            ..span(0, 1, 5)
        };
        weight(sampler.choose(&row))
    });
    assert!(
        untraced
            .into_iter()
            .all(|chosen| chosen == Some((1, false)))
    );
}

#[test]
fn a_high_load_lowers_the_rate_at_once_and_calm_raises_it_late() {
    let low = OneIn(10);
    let mut load = Load::new(OneIn(1), vec![(1_000.0, low), (10_000.0, OneIn(100))]);
    let mut now = 0.0;
    // The rate after each of some seconds at a load.
    let mut after = |load: &mut Load, records: u64, for_seconds: usize| -> Vec<u32> {
        (0..for_seconds)
            .map(|_| {
                // In pieces, as the drainer has them.
                for _ in 0..4 {
                    now += 0.25;
                    load.count(records / 4, seconds(now));
                }
                load.rate().0
            })
            .collect()
    };
    load.count(0, seconds(0.0));
    assert_eq!(after(&mut load, 1_000, 3), [1, 1, 1], "not above");
    assert_eq!(after(&mut load, 1_200, 2), [10, 10]);
    assert_eq!(after(&mut load, 900, 30), [10; 30], "within the hysteresis");
    let calm = after(&mut load, 700, 12);
    assert_eq!(calm[..9], [10; 9]);
    assert_eq!(calm[10..], [1; 2], "ten seconds");
    assert_eq!(after(&mut load, 50_000, 1), [100], "two levels at once");
    assert_eq!(after(&mut load, 700, 8), [100; 8]);
    assert_eq!(after(&mut load, 9_000, 3), [100; 3], "no longer calm");
    let calm = after(&mut load, 4_000, 12);
    assert_eq!((calm[0], calm[11]), (100, 10), "one level back");
}

#[test]
fn while_a_rate_changes_no_half_of_a_trace_looks_whole() {
    let sampling = Sampling::new().rate(0.5).high_load(1_000.0, 0.01);
    let mut sampler = sampler(sampling);
    let shown = |sampler: &Sampler| {
        let chosen: Vec<_> = (1..=10_000)
            .map(|trace| weight(sampler.choose(&span(trace, 1, 5))))
            .collect();
        let count = |wanted| chosen.iter().filter(|it| **it == wanted).count() / 100;
        let counts = [Some((2, false)), Some((100, false)), Some((1, true))].map(count);
        (counts, chosen)
    };
    sampler.count(0, seconds(0.0));
    let (counts, at_first) = shown(&sampler);
    assert!(
        (47..53).contains(&counts[0]) && counts[1..] == [0, 0],
        "{counts:?}"
    );
    sampler.count(5_000, seconds(1.0));
    let (counts, changing) = shown(&sampler);
    assert!(
        counts[0] == 0 && counts[1] <= 2 && (46..52).contains(&counts[2]),
        "{counts:?}"
    );
    // What was kept before is kept now, marked.
    assert!(
        at_first
            .iter()
            .zip(&changing)
            .all(|(a, b)| a.is_some() == b.is_some())
    );
    sampler.count(12_000 * 5, seconds(12.9));
    assert_eq!(shown(&sampler).1, changing, "for twelve seconds");
    sampler.count(5_000, seconds(14.0));
    let (counts, low) = shown(&sampler);
    assert!(
        counts[0] == 0 && counts[1] <= 2 && counts[2] == 0,
        "{counts:?}"
    );
    // And back: those that come in addition are single records first.
    sampler.count(10, seconds(20.0));
    sampler.count(10, seconds(25.0));
    assert_eq!(shown(&sampler).1, changing);
    sampler.count(10, seconds(30.0));
    sampler.count(10, seconds(38.0));
    assert_eq!(shown(&sampler).1, at_first);
    assert!(low.contains(&Some((100, false))));
}

use std::num::NonZeroU32;

use perf_format::{Extra, SpanId};
use proptest::prelude::*;

use super::*;

fn any_spans() -> impl Strategy<Value = Vec<Span>> {
    let span = (0..30u64, 0..12u64, 0..3u32, 0..4u32);
    proptest::collection::vec(span, 1..60).prop_map(|all| {
        let all = all.into_iter().zip(0..);
        all.map(|((start, long, thread, event), order)| {
            Span::new((start, start + long), order, event, thread, 0)
        })
        .collect()
    })
}

fn named(order: u64, span_id: u64, parent_id: u64) -> (u64, Extra) {
    let extra = Extra {
        weight: NonZeroU32::MIN,
        span_id: SpanId(span_id),
        parent_id: SpanId(parent_id),
        is_lone: false,
    };
    (order, extra)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn without_names_it_is_the_general_way(spans in any_spans()) {
        let (mut mine, mut general) = (spans.clone(), spans);
        let (mut explicit, mut inferred) = (Anatomy::default(), Anatomy::default());
        prop_assert_eq!(explicit.dissect_explicit(&mut mine, Extras::None), 0);
        inferred.dissect_many(&mut general);
        prop_assert_eq!(&mine, &general);
        prop_assert_eq!(&explicit.parents, &inferred.parents);
        prop_assert_eq!(&explicit.own, &inferred.own);
        prop_assert_eq!(&explicit.gaps, &inferred.gaps);
    }
}

/// A chain as deep as the trace is long, and all of it below one span: neither recursion nor time by the square.
#[test]
fn long_chains_and_wide_fans() {
    const MANY: u64 = 200_000;
    for deep in [true, false] {
        let mut spans: Vec<Span> = (0..MANY)
            .map(|at| Span::new((at, 2 * MANY), at, 0, (at % 7) as u32, 0))
            .collect();
        let parent = |at: u64| if deep { at } else { at.min(1) };
        let extras: Vec<_> = (0..MANY).map(|at| named(at, at + 1, parent(at))).collect();
        let mut anatomy = Anatomy::default();
        let clipped = anatomy.dissect_explicit(&mut spans, Extras::Stitched(&extras));
        assert_eq!(clipped, 0);
        assert_eq!(anatomy.own[..spans.len()].iter().sum::<u64>(), 2 * MANY);
        let tops = anatomy.parents.iter().filter(|parent| **parent == NONE);
        assert_eq!(tops.count(), 1);
    }
}

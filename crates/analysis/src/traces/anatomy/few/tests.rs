use super::*;
use proptest::prelude::*;

/// Spans as threads record them: each opens and closes a few, at times that often coincide.
fn recorded() -> impl Strategy<Value = Vec<Span>> {
    let step = (0_u32..3, any::<bool>(), 0_u64..4, 0_u32..5);
    proptest::collection::vec(step, 1..40).prop_map(|steps| {
        let mut open: [Vec<(u64, u32)>; 3] = Default::default();
        let mut done: [Vec<Span>; 3] = Default::default();
        let (mut now, mut order) = (1000, 0);
        let mut end = |open: &mut Vec<(u64, u32)>, done: &mut Vec<Span>, thread, now| {
            if let Some((start, event)) = open.pop() {
                order += 1;
                done.push(Span::new((start, now), order, event, thread, 0));
            }
        };
        for (thread, begins, later, event) in steps {
            now += later;
            let at = thread as usize;
            match begins {
                true => open[at].push((now, event)),
                false => end(&mut open[at], &mut done[at], thread, now),
            }
        }
        for thread in 0..3 {
            while !open[thread].is_empty() {
                now += 1;
                end(&mut open[thread], &mut done[thread], thread as u32, now);
            }
        }
        done.concat()
    })
}

fn extent(spans: &[Span]) -> (u64, u64) {
    let from = spans.iter().map(|span| span.start).min();
    let to = spans.iter().map(|span| span.end).max();
    (from.unwrap_or(0), to.unwrap_or(0))
}

/// What is found of each span, whatever the order: its parent and what it owns.
fn found(spans: &[Span], anatomy: &Anatomy) -> Vec<(u64, Option<u64>, u64)> {
    let parent = |at: usize| match anatomy.parents[at] {
        NONE => None,
        parent => Some(spans[parent as usize].order),
    };
    let each = (0..spans.len()).map(|at| (spans[at].order, parent(at), anatomy.own[at]));
    let mut all: Vec<_> = each.collect();
    all.sort_unstable();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn short_traces_come_out_as_in_the_general_way(mut spans in recorded()) {
        let (mut few, mut general) = (Anatomy::default(), Anatomy::default());
        // Two in three are.
        if few.dissect_few(&spans, extent(&spans)) {
            let mine = found(&spans, &few);
            general.dissect_many(&mut spans);
            prop_assert_eq!(mine, found(&spans, &general));
            prop_assert_eq!(few.gaps, general.gaps);
            prop_assert_eq!(general.overlaps, 0);
        }
    }
}

#[test]
fn what_does_not_nest_is_left_alone() {
    let span = |start, end, thread| Span::new((start, end), end, 0, thread, 0);
    let mut anatomy = Anatomy::default();
    for (spans, taken) in [
        (vec![span(10, 20, 0), span(12, 18, 1)], true),
        (vec![span(12, 18, 0), span(10, 20, 0)], true),
        (vec![span(10, 20, 0), span(12, 18, 0)], false),
        (vec![span(10, 20, 0), span(15, 30, 0)], false),
        (vec![span(10, 20, 1), span(15, 30, 0)], false),
        (vec![span(10, 10, 0)], false),
        (vec![span(10, 20, 0), span(20, 20, 0)], false),
        (vec![span(10, 10 + (1 << TIME_BITS), 0)], false),
        (vec![span(10, 20, 0); MOST + 1], false),
    ] {
        assert_eq!(
            anatomy.dissect_few(&spans, extent(&spans)),
            taken,
            "{spans:?}"
        );
    }
}

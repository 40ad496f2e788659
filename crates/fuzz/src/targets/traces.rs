//! What `perf-analyze traces` and `sla` compute from a file.

use perf_analysis::sla::Rule;
use perf_analysis::traces::{FlowRule, MAX_KEPT_SPANS, Traces};
use perf_analysis::{CaptureSet, ErrorKind, SlaOptions, TraceOptions, sla, traces as traces_of};
use perf_format::TraceId;

use super::opened;

/// Rules of every target; the events are those that the seeds have, and one that none has.
const RULES: [&str; 10] = [
    "EVENT_1:p99<5ms over 1s",
    "EVENT_1/error:max<1us",
    "EVENT_4:p50<100ns over 10ms",
    "EVENT_1:error_rate<1%",
    "EVENT_1→EVENT_2:p90<1us",
    "e2e:p50<1ms over 1s",
    "e2e:max<1ns",
    "response:p99<1s over 1m",
    "response:mean<1us",
    "NONE:rate>1/s over 1s",
];

/// Takes the traces of the bytes as a capture file apart, and judges rules on them.
pub fn traces(bytes: &[u8]) {
    opened(bytes, read);
}

fn read(set: &CaptureSet) {
    let plain = TraceOptions {
        slowest: 20,
        ids: vec![TraceId(0), TraceId(5), TraceId(9)],
        threads: Some(1),
        ..TraceOptions::default()
    };
    let found = traces_of(set, &plain).expect("damage is a warning, not an error");
    check(&found);
    let ends = FlowRule {
        name: "ends".into(),
        first: "EVENT_1".into(),
        last: "EVENT_1".into(),
    };
    let split = TraceOptions {
        by: Some("symbol".into()),
        flows: vec![ends],
        idle_ns: 1,
        max_flows: 2,
        join: true,
        skip_ns: 1,
        ..plain
    };
    check(&traces_of(set, &split).expect("damage is a warning, not an error"));
    judge(set);
}

/// Judges each rule alone, so that a refused one hides no other.
fn judge(set: &CaptureSet) {
    for text in RULES {
        let rule: Rule = text.parse().expect("a rule");
        let options = SlaOptions {
            rules: vec![rule],
            violations: 50,
            threads: Some(1),
            ..SlaOptions::default()
        };
        let found = match sla(set, &options) {
            Ok(found) => found,
            // A rule may not fit its event, and damaged clocks may stretch a capture over too many windows.
            Err(error) => match error.kind {
                ErrorKind::Rule(_) | ErrorKind::TooManySlots { .. } => continue,
                _ => panic!("{text}: damage is a warning, not an error: {error}"),
            },
        };
        for result in &found.rules {
            let total = &result.total;
            assert!(total.over.unwrap_or(0) <= total.samples, "{text}");
            assert!(total.open <= total.samples, "{text}");
        }
        assert!(found.violations.len() <= 50, "{text}");
    }
}

/// What holds of any analysis: parts add up to the whole, and what is kept is bounded.
fn check(found: &Traces) {
    for flow in &found.flows {
        let own: u128 = flow
            .owners
            .iter()
            .map(|owner| u128::from(owner.own_mean_ns))
            .sum();
        let mean = flow.end_to_end.as_ref().map(|times| times.mean);
        // Sums saturate, and floats round, beyond 2⁵³.
        if let Some(mean) = mean.filter(|mean| *mean < 1 << 50) {
            assert_eq!(own, u128::from(mean), "owners of {} add up", flow.flow);
        }
        assert!(flow.failed <= flow.count && flow.lossy <= flow.count);
    }
    let kept = found.slowest.iter().chain(&found.asked);
    for kept in kept {
        assert!(kept.spans.len() <= MAX_KEPT_SPANS);
    }
}

//! Traces against an oracle that takes the definitions of DESIGN.md at their word: each pair of spans compared, each stretch
//! of time between two neighbouring instants given to its owner one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use perf_analysis::report::Outcome;
use perf_analysis::traces::{
    BackgroundKind, Flow, FlowId, OwnerKind, Trace, TraceSink, Traces, traces_with,
};
use perf_analysis::{CaptureSet, OpenOptions, Percentile, TraceOptions, traces};

use crate::traces_world::{EVENTS, FIRST, Made, Market, Recipe, What};

const IDLE: u64 = 12_000;

/// A trace as the oracle sees it.
#[derive(Debug, Clone, PartialEq)]
struct Whole {
    id: u64,
    start: u64,
    end: u64,
    /// Thread, start, end, event, outcome; in the order of [`Seen`].
    spans: Vec<(u32, u64, u64, u32, u8)>,
    own: Vec<u64>,
    parents: Vec<Option<usize>>,
    /// From, to, start, end; from the last.
    gaps: Vec<(u32, u32, u64, u64)>,
    notes: Vec<(String, String)>,
    due: Option<i64>,
    open: bool,
    lossy: bool,
}

/// What a sink saw of a trace.
#[derive(Debug, Default)]
struct Seen(Vec<Whole>);

fn number(outcome: Outcome) -> u8 {
    [
        Outcome::Ok,
        Outcome::Error,
        Outcome::Cancelled,
        Outcome::Panicked,
    ]
    .iter()
    .position(|each| *each == outcome)
    .unwrap() as u8
}

impl TraceSink for Seen {
    fn trace(&mut self, trace: &Trace<'_>, _: FlowId) {
        let event = |event: u32| {
            let name = trace.world().event_name(event);
            EVENTS.iter().position(|each| *each == name).unwrap() as u32
        };
        let thread = |thread: u32| -> u32 {
            let name = trace.world().thread_name(thread);
            name.strip_prefix("worker-").unwrap().parse().unwrap()
        };
        // By thread and start; a parent goes before its children.
        let depth = |at: usize| std::iter::successors(Some(at), |at| trace.parent(*at)).count();
        let mut order: Vec<usize> = (0..trace.spans().len()).collect();
        order.sort_by_key(|at| {
            let span = &trace.spans()[*at];
            (span.thread(), span.start, !span.end, depth(*at))
        });
        let place = |at: usize| order.iter().position(|each| *each == at).unwrap();
        let spans = order.iter().map(|at| &trace.spans()[*at]);
        let mut sum: u64 = trace.gaps().iter().map(|gap| gap.end - gap.start).sum();
        sum += (0..trace.spans().len())
            .map(|at| trace.own(at))
            .sum::<u64>();
        assert_eq!(sum, trace.end_to_end(), "stages and gaps add up");
        self.0.push(Whole {
            id: trace.id().0,
            start: trace.start(),
            end: trace.end(),
            spans: spans
                .map(|span| {
                    let outcome = number(span.outcome());
                    (
                        thread(span.thread()),
                        span.start,
                        span.end,
                        event(span.event()),
                        outcome,
                    )
                })
                .collect(),
            own: order.iter().map(|at| trace.own(*at)).collect(),
            parents: (order.iter())
                .map(|at| trace.parent(*at).map(place))
                .collect(),
            gaps: (trace.gaps().iter())
                .map(|gap| (event(gap.from), event(gap.to), gap.start, gap.end))
                .collect(),
            notes: Vec::new(),
            due: trace.due().map(|due| due.0),
            open: false,
            lossy: trace.is_lossy(),
        });
    }

    fn merge(&mut self, other: Self, _: &[FlowId]) {
        self.0.extend(other.0);
    }
}

/// A record and its place among all.
type Placed<'a> = (usize, &'a Made);
/// Records of one trace, whether one is open, and how far they reach.
type Part<'a> = (Vec<Placed<'a>>, bool, u64);
/// Start, end, and the record unless it is an open span.
type Timed<'a> = (u64, u64, Option<Placed<'a>>);

/// All traces, also those with open spans.
fn wholes(market: &Market) -> Vec<Whole> {
    let mut by_id: BTreeMap<u64, Vec<(usize, &Made)>> = BTreeMap::new();
    for (order, made) in market.made.iter().enumerate() {
        let counts = matches!(made.what, What::Span(..) | What::Note(..) | What::Due(_));
        if made.trace != 0 && counts {
            by_id.entry(made.trace).or_default().push((order, made));
        }
    }
    let mut found = Vec::new();
    for (id, mut records) in by_id {
        let opens: Vec<u64> = (market.open.iter())
            .filter(|(trace, ..)| *trace == id)
            .map(|(.., start)| *start)
            .collect();
        records.sort_by_key(|(order, made)| (made.start, *order));
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut times: Vec<Timed<'_>> = (records.iter())
            .map(|(order, made)| (made.start, made.end, Some((*order, *made))))
            .chain(opens.iter().map(|start| (*start, u64::MAX, None)))
            .collect();
        times.sort_by_key(|(start, ..)| *start);
        for (start, end, record) in times {
            match parts.last_mut() {
                Some((_, _, reach)) if start <= reach.saturating_add(IDLE) => {
                    *reach = (*reach).max(end);
                }
                _ => parts.push((Vec::new(), false, end)),
            }
            let part = parts.last_mut().unwrap();
            match record {
                Some(record) => part.0.push(record),
                None => part.1 = true,
            }
        }
        for (part, open, _) in parts {
            found.extend(whole(market, id, &part, open));
        }
    }
    found
}

fn whole(market: &Market, id: u64, records: &[(usize, &Made)], open: bool) -> Option<Whole> {
    let mut spans: Vec<(usize, &Made, u32, u8)> = (records.iter())
        .filter_map(|(order, made)| match made.what {
            What::Span(event, outcome) => Some((*order, *made, event, outcome)),
            _ => None,
        })
        .collect();
    // The order in which the library lists them; the oracle itself needs none.
    spans.sort_by_key(|(order, made, ..)| (made.thread, made.start, !made.end, !*order));
    let start = spans.iter().map(|(_, made, ..)| made.start).min()?;
    let end = spans.iter().map(|(_, made, ..)| made.end).max()?;
    let parents: Vec<Option<usize>> = (0..spans.len()).map(|at| parent(&spans, at)).collect();
    let (own, gaps) = owners(&spans, &parents, end);
    let mut notes: Vec<(String, String)> = Vec::new();
    let mut due = None;
    for (_, made) in records {
        match &made.what {
            What::Note(key, value) => notes.push(((*key).into(), value.clone())),
            What::Due(at) => due = Some(due.map_or(*at, |due: i64| due.min(*at))),
            _ => {}
        }
    }
    notes.sort();
    notes.dedup();
    Some(Whole {
        id,
        start,
        end,
        own,
        gaps,
        notes,
        due,
        open,
        lossy: market
            .lost
            .iter()
            .any(|(from, to)| *from <= end && *to >= start),
        spans: (spans.iter())
            .map(|(_, made, event, outcome)| (made.thread, made.start, made.end, *event, *outcome))
            .collect(),
        parents,
    })
}

type SpanOf<'a> = (usize, &'a Made, u32, u8);

/// The shortest of the same thread that contains it; of identical ones the later recorded is outer.
fn parent(spans: &[SpanOf<'_>], at: usize) -> Option<usize> {
    let (order, made, ..) = spans[at];
    let contains = |other: &SpanOf<'_>| {
        let (theirs, outer, ..) = *other;
        let same = (outer.start, outer.end) == (made.start, made.end);
        outer.thread == made.thread
            && theirs != order
            && outer.start <= made.start
            && outer.end >= made.end
            && (!same || theirs > order)
    };
    (0..spans.len())
        .filter(|other| contains(&spans[*other]))
        .min_by_key(|other| (spans[*other].1.end - spans[*other].1.start, spans[*other].0))
}

/// Back from the end, one stretch between two neighbouring instants after the other.
#[expect(clippy::type_complexity, reason = "two lists of a test")]
fn owners(
    spans: &[SpanOf<'_>],
    parents: &[Option<usize>],
    end: u64,
) -> (Vec<u64>, Vec<(u32, u32, u64, u64)>) {
    let instants: BTreeSet<u64> = spans
        .iter()
        .flat_map(|(_, made, ..)| [made.start, made.end])
        .collect();
    let tops: Vec<usize> = (0..spans.len())
        .filter(|at| parents[*at].is_none())
        .collect();
    let of = |at: usize| spans[at].1;
    let mut visited = BTreeSet::new();
    let mut own = vec![0; spans.len()];
    let mut gaps = Vec::new();
    let ending = tops.iter().copied().filter(|at| of(*at).end == end);
    let mut current = ending.max_by_key(|at| (of(*at).start, *at)).unwrap();
    let mut time = end;
    loop {
        visited.insert(current);
        while time > of(current).start {
            // Who owns the stretch that ends at `time`? The innermost that is active, of siblings the later.
            let mut owner = current;
            while let Some(child) = (0..spans.len())
                .filter(|at| parents[*at] == Some(owner))
                .filter(|at| of(*at).start < time && of(*at).end >= time)
                .max_by_key(|at| of(*at).start)
            {
                owner = child;
            }
            let before = *instants.range(..time).next_back().unwrap();
            own[owner] += time - before;
            time = before;
        }
        let left = || tops.iter().copied().filter(|at| !visited.contains(at));
        let active = left().filter(|at| of(*at).start < time && of(*at).end >= time);
        let ended = left().filter(|at| of(*at).end <= time);
        let next = active
            .max_by_key(|at| (of(*at).start, of(*at).end, *at))
            .or_else(|| ended.max_by_key(|at| (of(*at).end, of(*at).start, *at)));
        let Some(next) = next else {
            return (own, gaps);
        };
        if of(next).end < time {
            gaps.push((spans[next].2, spans[current].2, of(next).end, time));
            time = of(next).end;
        }
        current = next;
    }
}

/// Markets in files.
struct Bench {
    _dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Bench {
    fn new(markets: &[Market]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..markets.len())
            .map(|at| dir.path().join(format!("{at}.bin")))
            .collect();
        for (market, path) in markets.iter().zip(&paths) {
            std::fs::write(path, &market.bytes).unwrap();
        }
        Self { _dir: dir, paths }
    }

    fn set(&self) -> CaptureSet {
        CaptureSet::open(&self.paths, &OpenOptions::default()).unwrap()
    }
}

fn options(ns_per_tick: u64) -> TraceOptions {
    TraceOptions {
        idle_ns: IDLE * ns_per_tick,
        max_flows: 1000,
        slowest: 7,
        percentiles: ["50", "90", "99"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        ..TraceOptions::default()
    }
}

#[test]
fn every_trace_is_the_oracles() {
    for seed in 1..=24 {
        let mut recipe = Recipe::new(seed);
        recipe.window = [900_000, 30_000, 8000, 60_000_000][seed as usize % 4];
        recipe.apart = [40_000, 900][seed as usize / 4 % 2];
        let market = recipe.make();
        let bench = Bench::new(std::slice::from_ref(&market));
        let seen = traces_with(&bench.set(), &options(2), |_| Seen::default()).unwrap();
        let mut got = seen.sink.0;
        let mut expected: Vec<Whole> = wholes(&market);
        let all = expected.len() as u64;
        let open = expected.iter().filter(|whole| whole.open).count() as u64;
        expected.retain(|whole| !whole.open);
        for whole in &mut expected {
            whole.notes.clear();
        }
        got.sort_by_key(|whole| (whole.id, whole.start));
        expected.sort_by_key(|whole| (whole.id, whole.start));
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got, expected, "seed {seed}");
        }
        assert_eq!(got.len(), expected.len(), "seed {seed}");
        assert_eq!(seen.traces.traces, expected.len() as u64);
        let ids: BTreeSet<u64> = wholes(&market).iter().map(|whole| whole.id).collect();
        assert_eq!(
            seen.traces.reused_ids,
            all - ids.len() as u64,
            "seed {seed}"
        );
        let with_records = |id: &u64| ids.contains(id);
        let only_open: BTreeSet<u64> = (market.open.iter())
            .map(|(id, ..)| *id)
            .filter(|id| !with_records(id))
            .collect();
        assert!(
            seen.traces.incomplete.open >= open + only_open.len() as u64,
            "seed {seed}"
        );
        check_flows(
            &seen.traces,
            &market,
            &recipe,
            &expected_with_notes(&market),
            seed,
        );
    }
}

fn expected_with_notes(market: &Market) -> Vec<Whole> {
    wholes(market)
        .into_iter()
        .filter(|whole| !whole.open)
        .collect()
}

fn check_flows(traces: &Traces, market: &Market, recipe: &Recipe, wholes: &[Whole], seed: u64) {
    let mut flows: BTreeMap<BTreeSet<&str>, Vec<&Whole>> = BTreeMap::new();
    for whole in wholes {
        let events = whole
            .spans
            .iter()
            .map(|(.., event, _)| EVENTS[*event as usize]);
        flows.entry(events.collect()).or_default().push(whole);
    }
    let measured: Vec<&Flow> = traces.flows.iter().filter(|flow| flow.count > 0).collect();
    assert_eq!(measured.len(), flows.len(), "seed {seed}");
    let names: BTreeSet<&String> = traces.flows.iter().map(|flow| &flow.flow).collect();
    assert_eq!(names.len(), traces.flows.len(), "names are different");
    for flow in measured {
        let events: BTreeSet<&str> = flow.events.iter().map(String::as_str).collect();
        check_flow(flow, market, recipe, &flows[&events], traces);
    }
    let mut slowest: Vec<u64> = wholes.iter().map(|whole| whole.end - whole.start).collect();
    slowest.sort_unstable_by(|a, b| b.cmp(a));
    let got: Vec<u64> = traces
        .slowest
        .iter()
        .map(|kept| kept.end_to_end_ns)
        .collect();
    let expected: Vec<u64> = slowest
        .iter()
        .take(7)
        .map(|ticks| ticks * market.ns_per_tick)
        .collect();
    assert_eq!(got, expected);
    assert_eq!(
        traces.lossy,
        wholes.iter().filter(|whole| whole.lossy).count() as u64
    );
}

fn check_flow(flow: &Flow, market: &Market, recipe: &Recipe, wholes: &[&Whole], traces: &Traces) {
    let ns = |ticks: u64| ticks * market.ns_per_tick;
    let mut e2e: Vec<u64> = wholes
        .iter()
        .map(|whole| ns(whole.end - whole.start))
        .collect();
    e2e.sort_unstable();
    let times = flow.end_to_end.as_ref().unwrap();
    assert_eq!(flow.count, wholes.len() as u64);
    assert_eq!((times.min, times.max), (e2e[0], e2e[e2e.len() - 1]));
    let mean = e2e.iter().sum::<u64>() as f64 / e2e.len() as f64;
    assert!(
        (times.mean as f64 - mean).abs() <= 0.5,
        "{} {mean}",
        times.mean
    );
    for (percentile, value) in &times.percentiles.0 {
        let exact = e2e[percentile.rank(flow.count) as usize - 1];
        let value = *value as u64;
        assert!(
            value >= exact && value <= exact + exact / 1000 + 1,
            "p{percentile}"
        );
    }
    let has = |outcome: u8| {
        let mine = |whole: &&&Whole| whole.spans.iter().any(|(.., each)| *each == outcome);
        wholes.iter().filter(mine).count() as u64
    };
    assert_eq!(
        (flow.errors, flow.cancelled, flow.panicked),
        (has(1), has(2), has(3))
    );
    let failed = |whole: &&&Whole| whole.spans.iter().any(|(.., outcome)| *outcome != 0);
    assert_eq!(flow.failed, wholes.iter().filter(failed).count() as u64);
    check_order(flow, wholes, market);
    check_owners(flow, wholes, market);
    check_bands(flow, wholes, market, recipe, traces);
    check_shares(flow, wholes, market);
    check_fan_out(flow, wholes, market);
    let lags: Vec<i64> = (wholes.iter())
        .filter_map(|whole| Some(recipe.unix_ns(whole.start) - whole.due?))
        .collect();
    assert_eq!(
        flow.early,
        lags.iter().filter(|lag| **lag < 0).count() as u64
    );
    match &flow.lag {
        Some(lag) => {
            assert_eq!(lag.count, lags.len() as u64);
            assert_eq!(lag.max, (*lags.iter().max().unwrap()).max(0) as u64);
            let response = flow.response.as_ref().unwrap();
            let slowest = (wholes.iter())
                .filter_map(|whole| {
                    let lag = recipe.unix_ns(whole.start) - whole.due?;
                    Some(lag.max(0) as u64 + ns(whole.end - whole.start))
                })
                .max();
            assert_eq!(Some(response.max), slowest);
        }
        None => assert!(lags.is_empty()),
    }
}

/// Stages by median first start. Of more traces than 64 only a sample is looked at.
fn check_order(flow: &Flow, wholes: &[&Whole], market: &Market) {
    if wholes.len() > 64 {
        return;
    }
    let median = |name: &String| {
        let mut firsts: Vec<u64> = (wholes.iter())
            .filter_map(|whole| {
                let mine = whole
                    .spans
                    .iter()
                    .filter(|(.., event, _)| EVENTS[*event as usize] == name);
                Some((mine.map(|(_, start, ..)| *start).min()? - whole.start) * market.ns_per_tick)
            })
            .collect();
        firsts.sort_unstable();
        firsts[firsts.len().div_ceil(2) - 1]
    };
    let medians: Vec<u64> = flow.events.iter().map(median).collect();
    assert!(medians.is_sorted(), "{medians:?}");
}

/// By name of owner: ticks in one trace.
fn of_trace(whole: &Whole) -> BTreeMap<String, u64> {
    let mut owners: BTreeMap<String, u64> = BTreeMap::new();
    for ((.., event, _), own) in whole.spans.iter().zip(&whole.own) {
        *owners.entry(EVENTS[*event as usize].into()).or_default() += own;
    }
    for (from, to, start, end) in &whole.gaps {
        let name = format!("{}→{}", EVENTS[*from as usize], EVENTS[*to as usize]);
        *owners.entry(name).or_default() += end - start;
    }
    owners
}

fn sums<'a>(wholes: impl Iterator<Item = &'a &'a Whole>) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for whole in wholes {
        for (owner, ticks) in of_trace(whole) {
            *sums.entry(owner).or_default() += ticks;
        }
    }
    sums
}

fn check_owners(flow: &Flow, wholes: &[&Whole], market: &Market) {
    let sums = sums(wholes.iter());
    let names: BTreeSet<&String> = flow.owners.iter().map(|owner| &owner.owner).collect();
    assert_eq!(names, sums.keys().collect());
    for owner in &flow.owners {
        let exact = (sums[&owner.owner] * market.ns_per_tick) as f64 / flow.count as f64;
        assert!(
            (owner.own_mean_ns as f64 - exact).abs() <= 1.0,
            "{}",
            owner.owner
        );
        if owner.kind == OwnerKind::Stage {
            let mine = || {
                let all = wholes.iter().flat_map(|whole| &whole.spans);
                all.filter(|(.., event, _)| EVENTS[*event as usize] == owner.owner)
            };
            assert_eq!(owner.spans, Some(mine().count() as u64));
            let inclusive: u64 = mine().map(|(_, start, end, ..)| end - start).sum();
            let mean = (inclusive * market.ns_per_tick) as f64 / mine().count() as f64;
            assert!((owner.inclusive_mean_ns.unwrap() as f64 - mean).abs() <= 0.5);
        }
    }
    let all: u64 = flow.owners.iter().map(|owner| owner.own_mean_ns).sum();
    assert_eq!(
        all,
        flow.end_to_end.as_ref().unwrap().mean,
        "owners add up to the mean"
    );
}

/// Two significant digits, in words of arithmetic: linear by 16 below 2048, then 64 steps an octave.
fn bin(ticks: u64) -> (u32, u64) {
    match ticks {
        0..2048 => (0, ticks / 16),
        _ => {
            let octave = 63 - ticks.leading_zeros();
            (octave, ticks / (1 << (octave - 6)))
        }
    }
}

/// Ranks of the band, widened to whole bins: the traces, sorted, that belong to it.
fn band_of<'a>(
    sorted: &'a [&'a Whole],
    percentile: Option<Percentile>,
) -> (usize, &'a [&'a Whole]) {
    let count = sorted.len() as f64;
    let (low, high) = match percentile {
        None => (0.4, 0.6),
        Some(percentile) => {
            let p = percentile.fraction();
            (p - (1.0 - p) / 2.0, p + (1.0 - p) / 2.0)
        }
    };
    let mut first = (low * count + 1e-6).floor() as usize;
    let mut last = ((high * count - 1e-6).ceil() as usize).max(first + 1) - 1;
    let bin = |at: usize| bin(sorted[at].end - sorted[at].start);
    while first > 0 && bin(first - 1) == bin(first) {
        first -= 1;
    }
    while last + 1 < sorted.len() && bin(last + 1) == bin(last) {
        last += 1;
    }
    (first, &sorted[first..=last])
}

fn check_bands(flow: &Flow, wholes: &[&Whole], market: &Market, recipe: &Recipe, traces: &Traces) {
    let mut sorted = wholes.to_vec();
    sorted.sort_by_key(|whole| whole.end - whole.start);
    let count = wholes.len() as f64;
    let enough = |share: f64| share * count >= 99.5;
    assert_eq!(
        flow.bands.iter().any(|band| band.percentile.is_none()),
        enough(0.2)
    );
    for band in &flow.bands {
        let (first, mine) = band_of(&sorted, band.percentile);
        assert_eq!(band.count, mine.len() as u64, "{:?}", band.percentile);
        assert_eq!(
            (band.first_rank, band.last_rank),
            (first as u64 + 1, (first + mine.len()) as u64)
        );
        let ticks: u64 = mine.iter().map(|whole| whole.end - whole.start).sum();
        let mean = (ticks * market.ns_per_tick) as f64 / mine.len() as f64;
        assert_eq!(band.mean_ns, mean.round() as u64);
        let parts: u64 = band.owners.iter().map(|part| part.mean_ns).sum();
        assert_eq!(parts, band.mean_ns, "parts add up to the band's mean");
        let sums = sums(mine.iter());
        for (owner, part) in flow.owners.iter().zip(&band.owners) {
            let sum = sums.get(&owner.owner).copied().unwrap_or(0);
            let exact = (sum * market.ns_per_tick) as f64 / mine.len() as f64;
            assert!(
                (part.mean_ns as f64 - exact).abs() <= 1.0,
                "{}",
                owner.owner
            );
            let error = standard_error(&owner.owner, mine, market, recipe, traces);
            match (part.standard_error_ns, error) {
                (Some(got), Some(exact)) => assert!((got - exact).abs() <= 1e-6 * exact + 1e-6),
                (got, exact) => assert_eq!(got.is_some(), exact.is_some()),
            }
        }
    }
}

fn standard_error(
    owner: &str,
    mine: &[&Whole],
    market: &Market,
    recipe: &Recipe,
    traces: &Traces,
) -> Option<f64> {
    let selected = traces.selected.unwrap();
    let every = ((selected.end_unix_ns.0 - selected.start_unix_ns.0) / 32).max(1);
    let mut blocks: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for whole in mine {
        let block = blocks
            .entry(recipe.unix_ns(whole.end).div_euclid(every))
            .or_default();
        let ticks = of_trace(whole).get(owner).copied().unwrap_or(0);
        block.0 += 1.0;
        block.1 += (ticks * market.ns_per_tick) as f64;
    }
    let mean = blocks.values().map(|(_, sum)| sum).sum::<f64>() / mine.len() as f64;
    let squares: f64 = blocks
        .values()
        .map(|(count, sum)| (sum - mean * count).powi(2))
        .sum();
    let b = blocks.len() as f64;
    (blocks.len() > 1).then(|| (squares * b / (b - 1.0)).sqrt() / mine.len() as f64)
}

/// The level of the gauge that it is not above for 90 % of the time, and when it was.
fn high(market: &Market) -> (i64, Vec<(&'static str, u64, u64)>) {
    let gauges = market.made.iter().filter_map(|made| match made.what {
        What::Gauge(value) => Some((made.end, value)),
        _ => None,
    });
    let mut gauges: Vec<(u64, i64)> = gauges.collect();
    gauges.sort_unstable();
    let held: Vec<(u64, u64, i64)> = (gauges.windows(2))
        .map(|pair| (pair[0].0, pair[1].0, pair[0].1))
        .collect();
    let time = |at_most: i64| -> u64 {
        let low = held.iter().filter(|(.., value)| *value <= at_most);
        low.map(|(from, to, _)| to - from).sum()
    };
    let usual = (-5..15).find(|level| time(*level) * 10 >= time(15) * 9);
    let usual = usual.unwrap();
    let above = held.iter().filter(|(.., value)| *value > usual);
    let above = above.map(|(from, to, _)| ("BACKLOG", *from, *to));
    (usual, above.collect())
}

/// What the threads of the spans after long gaps ended in these, of other traces.
fn busy(whole: &Whole, market: &Market) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for (_, to, from_time, to_time) in &whole.gaps {
        if (to_time - from_time) * 8 < whole.end - whole.start {
            continue;
        }
        let after = |made: &&Made| {
            let is_it = matches!(made.what, What::Span(event, _) if event == *to);
            is_it && made.trace == whole.id && made.start == *to_time
        };
        let thread = market
            .made
            .iter()
            .filter(after)
            .map(|made| made.thread)
            .min();
        let mine: Vec<&Made> = (market.made.iter())
            .filter(|made| Some(made.thread) == thread)
            .collect();
        let last = mine.iter().rposition(after).unwrap();
        for made in mine[..last].iter().rev().take(32) {
            if made.end <= *from_time {
                break;
            }
            if let What::Span(event, _) = made.what
                && made.trace != whole.id
                && made.end <= *to_time
            {
                found.insert(EVENTS[event as usize]);
            }
        }
    }
    found
}

/// What went on in the background, and annotations, in each band.
fn check_shares(flow: &Flow, wholes: &[&Whole], market: &Market) {
    let mut sorted = wholes.to_vec();
    sorted.sort_by_key(|whole| whole.end - whole.start);
    let outside = market.made.iter().filter(|made| made.trace == 0);
    let outside = outside.filter_map(|made| match made.what {
        What::Pause(ns) => Some(("PAUSE", made.end - ns / market.ns_per_tick, made.end)),
        What::Span(..) => Some(("REPORT", made.start, made.end)),
        _ => None,
    });
    let (usual, high) = high(market);
    let times: Vec<(&str, u64, u64)> = outside.chain(high).collect();
    let busy: HashMap<(u64, u64, u64), BTreeSet<&str>> = (wholes.iter())
        .map(|whole| ((whole.id, whole.start, whole.end), busy(whole, market)))
        .collect();
    let meets = |kind: BackgroundKind, event: &str, whole: &Whole| match kind {
        BackgroundKind::Busy => busy[&(whole.id, whole.start, whole.end)].contains(event),
        _ => (times.iter())
            .any(|(name, start, end)| *name == event && *start <= whole.end && *end >= whole.start),
    };
    let share = |mine: &[&Whole], has: &dyn Fn(&Whole) -> bool| {
        mine.iter().filter(|whole| has(whole)).count() as f64 / mine.len() as f64
    };
    let kind = |event: &str| match event {
        "PAUSE" | "REPORT" => BackgroundKind::Ran,
        _ => BackgroundKind::High,
    };
    let mut expected: Vec<(BackgroundKind, &str)> = (["PAUSE", "REPORT", "BACKLOG"].into_iter())
        .map(|event| (kind(event), event))
        .collect();
    if market.chunks == 1 {
        expected.extend(EVENTS.map(|event| (BackgroundKind::Busy, event)));
    }
    for (kind, event) in expected {
        let found = (flow.background.iter()).any(|each| each.kind == kind && each.event == event);
        let known = wholes.iter().any(|whole| meets(kind, event, whole));
        assert_eq!(found, known, "{kind:?} {event}");
    }
    for each in &flow.background {
        let has = |whole: &Whole| meets(each.kind, &each.event, whole);
        let agrees = |got: f64, expected: f64| match each.kind {
            // Of a trace that lies in several chunks nothing is known.
            BackgroundKind::Busy if market.chunks > 1 => got < expected + 1e-9,
            _ => (got - expected).abs() < 1e-9,
        };
        assert!(agrees(each.share, share(wholes, &has)), "{each:?}");
        for (band, got) in flow.bands.iter().zip(&each.bands) {
            let (_, mine) = band_of(&sorted, band.percentile);
            assert!(agrees(*got, share(mine, &has)), "{each:?}");
        }
        let is_high = each.kind == BackgroundKind::High;
        assert_eq!(each.usual, is_high.then_some(usual));
    }
    for each in &flow.annotations {
        let pair = (each.key.clone(), each.value.clone());
        let has = |whole: &Whole| whole.notes.contains(&pair);
        assert!((each.share - share(wholes, &has)).abs() < 1e-9);
        for (band, got) in flow.bands.iter().zip(&each.bands) {
            let (_, mine) = band_of(&sorted, band.percentile);
            assert!((got - share(mine, &has)).abs() < 1e-9, "{pair:?}");
        }
    }
}

fn check_fan_out(flow: &Flow, wholes: &[&Whole], market: &Market) {
    for name in &flow.events {
        let mine = |whole: &&&Whole| -> Vec<u64> {
            let all = whole
                .spans
                .iter()
                .filter(|(.., event, _)| EVENTS[*event as usize] == name);
            all.map(|(_, _, end, ..)| end - whole.start).collect()
        };
        let ends: Vec<Vec<u64>> = wholes
            .iter()
            .map(|whole| mine(&whole))
            .filter(|ends| ends.len() > 1)
            .collect();
        let found = flow.fan_out.iter().find(|fan| fan.event == *name);
        assert_eq!(found.map_or(0, |fan| fan.traces), ends.len() as u64);
        if let Some(fan) = found {
            assert_eq!(
                fan.max_spans,
                ends.iter().map(Vec::len).max().unwrap() as u64
            );
            let mean = |pick: fn(&Vec<u64>) -> u64| {
                (ends.iter().map(pick).sum::<u64>() * market.ns_per_tick) as f64 / ends.len() as f64
            };
            let first = mean(|ends| *ends.iter().min().unwrap());
            let last = mean(|ends| *ends.iter().max().unwrap());
            assert!((fan.first_end_mean_ns as f64 - first).abs() <= 0.5);
            assert!((fan.last_end_mean_ns as f64 - last).abs() <= 0.5);
        }
    }
}

/// Many traces, so that bands are filled.
#[test]
fn bands_of_many_traces_are_the_oracles() {
    for seed in [31, 32] {
        let mut recipe = Recipe::new(seed);
        (recipe.traces, recipe.reuse, recipe.window) = (6000, 1_000_000, 3_000_000);
        let market = recipe.make();
        let bench = Bench::new(std::slice::from_ref(&market));
        let traces = traces(&bench.set(), &options(2)).unwrap();
        assert!(
            traces.flows.iter().any(|flow| flow.bands.len() > 2),
            "bands are tested"
        );
        assert!(
            traces.flows.iter().any(|flow| !flow.annotations.is_empty()),
            "so are annotations"
        );
        check_flows(
            &traces,
            &market,
            &recipe,
            &expected_with_notes(&market),
            seed,
        );
    }
}

/// All in one chunk, so that everything is known of what threads did besides.
#[test]
fn what_traces_waited_behind_is_the_oracles() {
    let mut waited = 0;
    for seed in 51..57 {
        let mut recipe = Recipe::new(seed);
        (recipe.window, recipe.apart, recipe.open) = (1 << 40, 2_000, 0);
        let market = recipe.make();
        let bench = Bench::new(std::slice::from_ref(&market));
        let traces = traces(&bench.set(), &options(2)).unwrap();
        let wholes = expected_with_notes(&market);
        check_flows(&traces, &market, &recipe, &wholes, seed);
        let background = traces.flows.iter().flat_map(|flow| &flow.background);
        waited += background
            .filter(|each| each.kind == BackgroundKind::Busy)
            .count();
    }
    assert!(waited > 20, "{waited}");
}

/// Whoever does not ask what went on around traces gets all the rest, to the byte.
#[test]
fn without_context_only_that_is_missing() {
    let recipe = Recipe::new(57);
    let bench = Bench::new(&[recipe.make()]);
    let with = |context| {
        let options = TraceOptions {
            context,
            curves: true,
            ..options(2)
        };
        traces(&bench.set(), &options).unwrap()
    };
    let (mut whole, without) = (with(true), with(false));
    let told: usize = whole.flows.iter().map(|flow| flow.background.len()).sum();
    assert!(told > 10, "{told}");
    whole
        .flows
        .iter_mut()
        .for_each(|flow| flow.background.clear());
    assert_eq!(whole, without);
    // The curves end at the greatest.
    for times in whole
        .flows
        .iter()
        .filter_map(|flow| flow.end_to_end.as_ref())
    {
        let last = times.curve.last().unwrap();
        assert_eq!((last.rank, last.value), (times.count, times.max));
        assert!(
            times
                .curve
                .is_sorted_by(|a, b| a.rank < b.rank && a.value <= b.value)
        );
    }
}

/// Whoever does not ask who owns the time gets all the rest, to the byte: of short traces and long ones, with stages that occur
/// once and often, late ones and failed ones.
#[test]
fn without_owners_only_these_are_missing() {
    // Split by an annotation, traces go the long way; else most of those go the short one that lie in one chunk.
    for (seed, by) in [(58, None), (59, None), (60, Some("symbol".to_owned()))] {
        let mut recipe = Recipe::new(seed);
        (recipe.traces, recipe.open, recipe.window) = (6000, 0, 9_000_000);
        let bench = Bench::new(&[recipe.make()]);
        let with = |dissect, threads| {
            let options = TraceOptions {
                dissect,
                slowest: 0,
                context: false,
                by: by.clone(),
                threads: Some(threads),
                ..options(2)
            };
            traces(&bench.set(), &options).unwrap()
        };
        let mut whole = with(true, 2);
        assert!(whole.flows.iter().all(|flow| !flow.owners.is_empty()));
        assert!(whole.flows.iter().any(|flow| !flow.fan_out.is_empty()));
        assert!(whole.flows.iter().any(|flow| flow.response.is_some()));
        for flow in &mut whole.flows {
            flow.owners.clear();
            flow.bands.clear();
            flow.annotations.clear();
        }
        whole.overlapping_spans = 0;
        for threads in [1, 2, 3] {
            assert_eq!(whole, with(false, threads), "{threads} threads");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    for seed in [41, 42] {
        let mut recipe = Recipe::new(seed);
        (recipe.traces, recipe.window) = (3000, 30_000);
        let bench = Bench::new(&[recipe.make()]);
        let json = |threads| {
            let options = TraceOptions {
                threads: Some(threads),
                by: Some("symbol".into()),
                max_flows: 5,
                ..options(2)
            };
            serde_json::to_string(&traces(&bench.set(), &options).unwrap()).unwrap()
        };
        let one = json(1);
        for threads in [2, 3, 8] {
            assert_eq!(one, json(threads), "{threads} threads");
        }
    }
}

/// The records of `whole` as two captures, by thread.
fn halves(recipe: &Recipe, whole: &Market) -> Vec<Market> {
    let half = |half: u64| {
        let part = Recipe {
            seed: 1000 + half,
            ..recipe.clone()
        };
        let mut market = Market {
            made: whole.made.clone(),
            ns_per_tick: 2,
            ..Market::default()
        };
        market
            .made
            .retain(|made| u64::from(made.thread) % 2 == half);
        part.write_again(&mut market);
        market
    };
    (0..2).map(half).collect()
}

/// Id, length in ns, spans.
fn in_short(wholes: &[Whole], ns_per_unit: u64) -> Vec<(u64, u64, usize)> {
    let mut short: Vec<_> = (wholes.iter())
        .map(|whole| {
            (
                whole.id,
                (whole.end - whole.start) * ns_per_unit,
                whole.spans.len(),
            )
        })
        .collect();
    short.sort_unstable();
    short
}

/// Two processes of one boot share a clock, and traces go through both; those of two hosts do not, unless it is asked for.
#[test]
fn captures_join_where_their_clocks_do() {
    let mut close_gaps = 0;
    for (boot, join) in [("boot-1", false), ("", false), ("", true)] {
        let mut recipe = Recipe::new(51);
        (recipe.boot, recipe.open, recipe.losses) = (boot, 0, 0);
        let whole = recipe.make();
        let parts = halves(&recipe, &whole);
        let bench = Bench::new(&parts);
        let options = TraceOptions { join, ..options(2) };
        let seen = traces_with(&bench.set(), &options, |_| Seen::default()).unwrap();
        let together = in_short(&wholes(&whole), 2);
        let mut apart = in_short(&wholes(&parts[0]), 2);
        apart.extend(in_short(&wholes(&parts[1]), 2));
        apart.sort_unstable();
        assert_ne!(together, apart);
        let joined = join || !boot.is_empty();
        let unit = if join { 1 } else { 2 };
        assert_eq!(
            in_short(&seen.sink.0, unit),
            if joined { together } else { apart }
        );
        assert_eq!(seen.traces.clock_error_ns, join.then_some(40));
        for owner in seen.traces.flows.iter().flat_map(|flow| &flow.owners) {
            let close = join && owner.kind == OwnerKind::Gap && owner.own_mean_ns <= 40;
            assert_eq!(owner.within_clock_error, close, "{owner:?}");
            close_gaps += usize::from(close);
        }
        let flagged = seen
            .traces
            .warnings
            .iter()
            .any(|warning| warning.kind.name() == "joined_clocks");
        assert_eq!(flagged, join);
    }
    assert!(close_gaps > 0);
}

#[test]
fn traces_are_selected_by_their_ends() {
    let recipe = Recipe::new(61);
    let market = recipe.make();
    let bench = Bench::new(std::slice::from_ref(&market));
    let all = expected_with_notes(&market);
    let (from, to) = (6_000_000, 20_000_000);
    let options = TraceOptions {
        since: Some(perf_analysis::TimeBound::FromStart(from)),
        until: Some(perf_analysis::TimeBound::FromStart(to)),
        ..options(2)
    };
    let found = traces(&bench.set(), &options).unwrap();
    let start = recipe.unix_ns(FIRST);
    let within = |whole: &&Whole| {
        let end = recipe.unix_ns(whole.end) - start;
        end >= from as i64 && end < to as i64
    };
    let expected = all.iter().filter(within).count();
    assert!(expected > 20 && expected < all.len());
    assert_eq!(found.traces, expected as u64);
    assert!(found.not_selected >= (all.len() - expected) as u64);
}

#[test]
fn rules_and_values_split_flows() {
    let recipe = Recipe::new(71);
    let market = recipe.make();
    let bench = Bench::new(std::slice::from_ref(&market));
    let all = expected_with_notes(&market);
    let rule = perf_analysis::traces::FlowRule {
        name: "both".into(),
        first: "A".into(),
        last: "B".into(),
    };
    let options = TraceOptions {
        flows: vec![rule],
        by: Some("symbol".into()),
        ids: vec![perf_format::TraceId(all[0].id)],
        ..options(2)
    };
    let found = traces(&bench.set(), &options).unwrap();
    let has = |whole: &Whole, event: &str| {
        whole
            .spans
            .iter()
            .any(|(.., each, _)| EVENTS[*each as usize] == event)
    };
    let both: Vec<&Whole> = all
        .iter()
        .filter(|whole| has(whole, "A") && has(whole, "B"))
        .collect();
    let flow = found.flows.iter().find(|flow| flow.by_rule).unwrap();
    assert_eq!(
        (flow.flow.as_str(), flow.count),
        ("both", both.len() as u64)
    );
    check_owners(flow, &both, &market);
    check_fan_out(flow, &both, &market);
    let mut values: BTreeMap<&str, u64> = BTreeMap::new();
    for whole in &both {
        for (_, value) in &whole.notes {
            *values.entry(value).or_default() += 1;
        }
    }
    let got: BTreeMap<&str, u64> = (flow.by.iter().flatten())
        .map(|value| (value.value.as_str(), value.end_to_end.count))
        .collect();
    assert_eq!(got, values);
    assert!(!found.asked.is_empty());
    assert!(
        found
            .asked
            .iter()
            .all(|kept| kept.trace == format!("{:016x}", all[0].id))
    );
}

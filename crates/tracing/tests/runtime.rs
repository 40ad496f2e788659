//! A program of `#[instrument]`ed futures on several threads: tasks that are spawned, moved, cancelled, and that panic.

mod common;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{Recorded, record};
use perf_analysis::report::Outcome;
use perf_analysis::traces::KeptTrace;
use perf_tracing::Layer;
use tokio::task::yield_now;
use tracing::{Instrument, info, info_span, instrument};
use tracing_subscriber::layer::SubscriberExt;

const REQUESTS: u32 = 200;
/// How long each query waits at least.
const WAIT: Duration = Duration::from_millis(2);

/// One kind of request in ten fails, one panics, one gives up waiting.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Fine,
    Fails,
    Panics,
    GivesUp,
}

fn fate(number: u32) -> Fate {
    match number % 10 {
        3 => Fate::Fails,
        5 => Fate::Panics,
        7 => Fate::GivesUp,
        _ => Fate::Fine,
    }
}

#[instrument(fields(venue = "XETRA"))]
async fn request(number: u32) {
    authorize(number).await;
    if query(number).await.is_err() {
        return;
    }
    if fate(number) == Fate::GivesUp {
        tokio::select! {
            biased;
            () = never() => {}
            () = yield_now() => {}
        }
    }
    // A task of its own, which any thread may take.
    let notify = notify().instrument(info_span!("notify"));
    tokio::spawn(notify).await.expect("it does not panic");
}

#[instrument]
async fn authorize(number: u32) {
    yield_now().await;
    info!(name: "authorized", number);
    if fate(number) == Fate::Panics {
        // Without the hook that prints it.
        resume_unwind(Box::new("on purpose"));
    }
}

#[instrument(err)]
async fn query(number: u32) -> Result<(), &'static str> {
    for _ in 0..2 {
        row().await;
    }
    tokio::time::sleep(WAIT).await;
    match fate(number) {
        Fate::Fails => Err("no such row"),
        _ => Ok(()),
    }
}

#[instrument]
async fn row() {
    for _ in 0..5 {
        yield_now().await;
    }
}

#[instrument]
async fn never() {
    std::future::pending::<()>().await;
}

async fn notify() {
    yield_now().await;
}

/// All requests at once on four threads.
fn serve() {
    let workers = AtomicU32::new(0);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .thread_name_fn(move || format!("worker {}", workers.fetch_add(1, Ordering::Relaxed)))
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let tasks: Vec<_> = (0..REQUESTS)
            .map(|number| tokio::spawn(request(number)))
            .collect();
        for (number, task) in (0..).zip(tasks) {
            assert_eq!(task.await.is_err(), fate(number) == Fate::Panics);
        }
    });
}

/// The spans of a request and the span that each of them is in, the outermost first.
fn within(event: &str) -> Option<&'static str> {
    match event {
        "request" => None,
        "row" => Some("query"),
        _ => Some("request"),
    }
}

/// Readers look for parents among the spans of one thread: the nearest ancestor that the same thread recorded.
fn check_parents(trace: &KeptTrace) {
    for span in &trace.spans {
        let recorded_with_it = |event: &&str| {
            let mut spans = trace.spans.iter();
            spans.any(|other| other.event == *event && other.thread == span.thread)
        };
        let ancestors = std::iter::successors(within(&span.event), |event| within(event));
        let expected = { ancestors }.find(recorded_with_it);
        let parent = span.parent.map(|at| trace.spans[at].event.as_str());
        assert_eq!(parent, expected, "of {} in {trace:#?}", span.event);
    }
}

fn events_of(trace: &KeptTrace) -> Vec<&str> {
    let mut events: Vec<_> = { trace.spans.iter() }
        .map(|span| span.event.as_str())
        .collect();
    events.sort_unstable();
    events
}

fn check_times(recorded: &Recorded, elapsed: Duration) {
    let query = recorded.ok("query");
    let least = WAIT.as_nanos() as i128 * 99 / 100;
    assert!(query.min.expect("a time") >= least, "{query:?}");
    let most = recorded.ok("request").max.expect("a time");
    assert!(
        most <= elapsed.as_nanos() as i128 * 101 / 100,
        "{most} ns in {elapsed:?}"
    );
    // Nobody is in a query while it waits.
    let (all, busy) = (
        query.sum.expect("a sum"),
        recorded.ok("query busy").sum.expect("a sum"),
    );
    let waited = i128::from(query.count) * least;
    assert!(
        busy > 0 && busy + waited <= all + all / 100,
        "{busy} of {all} ns, {waited} waited"
    );
}

#[test]
fn every_request_is_one_trace_with_what_it_did() {
    let layer = Layer::new().busy(true).annotate(["venue"]);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("the only one of this process");
    let mut elapsed = Duration::ZERO;
    let recorded = record(|| {
        let begin = Instant::now();
        serve();
        elapsed = begin.elapsed();
    });

    let tenth = i128::from(REQUESTS / 10);
    let expected = [
        ("authorize", [9, 0, 1]),
        ("never", [1, 0, 0]),
        ("notify", [8, 0, 0]),
        ("query", [8, 1, 0]),
        ("request", [9, 0, 1]),
        ("row", [18, 0, 0]),
    ];
    let mut all = vec![
        ("authorized".to_owned(), 10 * tenth),
        ("runtime ERROR".to_owned(), tenth),
    ];
    for (event, tenths) in expected {
        for (outcome, times) in ["ok", "error", "panicked"].into_iter().zip(tenths) {
            if times > 0 {
                all.push((format!("{event}/{outcome}"), times * tenth));
                all.push((format!("{event} busy/{outcome}"), times * tenth));
            }
        }
    }
    all.sort();
    assert_eq!(recorded.counts().into_iter().collect::<Vec<_>>(), all);

    assert_eq!(recorded.traces.traces, u64::from(REQUESTS));
    assert_eq!(recorded.traces.slowest.len(), REQUESTS as usize);
    let mut panicked = 0;
    for trace in &recorded.traces.slowest {
        let expected: &[&str] = match events_of(trace).as_slice() {
            ["authorize", "request"] => {
                panicked += 1;
                assert!(
                    trace
                        .spans
                        .iter()
                        .all(|span| span.outcome == Outcome::Panicked)
                );
                continue;
            }
            events if events.contains(&"never") => &[
                "authorize",
                "never",
                "notify",
                "query",
                "request",
                "row",
                "row",
            ],
            events if events.contains(&"notify") => {
                &["authorize", "notify", "query", "request", "row", "row"]
            }
            _ => &["authorize", "query", "request", "row", "row"],
        };
        assert_eq!(events_of(trace), expected);
        assert_eq!(trace.annotations.len(), 1, "{:?}", trace.annotations);
        check_parents(trace);
    }
    assert_eq!(panicked, tenth);
    check_times(&recorded, elapsed);
}

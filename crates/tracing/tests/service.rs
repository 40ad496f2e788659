//! An axum service under load, captured through both facades, against what its clients measured.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, serve};
use common::record;
use perf_analysis::report::Outcome;
use perf_tracing::{Layer, Traceparent, current_traceparent};
use tokio::sync::oneshot;
use tracing::{Instrument, error, info_span, instrument};
use tracing_subscriber::layer::SubscriberExt;

const CONNECTIONS: u64 = 4;
/// Of each connection.
const REQUESTS: u64 = 100;
/// How long the service works on an order at least.
const WORK: Duration = Duration::from_millis(1);
/// The high half of every trace's id.
const HIGH: u64 = 0x4bf9_2f35_77b3_4da6;

/// What any service would have around its handlers.
async fn captured(request: Request, next: Next) -> Response {
    let header = request.headers().get("traceparent");
    let span = info_span!(
        "request",
        traceparent = header.and_then(|text| text.to_str().ok())
    );
    let work = async {
        let begin = Instant::now();
        let mut response = next.run(request).await;
        let status = response.status().as_u16().to_string();
        metrics::counter!("requests_total", "status" => status).increment(1);
        metrics::histogram!("request_seconds").record(begin.elapsed());
        let outgoing = current_traceparent().map(|header| header.to_string());
        let outgoing = outgoing.and_then(|header| HeaderValue::from_str(&header).ok());
        response.headers_mut().extend(outgoing.map(|value| {
            let name = axum::http::HeaderName::from_static("traceparent");
            (name, value)
        }));
        response
    };
    work.instrument(span).await
}

#[instrument]
async fn order() -> &'static str {
    tokio::time::sleep(WORK).await;
    "done"
}

#[instrument]
async fn broken() -> StatusCode {
    error!("out of order");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Serves until `stop` comes.
async fn service(listener: tokio::net::TcpListener, stop: oneshot::Receiver<()>) {
    let app = Router::new()
        .route("/order", get(order))
        .route("/broken", get(broken))
        .layer(from_fn(captured));
    let stopped = async {
        let _ = stop.await;
    };
    let served = serve(listener, app).with_graceful_shutdown(stopped).await;
    served.expect("it serves until it is stopped");
}

/// What a client knows of one request.
struct Seen {
    trace: u64,
    status: u16,
    took: Duration,
}

/// One request after the other over one connection.
fn client(address: SocketAddr, number: u64) -> Vec<Seen> {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream.set_nodelay(true).expect("a socket");
    let requests = (0..REQUESTS).map(|request| {
        let trace = number << 32 | (request + 1);
        let path = if request % 10 == 0 { "broken" } else { "order" };
        let begin = Instant::now();
        let text = format!(
            "GET /{path} HTTP/1.1\r\nhost: test\r\ntraceparent: 00-{HIGH:016x}{trace:016x}-00000000000000aa-01\r\n\r\n"
        );
        stream.write_all(text.as_bytes()).expect("a request");
        let head = read_response(&mut stream);
        let took = begin.elapsed();
        let answer = header(&head, "traceparent").and_then(|text| text.parse::<Traceparent>().ok());
        let answer = answer.expect("the service names the trace");
        assert_eq!((answer.trace().raw(), answer.high()), (trace, HIGH));
        assert_ne!(answer.parent_id(), 0xaa);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Seen {
            trace,
            status: status.expect("a status"),
            took,
        }
    });
    requests.collect()
}

/// The head of a response, whose body has been read too.
fn read_response(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok());
            if body.len() == length.unwrap_or(0) {
                return head.to_owned();
            }
        }
        let read = stream.read(&mut piece).expect("a response");
        assert!(read > 0, "the service hung up after {text:?}");
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Runs the service and its clients, and gives what these saw.
fn load() -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let serving = runtime.spawn(service(listener, stopped));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| thread::spawn(move || client(address, number)))
        .collect();
    let seen = { clients.into_iter() }.flat_map(|client| client.join().expect("it is answered"));
    let seen = seen.collect();
    stop.send(()).expect("the service runs");
    runtime.block_on(serving).expect("it ends well");
    seen
}

#[test]
fn the_capture_agrees_with_the_clients() {
    let subscriber = tracing_subscriber::registry().with(Layer::new());
    tracing::subscriber::set_global_default(subscriber).expect("the only one of this process");
    metrics::set_global_recorder(perf_metrics::Recorder::new()).expect("the only one");
    let mut seen = Vec::new();
    let recorded = record(|| seen = load());

    let total = CONNECTIONS * REQUESTS;
    assert_eq!((seen.len() as u64, recorded.traces.traces), (total, total));
    let by_status = |status| seen.iter().filter(|seen| seen.status == status).count() as i128;
    let counts = recorded.counts();
    for status in [200, 500] {
        assert_eq!(
            counts[&format!("requests_total{{status=\"{status}\"}}")],
            by_status(status)
        );
    }
    assert_eq!(by_status(200) + by_status(500), total.into());
    assert_eq!(
        (counts["request/ok"], counts["order/ok"]),
        (total.into(), by_status(200))
    );
    assert_eq!(
        i128::from(recorded.row("broken", Some(Outcome::Error)).count),
        by_status(500)
    );
    assert_eq!(counts["service ERROR"], by_status(500));

    // The service works on a request while its client waits. The clocks may differ a little.
    let times: BTreeMap<_, _> = { recorded.traces.slowest.iter() }
        .map(|trace| (trace.trace.as_str(), trace.end_to_end_ns))
        .collect();
    for Seen {
        trace,
        status,
        took,
    } in &seen
    {
        let inside = Duration::from_nanos(times[format!("{trace:016x}").as_str()]);
        assert!(inside <= took.mul_f64(1.01), "{inside:?} of {took:?}");
        assert!(*status == 500 || inside >= WORK.mul_f64(0.99), "{inside:?}");
    }
    let slowest = seen.iter().map(|seen| seen.took).max().expect("a request");
    let observed = recorded.row("request_seconds", None);
    assert_eq!((observed.count, observed.unit.as_str()), (total, "ns"));
    let longest = observed.max.expect("a time");
    assert!(
        longest <= slowest.as_nanos() as i128 * 101 / 100,
        "{longest} ns of {slowest:?}"
    );
}

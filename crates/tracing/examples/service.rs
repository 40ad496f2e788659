//! An axum service that speaks through `tracing` and `metrics`, captured or not: what `cargo xtask bench --overhead` compares.
//!
//! ```text
//! cargo run --release -p perf-tracing --example service -- captured captures/
//! ```
//!
//! It prints the address that it listens at, and serves until its standard input is closed. The first argument says who
//! listens to the facades: `nobody`, only tracing's `registry`, as in any service that has a subscriber, or `captured`.

use std::time::{Duration, Instant};

use axum::extract::{Path, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, serve};
use perf_recorder::Recorder;
use perf_tracing::Layer;
use tracing::{Instrument, info_span, instrument};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

/// How long whatever is behind the service takes.
const BEHIND: Duration = Duration::from_millis(1);
/// Levels of the book that an order is matched with.
const LEVELS: u64 = 64;

/// What any service would have around its handlers.
async fn observed(request: Request, next: Next) -> Response {
    let header = request.headers().get("traceparent");
    let span = info_span!(
        "request",
        traceparent = header.and_then(|text| text.to_str().ok())
    );
    async {
        let begin = Instant::now();
        let response = next.run(request).await;
        let status = if response.status().is_success() {
            "ok"
        } else {
            "error"
        };
        metrics::counter!("requests_total", "status" => status).increment(1);
        metrics::histogram!("request_seconds").record(begin.elapsed());
        response
    }
    .instrument(span)
    .await
}

#[instrument(skip_all)]
async fn order(Path(quantity): Path<u64>) -> String {
    let filled = matched(quantity);
    confirmed().await;
    format!("{{\"quantity\":{quantity},\"filled\":{filled}}}")
}

#[instrument]
fn matched(quantity: u64) -> u64 {
    let mut left = quantity;
    for level in 0..LEVELS {
        left -= left.min(std::hint::black_box(level % 3));
    }
    quantity - left
}

#[instrument]
async fn confirmed() {
    tokio::time::sleep(BEHIND).await;
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listening = arguments.next().unwrap_or_default();
    let recorder = match listening.as_str() {
        "nobody" => None,
        "registry" => {
            tracing::subscriber::set_global_default(registry())?;
            None
        }
        "captured" => {
            let directory = arguments.next().ok_or("captured where?")?;
            let recorder = Recorder::builder().capture(directory).start()?;
            tracing::subscriber::set_global_default(registry().with(Layer::new()))?;
            metrics::set_global_recorder(perf_metrics::Recorder::new())?;
            Some(recorder)
        }
        other => return Err(format!("nobody, registry or captured, not {other:?}").into()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let app = Router::new()
            .route("/order/{quantity}", get(order))
            .layer(from_fn(observed));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let input_closed = tokio::task::spawn_blocking(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        });
        let stopped = async {
            let _ = input_closed.await;
        };
        serve(listener, app).with_graceful_shutdown(stopped).await
    })?;
    if let Some(recorder) = recorder {
        let stopped = recorder.stop()?;
        eprintln!("{} records, {} lost", stopped.records, stopped.lost.total());
    }
    Ok(())
}

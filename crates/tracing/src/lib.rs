//! Captures what a program says through the [`tracing`](https://docs.rs/tracing) facade, unchanged: a
//! [`tracing_subscriber::Layer`] that records spans, events and fields with `perf-probe`.
//!
//! ```
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! #[tracing::instrument]
//! fn submit(symbol: &str) {
//!     tracing::info!("submitted");
//! }
//!
//! let directory = tempfile::tempdir()?;
//! let recorder = perf_recorder::Recorder::builder().capture(directory.path()).start()?;
//! let layer = perf_tracing::Layer::new().annotate(["symbol"]);
//! // A service calls `set_global_default`, once.
//! let subscriber = tracing_subscriber::registry().with(layer);
//! tracing::subscriber::with_default(subscriber, || submit("EURUSD"));
//!
//! // The span `submit`, the mark of its event, and the annotation of its trace.
//! assert_eq!(recorder.stop()?.records, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What becomes of what
//!
//! | `tracing` | in the capture |
//! |---|---|
//! | span | a span; the event is the span's name ([`Layer::targets`]: with its target) |
//! | the time in which it was entered | with [`Layer::busy`]: a span `NAME busy`, of no trace, since it is a sum and no stage |
//! | event | a mark: a counter in `events`, called `TARGET LEVEL`, or by the name that it was given (`info!(name: "sent", …)`) |
//! | field that [`Layer::annotate`] chose | an annotation of the trace |
//! | span without a parent | begins a trace, unless its thread is in one; children have their parent's |
//!
//! **A span lasts** from its creation to when a thread last left it; one that nobody entered, to its close. It is recorded once,
//! when it closes, whatever threads polled it. `tracing` keeps a span open until its children are closed: a request
//! that answers and leaves a task behind lasts as long as it ran, but is recorded only when the task is done. A span that
//! is open when the process ends, or is killed, is in the capture as open.
//!
//! **The trace** of a span: what its field `trace_id` says (a number, 16 or 32 hexadecimal digits, a UUID; any other text is a
//! key, see [`perf_probe::TraceId::from_key`]), or `traceparent`; else its parent's; else that which the thread is in by
//! [`enter_remote`] or [`perf_probe::trace::enter`]; else a new one. These fields count only when the span is created. While a
//! thread is in a span, its trace is current for everything that `perf-probe` records there, so that both ways of
//! instrumenting come together in one trace. [`current_traceparent`] is the header for what the program calls.
//!
//! **The outcome** of a span is panicked if a panic left it; else what its field `outcome` says (`ok`, `error`, `cancelled`,
//! `panicked`); else error if it has a field `error` that is not `false`, or if an event of level `ERROR` was emitted in it,
//! as `#[instrument(err)]` does; else ok. `tracing` is not told whether a future that is dropped was done: a cancelled one
//! is a span that ended ok, unless its code says otherwise.
//!
//! # Limits
//!
//! A record has no place for its parent, and readers find it by time among the spans that *one thread* recorded. Where the runtime
//! moves a task in the midst of a span, the span and what is in it may be recorded by different threads; they are still one trace,
//! but stand side by side in it.
//!
//! Names must come from a bounded set, and do: they belong to callsites. A name that the table of events cannot have is
//! recorded as the overflow event and counted in [`perf_probe::losses`].
//!
//! # Cost
//!
//! Most of it is the registry's and the look-ups in it that a layer needs; `perf-probe` by itself costs a tenth. Medians of
//! interleaved rounds on a 2-core 2.6 GHz KVM machine, with a recorder that drains
//! (`cargo run --release -p perf-tracing --example cost`); only ratios travel.
//!
//! | | ns |
//! |---|---|
//! | a span of `perf-probe` | 24 |
//! | a span that the registry alone sees | 94 |
//! | a span through this layer: created, entered, left, closed | 236 |
//! | the same within another | 330 |
//! | the same with its busy time | 251 |
//! | the same with one annotation | 315 |
//! | an event: nobody listens · a mark | 9 · 22 |

#![forbid(unsafe_code)]

mod context;
mod fields;
mod layer;
mod name;
mod settings;
mod sites;
mod span;

pub use context::{RemoteScope, current_traceparent, enter_remote};
pub use layer::Layer;
pub use perf_probe::trace::{Traceparent, TraceparentError};

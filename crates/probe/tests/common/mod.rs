//! A recorder for tests: a real arena, drained by hand and read back.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use perf_arena::{Arena, Config, Owner, Record, tag};
use perf_probe::clock::FakeClock;
use perf_probe::{
    Backend, Descriptor, Handle, Kind, LossCause, Outcome, Producer, ThreadInfo, Ticks,
};

pub struct Recording {
    handle: Handle,
    backend: Arc<RecordingBackend>,
    drained: Mutex<Drained>,
}

struct Drained {
    owner: Option<Owner>,
    slots: Vec<Record>,
}

pub struct RecordingBackend {
    arena: Arena,
    names: Mutex<BTreeMap<u32, String>>,
    threads: Mutex<Vec<String>>,
    refuses_rings: AtomicBool,
    refuses_events: AtomicBool,
}

/// Installs a shared backend behind a handle.
struct Shared(Arc<RecordingBackend>);

impl Backend for RecordingBackend {
    fn attach(&self, thread: &ThreadInfo, producer: &Producer) -> bool {
        if self.refuses_rings.load(Ordering::Relaxed) {
            return false;
        }
        lock(&self.threads).push(thread.name.clone());
        self.arena.attach(producer, &thread.name).is_ok()
    }

    fn describe(&self, event: &Descriptor) -> bool {
        if self.refuses_events.load(Ordering::Relaxed) {
            return false;
        }
        lock(&self.names).insert(event.id.raw(), event.name.to_owned());
        true
    }

    fn lost(&self, cause: LossCause, count: u64, at: Ticks) {
        self.arena.count_loss(cause, count, at.0);
    }
}

impl Backend for Shared {
    fn attach(&self, thread: &ThreadInfo, producer: &Producer) -> bool {
        self.0.attach(thread, producer)
    }

    fn describe(&self, event: &Descriptor) -> bool {
        self.0.describe(event)
    }

    fn lost(&self, cause: LossCause, count: u64, at: Ticks) {
        self.0.lost(cause, count, at);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a span.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    pub event: String,
    pub outcome: Outcome,
    pub start: u64,
    pub end: u64,
    pub trace: u64,
}

/// A counter's, a gauge's or an observation's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    pub event: String,
    pub kind: Kind,
    pub value: u64,
    pub at: u64,
    pub trace: u64,
}

pub fn record(event: &str, kind: Kind, value: u64, at: u64, trace: u64) -> Value {
    Value {
        event: event.to_owned(),
        kind,
        value,
        at,
        trace,
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum NoteValue {
    Str(String),
    Int(i64),
    Float(f64),
}

/// An annotation.
#[derive(Clone, PartialEq, Debug)]
pub struct Note {
    pub trace: u64,
    pub key: String,
    pub value: NoteValue,
    pub truncated: bool,
}

impl Note {
    pub fn new(trace: u64, key: &str, value: NoteValue) -> Self {
        Self {
            trace,
            key: key.to_owned(),
            value,
            truncated: false,
        }
    }
}

/// A record and its payload.
struct Entry<'a> {
    record: Record,
    payload: &'a [Record],
}

impl Recording {
    pub fn new() -> Self {
        Self::build(Handle::new)
    }

    /// A recording whose threads read a clock that stands at `start`.
    pub fn with_clock(start: u64) -> (Self, FakeClock) {
        let clock = FakeClock::new(Ticks(start));
        let own = clock.clone();
        (
            Self::build(|backend| Handle::with_clock(backend, own)),
            clock,
        )
    }

    fn build(handle: impl FnOnce(Shared) -> Handle) -> Self {
        let config = Config {
            data_bytes: 64 << 20,
            spool_bytes: 1 << 20,
            ..Config::default()
        };
        let owner = perf_arena::create(&config).expect("there is memory for an arena");
        if let Some(path) = owner.path() {
            // Nobody needs the name, and so a child that is killed, or exits in the midst, leaves nothing behind.
            std::fs::remove_file(path).expect("the file is the arena's own");
        }
        let backend = Arc::new(RecordingBackend {
            arena: owner.arena(),
            names: Mutex::default(),
            threads: Mutex::default(),
            refuses_rings: AtomicBool::new(false),
            refuses_events: AtomicBool::new(false),
        });
        let handle = handle(Shared(Arc::clone(&backend)));
        Self {
            handle,
            backend,
            drained: Mutex::new(Drained {
                owner: Some(owner),
                slots: Vec::new(),
            }),
        }
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    pub fn backend(&self) -> Arc<RecordingBackend> {
        Arc::clone(&self.backend)
    }

    pub fn refuse_rings(&self, refuse: bool) {
        self.backend.refuses_rings.store(refuse, Ordering::Relaxed);
    }

    pub fn refuse_events(&self, refuse: bool) {
        self.backend.refuses_events.store(refuse, Ordering::Relaxed);
    }

    fn drain(&self) -> MutexGuard<'_, Drained> {
        let mut drained = lock(&self.drained);
        let Drained { owner, slots } = &mut *drained;
        let owner = owner.as_mut().expect("it is there until the end");
        loop {
            let round = owner.drain(usize::MAX);
            for block in owner.staged() {
                slots.extend_from_slice(block.records);
            }
            owner.clear_staged();
            owner.maintain();
            if round.slots == 0 {
                return drained;
            }
        }
    }

    /// Empties the rings and forgets what was in them.
    pub fn discard(&self) {
        self.drain().slots.clear();
    }

    /// All records so far, in recorded order for each thread, through `read`.
    fn read<T>(&self, read: impl FnMut(Entry<'_>) -> Option<T>) -> Vec<T> {
        Self::read_slots(&self.drain().slots, read)
    }

    fn read_slots<T>(slots: &[Record], mut read: impl FnMut(Entry<'_>) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        let mut rest = slots;
        while let Some((record, after)) = rest.split_first() {
            let (payload, next) = after.split_at(record.payload_slots() as usize);
            found.extend(read(Entry {
                record: *record,
                payload,
            }));
            rest = next;
        }
        found
    }

    fn name(&self, event: u32) -> String {
        lock(&self.backend.names)
            .get(&event)
            .cloned()
            .unwrap_or_else(|| format!("unknown event {event}"))
    }

    pub fn names(&self) -> Vec<String> {
        lock(&self.backend.names).values().cloned().collect()
    }

    /// The names of the threads that got a ring, sorted.
    pub fn thread_names(&self) -> Vec<String> {
        let mut names = lock(&self.backend.threads).clone();
        names.sort();
        names
    }

    pub fn spans(&self) -> Vec<Span> {
        self.read(|entry| self.span(&entry.record))
    }

    fn span(&self, record: &Record) -> Option<Span> {
        let outcome = match record.tag() {
            tag::SPAN_OK => Outcome::Ok,
            tag::SPAN_ERROR => Outcome::Error,
            tag::SPAN_CANCELLED => Outcome::Cancelled,
            tag::SPAN_PANICKED => Outcome::Panicked,
            _ => return None,
        };
        let end = record.end_ticks();
        let start = end.wrapping_sub(record.value());
        Some(Span {
            event: self.name(record.event()),
            outcome,
            start,
            end,
            trace: record.trace(),
        })
    }

    pub fn outcomes(&self) -> Vec<Outcome> {
        self.spans().iter().map(|span| span.outcome).collect()
    }

    /// Durations as signed differences.
    pub fn durations(&self) -> Vec<i64> {
        self.spans()
            .iter()
            .map(|span| span.end.wrapping_sub(span.start).cast_signed())
            .collect()
    }

    pub fn values(&self) -> Vec<Value> {
        self.read(|entry| self.value(&entry.record))
    }

    fn value(&self, record: &Record) -> Option<Value> {
        let kind = match record.tag() {
            tag::COUNTER => Kind::Counter,
            tag::GAUGE => Kind::Gauge,
            tag::OBSERVATION => Kind::Observation,
            _ => return None,
        };
        let event = self.name(record.event());
        Some(Value {
            event,
            kind,
            value: record.value(),
            at: record.end_ticks(),
            trace: record.trace(),
        })
    }

    /// Spans and values so far, which are then forgotten.
    pub fn take(&self) -> (Vec<Span>, Vec<Value>) {
        let slots = std::mem::take(&mut self.drain().slots);
        let spans = Self::read_slots(&slots, |entry| self.span(&entry.record));
        let values = Self::read_slots(&slots, |entry| self.value(&entry.record));
        (spans, values)
    }

    pub fn notes(&self) -> Vec<Note> {
        self.read(|Entry { record, payload }| {
            let key_bytes = record.event() as usize;
            let bytes: Vec<u8> = payload
                .iter()
                .flat_map(|slot| slot.0.map(u64::to_le_bytes).concat())
                .collect();
            let text =
                |range| String::from_utf8(Vec::from(&bytes[range])).expect("texts are UTF-8");
            let value = match record.tag() {
                tag::ANNOTATION_INT => NoteValue::Int(record.value().cast_signed()),
                tag::ANNOTATION_FLOAT => NoteValue::Float(f64::from_bits(record.value())),
                tag::ANNOTATION_STR => {
                    NoteValue::Str(text(key_bytes..key_bytes + record.value() as usize))
                }
                _ => return None,
            };
            Some(Note {
                trace: record.trace(),
                key: text(0..key_bytes),
                value,
                truncated: record.is_truncated(),
            })
        })
    }

    /// Traces with their due times.
    pub fn dues(&self) -> Vec<(u64, i64)> {
        self.read(|Entry { record, .. }| {
            (record.tag() == tag::DUE).then(|| (record.trace(), record.value().cast_signed()))
        })
    }

    /// Event, start and trace of each open span.
    pub fn open_spans(&self) -> Vec<(String, u64, u64)> {
        let drained = self.drain();
        let open = drained
            .owner
            .as_ref()
            .expect("it is there until the end")
            .open_spans();
        open.iter()
            .map(|span| (self.name(span.event), span.start_ticks, span.trace))
            .collect()
    }

    pub fn lost_to(&self, cause: LossCause) -> u64 {
        let drained = self.drain();
        drained
            .owner
            .as_ref()
            .expect("it is there until the end")
            .lost(cause)
    }

    /// All records that were lost, as the arena counts them.
    pub fn lost(&self) -> u64 {
        LossCause::ALL
            .into_iter()
            .filter(|cause| cause.is_loss())
            .map(|cause| self.lost_to(cause))
            .sum()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(owner) = lock(&self.drained).owner.take() {
            // Its file is gone already, which is an error that says nothing.
            let _ = owner.close();
        }
    }
}

/// A recording that lives as long as the process.
pub fn kept() -> &'static Recording {
    static KEPT: OnceLock<Recording> = OnceLock::new();
    KEPT.get_or_init(Recording::new)
}

/// Polls `future` on this thread until it is done.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Pending once, then done.
pub fn yield_once() -> impl Future<Output = ()> {
    let mut yielded = false;
    std::future::poll_fn(move |context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

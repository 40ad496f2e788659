//! Which trace a thread is in, and of the trace what its 64-bit id does not say.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use perf_probe::trace::Traceparent;
use perf_probe::{Ticks, TraceId, adapter, trace};

/// A trace, as it goes from span to span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Context {
    pub(crate) trace: TraceId,
    /// The high half of its id elsewhere; 0 if it began here.
    pub(crate) high: u64,
    /// Whether callers up to here may have recorded it.
    pub(crate) sampled: bool,
}

impl Context {
    pub(crate) const NONE: Self = Self::here(TraceId::NONE);

    /// A trace that began in this process, or came by something that knows 64 bits of it.
    pub(crate) const fn here(trace: TraceId) -> Self {
        Self {
            trace,
            high: 0,
            sampled: true,
        }
    }

    pub(crate) fn of(remote: Traceparent) -> Self {
        Self {
            trace: remote.trace(),
            high: remote.high(),
            sampled: remote.is_sampled(),
        }
    }

    /// That of this thread. Its trace may have been entered with `perf_probe` alone.
    pub(crate) fn current() -> Self {
        let trace = trace::current();
        let known = KNOWN.try_with(Cell::get).unwrap_or(Self::NONE);
        if known.trace == trace {
            known
        } else {
            Self::here(trace)
        }
    }

    /// Makes it the thread's, and gives back the one before.
    fn swap(self) -> Self {
        let before = Self::current();
        adapter::swap_trace(self.trace);
        // At the end of a thread there is no place left for it: the trace has been set all the same.
        let _ = KNOWN.try_with(|known| known.set(self));
        before
    }
}

/// A span that this thread is in.
struct Entered {
    span: u64,
    /// What to return to.
    outer: Context,
    at: Ticks,
    /// It was entered by a destructor in the midst of a panic.
    in_panic: bool,
}

/// What a thread leaves with a span.
pub(crate) struct Left {
    pub(crate) entered_at: Ticks,
    /// A panic began in it, or went through it.
    pub(crate) panicked: bool,
}

thread_local! {
    static KNOWN: Cell<Context> = const { Cell::new(Context::NONE) };
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

/// This thread enters `span`.
pub(crate) fn enter(span: u64, context: Context, at: Ticks) {
    let _ = ENTERED.try_with(|entered| {
        if let Ok(mut entered) = entered.try_borrow_mut() {
            entered.push(Entered {
                span,
                outer: context.swap(),
                at,
                in_panic: std::thread::panicking(),
            });
        }
    });
}

/// This thread leaves `span`, which is mostly, but need not be, the one that it entered last. `None` if it is in no such.
pub(crate) fn exit(span: u64) -> Option<Left> {
    let left = ENTERED.try_with(|entered| {
        let mut entered = entered.try_borrow_mut().ok()?;
        let place = entered.iter().rposition(|each| each.span == span)?;
        let left = entered.remove(place);
        match entered.get_mut(place) {
            // It goes on in the one that was entered after it, which returns to where this one would have.
            Some(inner) => inner.outer = left.outer,
            None => {
                left.outer.swap();
            }
        }
        Some(Left {
            entered_at: left.at,
            panicked: !left.in_panic && std::thread::panicking(),
        })
    });
    left.ok().flatten()
}

/// The header for a call that this thread makes now: the current trace, under a parent id of its own. `None` outside of
/// any trace.
///
/// The trace keeps the 128-bit id under which it came in, by [`enter_remote`] or a field `traceparent`.
pub fn current_traceparent() -> Option<Traceparent> {
    let Context {
        trace,
        high,
        sampled,
    } = Context::current();
    Traceparent::new(trace, high, sampled)
}

/// Makes the trace of an incoming call the thread's, until the scope is dropped: spans that begin in it without a parent
/// belong to that trace. Notes the high half of its id.
///
/// ```
/// use perf_tracing::{Traceparent, current_traceparent, enter_remote};
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let scope = enter_remote(Traceparent::parse(header)?);
/// let span = tracing::info_span!("request"); // of trace a3ce929d0e0e4736
/// drop(scope);
/// span.in_scope(|| {
///     // … a call to another service gets `current_traceparent()` …
/// });
/// # Ok::<(), perf_tracing::TraceparentError>(())
/// ```
pub fn enter_remote(remote: Traceparent) -> RemoteScope {
    remote.annotate_high();
    RemoteScope {
        outer: Context::of(remote).swap(),
        on_its_thread: PhantomData,
    }
}

/// A stay in a trace that came from elsewhere. Made by [`enter_remote`].
#[derive(Debug)]
#[must_use = "the trace is left when this is dropped, which is at once if it is not bound to a name"]
pub struct RemoteScope {
    outer: Context,
    on_its_thread: PhantomData<*const ()>,
}

impl Drop for RemoteScope {
    fn drop(&mut self) {
        self.outer.swap();
    }
}

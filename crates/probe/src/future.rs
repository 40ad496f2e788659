//! Futures that are measured, and futures that belong to a trace.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::event::Event;
use crate::ids::Outcome;
use crate::local;
use crate::span::OpenSpan;
use crate::trace::{self, TraceId};

/// Measures `future` as one span of `event`: from its first poll to its completion, waiting included.
///
/// A future that is dropped between the two is a cancelled span; one that panics, a panicked one; one that is never
/// polled, none. It may move between threads; the span is recorded by the thread that ends it.
pub fn measured<F: Future>(event: Event, future: F) -> Measured<F> {
    Measured {
        span: AsyncSpan::new(event, |_| Outcome::Ok),
        future,
    }
}

/// As [`measured`]; an `Err` ends the span as an error.
pub fn measured_result<T, E, F: Future<Output = Result<T, E>>>(
    event: Event,
    future: F,
) -> Measured<F> {
    Measured {
        span: AsyncSpan::new(event, |result| {
            if result.is_err() {
                Outcome::Error
            } else {
                Outcome::Ok
            }
        }),
        future,
    }
}

/// A measured future. Made by [`measured`] and `#[measure]`.
#[must_use = "a future does nothing, and measures nothing, unless it is polled"]
pub struct Measured<F: Future> {
    future: F,
    // After the future: when both are dropped, the spans inside end before this one.
    span: AsyncSpan<F::Output>,
}

/// Where a measured future is between its first poll and its end.
struct AsyncSpan<T> {
    event: Event,
    /// It was polled. Nobody may have recorded then, and a span that begins in the middle would lie.
    begun: bool,
    open: Option<OpenSpan>,
    judge: fn(&T) -> Outcome,
}

impl<T> AsyncSpan<T> {
    fn new(event: Event, judge: fn(&T) -> Outcome) -> Self {
        Self {
            event,
            begun: false,
            open: None,
            judge,
        }
    }

    /// Ends it, if it has begun and not ended.
    fn end(&mut self, outcome: Outcome) {
        if let Some(open) = self.open.take() {
            open.end(outcome);
        }
    }
}

impl<T> Drop for AsyncSpan<T> {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        /// Ends the span as panicked unless it is forgotten: an executor may catch the panic and drop the future later.
        struct OnPanic<'a, T>(&'a mut AsyncSpan<T>);
        impl<T> Drop for OnPanic<'_, T> {
            fn drop(&mut self) {
                self.0.end(Outcome::Panicked);
            }
        }

        // SAFETY: `future` is pinned with `self`: it is never moved out, and `Measured` has no `Drop` of its own.
        // `span` is not pinned; nothing hands out a pinned reference to it.
        let (span, future) = unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.span, Pin::new_unchecked(&mut this.future))
        };
        if !span.begun {
            span.begun = true;
            span.open = local::begin(span.event);
        }
        if span.open.is_none() {
            return future.poll(context);
        }
        let on_panic = OnPanic(span);
        let polled = future.poll(context);
        if let Poll::Ready(output) = &polled {
            let outcome = (on_panic.0.judge)(output);
            on_panic.0.end(outcome);
        }
        std::mem::forget(on_panic);
        polled
    }
}

/// What every future can do with a trace.
pub trait InTraceExt: Future + Sized {
    /// Everything that this future does, on whatever thread, belongs to `trace`.
    fn in_trace(self, trace: TraceId) -> InTrace<Self> {
        InTrace {
            trace,
            future: ManuallyDrop::new(self),
        }
    }
}

impl<F: Future> InTraceExt for F {}

/// A future within a trace. Made by [`in_trace`](InTraceExt::in_trace).
///
/// The trace is entered for each poll and left after it; a trace that the future enters itself and does not leave ends
/// with the poll. What the future does when it is dropped belongs to the trace too.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct InTrace<F> {
    trace: TraceId,
    future: ManuallyDrop<F>,
}

impl<F: Future> Future for InTrace<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _trace = trace::enter(self.trace);
        // SAFETY: `future` is pinned with `self`: it is never moved out, and `drop` drops it where it is.
        let future = unsafe { self.map_unchecked_mut(|this| &mut *this.future) };
        future.poll(context)
    }
}

impl<F> Drop for InTrace<F> {
    fn drop(&mut self) {
        let _trace = trace::enter(self.trace);
        // SAFETY: this is the only place that drops it, and nothing uses it afterwards.
        unsafe { ManuallyDrop::drop(&mut self.future) };
    }
}

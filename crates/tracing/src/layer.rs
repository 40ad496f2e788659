//! The layer: what happens to spans and events, as the registry tells it.

use perf_probe::{Ticks, TraceId, adapter, clock, record_counter};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context as Registered;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::context::{self, Context};
use crate::fields::{self, Directives, Notes};
use crate::name;
use crate::settings::Settings;
use crate::sites::{Site, Sites};
use crate::span::OpenSpan;

/// Captures the spans and events of a `tracing`-instrumented program with `perf-probe`. Put it on a
/// [`Registry`](tracing_subscriber::Registry); the crate's page says what becomes of what.
///
/// One layer a subscriber: two would record every span twice and share its state.
pub struct Layer {
    settings: Settings,
    sites: Sites,
}

impl Default for Layer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Layer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Layer {
    /// A layer that captures spans and marks, and no fields.
    pub fn new() -> Self {
        Self {
            settings: Settings::default(),
            sites: Sites::new(),
        }
    }

    /// Fields of these names, of spans as of events, become annotations of their trace. Values should be few: what identifies
    /// one request among millions is better the trace's id.
    pub fn annotate<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.settings.keys.extend(keys.into_iter().map(Into::into));
        self
    }

    /// Whether the events of spans are called `target::name` instead of `name`: for programs in which several modules have
    /// spans of one name. By default not.
    pub fn targets(mut self, targets: bool) -> Self {
        self.settings.targets = targets;
        self
    }

    /// Whether each span records a second one, `NAME busy`, of the time in which threads were in it: its duration without the
    /// time in which its future waited to be polled. By default not.
    pub fn busy(mut self, busy: bool) -> Self {
        self.settings.busy = busy;
        self
    }

    /// Whether events become marks. By default they do.
    pub fn marks(mut self, marks: bool) -> Self {
        self.settings.marks = marks;
        self
    }

    /// Whether an event of level `ERROR` makes the span that it was emitted in an error. By default it does.
    pub fn errors_of_events(mut self, errors: bool) -> Self {
        self.settings.errors_of_events = errors;
        self
    }

    fn span_site(&self, metadata: &'static Metadata<'static>) -> Site {
        self.sites.get(metadata, |metadata| Site {
            event: name::span(metadata, self.settings.targets),
            busy: (self.settings.busy).then(|| name::busy(metadata, self.settings.targets)),
            directs: fields::has_directives(metadata.fields()),
            notes: self.has_notes(metadata),
        })
    }

    fn event_site(&self, metadata: &'static Metadata<'static>) -> Site {
        self.sites.get(metadata, |metadata| Site {
            event: name::mark(metadata),
            busy: None,
            directs: false,
            notes: self.has_notes(metadata),
        })
    }

    fn has_notes(&self, metadata: &Metadata<'_>) -> bool {
        let mut keys = self.settings.keys.iter();
        keys.any(|key| metadata.fields().field(key.as_str()).is_some())
    }

    fn notes(&self, trace: TraceId) -> Notes<'_> {
        Notes {
            trace,
            keys: &self.settings.keys,
        }
    }
}

/// The trace that a span which names none belongs to: its nearest recorded ancestor's; else the one that the thread is in,
/// unless the program said that it has no parent; else one of its own.
fn inherited<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, is_root: bool) -> Context {
    let mut ancestor = span.parent();
    while let Some(span) = ancestor {
        let known = span.extensions().get::<OpenSpan>().map(OpenSpan::context);
        if let Some(context) = known {
            return context;
        }
        ancestor = span.parent();
    }
    let current = Context::current();
    if is_root || current.trace.is_none() {
        Context::here(TraceId::unique())
    } else {
        current
    }
}

impl<S> tracing_subscriber::Layer<S> for Layer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, registered: Registered<'_, S>) {
        let Some(span) = registered.span(id) else {
            return;
        };
        let site = self.span_site(attributes.metadata());
        let mut says = Directives::default();
        if site.directs {
            attributes.record(&mut says);
        }
        let context = (says.context()).unwrap_or_else(|| inherited(&span, attributes.is_root()));
        let Some(mut open) = OpenSpan::begin(site.event, site.busy, context) else {
            return;
        };
        if let Some(remote) = says.remote {
            remote.annotate_high();
        }
        if let Some(outcome) = says.outcome {
            open.set_outcome(outcome);
        }
        if site.notes {
            attributes.record(&mut self.notes(context.trace));
        }
        span.extensions_mut().replace(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, registered: Registered<'_, S>) {
        let Some(span) = registered.span(id) else {
            return;
        };
        let site = self.span_site(span.metadata());
        if !(site.directs || site.notes) {
            return;
        }
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<OpenSpan>() else {
            return;
        };
        let mut says = Directives::default();
        values.record(&mut says);
        // Its trace is settled since it began.
        if let Some(outcome) = says.outcome {
            open.set_outcome(outcome);
        }
        let trace = open.trace();
        // A value's `Debug` may do anything, even look at the span.
        drop(extensions);
        if site.notes {
            values.record(&mut self.notes(trace));
        }
    }

    fn on_event(&self, event: &Event<'_>, registered: Registered<'_, S>) {
        let site = self.event_site(event.metadata());
        let is_error = self.settings.errors_of_events && *event.metadata().level() == Level::ERROR;
        let elsewhere = event.parent().is_some() || event.is_root();
        let mut trace = Context::current().trace;
        if is_error || elsewhere {
            let span = registered.event_span(event);
            let mut extensions = span.as_ref().map(SpanRef::extensions_mut);
            let open = { extensions.as_mut() }.and_then(|all| all.get_mut::<OpenSpan>());
            if elsewhere {
                trace = open.as_ref().map_or(TraceId::NONE, |open| open.trace());
            }
            if let Some(open) = open.filter(|_| is_error) {
                open.meet_error();
            }
        }
        if self.settings.marks {
            let outer = adapter::swap_trace(trace);
            record_counter(site.event, 1);
            adapter::swap_trace(outer);
        }
        if site.notes {
            event.record(&mut self.notes(trace));
        }
    }

    fn on_enter(&self, id: &Id, registered: Registered<'_, S>) {
        let Some(span) = registered.span(id) else {
            return;
        };
        let extensions = span.extensions();
        if let Some(open) = extensions.get::<OpenSpan>() {
            let at = if open.counts_busy() {
                clock::now()
            } else {
                Ticks(0)
            };
            context::enter(id.into_u64(), open.context(), at);
        }
    }

    fn on_exit(&self, id: &Id, registered: Registered<'_, S>) {
        let Some(left) = context::exit(id.into_u64()) else {
            return;
        };
        if let Some(span) = registered.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<OpenSpan>()
        {
            open.leave(&left);
        }
    }

    fn on_close(&self, id: Id, registered: Registered<'_, S>) {
        if let Some(span) = registered.span(&id)
            && let Some(open) = span.extensions_mut().get_mut::<OpenSpan>()
        {
            open.close();
        }
    }
}

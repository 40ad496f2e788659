//! Events: what is measured, by name.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ids::{EventId, Kind};
use crate::registry::{self, RegisterError};

/// Bytes of an event's name; a longer one does not compile (static) or is refused (at run time).
pub const MAX_NAME_BYTES: usize = 256;
/// Bytes of an event's unit.
pub const MAX_UNIT_BYTES: usize = 32;

/// The unit of every span.
const SPAN_UNIT: &str = "ns";

/// Something that is measured. A name with a kind and a unit, known all over the process.
///
/// Cheap to copy: it points to where its id is kept. Made by [`events!`](crate::events) or by [`Event::register`].
#[derive(Clone, Copy)]
pub struct Event {
    cell: &'static EventCell,
}

impl Event {
    /// The event of a name that is known only at run time.
    ///
    /// The same name, kind and unit give the same event, whoever asks. Descriptors live as long as the process, so
    /// names must come from a bounded set: a request's path is not one.
    ///
    /// # Errors
    ///
    /// The name is empty or too long, belongs to an event of another kind or unit, or the table is full; or it is a span in
    /// another unit than `ns` (which an empty one stands for). Whoever
    /// would rather record something than nothing goes on with [`Event::overflow`].
    pub fn register(name: &str, kind: Kind, unit: &str) -> Result<Self, RegisterError> {
        let unit = if kind == Kind::Span && unit.is_empty() {
            SPAN_UNIT
        } else {
            unit
        };
        check_text(name, unit)?;
        if kind == Kind::Span && unit != SPAN_UNIT {
            return Err(RegisterError::SpanUnit {
                unit: unit.to_owned(),
            });
        }
        registry::register(name, kind, unit).map(|cell| Self { cell })
    }

    /// The event that stands in for those that could not have one of their own.
    pub fn overflow(kind: Kind) -> Self {
        Self {
            cell: registry::overflow_cell(kind),
        }
    }

    /// For `events!`.
    #[doc(hidden)]
    pub const fn of(cell: &'static EventCell) -> Self {
        Self { cell }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.cell.name
    }

    /// What it measures.
    pub fn kind(self) -> Kind {
        self.cell.kind
    }

    /// The unit of its values; `ns` for spans, which are recorded in ticks and reported in nanoseconds.
    pub fn unit(self) -> &'static str {
        self.cell.unit
    }

    /// Its id in this process. Interns it if nothing has yet.
    pub fn id(self) -> EventId {
        let id = self.raw_id();
        EventId::from_raw(if id == 0 { self.intern() } else { id })
    }

    /// The id, or 0 while it has none.
    #[inline(always)]
    pub(crate) fn raw_id(self) -> u32 {
        self.cell.id.load(Ordering::Relaxed)
    }

    /// Gives the event its id. Takes a lock: cold.
    #[cold]
    #[inline(never)]
    pub(crate) fn intern(self) -> u32 {
        registry::intern(self.cell)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Event({} {:?}, {:?})",
            self.kind(),
            self.name(),
            self.unit()
        )
    }
}

/// Two events are the same if they share name, kind and unit.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.cell, other.cell)
            || (self.name() == other.name()
                && self.kind() == other.kind()
                && self.unit() == other.unit())
    }
}

impl Eq for Event {}

/// Where an event and its id are kept. Made by `events!`.
#[doc(hidden)]
pub struct EventCell {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: &'static str,
    /// 0 until the event is interned.
    pub(crate) id: AtomicU32,
}

impl EventCell {
    /// A static event.
    ///
    /// # Panics
    ///
    /// At compile time, if a text is too long or the name is empty.
    pub const fn new(name: &'static str, kind: Kind, unit: &'static str) -> Self {
        assert!(!name.is_empty(), "an event needs a name");
        assert!(
            name.len() <= MAX_NAME_BYTES,
            "an event's name has at most 256 bytes"
        );
        assert!(
            unit.len() <= MAX_UNIT_BYTES,
            "an event's unit has at most 32 bytes"
        );
        Self::unchecked(name, kind, unit, 0)
    }

    pub(crate) const fn unchecked(
        name: &'static str,
        kind: Kind,
        unit: &'static str,
        id: u32,
    ) -> Self {
        Self {
            name,
            kind,
            unit,
            id: AtomicU32::new(id),
        }
    }
}

fn check_text(name: &str, unit: &str) -> Result<(), RegisterError> {
    if name.is_empty() {
        Err(RegisterError::NoName)
    } else if name.len() > MAX_NAME_BYTES {
        Err(RegisterError::NameTooLong { bytes: name.len() })
    } else if unit.len() > MAX_UNIT_BYTES {
        Err(RegisterError::UnitTooLong { bytes: unit.len() })
    } else {
        Ok(())
    }
}

/// Declares the events of a program, as constants of type [`Event`].
///
/// ```
/// perf_probe::events! {
///     /// From the candle's arrival to the end of its handling.
///     pub CANDLE_PROCESSING: span = "CANDLE_PROCESSING";
///     pub ORDERS_SUBMITTED: counter = "ORDERS_SUBMITTED";
///     pub QUEUE_BACKLOG: gauge("orders") = "QUEUE_BACKLOG";
///     GC_PAUSE: observation("ns") = "GC_PAUSE";
/// }
/// assert_eq!(QUEUE_BACKLOG.unit(), "orders");
/// ```
///
/// An event costs nothing until it is first used; then its name gets an id, once in the process. A name that was
/// already taken with another kind or unit is recorded as the overflow event, and counted in
/// [`Losses::events_refused`](crate::Losses).
///
/// A kind that does not exist is an error at compile time:
///
/// ```compile_fail
/// perf_probe::events! { WRONG: timer = "WRONG"; }
/// ```
///
/// and so are a unit for a span,
///
/// ```compile_fail
/// perf_probe::events! { IN_SECONDS: span("s") = "IN_SECONDS"; }
/// ```
///
/// a name without text and one of more than 256 bytes:
///
/// ```compile_fail
/// perf_probe::events! { EMPTY: span = ""; }
/// ```
#[macro_export]
macro_rules! events {
    ($($(#[$meta:meta])* $visibility:vis $name:ident : $kind:ident $(($unit:expr))? = $text:expr;)*) => {
        $(
            $(#[$meta])*
            $visibility const $name: $crate::Event = {
                static CELL: $crate::__private::EventCell = $crate::__private::EventCell::new(
                    $text,
                    $crate::__event_kind!($kind),
                    $crate::__event_unit!($kind $(, $unit)?),
                );
                $crate::Event::of(&CELL)
            };
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __event_kind {
    (span) => {
        $crate::Kind::Span
    };
    (counter) => {
        $crate::Kind::Counter
    };
    (gauge) => {
        $crate::Kind::Gauge
    };
    (observation) => {
        $crate::Kind::Observation
    };
    ($other:ident) => {
        ::core::compile_error!(::core::concat!(
            "`",
            ::core::stringify!($other),
            "` is no kind of event: use span, counter, gauge or observation"
        ))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __event_unit {
    (span, $unit:expr) => {
        ::core::compile_error!("a span takes no unit: it is recorded in ticks and reported in ns")
    };
    ($kind:ident, $unit:expr) => {
        $unit
    };
    (span) => {
        "ns"
    };
    ($kind:ident) => {
        ""
    };
}

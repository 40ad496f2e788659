//! The table of interned events, and who wants to hear of new ones.
//!
//! One lock guards it. It is taken when an event or a thread is first seen, never on the hot path.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::backend::{AfterFork, Handle, Inner};
use crate::cold_lock::ColdLock;
use crate::event::EventCell;
use crate::ids::{EventId, Kind};

/// Events of a process. More than these are recorded as the overflow event.
pub const MAX_EVENTS: usize = 1 << 17;

/// Why an event could not be registered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// An event needs a name.
    #[error("an event needs a name")]
    NoName,
    /// The name is longer than [`MAX_NAME_BYTES`](crate::MAX_NAME_BYTES).
    #[error("the event's name has {bytes} bytes, at most 256 are kept")]
    NameTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The unit is longer than [`MAX_UNIT_BYTES`](crate::MAX_UNIT_BYTES).
    #[error("the event's unit has {bytes} bytes, at most 32 are kept")]
    UnitTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Spans are measured in `ns`.
    #[error("a span is measured in ns, not in {unit:?}")]
    SpanUnit {
        /// The unit that was asked for.
        unit: String,
    },
    /// The name belongs to an event of another kind or unit.
    #[error("the event {name:?} is already a {kind} in {unit:?}")]
    Clash {
        /// The name.
        name: String,
        /// What the name stands for.
        kind: Kind,
        /// Its unit.
        unit: String,
    },
    /// The table is full, here or in a recorder's arena.
    #[error("there is no room for another event")]
    Full,
}

/// An interned event, as recorders learn of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// Its id in this process.
    pub id: EventId,
    /// Its name: the identity across captures.
    pub name: &'static str,
    /// What it measures.
    pub kind: Kind,
    /// The unit of its values.
    pub unit: &'static str,
}

/// Stand-ins for events that could not have an id of their own: one of each kind, so that a record keeps its meaning.
static OVERFLOW: [EventCell; 4] = [
    EventCell::unchecked("(overflow: spans)", Kind::Span, "ns", 0),
    EventCell::unchecked("(overflow: counters)", Kind::Counter, "", 0),
    EventCell::unchecked("(overflow: gauges)", Kind::Gauge, "", 0),
    EventCell::unchecked("(overflow: observations)", Kind::Observation, "", 0),
];

/// Events that were refused and are recorded as the overflow event.
static REFUSED: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Registry {
    by_name: BTreeMap<&'static str, usize>,
    /// The index of an entry is its id − 1.
    entries: Vec<Entry>,
    /// The ids of the stand-ins by kind, once they are needed; 0 before.
    overflow: [u32; 4],
    /// Recorders that are told of each new event before its first record.
    listeners: Vec<Listener>,
    /// References that were taken under the lock. They are dropped after it, since the last one takes a recorder along.
    borrowed: Vec<Arc<Inner>>,
}

struct Listener {
    serial: u32,
    handle: Weak<Inner>,
}

struct Entry {
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    /// Where [`register`] keeps the id; static events have cells of their own.
    cell: Option<&'static EventCell>,
}

pub(crate) static REGISTRY: ColdLock<Registry> = ColdLock::new(Registry {
    by_name: BTreeMap::new(),
    entries: Vec::new(),
    overflow: [0; 4],
    listeners: Vec::new(),
    borrowed: Vec::new(),
});

/// Runs `work` with the table, alone.
fn with<R>(work: impl FnOnce(&mut Registry) -> R) -> R {
    let (result, borrowed) =
        REGISTRY.with(|registry| (work(registry), std::mem::take(&mut registry.borrowed)));
    drop(borrowed);
    result
}

impl Registry {
    /// The index of an event with this name, or `None` if the name is free.
    fn find(&self, name: &str, kind: Kind, unit: &str) -> Result<Option<usize>, RegisterError> {
        let Some(&index) = self.by_name.get(name) else {
            return Ok(None);
        };
        let entry = &self.entries[index];
        if entry.kind == kind && entry.unit == unit {
            return Ok(Some(index));
        }
        Err(RegisterError::Clash {
            name: name.to_owned(),
            kind: entry.kind,
            unit: entry.unit.to_owned(),
        })
    }

    /// The index of the event, which is added if its name is free and there is room.
    fn find_or_add(
        &mut self,
        name: &'static str,
        kind: Kind,
        unit: &'static str,
    ) -> Result<usize, RegisterError> {
        if let Some(index) = self.find(name, kind, unit)? {
            return Ok(index);
        }
        if self.entries.len() >= MAX_EVENTS {
            return Err(RegisterError::Full);
        }
        self.add(name, kind, unit)
    }

    fn add(
        &mut self,
        name: &'static str,
        kind: Kind,
        unit: &'static str,
    ) -> Result<usize, RegisterError> {
        let index = self.entries.len();
        self.entries.push(Entry {
            name,
            kind,
            unit,
            cell: None,
        });
        let descriptor = self.descriptor(index);
        let mut kept = true;
        self.listeners.retain(|listener| {
            let Some(handle) = listener.handle.upgrade() else {
                return false;
            };
            let open = handle.is_open();
            kept &= !open || handle.backend().describe(&descriptor);
            self.borrowed.push(handle);
            open
        });
        if !kept {
            // The id is spent, so that no two events ever share one, but the name stays free.
            return Err(RegisterError::Full);
        }
        self.by_name.insert(name, index);
        Ok(index)
    }

    fn descriptor(&self, index: usize) -> Descriptor {
        let entry = &self.entries[index];
        Descriptor {
            id: EventId::from_raw(id_of(index)),
            name: entry.name,
            kind: entry.kind,
            unit: entry.unit,
        }
    }

    /// The stand-in for refused events of `kind`. It has room of its own beyond [`MAX_EVENTS`], and if a recorder
    /// cannot keep its name either, the id alone still says that this is no event of the program's.
    fn overflow_id(&mut self, kind: Kind) -> u32 {
        let place = usize::from(kind.code());
        if self.overflow[place] == 0 {
            let cell = &OVERFLOW[place];
            let _ = self.add(cell.name, kind, cell.unit);
            self.overflow[place] = id_of(self.entries.len() - 1);
        }
        self.overflow[place]
    }
}

/// In the child, within `fork`: every recorder of the parent is told, and hears of nothing that happens here. Gives the
/// answer of the one with the serial number `installed`.
///
/// The list is leaked, since freeing memory is not allowed there.
pub(crate) fn forget_parent(registry: &mut Registry, installed: Option<u32>) -> AfterFork {
    let mut answer = AfterFork::Off;
    let listeners = ManuallyDrop::new(std::mem::take(&mut registry.listeners));
    for listener in listeners.iter() {
        if let Some(handle) = listener.handle.upgrade().map(ManuallyDrop::new) {
            let after = handle.backend().after_fork();
            if Some(listener.serial) == installed {
                answer = after;
            }
        }
    }
    answer
}

/// The open recorder with this serial number.
pub(crate) fn listener(serial: u32) -> Option<Handle> {
    let handle = with(|registry| {
        let listener = registry
            .listeners
            .iter()
            .find(|listener| listener.serial == serial)?;
        listener.handle.upgrade()
    });
    handle.map(Handle::from_inner).filter(Handle::is_open)
}

fn id_of(index: usize) -> u32 {
    // At most MAX_EVENTS and a few: see the assertion below.
    index as u32 + 1
}

const _: () = assert!(MAX_EVENTS + OVERFLOW.len() < u32::MAX as usize);

/// The interned events, in the order of their ids.
pub fn registered() -> Vec<Descriptor> {
    with(|registry| {
        (0..registry.entries.len())
            .map(|index| registry.descriptor(index))
            .collect()
    })
}

/// How many events were refused so far.
pub(crate) fn refused() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

/// Tells `handle`'s recorder of every event so far, and of each new one as long as it is open.
pub(crate) fn listen(handle: &Handle) {
    if !handle.inner().start_listening() {
        return;
    }
    with(|registry| {
        for index in 0..registry.entries.len() {
            handle.backend().describe(&registry.descriptor(index));
        }
        registry.listeners.push(Listener {
            serial: handle.serial(),
            handle: handle.downgrade(),
        });
    });
}

/// Gives a static event its id: its own, or the overflow event's.
pub(crate) fn intern(cell: &'static EventCell) -> u32 {
    with(|registry| {
        let id = match registry.find_or_add(cell.name, cell.kind, cell.unit) {
            Ok(index) => id_of(index),
            Err(_) => {
                REFUSED.fetch_add(1, Ordering::Relaxed);
                registry.overflow_id(cell.kind)
            }
        };
        cell.id.store(id, Ordering::Relaxed);
        id
    })
}

/// The cell of an event that is known by name only.
pub(crate) fn register(
    name: &str,
    kind: Kind,
    unit: &str,
) -> Result<&'static EventCell, RegisterError> {
    let registered = with(|registry| {
        let index = match registry.find(name, kind, unit)? {
            Some(index) => index,
            None if registry.entries.len() >= MAX_EVENTS => return Err(RegisterError::Full),
            // Leaked: a descriptor lives as long as the process, and there are at most MAX_EVENTS.
            None => registry.add(name.to_owned().leak(), kind, unit.to_owned().leak())?,
        };
        let entry = &mut registry.entries[index];
        let (name, unit) = (entry.name, entry.unit);
        let make = || {
            &*Box::leak(Box::new(EventCell::unchecked(
                name,
                kind,
                unit,
                id_of(index),
            )))
        };
        Ok(*entry.cell.get_or_insert_with(make))
    });
    if registered.is_err() {
        REFUSED.fetch_add(1, Ordering::Relaxed);
    }
    registered
}

/// The cell of the stand-in for refused events of `kind`.
pub(crate) fn overflow_cell(kind: Kind) -> &'static EventCell {
    let cell = &OVERFLOW[usize::from(kind.code())];
    if cell.id.load(Ordering::Relaxed) == 0 {
        let id = with(|registry| registry.overflow_id(kind));
        cell.id.store(id, Ordering::Relaxed);
    }
    cell
}

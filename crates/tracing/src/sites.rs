//! What is known of each callsite, found without a lock: a table that only ever grows, by the address of the callsite's
//! metadata, which lives as long as the process.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use perf_probe::Event;
use tracing_core::Metadata;

/// Places in the table: 160 KiB. Programs have some hundred callsites.
const PLACES: usize = 1 << 12;
/// Places that are looked at for one callsite. What finds none free is kept behind a lock.
const PROBES: usize = 16;

/// A span's or an event's callsite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) event: Event,
    /// For the time in which spans of it were entered, if that is wanted.
    pub(crate) busy: Option<Event>,
    /// It has a field that says something about the span: its trace, its outcome.
    pub(crate) directs: bool,
    /// It has a field that becomes an annotation.
    pub(crate) notes: bool,
}

pub(crate) struct Sites {
    table: Box<[OnceLock<(usize, Site)>]>,
    more: Mutex<HashMap<usize, Site>>,
}

impl Sites {
    pub(crate) fn new() -> Self {
        Self {
            table: (0..PLACES).map(|_| OnceLock::new()).collect(),
            more: Mutex::default(),
        }
    }

    /// What `make` said when the callsite was first seen.
    #[inline]
    pub(crate) fn get(
        &self,
        metadata: &'static Metadata<'static>,
        make: impl Fn(&'static Metadata<'static>) -> Site,
    ) -> Site {
        let address = std::ptr::from_ref(metadata).addr();
        let first = spread(address);
        for step in 0..PROBES {
            let place = &self.table[(first + step) % PLACES];
            // Threads that come to a free place together agree on who has it, and go on in the same order.
            let (at, site) = place.get_or_init(|| (address, make(metadata)));
            if *at == address {
                return *site;
            }
        }
        let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        *more.entry(address).or_insert_with(|| make(metadata))
    }
}

/// Spreads addresses over the table (Fibonacci hashing).
fn spread(address: usize) -> usize {
    let mixed = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use perf_probe::Kind;
    use tracing_core::callsite::{Callsite, Identifier};
    use tracing_core::field::FieldSet;
    use tracing_core::subscriber::Interest;
    use tracing_core::{Level, metadata};

    use super::*;

    struct Somewhere;
    static SOMEWHERE: Somewhere = Somewhere;

    impl Callsite for Somewhere {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("nobody asks")
        }
    }

    fn metadata(level: Level) -> &'static Metadata<'static> {
        let fields = FieldSet::new(&[], Identifier(&SOMEWHERE));
        let kind = metadata::Kind::SPAN;
        Box::leak(Box::new(Metadata::new(
            "span", "sites", level, None, None, None, fields, kind,
        )))
    }

    /// More callsites than the table has places, so that some are behind the lock, seen by several threads at once.
    #[test]
    fn each_callsite_is_asked_once_and_keeps_its_answer() {
        let all: Vec<_> = (0..PLACES + 1000)
            .map(|number| {
                metadata(if number % 3 == 0 {
                    Level::WARN
                } else {
                    Level::INFO
                })
            })
            .collect();
        let sites = Sites::new();
        let asked = AtomicUsize::new(0);
        let make = |metadata: &'static Metadata<'static>| {
            asked.fetch_add(1, Ordering::Relaxed);
            Site {
                event: Event::overflow(Kind::Span),
                busy: None,
                directs: *metadata.level() == Level::WARN,
                notes: false,
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for metadata in all.iter().chain(&all) {
                        let site = sites.get(metadata, make);
                        assert_eq!(site.directs, *metadata.level() == Level::WARN);
                    }
                });
            }
        });
        assert_eq!(asked.into_inner(), all.len());
        let behind = sites.more.into_inner().expect("no thread panicked").len();
        assert!(behind >= 1000, "{behind}");
    }
}

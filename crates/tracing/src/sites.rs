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

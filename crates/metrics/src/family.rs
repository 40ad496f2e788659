//! The series of one kind.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::Key;

/// Handles by key. The lock is read at each call of a macro, and written when a series is new.
pub(crate) struct Family<T>(RwLock<Members<T>>);

struct Members<T> {
    of: HashMap<Key, Arc<T>>,
    /// What all series beyond the limit share.
    spare: Option<Arc<T>>,
}

impl<T> Default for Family<T> {
    fn default() -> Self {
        Self(RwLock::new(Members {
            of: HashMap::new(),
            spare: None,
        }))
    }
}

impl<T> Family<T> {
    /// The series of `key`. A new one is made by `make`, if `admit` has room for one more, and by `spare` otherwise.
    pub(crate) fn get(
        &self,
        key: &Key,
        admit: impl FnOnce() -> bool,
        make: impl FnOnce() -> T,
        spare: impl FnOnce() -> T,
    ) -> Arc<T> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.of.get(key) {
            return series.clone();
        }
        drop(known);
        let mut members = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been here meanwhile.
        if let Some(series) = members.of.get(key) {
            return series.clone();
        }
        if !admit() {
            return members
                .spare
                .get_or_insert_with(|| Arc::new(spare()))
                .clone();
        }
        let series = Arc::new(make());
        // The caller's key may borrow from the caller.
        members.of.insert(key.to_retained(), series.clone());
        series
    }
}

//! A blocking queue between two stages. It has no bound: an open-loop feed must not be held back by a slow stage.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let state = State {
            items: VecDeque::new(),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            arrived: Condvar::new(),
        }
    }

    /// Adds an item and returns how many wait now.
    pub(crate) fn push(&self, item: T) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.items.push_back(item);
        let waiting = state.items.len();
        drop(state);
        self.arrived.notify_one();
        waiting
    }

    /// Waits for an item; returns it with how many still wait. `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<(T, usize)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some((item, state.items.len()));
            }
            if state.closed {
                return None;
            }
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No more items will come: waiting threads finish what is there and leave.
    pub(crate) fn close(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.arrived.notify_all();
    }
}

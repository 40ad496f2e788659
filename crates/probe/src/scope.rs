//! A recorder for one thread and one stretch of code.

use crate::backend::Handle;
use crate::{clock, fork, gate, owner, registry, thread_info};

/// Runs `work`; what this thread records meanwhile goes to `handle`'s recorder instead of the installed one. For tests,
/// which then do not disturb each other, and for programs inside programs.
///
/// Scopes nest, and end also when a panic unwinds. Threads that `work` starts are not in the scope: they enter one
/// themselves. A span ends in the recorder in which it began.
pub fn scope<R>(handle: &Handle, work: impl FnOnce() -> R) -> R {
    if cfg!(feature = "off") {
        return work();
    }
    clock::prepare();
    thread_info::prepare();
    fork::hook();
    registry::listen(handle);
    let _leave = owner::enter_scope(handle).then(|| {
        gate::scope_entered();
        Leave
    });
    work()
}

struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        owner::leave_scope();
        gate::scope_left();
    }
}

/// Whether this thread is in a scope whose recorder is open.
pub(crate) fn is_active() -> bool {
    owner::in_open_scope()
}

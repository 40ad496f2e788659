//! A panic is a trigger: before it takes its course, the last seconds are written.

use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};
use std::thread;

use super::Desk;

/// The desks of this process that want to hear of panics.
static ARMED: Mutex<Vec<Weak<Desk>>> = Mutex::new(Vec::new());
/// The hook is set, once for all recorders. No `Once`: a fork in the midst of it would leave the child waiting.
static HOOKED: AtomicBool = AtomicBool::new(false);

/// Tells `desk` of panics from now on, as long as it lasts.
pub(super) fn arm(desk: &Arc<Desk>) {
    {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        armed.retain(|desk| desk.strong_count() > 0);
        armed.push(Arc::downgrade(desk));
    }
    if HOOKED.swap(true, Ordering::Relaxed) || thread::panicking() {
        return;
    }
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tell(panic);
        before(panic);
    }));
}

fn tell(panic: &PanicHookInfo<'_>) {
    // A panic of the recorder's own threads: they are what would have to write.
    let own = thread::current();
    let name = own.name().unwrap_or("without a name");
    if super::running::OWN_THREADS.contains(&name) {
        return;
    }
    // Never waited for: whoever has it may be the thread that panics, or one that a fork left behind.
    let armed = match ARMED.try_lock() {
        Ok(armed) => armed,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    let desks: Vec<Arc<Desk>> = armed.iter().filter_map(Weak::upgrade).collect();
    drop(armed);
    if desks.is_empty() {
        return;
    }
    let payload = panic.payload();
    let message = payload.downcast_ref::<&str>().copied();
    let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("(no message)");
    let place = panic
        .location()
        .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let words = format!("'{message}'{place} in thread {name}");
    desks.iter().for_each(|desk| desk.panicked(&words));
}

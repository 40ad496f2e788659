//! The ordinary end of a span alone, for a caller that keeps everything else out of line.

use super::Producer;
use crate::slot::SpanSlot;
use crate::sync::signal_fence;

impl Producer {
    /// Does what [`end`](Self::end) does if the span is tracked, the ring has room and no recording is under way.
    /// Otherwise it does nothing and says false. It calls no function, so that the one around it saves no registers.
    #[inline(always)]
    #[must_use]
    pub fn try_end(&self, span: SpanSlot, words: [u64; 4]) -> bool {
        if span.is_none() || self.busy.get() {
            return false;
        }
        self.busy.set(true);
        // What follows must be read after the flag is set: a handler that came before has changed it.
        signal_fence();
        let head = self.head.get();
        if self.limit.get().wrapping_sub(head).cast_signed() <= 0 {
            self.busy.set(false);
            return false;
        }
        // SAFETY: a SpanSlot that is not NONE is a slot of a mapping that is never given back.
        let slot = unsafe { &*span.0 };
        self.publish_end(head, slot, words);
        true
    }
}

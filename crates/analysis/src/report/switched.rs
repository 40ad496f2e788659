//! When recording was switched off from outside, out of the recorder's notes.

use perf_format::{Warning as Note, WarningCode};

use crate::capture::Capture;
use crate::value::UnixNs;
use crate::warning::WarningKind;

/// What the note of a switch begins with.
const OFF: &str = "recording was switched off";

/// The times in which nothing was recorded because somebody had switched it off. That of the last may have no end.
pub(crate) fn switched_off(capture: &Capture) -> Vec<WarningKind> {
    let notes = capture.notes.warnings.iter();
    let mut switches: Vec<&Note> = notes.filter(|note| is_switch(note)).collect();
    switches.sort_by_key(|note| note.ticks);
    let mut times = Vec::new();
    let mut off: Option<&Note> = None;
    for note in switches {
        match (note.message.starts_with(OFF), off) {
            (true, None) => off = Some(note),
            (false, _) => {
                times.push(WarningKind::SwitchedOff {
                    from: off.take().map(|off| when(capture, off)),
                    to: Some(when(capture, note)),
                });
            }
            (true, Some(_)) => {}
        }
    }
    times.extend(off.map(|off| WarningKind::SwitchedOff {
        from: Some(when(capture, off)),
        to: None,
    }));
    times
}

/// Whether [`switched_off`] tells of it.
pub(crate) fn is_switch(note: &Note) -> bool {
    note.code == WarningCode::SWITCHED
}

/// By the clock segment whose anchors are nearest: a note does not say which is its own.
fn when(capture: &Capture, note: &Note) -> UnixNs {
    let anchors = capture.anchors.iter();
    let nearest = anchors.min_by_key(|anchor| anchor.ticks.abs_diff(note.ticks));
    let segment = nearest.map(|anchor| anchor.segment).unwrap_or_default();
    UnixNs(capture.clock.unix_ns(segment, note.ticks))
}

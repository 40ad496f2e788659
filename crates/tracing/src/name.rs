//! What callsites are called as events of a capture.

use perf_probe::{Event, Kind, MAX_NAME_BYTES};
use tracing_core::Metadata;

/// The unit of marks.
const MARK_UNIT: &str = "events";
/// What is appended to a span's name for the time in which it was entered.
const BUSY: &str = " busy";

/// The event of a span: its name, behind its module's path if `with_target`.
pub(crate) fn span(metadata: &Metadata<'_>, with_target: bool) -> Event {
    register(&span_name(metadata, with_target), Kind::Span, "ns")
}

/// The event of the time in which a span was entered.
pub(crate) fn busy(metadata: &Metadata<'_>, with_target: bool) -> Event {
    let name = span_name(metadata, with_target);
    let name = cut(&name, MAX_NAME_BYTES - BUSY.len());
    register(&format!("{name}{BUSY}"), Kind::Span, "ns")
}

/// The counter of an event. One that was given a name has it; the others, whose names are file and line, which the next
/// change of the source makes another, are counted by target and level.
pub(crate) fn mark(metadata: &Metadata<'_>) -> Event {
    let name = metadata.name();
    if is_generated(metadata) {
        let name = format!("{} {}", metadata.target(), metadata.level());
        register(&name, Kind::Counter, MARK_UNIT)
    } else {
        register(name, Kind::Counter, MARK_UNIT)
    }
}

/// Whether `tracing` made the name up: `event src/main.rs:17`.
fn is_generated(metadata: &Metadata<'_>) -> bool {
    let place = metadata.name().strip_prefix("event ");
    let place = place.and_then(|place| place.rsplit_once(':'));
    place.is_some_and(|(file, line)| {
        metadata.file() == Some(file) && line.parse().ok() == metadata.line()
    })
}

fn span_name(metadata: &Metadata<'_>, with_target: bool) -> String {
    if with_target {
        format!("{}::{}", metadata.target(), metadata.name())
    } else {
        metadata.name().to_owned()
    }
}

/// What has no event of its own shares one with all like it, and is counted in `perf_probe::losses`.
fn register(name: &str, kind: Kind, unit: &str) -> Event {
    Event::register(cut(name, MAX_NAME_BYTES), kind, unit).unwrap_or_else(|_| Event::overflow(kind))
}

/// At most so many bytes of `text`, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn names_are_cut_at_characters() {
        assert_eq!(cut("short", 256), "short");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("é", 1), "");
    }
}

//! What the optional columns of a capture say of a trace's spans: ids, the parents that they name, and what is left of a
//! sampled trace.
//!
//! Few captures have these columns, so that they stand beside the spans, by the number of the record, and are looked up only
//! for traces of chunks that have them.
//!
//! A trace is a *fragment* if one of its spans was kept for itself, though its trace was not, or if its spans do not
//! all have one weight: something of it is missing, and nothing end to end may be told. A whole trace stands for as many
//! as its weight says.

use perf_format::{Columns, Extra};

use super::span::Span;

/// What is said of spans, by their order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Extras<'a> {
    /// Nothing.
    #[default]
    None,
    /// In the columns of the one chunk that the spans are from.
    Chunk(&'a Columns),
    /// By order, sorted; nothing of spans that are not there.
    Stitched(&'a [(u64, Extra)]),
}

impl<'a> Extras<'a> {
    /// Of the spans of one chunk.
    pub(crate) fn of_chunk(columns: &'a Columns) -> Self {
        let none = columns.weights.is_empty()
            && columns.span_ids.is_empty()
            && columns.parent_ids.is_empty()
            && columns.lone.is_empty();
        match none {
            true => Self::None,
            false => Self::Chunk(columns),
        }
    }

    /// What is said of `span`.
    pub(crate) fn of(&self, span: &Span) -> Extra {
        match self {
            Self::None => Extra::default(),
            Self::Chunk(columns) => columns.extra(span.row() as usize),
            Self::Stitched(all) => {
                let place = all.binary_search_by_key(&span.order, |(order, _)| *order);
                place.map_or(Extra::default(), |place| all[place].1)
            }
        }
    }

    /// What is said of each of `spans` of which something is, with their order.
    pub(crate) fn said(&self, spans: &[Span]) -> Vec<(u64, Extra)> {
        if matches!(self, Self::None) {
            return Vec::new();
        }
        let all = spans.iter().map(|span| (span.order, self.of(span)));
        all.filter(|(_, extra)| *extra != Extra::default())
            .collect()
    }

    /// Whether a span names its parent.
    #[inline]
    pub(crate) fn names_parents(&self, spans: &[Span]) -> bool {
        match self {
            Self::None => false,
            _ => spans.iter().any(|span| self.of(span).parent_id.0 != 0),
        }
    }

    /// For how many traces this one stands; `None` if it is a fragment.
    #[inline]
    pub(crate) fn weight(&self, spans: &[Span]) -> Option<u32> {
        match (self, spans) {
            (Self::None, _) | (_, []) => Some(1),
            (_, [first, rest @ ..]) => {
                let first = self.of(first);
                let whole = |span| {
                    let extra = self.of(span);
                    extra.weight == first.weight && !extra.is_lone
                };
                (!first.is_lone && rest.iter().all(whole)).then_some(first.weight.get())
            }
        }
    }
}

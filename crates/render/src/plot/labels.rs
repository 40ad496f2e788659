//! Labels beside the ends of lines, moved apart where they would overlap.

use super::canvas::{Anchor, Canvas, LABEL, Rect};
use super::metrics::{fitted, width};
use super::theme::Ink;

/// From one label to the next, in pixels.
const PITCH: f64 = 16.0;
/// From the plot to its labels: room for what leads there.
const LEAD: f64 = 22.0;
/// A line that ends this far from the edge of the plot ends within it.
const FAR: f64 = 12.0;
/// No name is wider than this.
const WIDEST: f64 = 160.0;
/// Between a name and its value.
const BETWEEN: f64 = 8.0;

/// What a line is called, and where it ends.
pub(crate) struct EndLabel {
    pub(crate) name: String,
    /// A figure, behind the name.
    pub(crate) value: String,
    pub(crate) ink: Ink,
    /// The end of the line.
    pub(crate) end: (f64, f64),
}

/// The width that labels with these names and values need right of the plot.
pub(crate) fn room_for(labels: &[(String, String)]) -> f64 {
    let widths = labels
        .iter()
        .map(|(name, value)| width(name, LABEL).min(WIDEST) + BETWEEN + width(value, LABEL));
    LEAD + widths.fold(0.0, f64::max) + 10.0
}

/// Draws a name and its value between `left` and `right`.
pub(crate) fn write(
    canvas: &mut Canvas<'_>,
    (left, right): (f64, f64),
    y: f64,
    (name, value): (&str, &str),
) {
    let room = (right - left - BETWEEN - width(value, LABEL)).min(WIDEST);
    let name = fitted(name, LABEL, room);
    canvas.text((left, y), &name, LABEL, Ink::Text, Anchor::Left);
    canvas.text((right, y), value, LABEL, Ink::Muted, Anchor::Right);
}

/// Draws the labels right of `plot`, each with a thin line from where it belongs.
pub(crate) fn draw(canvas: &mut Canvas<'_>, plot: Rect, labels: &[EndLabel]) {
    let wanted: Vec<f64> = labels.iter().map(|label| label.end.1).collect();
    let widths = labels
        .iter()
        .map(|label| width(&label.name, LABEL).min(WIDEST) + BETWEEN + width(&label.value, LABEL));
    let right = plot.right + LEAD + widths.fold(0.0, f64::max);
    let places = spread(&wanted, PITCH, (plot.top, plot.bottom));
    for (label, y) in labels.iter().zip(places) {
        let x = plot.right + LEAD;
        let lead = [
            label.end,
            (plot.right + 4.0, label.end.1),
            (x - 6.0, y),
            (x - 3.0, y),
        ];
        if plot.right - label.end.0 > FAR {
            // A line would look like more data.
            canvas.dashes((label.end.0 + 6.0, plot.right), label.end.1, Ink::Axis, 0.7);
            canvas.line(&lead[1..], label.ink, 0.7);
        } else {
            canvas.line(&lead, label.ink, 0.7);
        }
        canvas.dot(label.end, 2.5, label.ink);
        write(canvas, (x, right), y, (&label.name, &label.value));
    }
}

/// Places for labels as near to `wanted` as they can be while each is `pitch` from the next and all lie within
/// `from..=to`, if there is that much room. Their order is that of what was wanted.
pub(crate) fn spread(wanted: &[f64], pitch: f64, (from, to): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // Labels that touch form a block, which stands in the middle of what its labels want.
    struct Block {
        /// Sum of what each wants, less its offset in the block.
        sum: f64,
        labels: usize,
    }
    let last_start = |labels: usize| (to - pitch * (labels - 1) as f64).max(from);
    let start =
        |block: &Block| (block.sum / block.labels as f64).clamp(from, last_start(block.labels));
    let mut blocks: Vec<Block> = Vec::new();
    for label in &order {
        let mut block = Block {
            sum: wanted[*label],
            labels: 1,
        };
        while let Some(before) = blocks.pop() {
            if start(&before) + before.labels as f64 * pitch <= start(&block) {
                blocks.push(before);
                break;
            }
            let shift = pitch * (before.labels * block.labels) as f64;
            block = Block {
                sum: before.sum + block.sum - shift,
                labels: before.labels + block.labels,
            };
        }
        blocks.push(block);
    }
    let mut places = vec![0.0; wanted.len()];
    let mut labels = order.into_iter();
    for block in &blocks {
        for (number, label) in labels.by_ref().take(block.labels).enumerate() {
            places[label] = start(block) + number as f64 * pitch;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_room_stays_and_what_has_not_moves_apart() {
        assert_eq!(
            spread(&[10.0, 90.0, 50.0], 16.0, (0.0, 100.0)),
            [10.0, 90.0, 50.0]
        );
        assert_eq!(spread(&[50.0, 50.0], 16.0, (0.0, 100.0)), [42.0, 58.0]);
        assert_eq!(spread(&[99.0, 98.0], 16.0, (0.0, 100.0)), [100.0, 84.0]);
        assert_eq!(spread(&[], 16.0, (0.0, 100.0)), [0.0; 0]);
    }

    proptest::proptest! {
        #[test]
        fn labels_keep_order_distance_and_bounds(wanted in proptest::collection::vec(0.0f64..300.0, 1..12)) {
            let places = spread(&wanted, 16.0, (0.0, 300.0));
            let mut order: Vec<usize> = (0..wanted.len()).collect();
            order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
            for pair in order.windows(2) {
                proptest::prop_assert!(places[pair[1]] - places[pair[0]] >= 16.0 - 1e-9, "{places:?}");
            }
            for place in &places {
                proptest::prop_assert!((-1e-9..=300.0 + 1e-9).contains(place), "{places:?}");
            }
        }
    }
}

//! How wide text will be, roughly: the font is the reader's own, so this errs on the wide side.

use unicode_width::UnicodeWidthChar;

use crate::escape::{bounded, elide};

/// The width of `text` at a font size of `size` pixels, in pixels.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// The width of a letter in ems, of a wide sans-serif.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | 'I' => 0.32,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '-' | '/' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 0.98,
        '0'..='9' | 'a'..='z' => 0.63,
        'A'..='Z' | '_' => 0.69,
        // East Asian letters take two columns, marks none.
        _ => c.width().unwrap_or(0) as f64 * 0.63,
    }
}

/// In pixels.
const ROUNDING: f64 = 0.01;

/// `text`, made visible and shortened in the middle until it takes no more than `room` pixels.
pub(crate) fn fitted(text: &str, size: f64, room: f64) -> String {
    let shown = bounded(text);
    // What was measured to fit does, whatever was rounded since.
    if width(&shown, size) <= room + ROUNDING {
        return shown.into_owned();
    }
    // No letter is narrower than this; what is longer is cut without being measured.
    let mut columns = (room / size / 0.32).max(0.0) as usize;
    let mut cut = elide(&shown, columns);
    while columns > 0 && width(&cut, size) > room {
        columns -= 1;
        cut = elide(&cut, columns);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_was_fitted_fits(text: String, times in 1usize..200, room in 0.0f64..400.0) {
            let shown = fitted(&text.repeat(times), 12.0, room);
            proptest::prop_assert!(width(&shown, 12.0) <= room + ROUNDING, "{shown:?}");
        }
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(fitted("ORDER_SUBMIT", 12.0, 200.0), "ORDER_SUBMIT");
        let cut = fitted("ORDER_SUBMIT", 12.0, 60.0);
        assert!(
            cut.contains('…') && cut.starts_with("OR") && cut.ends_with("T"),
            "{cut}"
        );
    }
}

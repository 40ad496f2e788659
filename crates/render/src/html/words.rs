//! Text of every origin as markup: made visible, bounded, escaped.

use maud::{Markup, PreEscaped, Render, html};

use crate::document::Tone;
use crate::escape::{bounded, visible};
use crate::text::glued;

/// No single text of a page takes more bytes than this, before escaping.
const MAX_TEXT_BYTES: usize = 4096;

/// Words that may hold names: control characters and the like are shown as their escapes.
pub(super) struct Words<'a>(pub(super) &'a str);

impl Render for Words<'_> {
    fn render_to(&self, buffer: &mut String) {
        let words = self.0;
        if words.len() <= MAX_TEXT_BYTES {
            return glued(&visible(words)).render_to(buffer);
        }
        let end = (0..=MAX_TEXT_BYTES).rfind(|at| words.is_char_boundary(*at));
        visible(&words[..end.unwrap_or(0)])
            .as_ref()
            .render_to(buffer);
        buffer.push('…');
    }
}

/// A name from a capture, shortened in its middle if it is huge.
pub(super) fn name(name: &str) -> Markup {
    html! { code { (bounded(name)) } }
}

/// A command to type, which a reader may want to copy whole.
pub(super) fn command(command: &str) -> Markup {
    html! { code.command { (Words(command)) } }
}

/// The class of a tone.
pub(super) fn class(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Strong => Some("strong"),
        Tone::Dim => Some("dim"),
        Tone::Good => Some("good"),
        Tone::Caution => Some("caution"),
        Tone::Bad => Some("bad"),
    }
}

/// Markup of fixed text of this crate: styles, scripts, pictures.
pub(super) fn raw(text: &str) -> PreEscaped<&str> {
    PreEscaped(text)
}

//! Making text from a capture safe to show.
//!
//! A name may hold anything: terminal escapes that recolour or rewrite the screen, newlines that forge rows,
//! overrides that reverse the reading direction, a megabyte of letters. All text is passed through [`visible`]
//! or [`bounded`] before it reaches any output.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The most columns that one name takes in any output that people read.
pub const MAX_NAME_COLUMNS: usize = 200;

/// Marks that may be stacked on one letter. Real scripts need two or three; a tower of them overwrites other lines.
const MAX_STACKED_MARKS: usize = 3;

/// `text` with every character that would not show as itself replaced by its escape (`\n`, `\u{1b}`).
///
/// Printable text of any script is left alone, combining marks included.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut stacked = 0;
    for c in text.chars() {
        let is_mark = c.width() == Some(0);
        stacked = if is_mark { stacked + 1 } else { 0 };
        if is_hidden(c) || stacked > MAX_STACKED_MARKS || (is_mark && out.is_empty()) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// As [`visible`], and shortened in the middle to at most [`MAX_NAME_COLUMNS`].
pub fn bounded(text: &str) -> Cow<'_, str> {
    // Cut before escaping, so that a huge name costs no more than a long one.
    if text.len() <= MAX_NAME_COLUMNS * 4 {
        return match visible(text) {
            shown if shown.width() <= MAX_NAME_COLUMNS => shown,
            shown => elide(&shown, MAX_NAME_COLUMNS).into(),
        };
    }
    let ends = MAX_NAME_COLUMNS;
    let head: String = text.chars().take(ends).collect();
    let tail: Vec<char> = text.chars().rev().take(ends).collect();
    let tail: String = tail.into_iter().rev().collect();
    elide(
        &format!("{}…{}", visible(&head), visible(&tail)),
        MAX_NAME_COLUMNS,
    )
    .into()
}

/// `text`, already visible, shortened in the middle to at most `columns`: `EVENT_BUS_PUBLISH` as `EVENT_…BLISH`.
///
/// Names of one family differ at their ends more than in their middle.
pub fn elide(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else {
        return String::new();
    };
    let head = take_columns(text.chars(), room.div_ceil(2));
    let tail = take_columns(text.chars().rev(), room / 2);
    let mut out = String::with_capacity(columns + 2);
    out.extend(head);
    out.push('…');
    out.extend(tail.into_iter().rev());
    out
}

/// The first characters that fit into `columns`.
fn take_columns(text: impl Iterator<Item = char>, columns: usize) -> Vec<char> {
    let mut used = 0;
    text.take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= columns
    })
    .collect()
}

/// Whether `c` would not show as itself: control, format, private, unassigned, and all blanks but the space.
pub(crate) fn is_hidden(c: char) -> bool {
    // `escape_debug` escapes what the Unicode tables call unprintable. Behind another letter it leaves combining
    // marks alone, and it escapes quotes and the backslash, which show as themselves.
    if matches!(c, '\\' | '"' | '\'') {
        return false;
    }
    let mut behind_a_letter = String::from("a");
    behind_a_letter.push(c);
    behind_a_letter.escape_debug().nth(1) == Some('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_show_as_itself_is_escaped() {
        for (hostile, shown) in [
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("a\nb\r\tc\0", r"a\nb\r\tc\u{0}"),
            ("\u{202e}gnp.exe", r"\u{202e}gnp.exe"),
            ("\u{2066}x\u{2069}", r"\u{2066}x\u{2069}"),
            ("zero\u{200b}width", r"zero\u{200b}width"),
            ("\u{85}\u{9b}31m", r"\u{85}\u{9b}31m"),
            ("\u{7f}\u{2028}\u{feff}", r"\u{7f}\u{2028}\u{feff}"),
            ("no\u{a0}break", r"no\u{a0}break"),
            ("\u{e0041}\u{e000}", r"\u{e0041}\u{e000}"),
        ] {
            assert_eq!(visible(hostile), shown);
        }
    }

    #[test]
    fn printable_text_of_any_script_is_left_alone() {
        for name in [
            "ORDER_SUBMIT",
            r#"a\b"c'd"#,
            "Zürich",
            "注文",
            "re\u{301}sume\u{301}",
            "สวัสดี",
            "µ → ✗ …",
        ] {
            assert_eq!(visible(name), name);
        }
    }

    #[test]
    fn towers_of_marks_are_cut() {
        let tower = format!("a{}", "\u{301}".repeat(50));
        let shown = visible(&tower);
        assert!(
            shown.starts_with("a\u{301}\u{301}\u{301}\\u{301}"),
            "{shown}"
        );
    }

    #[test]
    fn elision_keeps_both_ends_and_the_width() {
        assert_eq!(elide("EVENT_BUS_PUBLISH", 11), "EVENT…BLISH");
        assert_eq!(elide("EVENT_BUS_PUBLISH", 12), "EVENT_…BLISH");
        assert_eq!(elide("short", 5), "short");
        assert_eq!(elide("short", 1), "…");
        assert_eq!(elide("short", 0), "");
        assert_eq!(elide("注文注文注文", 6), "注…文");
    }

    proptest::proptest! {
        #[test]
        fn any_name_comes_out_visible_and_bounded(name: String, times in 1usize..2000) {
            let shown = bounded(&name.repeat(times)).into_owned();
            proptest::prop_assert!(shown.width() <= MAX_NAME_COLUMNS);
            proptest::prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c)), "{shown:?}");
        }
    }
}

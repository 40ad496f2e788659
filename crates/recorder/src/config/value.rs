//! Single values of a configuration: each is read as text, so that what is wrong with it can be said in our words.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_saphyr::{Location, Spanned};

/// One line: where, and what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) String);

impl Wrong {
    /// What the parser says, placed as our own messages are.
    pub(super) fn of(error: &serde_saphyr::Error) -> Self {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        match error.location() {
            Some(at) => {
                let place = format!(" at line {}, column {}", at.line(), at.column());
                Self::at(at, message.strip_suffix(&place).unwrap_or(message))
            }
            None => Self(message.to_owned()),
        }
    }

    pub(super) fn at(at: Location, message: impl Display) -> Self {
        Self(format!(
            "line {}, column {}: {message}",
            at.line(),
            at.column()
        ))
    }
}

/// A value with its place.
pub(super) type Text = Spanned<String>;

/// A number within bounds; `what` says what it counts, with its unit.
pub(super) fn number<N: FromStr + PartialOrd + Display>(
    name: &str,
    text: &Text,
    within: RangeInclusive<N>,
    what: &str,
) -> Result<N, Wrong> {
    // The digits may be grouped, as in YAML 1.1 and in the thresholds that the analysis reads.
    let digits = text.value.replace('_', "");
    match digits.parse() {
        Ok(number) if within.contains(&number) => Ok(number),
        _ => Err(refused(
            name,
            text,
            &format!("{what}, from {} to {}", within.start(), within.end()),
        )),
    }
}

/// One of several words.
pub(super) fn one_of<T: Copy>(name: &str, text: &Text, words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = words.iter().find(|(word, _)| *word == text.value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        refused(name, text, &words.join(" or "))
    })
}

pub(super) fn refused(name: &str, text: &Text, wanted: &str) -> Wrong {
    let message = format!("`{name}` is {wanted}, not `{}`", text.value.escape_debug());
    Wrong::at(text.defined, message)
}

//! From the text of a rule to the rule.

use super::quantity::{self, Decimal};
use super::rule::{Bound, Op, Rule, RuleError, Stat, Target};
use crate::report::Outcome;

const ARROWS: [&str; 2] = ["→", "->"];

const OUTCOMES: [(&str, Outcome); 4] = [
    ("ok", Outcome::Ok),
    ("error", Outcome::Error),
    ("cancelled", Outcome::Cancelled),
    ("panicked", Outcome::Panicked),
];

/// The name of an outcome in a rule.
pub(super) fn outcome_name(outcome: Outcome) -> &'static str {
    let found = OUTCOMES.iter().find(|(_, each)| *each == outcome);
    found.map_or("", |(name, _)| name)
}

/// Whether a name reads as itself without quotes.
pub(super) fn is_plain(name: &str) -> bool {
    let arrow = ARROWS.iter().any(|arrow| name.contains(arrow));
    let ends_as_outcome = name
        .rsplit_once('/')
        .is_some_and(|(_, end)| outcome(end.trim()).is_some());
    let ambiguous = arrow || ends_as_outcome || begins_flow(name);
    // Beside an arrow its ends must not make another one.
    let joins = name.starts_with('>') || name.ends_with('-');
    !(name.is_empty() || name != name.trim() || name.starts_with('"') || ambiguous || joins)
}

fn outcome(text: &str) -> Option<Outcome> {
    let found = OUTCOMES.iter().find(|(name, _)| *name == text);
    found.map(|(_, outcome)| *outcome)
}

/// Whether a name reads as the beginning of a flow's target: what closes the bracket may come after it.
fn begins_flow(name: &str) -> bool {
    ["e2e", "response"].into_iter().any(|what| {
        let rest = name.strip_prefix(what).map(str::trim_start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    })
}

/// `e2e`, `response`, and what stands in the brackets after it.
fn flow_target(text: &str) -> Option<(&'static str, Option<&str>)> {
    ["e2e", "response"].into_iter().find_map(|what| {
        let rest = text.strip_prefix(what)?.trim_start();
        match rest.strip_prefix('[') {
            None => rest.is_empty().then_some((what, None)),
            Some(inner) => Some((what, Some(inner.strip_suffix(']')?))),
        }
    })
}

/// A rule out of its text.
///
/// # Errors
/// Where it goes wrong, and how.
pub(super) fn rule(text: &str) -> Result<Rule, RuleError> {
    let Some(colon) = text.rfind(':') else {
        let at = text.trim_end().len();
        let message = "expected TARGET:STAT OP VALUE, such as ORDER:p99<5ms; there is no colon";
        return Err(error(text, at, message));
    };
    let target = Piece {
        text,
        from: 0,
        to: colon,
    };
    let target = target.trim().target()?;
    let mut rest = Piece {
        text,
        from: colon + 1,
        to: text.len(),
    }
    .trim();
    let (stat, stat_at) = rest.stat()?;
    if matches!((&target, stat), (Target::Gap { .. }, Stat::ErrorRate)) {
        return Err(error(text, stat_at, "a gap has no error_rate"));
    }
    let op = rest.op()?;
    let bound = rest.bound(&target, stat)?;
    let over_ns = rest.over()?;
    Ok(Rule {
        target,
        stat,
        op,
        bound,
        over_ns,
    })
}

/// `at` counts bytes.
fn error(text: &str, at: usize, message: impl Into<String>) -> RuleError {
    RuleError {
        column: text[..at].chars().count() + 1,
        message: message.into(),
    }
}

/// A piece of a rule's text that is still to be read.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    from: usize,
    to: usize,
}

impl<'a> Piece<'a> {
    fn as_str(self) -> &'a str {
        &self.text[self.from..self.to]
    }

    fn trim(self) -> Self {
        let end = self.as_str().trim_end().len();
        let start = end - self.as_str()[..end].trim_start().len();
        Self {
            from: self.from + start,
            to: self.from + end,
            ..self
        }
    }

    fn error(self, message: impl Into<String>) -> RuleError {
        error(self.text, self.from, message)
    }

    fn expected(self, what: &str) -> RuleError {
        self.error(format!("expected {what}, got {}", self.shown()))
    }

    fn shown(self) -> String {
        match self.as_str() {
            "" => "nothing".to_owned(),
            text => format!("`{text}`"),
        }
    }

    /// Cuts `len` bytes off the front.
    fn take(&mut self, len: usize) -> Self {
        let taken = Self {
            to: self.from + len,
            ..*self
        };
        self.from += len;
        *self = self.trim();
        taken
    }

    fn target(self) -> Result<Target, RuleError> {
        if let Some((what, flow)) = flow_target(self.as_str()) {
            let flow = flow.map(|flow| self.flow(flow)).transpose()?;
            return Ok(match what {
                "e2e" => Target::EndToEnd(flow),
                _ => Target::Response(flow),
            });
        }
        let mut rest = self;
        let (name, quoted) = rest.name(true)?;
        let arrow = ARROWS
            .iter()
            .find(|arrow| rest.as_str().starts_with(**arrow));
        if let Some(arrow) = arrow {
            rest.take(arrow.len());
            let (to, _) = rest.name(false)?;
            return match rest.as_str() {
                "" => Ok(Target::Gap { from: name, to }),
                _ => Err(rest.error(format!(
                    "expected a colon, got {}; a name with an arrow stands in quotes",
                    rest.shown()
                ))),
            };
        }
        if quoted {
            let outcome = rest
                .as_str()
                .strip_prefix('/')
                .map(str::trim)
                .and_then(outcome);
            return match (outcome, rest.as_str()) {
                (None, "") | (Some(_), _) => Ok(Target::Event { name, outcome }),
                _ => Err(rest.expected("a colon, /OUTCOME or an arrow")),
            };
        }
        let split = (name.rsplit_once('/'))
            .and_then(|(name, end)| Some((name.trim_end(), outcome(end.trim())?)));
        Ok(match split {
            Some((name, outcome)) if !name.is_empty() => Target::Event {
                name: name.to_owned(),
                outcome: Some(outcome),
            },
            _ => Target::Event {
                name,
                outcome: None,
            },
        })
    }

    /// The name of a flow, which stands in brackets.
    fn flow(self, inner: &'a str) -> Result<String, RuleError> {
        let from = inner.as_ptr() as usize - self.text.as_ptr() as usize;
        let mut inner = Self {
            from,
            to: from + inner.len(),
            ..self
        }
        .trim();
        if inner.as_str().starts_with('"') {
            let (name, _) = inner.name(false)?;
            return match inner.as_str() {
                "" => Ok(name),
                _ => Err(inner.expected("a closing bracket")),
            };
        }
        match inner.as_str() {
            "" => Err(inner.expected("the name of a flow")),
            flow => Ok(flow.to_owned()),
        }
    }

    /// A name, and whether it stands in quotes. Without them it ends before an arrow.
    fn name(&mut self, first: bool) -> Result<(String, bool), RuleError> {
        let text = self.as_str();
        if text.starts_with('"') {
            return Ok((self.quoted()?, true));
        }
        let arrow = ARROWS.iter().filter_map(|arrow| text.find(arrow)).min();
        let name = self.take(arrow.unwrap_or(text.len())).trim();
        match name.as_str() {
            "" if first || arrow.is_none() => Err(name.error("expected a name, got nothing")),
            "" => Err(name.error("expected a name, got an arrow")),
            name => Ok((name.to_owned(), false)),
        }
    }

    fn quoted(&mut self) -> Result<String, RuleError> {
        let mut name = String::new();
        let mut chars = self.as_str().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.take(at + 1);
                    return Ok(name);
                }
                '\\' => name.extend(chars.next().map(|(_, c)| c)),
                c => name.push(c),
            }
        }
        Err(self.error("expected a closing quote"))
    }

    fn stat(&mut self) -> Result<(Stat, usize), RuleError> {
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let len = self
            .as_str()
            .find(|c| !word(c))
            .unwrap_or(self.as_str().len());
        let mut rest = *self;
        let name = rest.take(len);
        let stat = match name.as_str() {
            "max" => Stat::Max,
            "mean" => Stat::Mean,
            "rate" => Stat::Rate,
            "error_rate" => Stat::ErrorRate,
            text if text.starts_with('p')
                && text[1..].starts_with(|c: char| c.is_ascii_digit()) =>
            {
                match text.parse() {
                    Ok(percentile) => Stat::Percentile(percentile),
                    Err(_) => return Err(name.expected("a percentile from p0 to p100")),
                }
            }
            _ => return Err(name.expected("max, p50 … p99.99, mean, rate or error_rate")),
        };
        *self = rest;
        Ok((stat, name.from))
    }

    fn op(&mut self) -> Result<Op, RuleError> {
        let ops = [
            ("<=", Op::AtMost),
            ("≤", Op::AtMost),
            ("<", Op::Less),
            (">=", Op::AtLeast),
            ("≥", Op::AtLeast),
            (">", Op::More),
        ];
        match ops.iter().find(|(text, _)| self.as_str().starts_with(text)) {
            Some((text, op)) => {
                self.take(text.len());
                Ok(*op)
            }
            None => {
                let first = self.as_str().chars().next().map_or(0, char::len_utf8);
                Err(self.take(first).expected("<, <=, > or >="))
            }
        }
    }

    /// Digits with their unit: the whole, the digits, the unit.
    fn figure(&mut self) -> (Self, Self, Self) {
        let digit = |c: char| c.is_ascii_digit() || c == '.';
        let len = self
            .as_str()
            .find(|c| !digit(c))
            .unwrap_or(self.as_str().len());
        let start = *self;
        let digits = self.take(len);
        let len = self
            .as_str()
            .find(char::is_whitespace)
            .unwrap_or(self.as_str().len());
        // Without digits before it a word is no unit; without a unit the next word is `over`.
        let len = if self.as_str()[..len] == *"over" {
            0
        } else {
            len
        };
        let unit = self.take(len);
        let to = if len == 0 { digits.to } else { unit.to };
        (Self { to, ..start }, digits, unit)
    }

    fn bound(&mut self, target: &Target, stat: Stat) -> Result<Bound, RuleError> {
        let (whole, digits, unit) = self.figure();
        if digits.as_str().is_empty() {
            return Err(whole.expected("a value such as 5ms"));
        }
        let decimal = || {
            let message = || whole.error(format!("{} is no number of six decimals", whole.shown()));
            Decimal::parse(digits.as_str()).ok_or_else(message)
        };
        let bound = match unit.as_str() {
            "" => Bound::Number(decimal()?),
            "%" => Bound::Percent(decimal()?),
            "/s" => Bound::PerSecond(decimal()?),
            name => match quantity::duration(digits.as_str(), name) {
                Ok(ns) => Bound::Ns(ns),
                Err(true) => return Err(unit.expected("a unit: ns, us, ms or s, % or /s")),
                Err(false) => {
                    let shown = whole.shown();
                    return Err(whole.error(format!(
                        "{shown} is no whole number of nanoseconds below 584 years"
                    )));
                }
            },
        };
        let number = matches!(target, Target::Event { .. });
        let wanted = match (stat, bound) {
            (Stat::Rate, Bound::PerSecond(_)) | (Stat::ErrorRate, Bound::Percent(_)) => {
                return Ok(bound);
            }
            (Stat::Rate, _) => "a rate such as 100/s",
            (Stat::ErrorRate, _) => "a share such as 0.1%",
            (_, Bound::Ns(_)) => return Ok(bound),
            (_, Bound::Number(_)) if number => return Ok(bound),
            _ => "a duration such as 5ms",
        };
        Err(whole.error(format!(
            "{stat} is compared with {wanted}, not with {}",
            whole.shown()
        )))
    }

    fn over(&mut self) -> Result<Option<u64>, RuleError> {
        if self.as_str().is_empty() {
            return Ok(None);
        }
        let after = self.as_str().strip_prefix("over");
        if after.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(char::is_whitespace)) {
            return Err(self.expected("`over` and a window, or the end"));
        }
        self.take("over".len());
        let (whole, digits, unit) = self.figure();
        match quantity::window(digits.as_str(), unit.as_str()) {
            Ok(ns) if ns > 0 && self.as_str().is_empty() => Ok(Some(ns)),
            Ok(ns) if ns > 0 => Err(self.expected("the end")),
            _ => Err(whole.expected("a window such as 1m")),
        }
    }
}

//! Rules from the configuration file of the program that was recorded.
//!
//! ```yaml
//! metrics:
//!   sla_thresholds:          # violated by every span above so many ns
//!     CANDLE_PROCESSING: 50000000
//!   sla:                     # whole rules
//!     - ORDER_EXECUTION:p99.9<5ms
//! ```
//!
//! `${VAR}` and `${VAR:-default}` are expanded, as the recorder does.
//!
//! The keys of `metrics` that other parts of the product read are passed over. Any other key is refused: a misspelt one
//! would be a gate that looks at nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::{Location, Spanned};

use super::rule::Rule;
use crate::capture::io_error;
use crate::error::{Error, ErrorKind};

/// Bytes of a configuration file that are read, at most.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    metrics: Option<Metrics>,
}

/// The keys of the seed system, and `sla`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metrics {
    #[serde(rename = "enabled")]
    _enabled: Option<IgnoredAny>,
    #[serde(rename = "sampling")]
    _sampling: Option<IgnoredAny>,
    #[serde(rename = "buffer")]
    _buffer: Option<IgnoredAny>,
    #[serde(rename = "aggregation")]
    _aggregation: Option<IgnoredAny>,
    #[serde(rename = "export")]
    _export: Option<IgnoredAny>,
    #[serde(rename = "recorder")]
    _recorder: Option<IgnoredAny>,
    sla_thresholds: Option<BTreeMap<String, Spanned<u64>>>,
    sla: Option<Vec<Spanned<String>>>,
}

/// The rules of a configuration file: the thresholds by name, then the whole rules as they stand.
///
/// # Errors
/// A file that cannot be read; what is no such file, with line and column.
pub fn rules_of_file(path: &Path) -> Result<Vec<Rule>, Error> {
    let size = std::fs::metadata(path)
        .map_err(|error| io_error(path, error))?
        .len();
    if size > MAX_BYTES {
        let message =
            format!("is {size} bytes long, which is more than a configuration of {MAX_BYTES}");
        return Err(Error::new(path, ErrorKind::Config(message)));
    }
    let text = std::fs::read_to_string(path).map_err(|error| io_error(path, error))?;
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    rules(&text, variables).map_err(|message| Error::new(path, ErrorKind::Config(message)))
}

/// The rules of the text of a configuration file, with these variables for its `${VAR}`. Those in keys that are passed over
/// need not be set: what is analysed was recorded elsewhere.
///
/// # Errors
/// One line with line and column.
pub fn rules(text: &str, mut variables: HashMap<String, String>) -> Result<Vec<Rule>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    for name in demanded(text) {
        // Left as it is: it matters only where a rule is.
        let unset = || format!("${{{name}}}");
        variables.entry(name.to_owned()).or_insert_with(unset);
    }
    let options = serde_saphyr::options! { with_snippet: false }.with_properties(variables);
    let file: File = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default().to_owned();
        match error.location() {
            Some(at) if unset_at(text, at).is_some() => unset_at(text, at).unwrap_or_default(),
            Some(at) => {
                let place = format!(" at line {}, column {}", at.line(), at.column());
                placed(at, message.strip_suffix(&place).unwrap_or(&message))
            }
            None => message,
        }
    })?;
    let Some(metrics) = file.metrics else {
        return Ok(Vec::new());
    };
    let thresholds = metrics.sla_thresholds.unwrap_or_default();
    let mut rules: Vec<Rule> = thresholds
        .iter()
        .map(|(event, ns)| Rule::threshold(event, ns.value))
        .collect();
    for rule in metrics.sla.unwrap_or_default() {
        if let Some(name) = demanded(&rule.value).next() {
            return Err(unset(rule.defined, name));
        }
        let wrong = |error| placed(rule.defined, &format!("`{}`: {error}", rule.value));
        let rule = rule.value.parse().map_err(wrong)?;
        rules.push(rule);
    }
    Ok(rules)
}

/// The names of variables that have no default: `${NAME}`.
fn demanded(text: &str) -> impl Iterator<Item = &str> {
    let places = text.match_indices("${").map(|(at, _)| &text[at + 2..]);
    places.filter_map(|rest| {
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
        (end > 0 && rest[end..].starts_with('}')).then(|| &rest[..end])
    })
}

/// What to say if the value at this place is a variable that is not set.
fn unset_at(text: &str, at: Location) -> Option<String> {
    let line = text.lines().nth((at.line() as usize).checked_sub(1)?)?;
    let column = (at.column() as usize).checked_sub(1)?;
    let value: String = line.chars().skip(column).collect();
    let name = demanded(&value).next()?;
    Some(unset(at, name))
}

fn unset(at: Location, name: &str) -> String {
    placed(at, &format!("the variable `{name}` is not set"))
}

fn placed(at: Location, message: &str) -> String {
    format!("line {}, column {}: {message}", at.line(), at.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        let variables = [("LIMIT", "5ms"), ("NS", "700")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let rules = rules(text, variables.into())?;
        Ok(rules.iter().map(Rule::to_string).collect())
    }

    #[test]
    fn the_seed_systems_file_is_read() {
        let text = "\
metrics:
  enabled: true
  sampling: {default_rate: 1.0, adaptive: true}
  buffer:
    size: 65536
    overflow_strategy: drop
  aggregation: {interval_ms: 1000, percentiles: [50, 99.9]}
  export: [csv]
  recorder:
    capture: ${DIR:-captures}/
  sla_thresholds:
    ORDER_EXECUTION: 5000000
    CANDLE_PROCESSING: 50_000_000
  sla:
    - ORDER_EXECUTION:p99.9<5ms
    - 'e2e:p99<250us over 1m'
";
        assert_eq!(
            shown(text).unwrap(),
            [
                "CANDLE_PROCESSING:max<=50ms",
                "ORDER_EXECUTION:max<=5ms",
                "ORDER_EXECUTION:p99.9<5ms",
                "e2e:p99<250us over 1m",
            ]
        );
        for nothing in [
            "",
            "# nothing\n",
            "metrics:\n",
            "metrics: {enabled: false}\n",
        ] {
            assert_eq!(shown(nothing), Ok(vec![]), "{nothing}");
        }
    }

    #[test]
    fn what_is_wrong_is_placed() {
        for (text, place, word) in [
            (
                "metrics:\n  sla_treshold: {A: 1}\n",
                "line 2, column 3",
                "sla_treshold",
            ),
            ("metric: {}\n", "line 1, column 1", "metric"),
            (
                "metrics:\n  sla_thresholds:\n    A: 5ms\n",
                "line 3, column 8",
                "",
            ),
            (
                "metrics:\n  sla_thresholds:\n    A: -5\n",
                "line 3, column 8",
                "",
            ),
            (
                "metrics:\n  sla:\n    - A:p99<5\n    - B\n",
                "line 4, column 7",
                "no colon",
            ),
            (
                "metrics:\n  sla_thresholds:\n    A: 1\n    A: 2\n",
                "line 4, column 5",
                "",
            ),
            ("metrics: [\n", "line 1, column 10", ""),
        ] {
            let message = shown(text).expect_err(text);
            assert!(
                message.contains(place) && message.contains(word),
                "{text}: {message}"
            );
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }

    #[test]
    fn variables_are_expanded_where_rules_are() {
        let text = "metrics:
  recorder:
    capture: ${NOT_SET_HERE}/
  sla_thresholds:
    A: ${NS}
    B: ${OTHER:-800}
  sla:
    - C:p99<1ms
    - D:p99<${LIMIT}
";
        let told = shown(text).expect("it is right");
        assert_eq!(
            told,
            ["A:max<=700ns", "B:max<=800ns", "C:p99<1ms", "D:p99<5ms"]
        );
        for (key, column) in [("sla:\n    - D:p99<", 7), ("sla_thresholds:\n    A: ", 8)] {
            let unset = shown(&format!("metrics:\n  {key}${{NOT_SET_HERE}}"));
            let expected =
                format!("line 3, column {column}: the variable `NOT_SET_HERE` is not set");
            assert_eq!(unset, Err(expected));
        }
    }
}

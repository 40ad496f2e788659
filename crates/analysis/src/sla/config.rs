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
//! The keys of `metrics` that other parts of the product read are passed over. Any other key is refused: a misspelt one
//! would be a gate that looks at nothing.

use std::collections::BTreeMap;
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
    rules(&text).map_err(|message| Error::new(path, ErrorKind::Config(message)))
}

/// The rules of the text of a configuration file.
///
/// # Errors
/// One line with line and column.
pub fn rules(text: &str) -> Result<Vec<Rule>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let file: File = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default().to_owned();
        match error.location() {
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
    for text in metrics.sla.unwrap_or_default() {
        let rule = text
            .value
            .parse()
            .map_err(|error| placed(text.defined, &format!("`{}`: {error}", text.value)))?;
        rules.push(rule);
    }
    Ok(rules)
}

fn placed(at: Location, message: &str) -> String {
    format!("line {}, column {}: {message}", at.line(), at.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        let rules = rules(text)?;
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
}

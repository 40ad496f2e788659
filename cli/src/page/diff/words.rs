//! What is said of figures and verdicts.

use perf_analysis::Number;
use perf_analysis::diff::{Diff, Measure, MethodKind, Outcome, Row, Verdict, Why};
use perf_render::escape::bounded;
use perf_render::number::{count, percent};
use perf_render::{Cell, number};

/// A change with its sign: `+12 %`.
pub(super) fn change(part: f64) -> String {
    if part.abs() < LEAST {
        return percent(0.0);
    }
    let sign = if part < 0.0 { "-" } else { "+" };
    format!("{sign}{}", percent(part.abs()))
}

/// A change below this is none.
const LEAST: f64 = 5e-5;

/// A change of a row: of a quantile a part of it, of a share in points.
pub(super) fn share(row: &Row, part: f64) -> String {
    match row.measure {
        Measure::Quantile(_) => change(part),
        Measure::Failing => change(part).replace(" %", " pp"),
    }
}

/// The interval of a row.
pub(super) fn interval(row: &Row) -> String {
    match (row.low, row.high) {
        (Some(low), Some(high)) => format!("{} to {}", share(row, low), share(row, high)),
        _ => "n/a".to_owned(),
    }
}

/// A value in the unit of its row.
pub(super) fn of_unit(unit: &str, value: Number) -> Cell {
    match unit {
        "ns" => Cell::Nanos(value.as_f64()),
        "share" => Cell::Text(number::percent(value.as_f64())),
        _ => Cell::Number(value.as_f64()),
    }
}

/// A verdict in a word.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "slower",
        Verdict::Improvement => "faster",
        Verdict::Same => "same",
        Verdict::Inconclusive => "cannot tell",
    }
}

/// Why there is no verdict.
pub(super) fn reason(why: Why, row: &Row) -> String {
    match why {
        Why::Wide => match row.runs_needed {
            Some(runs) => format!("reaches over the bound; about {runs} a side"),
            None => "reaches over the bound".to_owned(),
        },
        Why::StillGrows => "drifts over the capture".to_owned(),
        Why::FewValues => "too few values".to_owned(),
        Why::NoNoise => "takes --noise".to_owned(),
        Why::NotInNoise => "not in the noise file".to_owned(),
        Why::FewRuns => match row.runs_needed {
            Some(runs) => format!("too few captures; about {runs} a side"),
            None => "too few captures".to_owned(),
        },
    }
}

/// The verdict on all in one line.
pub(super) fn outcome(diff: &Diff) -> String {
    let gated = || diff.rows.iter().filter(|row| row.gated);
    let all = gated().count();
    let named = |verdict: Verdict| -> Vec<String> {
        let found = gated().filter(|row| row.verdict == verdict);
        found
            .map(|row| {
                let name = bounded(&row.name).into_owned();
                format!("{name} {} {}", row.measure, share(row, row.change))
            })
            .collect()
    };
    let some = |of: Vec<String>| -> String {
        let rest = of.len().saturating_sub(3);
        let mut text = of.into_iter().take(3).collect::<Vec<_>>().join(", ");
        if rest > 0 {
            text.push_str(&format!(" and {rest} more"));
        }
        text
    };
    match diff.outcome {
        Outcome::NotComparable => "not comparable".to_owned(),
        Outcome::Regression => format!("slower: {}", some(named(Verdict::Regression))),
        Outcome::Improvement => format!("faster: {}", some(named(Verdict::Improvement))),
        Outcome::Same => format!("the same within the bound: {}", figures(all)),
        Outcome::Inconclusive if all == 0 => {
            "cannot tell: nothing is frequent enough to be gated".to_owned()
        }
        Outcome::Inconclusive => {
            let open = gated()
                .filter(|row| row.verdict == Verdict::Inconclusive)
                .count();
            format!("cannot tell: {open} of {}", figures(all))
        }
    }
}

fn figures(count: usize) -> String {
    match count {
        1 => "1 gated figure".to_owned(),
        _ => format!("{count} gated figures"),
    }
}

/// How it was judged.
pub(super) fn method(diff: &Diff) -> String {
    let method = &diff.method;
    let noise = method
        .noise_runs
        .map_or(String::new(), |runs| format!(" of {runs} runs"));
    let how = match method.kind {
        MethodKind::Bootstrap => "slices of one capture a side drawn again".to_owned(),
        MethodKind::BootstrapAndNoise => {
            format!("slices of one capture a side drawn again, with the noise{noise}")
        }
        MethodKind::Noise => format!("means of a few captures, with the noise{noise}"),
        MethodKind::Prediction => "against what the history predicts".to_owned(),
        MethodKind::Permutation => "captures shared out in other ways".to_owned(),
        MethodKind::PairedPermutation => "pairs of captures turned round".to_owned(),
        MethodKind::TooFewRuns => "none: two to four captures a side take --noise".to_owned(),
    };
    if method.kind == MethodKind::TooFewRuns || method.family == 0 {
        return how;
    }
    format!(
        "{how}; {} hold at once, but for {}",
        match method.family {
            1 => "1 interval".to_owned(),
            many => format!("{} intervals", count(many as u64)),
        },
        percent(method.family_error)
    )
}

//! What keeps a verdict from being final although the figures are what they are.

use std::collections::BTreeSet;

use super::noise::Noise;
use super::result::MethodKind;
use super::summary::Summary;

/// Labels that say which build it was. All others say what it was doing.
const BUILD_LABELS: [&str; 6] = ["version", "build", "commit", "revision", "branch", "git"];

/// Why the verdicts on two sides are only provisional.
pub(super) fn provisional(
    sides: [&[Summary]; 2],
    noise: Option<&Noise>,
    method: MethodKind,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if method == MethodKind::Bootstrap {
        // Runs of one build were seen to differ by more than the bound, and no run can tell that of itself.
        let reason = "one capture a side does not tell how much runs of one build differ";
        reasons.push(format!(
            "{reason}: it takes --noise, or five captures a side"
        ));
    }
    let hosts = sides.map(hosts);
    if hosts[0] != hosts[1] {
        let [base, new] = hosts.each_ref().map(joined);
        reasons.push(format!(
            "the base was recorded on {base}, the new side on {new}"
        ));
    }
    let [base, new] = sides.map(|side| labels(side, is_scenario));
    let differ: Vec<&str> = differing(&base, &new);
    if !differ.is_empty() {
        let keys = differ.join(", ");
        reasons.push(format!(
            "the sides were recorded in different scenarios: {keys} differs"
        ));
    }
    let Some(noise) = noise else {
        return reasons;
    };
    if !hosts[0].is_subset(&noise.hosts) {
        let (base, noise) = (joined(&hosts[0]), joined(&noise.hosts));
        reasons.push(format!(
            "the noise was learnt on {noise}, the base was recorded on {base}"
        ));
    }
    let learnt: BTreeSet<(String, String)> = (noise.labels.iter())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let all = labels(sides[0], |_| true);
    let differ = differing(&learnt, &all);
    if !differ.is_empty() {
        let keys = differ.join(", ");
        let what = "the noise was learnt of another build or scenario than the base";
        reasons.push(format!("{what}: {keys} differs"));
    }
    reasons
}

fn is_scenario(key: &str) -> bool {
    !BUILD_LABELS.contains(&key)
}

fn hosts(side: &[Summary]) -> BTreeSet<String> {
    side.iter().map(|summary| summary.host.clone()).collect()
}

fn labels(side: &[Summary], keep: impl Fn(&str) -> bool) -> BTreeSet<(String, String)> {
    let all = side.iter().flat_map(|summary| &summary.labels);
    let kept = all.filter(|(key, _)| keep(key));
    kept.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Keys of what is in one set alone.
fn differing<'a>(
    one: &'a BTreeSet<(String, String)>,
    other: &'a BTreeSet<(String, String)>,
) -> Vec<&'a str> {
    let keys: BTreeSet<&str> = one
        .symmetric_difference(other)
        .map(|(key, _)| key.as_str())
        .collect();
    keys.into_iter().collect()
}

fn joined(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::noise::calibrate;
    use crate::diff::testing::{flow, summary};

    fn judged(sides: [&[Summary]; 2], noise: Option<&Noise>) -> Vec<String> {
        provisional(sides, noise, MethodKind::Permutation)
    }

    #[test]
    fn one_capture_a_side_alone_is_never_certain() {
        let base = [summary(vec![flow("A", 1, 5, 0)])];
        assert_eq!(
            provisional([&base, &base], None, MethodKind::Bootstrap).len(),
            1
        );
    }

    #[test]
    fn a_new_version_is_no_reason_and_another_host_or_scenario_is() {
        let one = |key: &str, value: &str| {
            let mut made = summary(vec![flow("A", 1, 5, 0)]);
            made.labels.insert(key.to_owned(), value.to_owned());
            [made]
        };
        let base = one("version", "1");
        assert_eq!(
            judged([&base, &one("version", "2")], None),
            Vec::<String>::new()
        );
        assert_eq!(judged([&base, &one("rate", "2")], None).len(), 1);
        let mut elsewhere = one("version", "1");
        elsewhere[0].host = "other".to_owned();
        assert_eq!(judged([&base, &elsewhere], None).len(), 1);
        let noise = calibrate(&base, &[]);
        assert!(judged([&base, &base], Some(&noise)).is_empty());
        assert_eq!(judged([&one("version", "0"), &base], Some(&noise)).len(), 1);
        assert_eq!(judged([&elsewhere, &elsewhere], Some(&noise)).len(), 1);
    }
}

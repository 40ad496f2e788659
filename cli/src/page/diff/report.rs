//! For a pull request, and for what shows tests.

use perf_analysis::diff::{Diff, Outcome, Row, Verdict};
use perf_render::Document;
use perf_render::junit::{Case, CaseResult, Suite};

use super::words::{interval, outcome, reason, share};
use super::{facts, push_explanation, push_notes, push_reasons, rows, title};

/// A comment for a pull request: the verdict, what moved, and folded away what did not, and how to get the same again.
pub(crate) fn markdown(diff: &Diff, command: &str) -> String {
    let moved = |row: &&Row| row.gated && row.verdict != Verdict::Same;
    let mut open = Document::new();
    open.heading(title(diff));
    push_reasons(&mut open, diff);
    open.table(rows("gated", diff.rows.iter().filter(moved)));
    for explanation in &diff.explanations {
        push_explanation(&mut open, explanation);
    }
    push_notes(&mut open, diff);
    let mut out = perf_render::markdown(&open, true);
    let unchanged = diff
        .rows
        .iter()
        .filter(|row| row.gated && row.verdict == Verdict::Same);
    fold(&mut out, "unchanged", rows("gated", unchanged));
    let rest = diff.rows.iter().filter(|row| !row.gated);
    fold(&mut out, "not gated", rows("not gated", rest));
    let mut how = Document::new();
    how.facts(facts(diff));
    out.push_str(
        "\n<details><summary>how it was judged, and how to get the same again</summary>\n\n",
    );
    out.push_str(&perf_render::markdown(&how, true));
    // Fenced by more than any run of backticks in it.
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let command = perf_render::escape::visible(command);
    out.push_str(&format!("\n{fence}sh\n{command}\n{fence}\n\n</details>\n"));
    out
}

fn fold(out: &mut String, what: &str, table: perf_render::Table) {
    if table.rows.is_empty() {
        return;
    }
    let number = table.rows.len();
    let mut document = Document::new();
    document.table(table);
    let rows = if number == 1 { "row" } else { "rows" };
    out.push_str(&format!(
        "\n<details><summary>{number} {rows} {what}</summary>\n\n"
    ));
    out.push_str(&perf_render::markdown(&document, true));
    out.push_str("\n</details>\n");
}

/// Every gated figure as a test.
pub(crate) fn suite(diff: &Diff) -> Suite {
    let mut cases: Vec<Case> = (diff.not_comparable.iter())
        .map(|reason| Case {
            group: "comparable".to_owned(),
            name: reason.kind().to_owned(),
            result: CaseResult::Error(reason.to_string()),
        })
        .collect();
    let provisional = !diff.provisional.is_empty();
    let comparable = diff.outcome != Outcome::NotComparable;
    for row in diff.rows.iter().filter(|row| row.gated && comparable) {
        let words = format!("{}, between {}", share(row, row.change), interval(row));
        let result = match row.verdict {
            Verdict::Regression if provisional => {
                CaseResult::Skipped(format!("provisional: {words}"))
            }
            Verdict::Regression => CaseResult::Failed(words),
            Verdict::Improvement | Verdict::Same => CaseResult::Passed,
            Verdict::Inconclusive => {
                CaseResult::Skipped(row.why.map_or(words, |why| reason(why, row)))
            }
        };
        cases.push(Case {
            group: row.name.clone(),
            name: row.measure.to_string(),
            result,
        });
    }
    Suite {
        name: format!("perf-analyze diff: {}", outcome(diff)),
        cases,
    }
}

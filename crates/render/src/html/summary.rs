//! The top of the page: do the rules hold, can the capture be trusted, what makes the slowest flow slow.

use maud::{Markup, PreEscaped, Render, html};

use super::page::{Page, RuleVerdict, SlowestFlow, Verdict};
use super::words::{Words, name};
use super::{budget, table};
use crate::number::{count, nanos_inline, percent};

/// Verdicts that stand at the top, at most; the broken ones first.
const MAX_RULES: usize = 50;
/// Owners of the tail that are named.
const MAX_OWNERS: usize = 3;

/// Rules and the slowest flow.
pub(super) fn summary(page: &Page) -> Markup {
    html! {
        @if !page.rules.is_empty() { (rules(&page.rules, &page.commands.sla)) }
        @if let Some(flow) = &page.slowest { (slowest(flow)) }
    }
}

fn badge(verdict: Verdict) -> Markup {
    let (class, symbol) = match verdict {
        Verdict::Pass => ("good", "✓"),
        Verdict::Fail => ("bad", "✗"),
        Verdict::Unproven => ("caution", "?"),
        Verdict::NoData => ("dim", "–"),
    };
    html! { span.badge.(class) { span aria-hidden="true" { (symbol) } " " (verdict.word()) } }
}

fn rules(rules: &[RuleVerdict], whole: &str) -> Markup {
    let mut sorted: Vec<&RuleVerdict> = rules.iter().collect();
    sorted.sort_by_key(|rule| match rule.verdict {
        Verdict::Fail => 0,
        Verdict::Unproven => 1,
        Verdict::NoData => 2,
        Verdict::Pass => 3,
    });
    let mut rows = String::new();
    let mut shown = 0;
    for rule in sorted.iter().take(MAX_RULES) {
        let markup = row(rule);
        if rows.len() + markup.0.len() > budget::SUMMARY {
            break;
        }
        shown += 1;
        markup.render_to(&mut rows);
    }
    let left_out = sorted.len() - shown;
    html! {
        section #rules.card {
            h2 { "SLA" }
            div.scroll tabindex="0" role="region" aria-label="SLA rules" {
                table.rules {
                    thead { tr {
                        th scope="col" aria-sort="none" { "verdict" }
                        th scope="col" aria-sort="none" { "rule" }
                        th.n scope="col" aria-sort="none" { "measured" }
                        th scope="col" aria-sort="none" { "how" }
                    } }
                    tbody {
                        (PreEscaped(rows))
                    }
                }
            }
            @if left_out > 0 {
                p.cut {
                    (count(left_out as u64)) " more rules have no room here. All of them: "
                    (super::words::command(whole))
                }
            }
        }
    }
}

fn row(rule: &RuleVerdict) -> Markup {
    html! {
        tr {
            td { (badge(rule.verdict)) }
            th scope="row" { (name(&rule.rule)) }
            (table::cell(&rule.measured, false, true))
            td.how { (Words(&rule.detail)) }
        }
    }
}

fn slowest(flow: &SlowestFlow) -> Markup {
    let shown: Vec<_> = flow.owners.iter().take(MAX_OWNERS).collect();
    let most = shown.iter().map(|owner| owner.tail_ns).fold(0.0, f64::max);
    let share = |ns: f64, of: f64| {
        if of > 0.0 {
            (ns / of).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    html! {
        section #slowest.card {
            h2 { "Slowest flow" }
            p {
                (name(&flow.name)) ": its " (Words(&flow.tail)) " traces take "
                strong { (nanos_inline(flow.tail_ns)) } " on average"
                @if let Some(typical) = flow.typical_ns { ", typical ones " strong { (nanos_inline(typical)) } }
                " (" (count(flow.count)) " traces)."
            }
            @if !shown.is_empty() {
                div.scroll tabindex="0" role="region" aria-label="Owners of the tail" { table.owners {
                    thead { tr {
                        th scope="col" { "what owns the tail" }
                        th.n scope="col" { (Words(&flow.tail)) }
                        th.n scope="col" { "typical" }
                        th.n scope="col" { "share" }
                        td {}
                    } }
                    tbody {
                        @for owner in shown {
                            tr {
                                th scope="row" { (name(&owner.name)) }
                                td.n { (nanos_inline(owner.tail_ns)) }
                                td.n { (owner.typical_ns.map_or("n/a".to_owned(), nanos_inline)) }
                                td.n { (percent(share(owner.tail_ns, flow.tail_ns))) }
                                td.bar aria-hidden="true" {
                                    span style={ "width:" (format!("{:.1}", share(owner.tail_ns, most) * 100.0)) "%" } {}
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

//! A page with every part filled in, so that all of it can be tried whatever a capture holds.

use perf_render::html::{
    Commands, Episode, Episodes, Page, RuleVerdict, SlowestFlow, TailOwner, Verdict, Waterfall,
};
use perf_render::plot::{Picture, TimeFrame};
use perf_render::{Cell, Column, Document, Fact, Note, Row, Table, Tone};

/// The beginning of the time plot, unix ns.
const START: i64 = 1_777_636_800_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A page in which every name is made of `event`.
pub(super) fn page(event: &str) -> Page {
    let mut integrity = Document::new();
    integrity.facts(vec![
        Fact::new("program", format!("{event}, pid 4711 on build-7")),
        Fact::new(
            "lost",
            "1,200 records, 0.12 % of what was attempted: ring full 1,200",
        )
        .tone(Tone::Bad),
        Fact::new("open", "3 spans had not ended").tone(Tone::Caution),
    ]);
    Page {
        title: format!("{event}.bin"),
        maker: "perf-analyze".to_owned(),
        integrity,
        rules: rules(event),
        slowest: Some(slowest(event)),
        notes: vec![Note {
            tone: Tone::Caution,
            message: format!("{event}: 1,200 records were lost"),
            remedy: Some("give the rings more room".to_owned()),
        }],
        events: tables(event, 12),
        over_time: tables(event, 60),
        flows: tables(event, 3),
        waterfalls: (0..20).map(|number| waterfall(event, number)).collect(),
        episodes: episodes(event),
        plots: vec![plot(event, true), plot(event, false)],
        commands: Commands {
            events: format!("perf-analyze report '{event}.bin' --format csv"),
            traces: format!("perf-analyze traces '{event}.bin'"),
            sla: format!("perf-analyze sla '{event}.bin' --format csv"),
            plots: format!("perf-analyze plot '{event}.bin' -o plots"),
        },
    }
}

fn rules(event: &str) -> Vec<RuleVerdict> {
    let rule = |statistic: &str, verdict, measured, detail: &str| RuleVerdict {
        rule: format!("{event}:{statistic}"),
        verdict,
        measured,
        detail: detail.to_owned(),
    };
    vec![
        rule(
            "p99<5ms",
            Verdict::Pass,
            Cell::Nanos(3.79e6),
            "104 of 13,286 took longer, 132 may",
        ),
        rule(
            "p99.9<5ms",
            Verdict::Fail,
            Cell::Nanos(7.74e6),
            "104 of 13,286 took longer, 13 may; 6 episodes",
        ),
        rule(
            "max<1s",
            Verdict::Unproven,
            Cell::Nanos(24.6e6),
            "1,200 records were lost",
        ),
        rule(
            "p99<1ms over 1m",
            Verdict::NoData,
            Cell::Absent,
            "about 300 samples a minute are needed",
        ),
    ]
}

fn slowest(event: &str) -> SlowestFlow {
    let owner = |name: String, tail_ns, typical_ns| TailOwner {
        name,
        tail_ns,
        typical_ns,
    };
    SlowestFlow {
        name: format!("{event}..ORDER_FILL"),
        count: 13_286,
        tail: "p99.9".to_owned(),
        tail_ns: 8.31e6,
        typical_ns: Some(512_000.0),
        owners: vec![
            owner(format!("{event}→ORDER_FILL"), 6.02e6, Some(9_100.0)),
            owner("ORDER_FILL".to_owned(), 1.66e6, Some(307_000.0)),
            owner(event.to_owned(), 0.21e6, None),
        ],
    }
}

/// One table of so many rows: row 3 has no value, the values of the others fall and rise.
fn tables(event: &str, rows: usize) -> Document {
    let mut document = Document::new();
    document.heading(event);
    let row = |number: usize| {
        let value = match number {
            3 => Cell::Absent,
            _ => Cell::Nanos(((number * 7919) % 1000) as f64 * 1e3),
        };
        let name = format!("{event} {number}");
        Row::new(vec![
            Cell::name(name),
            Cell::Count(number as u64),
            value,
            Cell::Sparkline(vec![1, 5, 9, 2, 0, 1]),
        ])
    };
    let titles = [event, "count", "p99", "shape"];
    document.table(Table {
        columns: titles.map(|title| Column::new(title, title)).into(),
        rows: (0..rows).map(row).collect(),
    });
    document
}

/// Escaped as plots escape.
fn xml(text: &str) -> String {
    let text = perf_render::escape::bounded(text);
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Ten bars, each with its value under the pointer.
fn bars(event: &str) -> String {
    let event = xml(event);
    let bars = (0..10).map(|bar| {
        let (x, height) = (100 + bar * 80, 60 + bar * 37 % 300);
        format!(
            "<rect fill=\"#0072B2\" x=\"{x}\" y=\"{y}\" width=\"70\" height=\"{height}\"/>\
             <rect class=\"at\" x=\"{x}\" y=\"60\" width=\"80\" height=\"400\" fill=\"#808080\" fill-opacity=\"0\">\
             <title>bar {bar} of {event}\nheight {height}</title></rect>",
            y = 460 - height
        )
    });
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"perf-plot\" role=\"img\" aria-label=\"{event}\" width=\"960\" \
         height=\"540\" viewBox=\"0 0 960 540\"><style>@media (prefers-color-scheme:dark){{\
         .perf-plot [fill=\"#FFFFFF\"]{{fill:#14171C}}}}</style><rect fill=\"#FFFFFF\" width=\"960\" height=\"540\"/>\
         <text x=\"16\" y=\"30\">{event}</text>{}</svg>",
        bars.collect::<String>()
    )
}

fn plot(event: &str, over_time: bool) -> Picture {
    let time = TimeFrame {
        from_unix_ns: START,
        to_unix_ns: START + 60 * SECOND,
        left: 100.0 / 960.0,
        right: 900.0 / 960.0,
        top: 60.0 / 540.0,
        bottom: 460.0 / 540.0,
    };
    Picture {
        title: format!("{event} over time"),
        svg: bars(event),
        time: over_time.then_some(time),
    }
}

fn waterfall(event: &str, number: u32) -> Waterfall {
    Waterfall {
        title: format!("{number} ms  trace 00000000000000{number:02x}  symbol={event}"),
        picture: plot(event, false),
    }
}

fn episodes(event: &str) -> Episodes {
    let row = |number: i64| Episode {
        from_unix_ns: START + number * 5 * SECOND,
        to_unix_ns: START + number * 5 * SECOND + SECOND / 2,
        cells: vec![
            Cell::Text(format!("12:00:{:02}.000", number * 5)),
            Cell::name(event),
            Cell::Count(number as u64 * 3 + 1),
            Cell::Nanos(1e6 * (number as f64 + 5.0)),
        ],
    };
    let titles = ["start", "rule", "count", "worst"];
    Episodes {
        columns: titles.map(|title| Column::new(title, title)).into(),
        rows: (0..6).map(row).collect(),
        left_out: 4,
    }
}

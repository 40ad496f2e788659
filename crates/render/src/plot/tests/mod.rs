//! What holds for every picture, whatever is drawn: it is whole XML of known elements, within its own edges, without
//! one text upon another, small, and says so when there is nothing to see.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::*;

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_777_636_800 * SECOND;

const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "a&b\"c'd]]>",
    "\u{1b}[2Jred\0\n\r\t",
    "\u{202e}gnp.exe\u{200b}",
    "\u{ffff}\u{fffe}\u{1f}",
    "注文を処理する",
    "",
];

/// Values as a series: ranks and bins are found the slow way.
fn series(name: &str, unit: Unit, values: &[u64]) -> Series {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let ranked = sorted.iter().enumerate().map(|(place, value)| Ranked {
        rank: place as u64 + 1,
        value: *value,
    });
    let (low, high) = (
        sorted.iter().copied().find(|value| *value > 0).unwrap_or(1),
        sorted.last().copied().unwrap_or(1),
    );
    let step = (high as f64 / low as f64)
        .powf(1.0 / MAX_BINS as f64)
        .max(1.0);
    let mut bins: Vec<Bin> = Vec::new();
    for number in 0..MAX_BINS as i32 {
        let from = bins.last().map_or(low, |bin| bin.high.saturating_add(1));
        let to = ((low as f64 * step.powi(number + 1)) as u64).max(from);
        let count = sorted
            .iter()
            .filter(|value| (from..=to).contains(value))
            .count();
        bins.push(Bin {
            low: from,
            high: to,
            count: count as u64,
        });
    }
    Series {
        name: name.to_owned(),
        unit,
        count: sorted.len() as u64,
        curve: ranked.collect(),
        bins: bins.into_iter().filter(|bin| bin.count > 0).collect(),
        zeros: sorted.iter().filter(|value| **value == 0).count() as u64,
        limits: sorted.last().map_or_else(Vec::new, |max| limits(*max)),
    }
}

/// Two that are close to each other, and one far beyond all values.
fn limits(max: u64) -> Vec<Limit> {
    let limit = |value, label: &str| Limit {
        value,
        label: label.to_owned(),
    };
    vec![
        limit(max / 2, "p99<half"),
        limit(max / 2 + max / 20, "p99.9<more"),
        limit(max.saturating_mul(1000), "max<all"),
    ]
}

fn noise(count: usize, from: u64) -> Vec<u64> {
    let mut state = 88_172_645_463_325_252_u64;
    let values = (0..count).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        from + (from << (state % 9)) * (state >> 40) / (1 << 24)
    });
    values.collect()
}

fn span(slots: i64) -> TimeSpan {
    TimeSpan {
        from_unix_ns: START,
        to_unix_ns: START + slots * SECOND,
        offset_ns: 0,
        clock: "2026-05-01 UTC".to_owned(),
    }
}

fn lost() -> Vec<Lost> {
    vec![
        Lost {
            from_unix_ns: START + 2 * SECOND,
            to_unix_ns: START + 4 * SECOND,
            count: 1234,
        },
        Lost {
            from_unix_ns: START - 90 * SECOND,
            to_unix_ns: START - 80 * SECOND,
            count: 7,
        },
    ]
}

/// Values of the same distribution in each of `slots` seconds.
fn over_time(name: &str, slots: i64, values: &[u64]) -> OverTime {
    let slot = |number: i64| {
        let all = series(name, Unit::Ns, values);
        let at = |share| all.quantile(share).unwrap_or(0.0) as u64;
        LatencySlot {
            from_unix_ns: START + number * SECOND,
            to_unix_ns: START + (number + 1) * SECOND,
            count: all.count,
            p50: at(0.5),
            p99: (all.count >= 100).then(|| at(0.99)),
            p999: (all.count >= 1000).then(|| at(0.999)),
            max: at(1.0),
            bins: all.bins,
            zeros: all.zeros,
            violations: u64::from(number % 5 == 0),
        }
    };
    OverTime {
        name: name.to_owned(),
        unit: Unit::Ns,
        count: values.len() as u64 * slots as u64,
        span: span(slots.max(1)),
        slots: (0..slots).map(slot).filter(|slot| slot.count > 0).collect(),
        lost: lost(),
        limits: values
            .iter()
            .max()
            .map_or_else(Vec::new, |max| limits(*max)),
        // One in the first slots, one that is not shown.
        episodes: vec![
            (START, START + SECOND),
            (START - 9 * SECOND, START - 8 * SECOND),
        ],
    }
}

fn bounds(slots: i64) -> Vec<(i64, i64)> {
    (0..slots)
        .map(|slot| (START + slot * SECOND, START + (slot + 1) * SECOND))
        .collect()
}

fn throughput_of(names: &[&str], slots: i64) -> Throughput {
    let rate = |(number, name): (usize, &&str)| Rate {
        name: (*name).to_owned(),
        per_second: (0..slots)
            .map(|slot| (slot != 3).then_some(100.0 * (number as f64 + 1.0) + slot as f64))
            .collect(),
    };
    Throughput {
        span: span(slots.max(1)),
        slots: bounds(slots),
        rates: names.iter().enumerate().map(rate).collect(),
        lost: lost(),
        records: 5000,
    }
}

fn levels_of(names: &[&str], slots: i64) -> Levels {
    let level = |(number, name): (usize, &&str)| Level {
        name: (*name).to_owned(),
        unit: Unit::Named((*name).to_owned()),
        course: if number % 2 == 0 {
            Course::Gauge(
                (0..slots)
                    .map(|slot| (slot != 2).then_some((-3.0, slot as f64, 40.0)))
                    .collect(),
            )
        } else {
            Course::Counter(
                (0..slots)
                    .map(|slot| (slot != 2).then_some(slot as f64 * 7.5))
                    .collect(),
            )
        },
    };
    Levels {
        span: span(slots.max(1)),
        slots: bounds(slots),
        levels: names.iter().enumerate().map(level).collect(),
        left_out: 0,
    }
}

fn breakdown(names: &[&str], ns: u64) -> Breakdown {
    let part = |band: u64| {
        move |(number, name): (usize, &&str)| Part {
            owner: (*name).to_owned(),
            gap: number % 3 == 1,
            ns: ns * band * (number as u64 + 1),
        }
    };
    let band = |(number, name): (usize, &&str)| Band {
        name: (*name).to_owned(),
        traces: 1000 / (number as u64 + 1),
        parts: names
            .iter()
            .enumerate()
            .map(part(number as u64 * 9 + 1))
            .collect(),
    };
    Breakdown {
        flow: names.join(".."),
        bands: names.iter().take(3).enumerate().map(band).collect(),
    }
}

fn trace(names: &[&str], spans: usize, ns: i64) -> Waterfall {
    let name = |number: usize| (*names.get(number % names.len().max(1)).unwrap_or(&"")).to_owned();
    let span = |number: usize| TraceSpan {
        event: name(number),
        thread: name(number / 4),
        start_ns: number as i64 * ns,
        end_ns: number as i64 * ns * 2 + ns,
        ended: (number % 5 == 4).then(|| name(number + 1)),
    };
    Waterfall {
        trace: name(0),
        annotations: names
            .iter()
            .map(|name| ((*name).to_owned(), (*name).to_owned()))
            .collect(),
        spans: (0..spans).map(span).collect(),
        gaps: (0..spans / 2)
            .map(|number| TraceGap {
                name: name(number),
                start_ns: number as i64 * ns * 2,
                end_ns: number as i64 * ns * 2 + ns,
            })
            .collect(),
    }
}

/// Every plot of events with these names and values.
fn every_plot(
    names: &[&str],
    values: &[u64],
    slots: i64,
    theme: Theme,
) -> Vec<(&'static str, Picture)> {
    let all: Vec<Series> = (names.iter().enumerate())
        .map(|(number, name)| {
            let values: Vec<u64> = values.iter().map(|value| value << (number % 8)).collect();
            series(name, Unit::Ns, &values)
        })
        .collect();
    let first = names.first().copied().unwrap_or_default();
    let ns = values.iter().copied().max().unwrap_or(0).min(1 << 40);
    vec![
        ("percentiles", percentiles(&all, theme)),
        ("flows", flows(&all, theme)),
        ("cumulative", cumulative(&all, theme)),
        (
            "distribution",
            distribution(&series(first, Unit::Ns, values), theme),
        ),
        (
            "latency",
            latency_over_time(&over_time(first, slots, values), theme),
        ),
        (
            "throughput",
            throughput(&throughput_of(names, slots), theme),
        ),
        ("levels", levels(&levels_of(names, slots), theme)),
        ("stages", stages(&breakdown(names, ns), theme)),
        (
            "waterfall",
            waterfall(&trace(names, names.len() * 2, ns as i64), theme),
        ),
    ]
}

const NAMES: [&str; 9] = [
    "ORDER_EXECUTION",
    "ORDER_FILL",
    "ORDER_SUBMIT",
    "EVENT_BUS_HANDLE",
    "EVENT_BUS_PUBLISH",
    "CANDLE_PROCESSING",
    "SIGNAL_GENERATION",
    "GC_PAUSE",
    "A_RATHER_LONG_NAME_OF_AN_EVENT_THAT_NOBODY_WOULD_CHOOSE",
];

/// Pictures of all kinds: usual, hostile, and with hardly anything in them.
fn gallery() -> Vec<(String, Picture)> {
    let long = "x&<".repeat(3000);
    let hostile: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    let max = [u64::MAX, u64::MAX - 1, 1, 0];
    let cases: [(&str, Vec<(&'static str, Picture)>); 9] = [
        (
            "usual",
            every_plot(&NAMES, &noise(1500, 50), 40, Theme::Light),
        ),
        (
            "dark",
            every_plot(&NAMES[..3], &noise(150, 1000), 9, Theme::Dark),
        ),
        (
            "hostile",
            every_plot(&hostile, &noise(300, 7), 12, Theme::Auto),
        ),
        ("empty", every_plot(&[], &[], 0, Theme::Light)),
        ("no values", every_plot(&NAMES, &[], 5, Theme::Light)),
        ("one", every_plot(&NAMES[..1], &[1234], 1, Theme::Light)),
        (
            "equal",
            every_plot(&NAMES[..2], &[700; 200], 6, Theme::Light),
        ),
        ("zeros", every_plot(&NAMES[..2], &[0; 200], 6, Theme::Light)),
        ("extremes", every_plot(&NAMES[..1], &max, 6, Theme::Light)),
    ];
    let named = |case: &str, plots: Vec<(&'static str, Picture)>| -> Vec<(String, Picture)> {
        plots
            .into_iter()
            .map(|(plot, picture)| (format!("{plot}, {case}"), picture))
            .collect()
    };
    cases
        .into_iter()
        .flat_map(|(case, plots)| named(case, plots))
        .collect()
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    let value = node
        .attribute(name)
        .unwrap_or_else(|| panic!("{name} of {node:?}"));
    let value: f64 = value
        .parse()
        .unwrap_or_else(|_| panic!("{name} is {value}"));
    assert!(value.is_finite());
    value
}

/// All corners of a shape, in units.
fn corners(node: Node<'_, '_>) -> Vec<(f64, f64)> {
    let at = |x, y| (number(node, x), number(node, y));
    match node.tag_name().name() {
        "rect" => {
            let ((x, y), (width, height)) = (at("x", "y"), at("width", "height"));
            assert!(width >= 0.0 && height >= 0.0, "{node:?}");
            vec![(x, y), (x + width, y + height)]
        }
        "line" => vec![at("x1", "y1"), at("x2", "y2")],
        "circle" => vec![at("cx", "cy")],
        "polyline" | "polygon" => {
            let points = node.attribute("points").expect("points");
            let point = |pair: &str| {
                let (x, y) = pair.split_once(',').expect("a pair");
                (x.parse().expect("x"), y.parse().expect("y"))
            };
            points.split_whitespace().map(point).collect()
        }
        _ => Vec::new(),
    }
}

/// The place of a text: left, top, right, bottom.
fn text_box(node: Node<'_, '_>) -> (f64, f64, f64, f64) {
    let (x, y, size) = (
        number(node, "x"),
        number(node, "y"),
        number(node, "font-size"),
    );
    let text = node.text().unwrap_or_default().trim();
    let width = metrics::width(text, size);
    let left = match node.attribute("text-anchor") {
        Some("end") => x - width,
        Some("middle") => x - width / 2.0,
        _ => x,
    };
    let top = match node.attribute("dy") {
        Some("0.76em") => y,
        _ => y - size / 2.0,
    };
    (left, top, left + width, top + size)
}

#[test]
fn pictures_are_whole_and_hold_nothing_but_shapes() {
    for (name, picture) in gallery() {
        let document =
            Document::parse(&picture.svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(document.root_element().tag_name().name(), "svg");
        for node in document.descendants().filter(Node::is_element) {
            let tag = node.tag_name().name();
            let known = [
                "svg", "style", "title", "rect", "line", "circle", "polyline", "polygon", "text",
            ];
            assert!(known.contains(&tag), "{name}: {tag}");
            for attribute in node.attributes() {
                // Nothing that is fetched or run.
                let what = attribute.name();
                assert!(!what.starts_with("on") && what != "href", "{name}: {what}");
                assert!(!attribute.value().contains("url("), "{name}: {what}");
            }
        }
        for text in document.descendants().filter_map(|node| node.text()) {
            let control = text.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(control, None, "{name}: {text:?}");
        }
        assert!(
            !picture.svg.contains("NaN") && !picture.svg.contains("inf"),
            "{name}"
        );
        assert!(
            !picture.title.is_empty() && !picture.title.contains('\n'),
            "{name}"
        );
    }
}

#[test]
fn everything_lies_within_the_picture() {
    for (name, picture) in gallery() {
        let document = Document::parse(&picture.svg).expect("XML");
        let root = document.root_element();
        let view: Vec<f64> = root
            .attribute("viewBox")
            .expect("a view box")
            .split(' ')
            .map(|number| number.parse().expect("a number"))
            .collect();
        let within = |(x, y): (f64, f64)| {
            (-0.5..=view[2] + 0.5).contains(&x) && (-0.5..=view[3] + 0.5).contains(&y)
        };
        for node in document.descendants().filter(Node::is_element) {
            for corner in corners(node) {
                assert!(within(corner), "{name}: {corner:?} of {node:?}");
            }
            if node.tag_name().name() == "text" {
                let (left, top, right, bottom) = text_box(node);
                assert!(
                    within((left, top)) && within((right, bottom)),
                    "{name}: {:?} at {left} to {right}",
                    node.text()
                );
            }
        }
    }
}

#[test]
fn no_text_stands_upon_another() {
    for (name, picture) in gallery() {
        let document = Document::parse(&picture.svg).expect("XML");
        let texts: Vec<_> = document
            .descendants()
            .filter(|node| node.tag_name().name() == "text")
            .map(|node| (node.text().unwrap_or_default().trim(), text_box(node)))
            .filter(|(text, _)| !text.is_empty())
            .collect();
        for (number, (one, a)) in texts.iter().enumerate() {
            for (other, b) in &texts[number + 1..] {
                let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                assert!(apart, "{name}: {one:?} and {other:?}");
            }
        }
    }
}

#[test]
fn pictures_are_small() {
    for (name, picture) in gallery() {
        assert!(
            picture.svg.len() <= MAX_BYTES,
            "{name}: {}",
            picture.svg.len()
        );
    }
}

/// Every cell of another colour than its neighbours, more slots and bins than are drawn, and long names.
#[test]
fn the_fullest_pictures_are_small() {
    let long = "&".repeat(3000);
    let names: Vec<&str> = vec![&long; 100];
    let mut heat = over_time(&long, 300, &[1]);
    let bin = |number: u64, slot: u64| Bin {
        low: 1000 + number * 7,
        high: 1006 + number * 7,
        count: 1 + (number + slot) % 2 * 1000,
    };
    for (number, slot) in heat.slots.iter_mut().enumerate() {
        slot.bins = (0..200)
            .map(|bin_number| bin(bin_number, number as u64))
            .collect();
        (slot.count, slot.p50, slot.max) = (1_000_000, 1200, 2000);
    }
    heat.lost = (0..100_000)
        .map(|at| Lost {
            from_unix_ns: START + at * SECOND / 1000,
            to_unix_ns: START + at * SECOND / 1000 + 5,
            count: 3,
        })
        .collect();
    let mut many = series(&long, Unit::Ns, &noise(500, 99));
    many.curve = (1..=2000)
        .map(|rank| Ranked {
            rank,
            value: rank * 1000,
        })
        .collect();
    many.count = 2000;
    let mut busy = throughput_of(&names, 500);
    busy.lost.clone_from(&heat.lost);
    let pictures = [
        ("latency", latency_over_time(&heat, Theme::Auto)),
        (
            "percentiles",
            percentiles(&vec![many.clone(); 50], Theme::Auto),
        ),
        ("flows", flows(&vec![many.clone(); 50], Theme::Auto)),
        (
            "cumulative",
            cumulative(&vec![many.clone(); 50], Theme::Auto),
        ),
        ("distribution", distribution(&many, Theme::Auto)),
        ("throughput", throughput(&busy, Theme::Auto)),
        ("levels", levels(&levels_of(&names, 500), Theme::Auto)),
        ("stages", stages(&breakdown(&names, 1 << 30), Theme::Auto)),
        (
            "waterfall",
            waterfall(&trace(&names, 1000, 1 << 20), Theme::Auto),
        ),
    ];
    for (name, picture) in pictures {
        assert!(
            picture.svg.len() <= MAX_BYTES,
            "{name}: {}",
            picture.svg.len()
        );
        Document::parse(&picture.svg).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_same_figures_give_the_same_bytes() {
    assert_eq!(gallery(), gallery());
}

#[test]
fn what_is_empty_says_so() {
    for (name, picture) in gallery() {
        if name.ends_with(", empty") {
            assert!(
                picture.title.contains("nothing to show") || name.starts_with("waterfall"),
                "{}",
                picture.title
            );
            let says = picture.svg.contains("recorded") || picture.svg.contains("has no span");
            assert!(says, "{name}");
        }
    }
}

#[test]
fn titles_say_what_is_seen() {
    let thousand: Vec<u64> = (1..=1000).map(|value| value * 1000).collect();
    let one = |values: &[u64]| series("ORDER", Unit::Ns, values);
    let title = |picture: Picture| picture.title;
    let light = Theme::Light;
    assert_eq!(
        title(percentiles(&[one(&thousand)], light)),
        "ORDER: half take 500 µs, one in a hundred 990 µs or more"
    );
    assert_eq!(
        title(percentiles(&[one(&[7])], light)),
        "ORDER: its only value is 7 ns"
    );
    assert_eq!(
        title(flows(&[one(&thousand)], light)),
        "ORDER: half take 500 µs, one in a hundred 990 µs or more"
    );
    assert_eq!(
        title(flows(&[one(&[7])], light)),
        "ORDER: its only trace takes 7 ns"
    );
    assert_eq!(
        title(distribution(&one(&thousand), light)),
        "ORDER: nine in ten are from 50.0 µs to 950 µs"
    );
    assert_eq!(
        title(distribution(&one(&[5; 9]), light)),
        "ORDER: all values are 5 ns"
    );
    assert_eq!(
        title(distribution(&one(&[0; 9]), light)),
        "ORDER: all values are zero"
    );
    assert_eq!(
        title(cumulative(&[one(&thousand)], light)),
        "ORDER: nine in ten are 900 µs or less"
    );
    assert_eq!(
        title(latency_over_time(&over_time("ORDER", 3, &thousand), light)),
        "ORDER: about 500 µs, at worst 1.00 ms at 12:00:00"
    );
    assert_eq!(
        title(throughput(&throughput_of(&["A", "B"], 9), light)),
        "316 records/s at the busiest, 12:00:08; 1,234 records lost"
    );
    assert_eq!(
        title(stages(&breakdown(&["TYPICAL", "B→C", "TAIL"], 1000), light)),
        "TYPICAL..B→C..TAIL: 114 µs in the tail, 57.0 µs of it TAIL; typically 6.00 µs"
    );
    assert_eq!(
        title(waterfall(&trace(&["ID"], 2, 1000), light)),
        "Trace ID: 3.00 µs  ID=ID"
    );
}

#[test]
fn loss_and_violations_are_marked() {
    let with = latency_over_time(&over_time("ORDER", 10, &noise(50, 100)), Theme::Light);
    assert!(
        with.svg
            .contains("Red bars: 1,234 records lost. Triangles: 2 over the lowest limit. Shaded: a rule was broken")
    );
    let alarm = "#C41E3A";
    assert!(
        with.svg
            .contains(&format!("<polygon opacity=\"1\" fill=\"{alarm}\""))
    );
    let mut sound = over_time("ORDER", 10, &noise(50, 100));
    sound.lost.clear();
    sound.limits.clear();
    // Of another time.
    sound.episodes.remove(0);
    sound.slots.iter_mut().for_each(|slot| slot.violations = 0);
    assert!(!latency_over_time(&sound, Theme::Light).svg.contains(alarm));
}

/// Whatever the plot, and wherever a limit lies: its line is there, and its name can be read.
#[test]
fn every_limit_is_a_line_with_its_name() {
    let values = noise(1500, 50);
    let of = series("ORDER", Unit::Ns, &values);
    let over_time = over_time("ORDER", 10, &values);
    let without = |series: &Series| Series {
        limits: Vec::new(),
        ..series.clone()
    };
    let light = Theme::Light;
    for (plot, with, without) in [
        (
            "percentiles",
            percentiles(std::slice::from_ref(&of), light),
            percentiles(&[without(&of)], light),
        ),
        (
            "flows",
            flows(std::slice::from_ref(&of), light),
            flows(&[without(&of)], light),
        ),
        (
            "distribution",
            distribution(&of, light),
            distribution(&without(&of), light),
        ),
        (
            "cdf",
            cumulative(std::slice::from_ref(&of), light),
            cumulative(&[without(&of)], light),
        ),
        (
            "latency",
            latency_over_time(&over_time, light),
            latency_over_time(
                &OverTime {
                    limits: Vec::new(),
                    ..over_time.clone()
                },
                light,
            ),
        ),
    ] {
        let names = |picture: &Picture| -> Vec<String> {
            let document = Document::parse(&picture.svg).expect("XML");
            let texts = document
                .descendants()
                .filter(|node| node.tag_name().name() == "text");
            let texts = texts.filter_map(|node| node.text().map(|text| text.trim().to_owned()));
            texts.filter(|text| text.contains('<')).collect()
        };
        let lines = |picture: &Picture| -> BTreeSet<String> {
            let document = Document::parse(&picture.svg).expect("XML");
            let alarm = document.descendants().filter(|node| {
                node.tag_name().name() == "polyline" && node.attribute("stroke") == Some("#C41E3A")
            });
            // Dashes of one line differ in x alone.
            alarm
                .map(|node| {
                    let points = node.attribute("points").expect("points");
                    let all: Vec<(&str, &str)> = points
                        .split_whitespace()
                        .map(|point| point.split_once(',').expect("x and y"))
                        .collect();
                    let same_y = all.iter().all(|(_, y)| *y == all[0].1);
                    if same_y {
                        all[0].1.to_owned()
                    } else {
                        all[0].0.to_owned()
                    }
                })
                .collect()
        };
        assert_eq!(
            names(&with),
            ["p99<half", "p99.9<more", "max<all"],
            "{plot}"
        );
        assert_eq!(lines(&with).len(), 3, "{plot}");
        assert_eq!(names(&without), [""; 0], "{plot}");
        assert!(lines(&without).is_empty(), "{plot}");
    }
}

#[test]
fn nothing_is_shaded_where_nothing_is() {
    let mut none = over_time("ORDER", 10, &noise(50, 100));
    none.slots.clear();
    let svg = latency_over_time(&none, Theme::Light).svg;
    assert!(!svg.contains("Shaded") && !svg.contains("#C41E3A"));
}

#[test]
fn a_zero_is_kept() {
    let picture = distribution(
        &series("ORDER", Unit::Ns, &[0, 0, 0, 900, 1000]),
        Theme::Light,
    );
    assert!(picture.svg.contains("zero: 3 values"));
    let document = Document::parse(&picture.svg).expect("XML");
    let mut texts = document
        .descendants()
        .filter(|node| node.tag_name().name() == "text");
    assert!(texts.any(|node| node.text().is_some_and(|text| text.trim() == "0")));
}

#[test]
fn themes_differ_in_colour_alone() {
    let of = [series("ORDER", Unit::Ns, &noise(500, 100))];
    let [light, dark, auto] =
        [Theme::Light, Theme::Dark, Theme::Auto].map(|theme| percentiles(&of, theme).svg);
    let shapes = |svg: &str| svg.matches("<polyline").count() + svg.matches("<text").count();
    assert_eq!(shapes(&light), shapes(&dark));
    assert!(light.contains("#FFFFFF") && !dark.contains("#FFFFFF"));
    assert!(auto.contains("prefers-color-scheme:dark") && !light.contains("prefers-color-scheme"));
    // What follows the system's choice is drawn as for a light one.
    let body = |svg: &str| svg.split_once("</style>").map(|(_, body)| body.to_owned());
    assert_eq!(body(&light), body(&auto));
}

/// Of more limits than can be told apart the lowest are drawn, and the picture says so.
#[test]
fn limits_that_are_left_out_are_said() {
    let mut of = series("ORDER", Unit::Ns, &noise(50, 100));
    of.limits = (1..=15)
        .map(|number| Limit {
            value: number * 50,
            label: format!("p{number}<x"),
        })
        .collect();
    let mut heat = over_time("ORDER", 10, &noise(50, 100));
    heat.limits.clone_from(&of.limits);
    let light = Theme::Light;
    let one = std::slice::from_ref(&of);
    for picture in [
        percentiles(one, light),
        flows(one, light),
        cumulative(one, light),
        distribution(&of, light),
        latency_over_time(&heat, light),
    ] {
        let said = picture.svg.contains("the lowest 12 of 15 limits");
        assert!(said, "{}", picture.title);
        assert!(!picture.svg.contains("p13&lt;x"));
    }
    of.limits.truncate(12);
    let whole = percentiles(std::slice::from_ref(&of), light);
    assert!(!whole.svg.contains("the lowest"));
}

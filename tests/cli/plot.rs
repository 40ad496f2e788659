//! Pictures of a capture: which files there are, what they say, and what they never hold.

use roxmltree::{Document, Node};

use super::captures::{Capture, candle_ns};
use super::run::{Folder, Ran};

/// All plots of the usual capture.
const ALL: [&str; 22] = [
    "cdf-orders.svg",
    "cdf.svg",
    "distribution-BATCH_SIZE.svg",
    "distribution-CANDLE_PROCESSING.svg",
    "distribution-GC_PAUSE.svg",
    "distribution-ORDER_SUBMIT.svg",
    "distribution-ORDER_SUBMIT_error.svg",
    "flows.svg",
    "gauges-and-counters.svg",
    "latency-over-time-BATCH_SIZE.svg",
    "latency-over-time-CANDLE_PROCESSING.svg",
    "latency-over-time-GC_PAUSE.svg",
    "latency-over-time-ORDER_SUBMIT.svg",
    "latency-over-time-ORDER_SUBMIT_error.svg",
    "percentiles-orders.svg",
    "percentiles.svg",
    "stages-CANDLE_PROCESSING.svg",
    "stages-CANDLE_PROCESSING_ORDER_SUBMIT.svg",
    "throughput.svg",
    "waterfall-9e3779b97f4a77bb.svg",
    "waterfall-9e3779b97f4a7bd3.svg",
    "waterfall-9e3779b97f4a7fcb.svg",
];

fn pictures(folder: &Folder, directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path(directory)).expect("the directory is there");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// Every picture in `directory`, checked for being whole and small.
fn read_all(folder: &Folder, directory: &str) -> Vec<(String, String)> {
    let names = pictures(folder, directory);
    let read = names.into_iter().map(|name| {
        let svg = folder.read(&format!("{directory}/{name}"));
        let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(document.root_element().tag_name().name(), "svg", "{name}");
        assert!(svg.len() <= 1_000_000, "{name}: {}", svg.len());
        (name, svg)
    });
    read.collect()
}

/// All texts of a picture that are shown, in order.
fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("XML");
    let texts = document
        .descendants()
        .filter(|node: &Node<'_, '_>| node.tag_name().name() == "text");
    texts
        .map(|node| node.text().unwrap_or_default().trim().to_owned())
        .collect()
}

#[test]
fn every_plot_is_a_file_and_a_line() {
    let folder = Folder::trading();
    let listing = folder.stdout(&["plot", "trading.bin", "-o", "plots"]);
    let expected: Vec<String> = ALL.map(String::from).into();
    assert_eq!(pictures(&folder, "plots"), expected);
    let mut listed: Vec<String> = listing
        .lines()
        .map(|line| {
            let (path, title) = line.split_once("  ").expect("a path and a title");
            let name = path.strip_prefix("plots/").expect("in the directory");
            // What the line says stands above the picture.
            assert_eq!(texts(&folder.read(path))[0], title);
            name.to_owned()
        })
        .collect();
    listed.sort();
    assert_eq!(listed, expected);
    read_all(&folder, "plots");
}

#[test]
fn titles_say_the_figures_of_the_report() {
    let folder = Folder::trading();
    let listing = folder.stdout(&["plot", "trading.bin", "-o", "."]);
    expect_test::expect![[r#"
        ./percentiles.svg  ORDER_SUBMIT: half take 1.00 ms, one in a hundred 1.01 ms or more
        ./percentiles-orders.svg  BATCH_SIZE: half are 4 orders or less, one in a hundred 8 orders or more
    "#]]
    .assert_eq(&listing.lines().take(2).map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn the_bytes_depend_on_the_capture_alone() {
    let folder = Folder::trading();
    folder.stdout(&["plot", "trading.bin", "-o", "one", "--threads", "1"]);
    folder.stdout(&["plot", "trading.bin", "-o", "many", "--threads", "7"]);
    assert_eq!(read_all(&folder, "one"), read_all(&folder, "many"));
    // Files of the same name are replaced, others left alone.
    folder.write("one/notes.txt", b"mine");
    folder.write("one/percentiles.svg", b"old");
    folder.stdout(&["plot", "trading.bin", "-o", "one"]);
    assert_eq!(
        folder.read("one/percentiles.svg"),
        folder.read("many/percentiles.svg")
    );
    assert_eq!(folder.read("one/notes.txt"), "mine");
}

#[test]
fn plots_events_and_times_can_be_chosen() {
    let folder = Folder::trading();
    let only = ["--only", "latency-over-time,cdf", "--event", "CANDLE*"];
    folder.stdout(&[&["plot", "trading.bin", "-o", "some"], &only[..]].concat());
    assert_eq!(
        pictures(&folder, "some"),
        ["cdf.svg", "latency-over-time-CANDLE_PROCESSING.svg"]
    );
    let latency = |args: &[&str]| {
        let args = [
            &[
                "plot",
                "trading.bin",
                "-o",
                "at",
                "--only",
                "latency-over-time",
                "--event",
                "CANDLE*",
            ],
            args,
        ];
        folder.stdout(&args.concat());
        texts(&folder.read("at/latency-over-time-CANDLE_PROCESSING.svg"))
    };
    assert_eq!(
        latency(&[])[1],
        "6,000 values over time, in slots of 1 s; 2026-05-01 UTC"
    );
    // More slots than pixels: a multiple of what was asked.
    assert_eq!(
        latency(&["--every", "7ms"])[1],
        "6,000 values over time, in slots of 504 ms; 2026-05-01 UTC"
    );
    let narrow = latency(&[
        "--since", "+10s", "--until", "+30s", "--every", "5s", "--tz", "+02:00",
    ]);
    assert_eq!(
        narrow[1],
        "2,000 values over time, in slots of 5 s; 2026-05-01 +02"
    );
    assert!(narrow.contains(&"14:00:15".to_owned()), "{narrow:?}");
}

#[test]
fn themes_are_light_dark_or_the_readers() {
    let folder = Folder::trading();
    let drawn = |theme: &[&str]| {
        folder.stdout(
            &[
                &[
                    "plot",
                    "trading.bin",
                    "-o",
                    "t",
                    "--only",
                    "cdf",
                    "--event",
                    "ORDER*",
                ],
                theme,
            ]
            .concat(),
        );
        folder.read("t/cdf.svg")
    };
    let (auto, light, dark) = (
        drawn(&[]),
        drawn(&["--theme", "light"]),
        drawn(&["--theme", "dark"]),
    );
    assert!(auto.contains("prefers-color-scheme") && !light.contains("prefers-color-scheme"));
    assert!(light.contains("#FFFFFF") && !dark.contains("#FFFFFF"));
    assert_eq!(texts(&light), texts(&dark));
}

#[test]
fn loss_is_shown_where_it_was() {
    let capture = Capture {
        lost: 1234,
        ..Capture::default()
    };
    let folder = Folder::with("trading.bin", &capture.bytes());
    let ran = folder.run(&["plot", "trading.bin", "-o", "plots"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("warning: trading.bin: ")
            && ran.stderr.contains("1234 of 15634 records"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("1,234 records lost"), "{}", ran.stdout);
    let latency = folder.read("plots/latency-over-time-CANDLE_PROCESSING.svg");
    assert!(latency.contains("Red bars: 1,234 records lost"));
    folder.stdout(&[
        "plot",
        "trading.bin",
        "-o",
        "plots",
        "--since",
        "+10s",
        "-q",
    ]);
    let throughput = folder.read("plots/throughput.svg");
    assert!(
        texts(&throughput)[0].ends_with("nothing lost"),
        "{:?}",
        texts(&throughput)
    );
}

/// By slot, how many values the hover text says are over the lowest limit; and the sum in the subtitle.
fn over(svg: &str) -> Vec<(String, u64)> {
    let document = Document::parse(svg).expect("XML");
    let titles = document
        .descendants()
        .filter(|node| node.tag_name().name() == "title");
    let slot = |node: Node<'_, '_>| {
        let text = node.text()?;
        let over = text
            .lines()
            .last()?
            .strip_suffix(" over the lowest limit")?;
        let at = text.lines().next()?.to_owned();
        Some((at, over.parse().expect("a count")))
    };
    titles.filter_map(slot).collect()
}

#[test]
fn rules_are_lines_marks_and_shades() {
    let folder = Folder::trading();
    let plot = [
        "plot",
        "trading.bin",
        "-o",
        "plots",
        "--every",
        "5s",
        "--event",
        "CANDLE*",
    ];
    let rules = [
        "--sla",
        "CANDLE_PROCESSING:max<15us",
        "--sla",
        "CANDLE_PROCESSING:p99<=19us",
    ];
    folder.stdout(&[&plot[..], &rules].concat());
    for file in [
        "percentiles",
        "cdf",
        "distribution-CANDLE_PROCESSING",
        "latency-over-time-CANDLE_PROCESSING",
    ] {
        let shown = texts(&folder.read(&format!("plots/{file}.svg")));
        for limit in ["max<15us", "p99<=19us"] {
            let here = shown.iter().filter(|text| *text == limit).count();
            assert_eq!(here, 1, "{file}, {limit}: {shown:?}");
        }
    }
    // Candles end 10 ms from each other, the first 5 ms after noon.
    let mut expected = [0; 12];
    for number in 0..6000 {
        if candle_ns(number) >= 15_000 {
            expected[number as usize * 10 / 5000] += 1;
        }
    }
    let expected: Vec<(String, u64)> = (0..12)
        .map(|slot| (format!("12:00:{:02}", slot * 5), expected[slot]))
        .filter(|(_, over)| *over > 0)
        .collect();
    let latency = folder.read("plots/latency-over-time-CANDLE_PROCESSING.svg");
    assert_eq!(over(&latency), expected);
    let subtitle = &texts(&latency)[1];
    assert!(
        subtitle.ends_with(". Triangles: 3,000 over the lowest limit. Shaded: a rule was broken"),
        "{subtitle}"
    );

    // A rule that was kept has a line, and nothing else; one that is not about values has none.
    let kept = [
        "--sla",
        "CANDLE_PROCESSING:max<20us",
        "--sla",
        "CANDLE_PROCESSING:mean<1ms",
    ];
    folder.stdout(&[&plot[..], &kept].concat());
    let latency = texts(&folder.read("plots/latency-over-time-CANDLE_PROCESSING.svg"));
    assert!(latency[1].ends_with("UTC"), "{}", latency[1]);
    assert!(latency.contains(&"max<20us".to_owned()), "{latency:?}");
    assert!(!latency.iter().any(|text| text.contains("mean")));

    // A rule that is misspelt would be drawn nowhere.
    let unknown = [&plot[..], &["--sla", "CANDLE_PROCESING:max<1ms"]].concat();
    folder
        .run(&unknown)
        .fails(3, "no event matches `CANDLE_PROCESING`, so nothing can be said about it; did you mean CANDLE_PROCESSING?");
}

/// The figures of `traces`, and the limits of rules about flows, each once however many flows it is about.
#[test]
fn flows_have_curves_and_limits() {
    let folder = Folder::trading();
    let rules = [
        "e2e:p99<2ms",
        "e2e[CANDLE_PROCESSING]:max<15us",
        "response:p50<1ms",
        "e2e:mean<1ms",
    ];
    let args = rules.iter().flat_map(|rule| ["--sla", rule]);
    let args: Vec<&str> = ["plot", "trading.bin", "-o", "plots", "--only", "flows"]
        .into_iter()
        .chain(args)
        .collect();
    folder.stdout(&args);
    let svg = folder.read("plots/flows.svg");
    let shown = texts(&svg);
    let limits: Vec<&String> = shown.iter().filter(|text| text.contains('<')).collect();
    let of_one = "CANDLE_PROCESSING max<15us";
    assert_eq!(limits.len(), 2, "{limits:?}");
    assert!(
        limits.iter().any(|limit| *limit == "e2e p99<2ms"),
        "{limits:?}"
    );
    assert!(limits.iter().any(|limit| *limit == of_one), "{limits:?}");

    let traces: serde_json::Value =
        serde_json::from_str(&folder.stdout(&["traces", "trading.bin", "--format", "json"]))
            .expect("JSON");
    let first = &traces["flows"][0];
    let median = first["end_to_end"]["percentiles"]["50"]
        .as_u64()
        .expect("ns");
    let half = perf_render::number::nanos_inline(median as f64);
    assert!(
        shown[0].contains(&format!("half take {half}")),
        "{}",
        shown[0]
    );
    for flow in traces["flows"].as_array().expect("flows") {
        let max = flow["end_to_end"]["max"].as_f64().expect("ns");
        let max = perf_render::number::nanos_inline(max);
        assert!(shown.contains(&max), "{max} in {shown:?}");
    }
}

#[test]
fn hostile_names_are_text_and_stay_in_the_directory() {
    for name in [
        "<script>alert(1)</script>",
        "../../../etc/passwd",
        "\u{1b}[31m\0\n\u{202e}",
        "]]>&\"'",
        "/",
    ] {
        let capture = Capture {
            candle: name.to_owned(),
            ..Capture::default()
        };
        let folder = Folder::with("trading.bin", &capture.bytes());
        let ran = folder.run(&["plot", "trading.bin", "-o", "plots"]);
        assert_eq!(ran.code, Some(0), "{name:?}: {}", ran.stderr);
        assert!(
            !ran.stdout.chars().any(|c| c.is_control() && c != '\n'),
            "{name:?}"
        );
        assert_eq!(folder.names(), ["plots", "trading.bin"]);
        let read = read_all(&folder, "plots");
        assert_eq!(read.len(), ALL.len(), "{name:?}");
        for (file, svg) in read {
            assert!(!svg.contains("<script"), "{file}");
        }
    }
}

#[test]
fn a_trace_that_is_asked_for_has_its_waterfall() {
    let folder = Folder::trading();
    let id = "9e3779b97f4a7bd3";
    let only = [
        "plot",
        "trading.bin",
        "-o",
        "one",
        "--only",
        "waterfall",
        "--trace",
        id,
    ];
    folder.stdout(&only);
    assert_eq!(pictures(&folder, "one"), [format!("waterfall-{id}.svg")]);
    let shown = texts(&folder.read(&format!("one/waterfall-{id}.svg")));
    assert!(shown[0].contains(id), "{shown:?}");
    assert!(
        shown
            .iter()
            .any(|text| text.starts_with("CANDLE_PROCESSING")),
        "{shown:?}"
    );
    // Another one is none of the slowest.
    let ran = folder.run(&[
        "plot",
        "trading.bin",
        "-o",
        "none",
        "--only",
        "waterfall",
        "--trace",
        "7",
    ]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(
        ran.stderr.contains("no trace has an id of --trace"),
        "{}",
        ran.stderr
    );
    assert!(pictures(&folder, "none").is_empty());
    let ran = folder.run(&["plot", "trading.bin", "-o", "one", "--trace", "no id"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn nothing_to_see_is_said_in_every_picture() {
    let none = Capture {
        candles: 0,
        ..Capture::default()
    };
    let folder = Folder::with("none.bin", &none.bytes());
    folder.write("trading.bin", &Capture::default().bytes());
    for args in [
        &["none.bin"][..],
        &["trading.bin", "--event", "NO_SUCH_EVENT"],
    ] {
        let args = [&["plot"], args, &["-o", "plots"]].concat();
        let ran = folder.run(&args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let read = read_all(&folder, "plots");
        assert_eq!(read.len(), 7);
        for (file, svg) in read {
            assert!(
                texts(&svg)[0].contains("nothing to show"),
                "{file}: {:?}",
                texts(&svg)
            );
        }
    }
    let ran = folder.run(&[
        "plot",
        "trading.bin",
        "-o",
        "plots",
        "--event",
        "ORDER_SUBMT",
    ]);
    assert!(
        ran.stderr.contains("did you mean ORDER_SUBMIT"),
        "{}",
        ran.stderr
    );
}

#[test]
fn one_record_is_a_picture() {
    let one = Capture {
        candles: 1,
        ..Capture::default()
    };
    let folder = Folder::with("one.bin", &one.bytes());
    let listing = folder.stdout(&["plot", "one.bin", "-o", "plots", "--event", "CANDLE*"]);
    assert!(
        listing.contains("CANDLE_PROCESSING: its only value is 10.0 µs"),
        "{listing}"
    );
    read_all(&folder, "plots");
}

#[test]
fn what_goes_wrong_is_one_line() {
    let folder = Folder::trading();
    folder.write("taken", b"mine");
    let run = |args: &[&str]| -> Ran { folder.run(&[&["plot"], args].concat()) };
    run(&["trading.bin", "-o", "taken"]).fails(3, "taken: is no directory; name one for the plots");
    assert_eq!(folder.read("taken"), "mine");
    let missing = run(&["missing.bin", "-o", "plots"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(3), ""));
    assert_eq!(missing.stderr.lines().count(), 1, "{}", missing.stderr);
    for (args, expected) in [
        (&["trading.bin"][..], "--output <DIR>"),
        (
            &["trading.bin", "-o", "x", "--only", "pie"],
            "percentiles, latency-over-time, distribution, cdf",
        ),
        (
            &["trading.bin", "-o", "x", "--theme", "pink"],
            "light, dark, auto",
        ),
        (
            &["trading.bin", "-o", "x", "--every", "0s"],
            "expected more than no time at all",
        ),
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_damaged_capture_is_drawn_as_far_as_it_goes() {
    let folder = Folder::new();
    let mut bytes = Capture::default().bytes();
    bytes.truncate(bytes.len() / 2);
    folder.write("torn.bin", &bytes);
    let ran = folder.run(&["plot", "torn.bin", "-o", "plots"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.starts_with("warning: torn.bin: "),
        "{}",
        ran.stderr
    );
    read_all(&folder, "plots");
    let strict = folder.run(&["plot", "torn.bin", "-o", "plots", "--strict"]);
    assert_eq!((strict.code, strict.stdout.as_str()), (Some(3), ""));
}

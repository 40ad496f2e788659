use super::*;
use crate::table::{Cell, Column, Keep, Name, Row};

fn spans() -> Table {
    let columns = vec![
        Column::new("spans", "event"),
        Column::new("count", "count"),
        Column::new("mean", "mean_ns").keep(Keep::IfWide),
        Column::new("p50", "p50_ns"),
        Column::new("p99", "p99_ns").keep(Keep::IfRoom(1)),
        Column::new("max", "max_ns"),
        Column::new("shape", "shape").keep(Keep::IfRoom(2)),
    ];
    let row = |name: &str, count: u64, scale: f64| {
        Row::new(vec![
            Cell::name(name),
            Cell::Count(count),
            Cell::Nanos(2.0 * scale),
            Cell::Nanos(scale),
            Cell::Nanos(90.0 * scale),
            Cell::Nanos(5000.0 * scale),
            Cell::Sparkline(vec![1, 4, 8, 2, 0, 1]),
        ])
    };
    let mut failed = row("ORDER_SUBMIT_TO_EXCHANGE", 12, 3e5).tone(Tone::Bad);
    failed.cells[0] = Cell::Name(Name {
        text: "ORDER_SUBMIT_TO_EXCHANGE".into(),
        mark: Some("error".into()),
        repeated: true,
    });
    Table {
        columns,
        rows: vec![
            row("CANDLE_PROCESSING", 1_234_567, 640.0),
            row("ORDER_SUBMIT_TO_EXCHANGE", 99, 1.2e6),
            failed,
        ],
    }
}

fn set(table: Table, width: Option<usize>, wide: bool) -> String {
    let mut document = Document::new();
    document.table(table);
    text(
        &document,
        TextStyle {
            width,
            colour: false,
            wide,
        },
    )
}

#[test]
fn a_pipe_gets_whole_names() {
    assert_eq!(
        set(spans(), None, false),
        "\
spans                               count      p50      p99      max  shape
CANDLE_PROCESSING               1,234,567   640 ns  57.6 µs  3.20 ms  ▁▄█▂ ▁
ORDER_SUBMIT_TO_EXCHANGE               99  1.20 ms   108 ms  6.00 s   ▁▄█▂ ▁
ORDER_SUBMIT_TO_EXCHANGE error         12   300 µs  27.0 ms  1.50 s   ▁▄█▂ ▁
"
    );
}

#[test]
fn a_terminal_gets_what_fits() {
    assert_eq!(
        set(spans(), Some(62), false),
        "\
spans                 count      p50      p99      max  shape
CANDLE_P…CESSING  1,234,567   640 ns  57.6 µs  3.20 ms  ▁▄█▂ ▁
ORDER_SU…XCHANGE         99  1.20 ms   108 ms  6.00 s   ▁▄█▂ ▁
  └ error                12   300 µs  27.0 ms  1.50 s   ▁▄█▂ ▁
"
    );
}

#[test]
fn a_narrow_terminal_loses_columns_in_their_order() {
    assert_eq!(
        set(spans(), Some(48), false),
        "\
spans                    count      p50      max
CANDLE_PROCESSING    1,234,567   640 ns  3.20 ms
ORDER_SUB…_EXCHANGE         99  1.20 ms  6.00 s
  └ error                   12   300 µs  1.50 s

no room for shape, p99: --wide shows all
"
    );
    let narrowest = set(spans(), Some(1), false);
    assert!(narrowest.contains("CAND…ING"), "{narrowest}");
}

#[test]
fn what_tables_in_a_row_lack_is_said_once_behind_them() {
    let mut document = Document::new();
    document.table(spans());
    document.table(spans());
    document.paragraph("The end.");
    document.table(spans());
    let style = TextStyle {
        width: Some(54),
        ..TextStyle::default()
    };
    let page = text(&document, style);
    let kinds = page
        .lines()
        .filter_map(|line| match line.split(' ').next() {
            first @ Some("spans" | "no" | "The") => first,
            _ => None,
        });
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        ["spans", "spans", "no", "The", "spans", "no"],
        "{page}"
    );
}

#[test]
fn a_figure_and_its_unit_stay_on_one_line() {
    let mut document = Document::new();
    document.facts(vec![Fact::new(
        "size",
        "a capture of 12.3 MB (10.1 B/span), 9 seconds",
    )]);
    let lines = |width| {
        let style = TextStyle {
            width: Some(width),
            ..TextStyle::default()
        };
        text(&document, style)
    };
    let ends_in_figure = |line: &str| line.ends_with("12.3") || line.ends_with("10.1");
    for width in 24..60 {
        let page = lines(width);
        assert!(!page.lines().any(ends_in_figure), "{width}: {page}");
        assert!(!page.contains(GLUE), "{page}");
    }
    // Other words may be parted from a figure.
    assert!((24..60).any(|width| lines(width).contains(" 9\n")));
}

#[test]
fn wide_shows_every_column_whatever_the_width() {
    assert_eq!(set(spans(), Some(40), true), set(spans(), None, true));
    assert!(set(spans(), None, true).contains("mean"));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 44..200 {
        for line in set(spans(), Some(width), false).lines() {
            assert!(line.width() <= width, "{width}: {line:?}");
        }
    }
}

#[test]
fn prose_is_wrapped_and_set_under_its_mark() {
    let mut document = Document::new();
    document.heading("trading.bin");
    document.facts(vec![
        Fact::new("time", "one two three four five"),
        Fact::new("recorder", "six seven/eight-nine-ten"),
    ]);
    for message in ["3 records of thread `feed` were lost", "another"] {
        document.note(Note {
            tone: Tone::Caution,
            message: message.into(),
            remedy: Some("Give the rings more room.".into()),
        });
    }
    let style = TextStyle {
        width: Some(28),
        ..TextStyle::default()
    };
    assert_eq!(
        text(&document, style),
        "\
trading.bin
  time      one two three
            four five
  recorder  six
            seven/eight-nine
            -ten

! 3 records of thread `feed`
  were lost
  → Give the rings more
    room.
! another
  → Give the rings more
    room.
"
    );
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let mut document = Document::new();
    document.table(spans());
    let plain = text(&document, TextStyle::default());
    assert!(!plain.contains('\u{1b}'));
    let colour = TextStyle {
        colour: true,
        ..TextStyle::default()
    };
    let coloured = text(&document, colour);
    assert!(coloured.contains("\u{1b}[31m"), "{coloured:?}");
    // Colour adds nothing but escapes.
    let mut stripped = String::new();
    for (number, part) in coloured.split('\u{1b}').enumerate() {
        stripped.push_str(if number == 0 {
            part
        } else {
            part.split_once('m').map_or("", |(_, rest)| rest)
        });
    }
    let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
}

#[test]
fn a_hostile_name_cannot_forge_lines_or_flood_the_page() {
    let mut table = spans();
    table.rows[0].cells[0] =
        Cell::name("x\u{1b}[2J\nCOUNTER forged  1".to_owned() + &"A".repeat(1 << 20));
    table.columns[1].title = "co\nunt".into();
    let mut document = Document::new();
    document.heading("a\nb");
    document.facts(vec![Fact::new("l\u{1b}", "v\u{202e}")]);
    document.table(table.clone());
    let page = text(&document, TextStyle::default());
    assert!(
        !page
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{page}"
    );
    assert_eq!(page.lines().count(), 1 + 1 + 1 + 4, "{page}");
    assert!(page.len() < 8000, "{}", page.len());
}

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::*;
use crate::document::{Document, Fact, Note, Tone};
use crate::plot::{Picture, TimeFrame};
use crate::table::{Cell, Column, Row, Table};

#[test]
fn the_policy_knows_the_script() {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    assert_eq!(
        SCRIPT_HASH, hash,
        "the script was changed: SCRIPT_HASH must be {hash}"
    );
}

#[test]
fn the_script_stays_small() {
    assert!(SCRIPT.len() <= 10_000, "{} bytes", SCRIPT.len());
    assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
}

/// A page with far too much of everything, all of it named as badly as can be.
fn huge(name: &str) -> Page {
    let facts = |count: usize| {
        let facts = (0..count).map(|_| Fact::new(name, name));
        facts.collect::<Vec<_>>()
    };
    let table = |rows: usize| Table {
        columns: (0..4).map(|_| Column::new(name, name)).collect(),
        rows: (0..rows)
            .map(|_| Row::new(vec![Cell::name(name); 4]))
            .collect(),
    };
    let document = |tables: usize, rows: usize| {
        let mut document = Document::new();
        document.facts(facts(20));
        for _ in 0..tables {
            document.heading(name);
            document.table(table(rows));
        }
        document
    };
    let note = Note {
        tone: Tone::Bad,
        message: name.to_owned(),
        remedy: Some(name.to_owned()),
    };
    let time = TimeFrame {
        from_unix_ns: i64::MIN,
        to_unix_ns: i64::MAX,
        left: 0.1,
        right: 0.9,
        top: 0.1,
        bottom: 0.9,
    };
    let picture = Picture {
        title: name.to_owned(),
        svg: format!("<svg>{}</svg>", " ".repeat(300_000)),
        time: Some(time),
    };
    Page {
        title: name.to_owned(),
        maker: name.to_owned(),
        integrity: document(1, 100),
        rules: vec![
            RuleVerdict {
                rule: name.to_owned(),
                verdict: Verdict::Fail,
                measured: Cell::name(name),
                detail: name.to_owned(),
            };
            300
        ],
        slowest: Some(SlowestFlow {
            name: name.to_owned(),
            count: u64::MAX,
            tail: name.to_owned(),
            tail_ns: f64::INFINITY,
            typical_ns: Some(f64::NAN),
            owners: vec![
                TailOwner {
                    name: name.to_owned(),
                    tail_ns: f64::NAN,
                    typical_ns: None,
                };
                50
            ],
        }),
        notes: vec![note; 200],
        events: document(2, 1100),
        over_time: document(100, 10),
        flows: document(32, 10),
        waterfalls: vec![
            Waterfall {
                title: name.to_owned(),
                picture: picture.clone(),
            };
            50
        ],
        episodes: Episodes {
            columns: vec![Column::new(name, name); 9],
            rows: vec![
                Episode {
                    from_unix_ns: i64::MAX,
                    to_unix_ns: i64::MIN,
                    cells: vec![Cell::name(name); 9],
                };
                1000
            ],
            left_out: u64::MAX - 1000,
        },
        plots: vec![picture; 20],
        commands: Commands {
            events: name.to_owned(),
            traces: name.to_owned(),
            sla: name.to_owned(),
            plots: name.to_owned(),
        },
    }
}

#[test]
fn no_page_is_larger_than_it_may_be() {
    // Each of these grows when it is escaped or shown.
    for letter in ["&", "\u{1b}", "\u{202e}", "a\u{301}\u{302}\u{303}"] {
        let page = html(&huge(&letter.repeat(5_000)));
        assert!(
            page.len() <= MAX_PAGE_BYTES,
            "{letter:?}: {} bytes",
            page.len()
        );
        assert!(page.ends_with("</html>"), "{letter:?}");
    }
}

#[test]
fn what_is_cut_off_is_said_with_the_command_for_all_of_it() {
    let mut page = huge("name");
    page.commands = Commands {
        events: "E".to_owned(),
        traces: "T".to_owned(),
        sla: "S".to_owned(),
        plots: "P".to_owned(),
    };
    let page = html(&page);
    for said in [
        "100 more rows have no room on this page. All of them: <code class=\"command\">E<",
        "49 more have no room on this page. All of them: <code class=\"command\">T<",
        "16 more plots have no room on this page. All of them: <code class=\"command\">P<",
        "250 more rules have no room here. All of them: <code class=\"command\">S<",
        "more episodes are left out. All of them: <code class=\"command\">S<",
        "150 more warnings",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert_eq!(page.matches("<tr id=\"episode-").count(), MAX_EPISODES);
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let page = html(&Page::default());
    assert!(page.contains("<main") && !page.contains("NaN"));
}

#[test]
fn the_same_page_has_the_same_bytes() {
    assert_eq!(html(&huge("x")), html(&huge("x")));
}

#[test]
fn names_are_text_wherever_they_stand() {
    let page = html(&huge("<b>\"'&\u{1b}"));
    assert!(!page.contains("<b>") && !page.contains('\u{1b}'));
    // In the page's title, in an attribute, in a cell.
    for place in ["<title>", "aria-label=\"", "<code>"] {
        let escaped = format!("{place}&lt;b&gt;&quot;'&amp;\\u{{1b}}");
        assert!(page.contains(&escaped), "{place}");
    }
}

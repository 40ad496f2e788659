//! `report --html`: the file, beside the usual answer. What is in it is tried in a browser, elsewhere.

use super::captures::Capture;
use super::run::Folder;

#[test]
fn the_page_holds_the_report_its_traces_and_plots() {
    let folder = Folder::trading();
    let args = ["report", "trading.bin", "--since", "+5s", "--every", "20s"];
    let page_args = ["--html", "page.html", "--quiet"];
    let shown = folder.stdout(&[&args[..], &page_args].concat());
    assert_eq!(shown, folder.stdout(&args));
    let page = folder.read("page.html");
    for part in [
        "<title>trading.bin – latency report</title>",
        "Content-Security-Policy",
        "<code>ORDER_SUBMIT</code> <span class=\"mark\">error</span>",
        "<section id=\"flows\" class=\"filtered\">",
        "<section id=\"waterfalls\">",
        "<section id=\"plots\">",
        "<section id=\"over-time\" class=\"filtered\">",
        // What was selected goes into the commands for all of it, what was said of the output does not.
        "perf-analyze traces trading.bin --since +5s --slowest 1000<",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.len() < perf_render::html::MAX_PAGE_BYTES);
    assert_eq!(
        folder.names(),
        ["page.html", "trading.bin"],
        "no temporary file is left"
    );
}

#[test]
fn captures_kept_apart_have_their_own_tables() {
    let folder = Folder::trading();
    let new = Capture {
        id: 2,
        version: Some("2.0.0"),
        lost: 7,
        ..Capture::default()
    };
    folder.write("new.bin", &new.bytes());
    let args = [
        "report",
        "trading.bin",
        "new.bin",
        "--by",
        "label=version",
        "--html",
        "page.html",
        "--quiet",
    ];
    folder.stdout(&args);
    let page = folder.read("page.html");
    for part in [
        "<h1>trading.bin and 1 more capture</h1>",
        "<h3>1.2.3</h3>",
        "<h3>2.0.0</h3>",
        "new.bin: 7 of ",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn rules_are_judged_on_the_page_and_in_the_answer() {
    let folder = Folder::trading();
    let rules = [
        "--sla",
        "ORDER_SUBMIT/ok:max<1ms",
        "--sla",
        "GC_PAUSE:max<1s",
        "--sla",
        "ORDER_SUBMIT:error_rate<1%",
    ];
    let args = [&["report", "trading.bin"][..], &rules].concat();
    let text = folder.stdout(&[&args[..], &["--html", "page.html"]].concat());
    for rule in [&rules[1], &rules[3], &rules[5]] {
        assert!(text.contains(rule), "{text}");
    }
    let page = folder.read("page.html");
    for part in [
        "✗</span> FAIL",
        "✓</span> PASS",
        "<code>ORDER_SUBMIT/ok:max&lt;1ms</code>",
        "<section id=\"episodes\"",
        "<tr id=\"episode-1\">",
        "<a id=\"mark-1\" href=\"#episode-1\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let sla = &folder.json(&args)["sla"];
    let verdicts: Vec<_> = (0..3).map(|rule| sla[rule]["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("fail"), Some("pass"), Some("fail")]);
    assert!(folder.json(&["report", "trading.bin"])["sla"].is_null());

    // A rule on a misspelt event says nothing, and says so.
    let ran = folder.run(&["report", "trading.bin", "--sla", "ODER_SUBMIT:max<1ms"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(
        ran.stderr.contains("did you mean ORDER_SUBMIT"),
        "{}",
        ran.stderr
    );
}

#[test]
fn its_bytes_do_not_depend_on_the_number_of_threads() {
    let folder = Folder::trading();
    for threads in ["1", "4"] {
        let page = format!("{threads}.html");
        folder.stdout(&[
            "report",
            "trading.bin",
            "--threads",
            threads,
            "--html",
            &page,
        ]);
    }
    let without_commands = |page: &str| folder.read(page).replace("--threads 4", "--threads 1");
    assert!(without_commands("1.html") == without_commands("4.html"));
}

#[test]
fn a_capture_without_records_has_a_page() {
    let folder = Folder::with(
        "empty.bin",
        &Capture {
            candles: 0,
            ..Capture::default()
        }
        .bytes(),
    );
    folder.stdout(&["report", "empty.bin", "--html", "page.html"]);
    let page = folder.read("page.html");
    assert!(page.contains("Nothing was recorded in what was selected."));
    assert!(!page.contains("id=\"plots\"") && !page.contains("id=\"flows\""));
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let folder = Folder::trading();
    std::fs::create_dir(folder.path("folder")).expect("a folder can be made");
    let before = std::fs::read(folder.path("trading.bin")).expect("it is there");
    for (path, error) in [
        (
            "trading.bin",
            "trading.bin is a capture and is left alone; write to another file\n",
        ),
        ("folder", "folder: it is a directory; name a file in it\n"),
        ("gone/page.html", "No such file or directory (os error 2)\n"),
    ] {
        let ran = folder.run(&["report", "trading.bin", "--html", path]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{path}");
        assert!(ran.stderr.ends_with(error), "{}", ran.stderr);
    }
    assert_eq!(
        std::fs::read(folder.path("trading.bin")).expect("it is there"),
        before
    );
    for no_file in ["-", ""] {
        let ran = folder.run(&["report", "trading.bin", "--html", no_file]);
        assert_eq!(ran.code, Some(2), "{no_file:?}");
    }
}

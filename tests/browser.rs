//! The page of `report --html` as its readers meet it: in a browser, by mouse and by keyboard.

use serde_json::json;

use crate::cli::captures::Capture;
use crate::cli::run::Folder;
use chromium::Browser;

mod chromium;
mod sample;

/// What no name may ever become.
const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}\u{1b}[2J</code></td></title>\
                       </style></svg><a href=javascript:alert(3)>${alert(4)}&lt;b&gt;";
const NOTHING: [&str; 0] = [];

/// The first cells of the rows that are shown of the first table of events.
const ROWS: &str = "[...document.querySelectorAll('#events table')[0].tBodies[0].rows]\
                    .filter((row) => !row.hidden).map((row) => row.cells[0].textContent)";

/// The heading `title` of the first table of events.
fn heading(number: usize) -> String {
    format!("#events th:nth-child({number}) button")
}

fn written(folder: &Folder, page: &perf_render::html::Page) -> std::path::PathBuf {
    folder.write("page.html", perf_render::html::html(page).as_bytes());
    folder.path("page.html")
}

#[test]
fn a_report_can_be_sorted_filtered_and_unfolded() {
    let folder = Folder::trading();
    let shown = folder.stdout(&[
        "report",
        "trading.bin",
        "--every",
        "20s",
        "--html",
        "page.html",
    ]);
    assert_eq!(
        shown,
        folder.stdout(&["report", "trading.bin", "--every", "20s"]),
        "the usual answer is given too"
    );
    let mut browser = Browser::start();
    browser.open(&folder.path("page.html"));
    let as_given = ["ORDER_SUBMIT", "ORDER_SUBMIT error", "CANDLE_PROCESSING"];
    assert_eq!(browser.strings(ROWS), as_given);

    // By mouse: the most first, then the least, then as it was.
    let [count, sorted] = [
        "#events th:nth-child(2) button",
        "document.querySelector('#events th:nth-child(2)').ariaSort",
    ];
    browser.click(count);
    assert_eq!(
        browser.strings(ROWS),
        ["CANDLE_PROCESSING", "ORDER_SUBMIT", "ORDER_SUBMIT error"]
    );
    assert_eq!(browser.eval(sorted), "descending");
    browser.click(count);
    assert_eq!(
        browser.strings(ROWS),
        ["ORDER_SUBMIT error", "ORDER_SUBMIT", "CANDLE_PROCESSING"]
    );
    browser.click(count);
    assert_eq!(
        (browser.eval(sorted), browser.strings(ROWS)),
        (json!("none"), as_given.map(str::to_owned).into())
    );

    // By keyboard: names from A, then from Z.
    browser.focus(&heading(1));
    browser.press("Enter");
    assert_eq!(
        browser.strings(ROWS),
        ["CANDLE_PROCESSING", "ORDER_SUBMIT", "ORDER_SUBMIT error"]
    );
    browser.press(" ");
    assert_eq!(
        browser.strings(ROWS),
        ["ORDER_SUBMIT error", "ORDER_SUBMIT", "CANDLE_PROCESSING"]
    );
    browser.press("Tab");
    browser.press("Enter");
    assert_eq!(
        browser.eval(sorted),
        "descending",
        "the next heading is one Tab away"
    );

    // The filter takes words in any order and case, over all tables of the section.
    browser.focus("#events input");
    browser.type_text("error ord");
    assert_eq!(browser.strings(ROWS), ["ORDER_SUBMIT error"]);
    let tables = "[...document.querySelectorAll('#events .scroll')].filter((each) => each.offsetHeight).length";
    assert_eq!(
        browser.eval(tables),
        1,
        "tables without a row that fits are hidden"
    );
    assert_eq!(
        browser.eval("document.querySelector('#events output').textContent"),
        "1 of 7 rows"
    );
    browser.eval("document.querySelector('#events input').select()");
    browser.type_text("gauge-like");
    assert_eq!(
        (browser.eval(tables), browser.strings(ROWS)),
        (json!(0), vec![])
    );

    // What is folded opens by keyboard and by mouse.
    let open = "document.querySelectorAll('#over-time details[open]').length";
    assert_eq!(browser.eval(open), 0);
    browser.focus("#over-time details summary");
    browser.press("Enter");
    browser.click("#over-time details:nth-of-type(2) summary");
    assert_eq!(browser.eval(open), 2);
    let slots = "document.querySelectorAll('#over-time details[open] tbody tr').length";
    assert_eq!(browser.eval(slots), 6);
    assert_eq!(browser.complaints(), NOTHING);
}

#[test]
fn a_comparison_can_be_sorted_and_filtered() {
    let folder = crate::cli::diff::folder();
    folder.stdout(&[
        "diff",
        "--base",
        "base",
        "--new",
        "slow",
        "--html",
        "page.html",
        "-q",
    ]);
    let mut browser = Browser::start();
    browser.open(&folder.path("page.html"));
    let rows = "[...document.querySelectorAll('#others table')[0].tBodies[0].rows]\
                .filter((row) => !row.hidden).map((row) => row.cells[0].textContent)";
    let as_given = browser.strings(rows);
    assert!(as_given.len() > 4, "{as_given:?}");
    browser.click("#others th:nth-child(2) button");
    let mut sorted = browser.strings(rows);
    assert_ne!(sorted, as_given, "by figure, not by name");
    sorted.sort();
    let mut all = as_given.clone();
    all.sort();
    assert_eq!(sorted, all, "no row is lost");
    browser.focus("#others input");
    browser.type_text("query p99");
    assert!(browser.strings(rows).len() < as_given.len());
    assert_eq!(browser.complaints(), NOTHING);
}

#[test]
fn every_part_of_a_page_works() {
    let folder = Folder::new();
    let page = written(&folder, &sample::page("ORDER_SUBMIT"));
    let mut browser = Browser::start();
    browser.emulate("screen", "light");
    browser.open(&page);

    // The broken rules first.
    let verdicts = "[...document.querySelectorAll('.badge')].map((badge) => badge.textContent)";
    assert_eq!(
        browser.strings(verdicts),
        ["✗ FAIL", "? UNPROVEN", "– NO DATA", "✓ PASS"]
    );
    // Absent values stay behind all others, whichever way they are sorted.
    for _ in 0..2 {
        browser.click(&heading(3));
        let rows = browser.strings(ROWS);
        assert_eq!(
            rows.last().map(String::as_str),
            Some("ORDER_SUBMIT 3"),
            "{rows:?}"
        );
    }

    browser.click("#waterfalls details summary");
    assert_eq!(
        browser.eval("document.querySelector('#waterfalls details').open"),
        true
    );
    assert_eq!(
        browser
            .eval("document.querySelector('#waterfalls svg').getBoundingClientRect().height > 100"),
        true
    );

    values_of_plots(&mut browser);
    episodes_and_their_marks(&mut browser);
    themes(&mut browser);
    sizes(&mut browser);
    assert_eq!(browser.complaints(), NOTHING);
}

fn values_of_plots(browser: &mut Browser) {
    let tip = "(() => { const tip = document.querySelector('.tip'); return tip.hidden ? '' : tip.textContent; })()";
    assert_eq!(browser.eval(tip), "");
    browser.point_at("#plots figure:nth-of-type(2) .at:nth-of-type(7)");
    assert_eq!(browser.eval(tip), "bar 2 of ORDER_SUBMIT\nheight 134");
    browser.point_at(".theme");
    assert_eq!(browser.eval(tip), "");
    browser.focus("#plots figure .picture");
    for (key, bar) in [
        ("ArrowRight", 0),
        ("ArrowRight", 1),
        ("End", 9),
        ("ArrowLeft", 8),
        ("Home", 0),
    ] {
        browser.press(key);
        let said = browser.eval(tip);
        let said = said.as_str().unwrap_or_default();
        assert!(said.starts_with(&format!("bar {bar} of")), "{key}: {said}");
    }
    browser.press("Escape");
    assert_eq!(browser.eval(tip), "");
}

/// A row leads to its mark on the plot over time, which lights up, and the mark back to the row.
fn episodes_and_their_marks(browser: &mut Browser) {
    let band = "getComputedStyle(document.querySelector('#mark-3 .band')).fillOpacity";
    assert_eq!(browser.eval(band), "0");
    browser.click("#episode-3 a");
    assert_eq!(browser.eval("location.hash"), "#mark-3");
    assert_eq!(browser.eval(band), "0.25");
    let place = "(() => { const [mark, plot] = ['#mark-3 .band', '#plots .picture'].map((each) => \
                 document.querySelector(each).getBoundingClientRect()); \
                 return Math.round((mark.x - plot.x) / plot.width * 960); })()";
    // 10 s of 60 s between the pixels 100 and 900.
    assert_eq!(browser.eval(place), 233);
    browser.click("#mark-3 .strip");
    assert_eq!(browser.eval("location.hash"), "#episode-3");
}

/// The switch turns the page and the plots on it dark and light, whatever the system is; print is light.
fn themes(browser: &mut Browser) {
    let ground = "['body', '#plots svg rect'].map((each) => getComputedStyle(document.querySelector(each)))\
                  .map((style, at) => at ? style.fill : style.backgroundColor)";
    let (white, black) = (["rgb(255, 255, 255)"; 2], ["rgb(20, 23, 28)"; 2]);
    let on = "document.querySelector('.theme').ariaChecked";
    assert_eq!(
        (browser.strings(ground), browser.eval(on)),
        (white.map(str::to_owned).into(), json!("false"))
    );
    browser.emulate("screen", "dark");
    assert_eq!(
        (browser.strings(ground), browser.eval(on)),
        (black.map(str::to_owned).into(), json!("true"))
    );
    browser.click(".theme");
    assert_eq!(
        (browser.strings(ground), browser.eval(on)),
        (white.map(str::to_owned).into(), json!("false"))
    );
    browser.focus(".theme");
    browser.press(" ");
    browser.emulate("screen", "light");
    assert_eq!(
        (browser.strings(ground), browser.eval(on)),
        (black.map(str::to_owned).into(), json!("true"))
    );
    browser.emulate("print", "light");
    assert_eq!(browser.strings(ground), white);
    browser.emulate("screen", "light");
}

/// The page itself never scrolls sideways: what is wide scrolls on its own.
fn sizes(browser: &mut Browser) {
    for width in [360, 800, 1600] {
        browser.resize(width, 900);
        let beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.eval(beyond), 0, "at {width} pixels");
    }
}

/// What rules promise stands on the plots of the page, and the values under the pointer say what was beyond it.
#[test]
fn limits_of_rules_are_on_the_plots() {
    let folder = Folder::trading();
    let args = [
        "report",
        "trading.bin",
        "--html",
        "page.html",
        "--sla",
        "CANDLE_PROCESSING:max<15us",
        "--sla",
        "CANDLE_PROCESSING:p99<19us",
    ];
    folder.stdout(&args);
    let mut browser = Browser::start();
    browser.open(&folder.path("page.html"));
    // The plot over time, by its title, and the labels on it that can be seen.
    let plot = "[...document.querySelectorAll('#plots figure')]\
                .find((each) => /CANDLE_PROCESSING: about/.test(each.textContent))";
    let labels = format!(
        "[...({plot}).querySelectorAll('text')].filter((each) => each.getBoundingClientRect().width > 0)\
         .map((each) => each.textContent.trim()).filter((text) => text.includes('us'))"
    );
    assert_eq!(browser.strings(&labels), ["max<15us", "p99<19us"]);
    let triangles = format!("({plot}).querySelectorAll('svg polygon').length");
    assert!(browser.eval(&triangles).as_u64() > Some(10));
    // In each ten seconds candles grow from 10 to 20 µs: the eighth second is beyond both.
    browser.eval(&format!(
        "({plot}).querySelectorAll('.at')[7].id = 'over-limit'"
    ));
    browser.point_at("#over-limit");
    let tip = browser.eval("document.querySelector('.tip').textContent");
    let tip = tip.as_str().unwrap_or_default();
    assert!(tip.contains(" over the lowest limit"), "{tip}");
    assert_eq!(browser.complaints(), NOTHING);
}

#[test]
fn hostile_names_do_nothing() {
    let capture = Capture {
        candle: HOSTILE.to_owned(),
        ..Capture::default()
    };
    let folder = Folder::with("trading.bin", &capture.bytes());
    folder.stdout(&[
        "report",
        "trading.bin",
        "--every",
        "20s",
        "--html",
        "report.html",
    ]);
    let sample = written(&folder, &sample::page(HOSTILE));
    let mut browser = Browser::start();
    for page in [folder.path("report.html"), sample] {
        browser.open(&page);
        let count = |selector: &str| format!("document.querySelectorAll(\"{selector}\").length");
        assert_eq!(browser.eval(&count("script")), 1, "the page's own");
        assert_eq!(
            browser.eval(&count(
                "img, iframe, object, embed, link, base, form, [onerror], [onload]"
            )),
            0
        );
        assert_eq!(browser.eval(&count("a:not([href^='#'])")), 0);
        // The name is there, as text, with what would not show as itself escaped.
        let shown = perf_render::escape::visible(HOSTILE).into_owned();
        let text = browser.eval("document.querySelector('#events').textContent");
        assert!(
            text.as_str().is_some_and(|text| text.contains(&shown)),
            "{text}"
        );
        browser.click(&heading(1));
        browser.focus("#events input");
        browser.type_text("</script><img");
        assert_ne!(browser.strings(ROWS), NOTHING);
        assert_eq!(browser.complaints(), NOTHING);
    }
}

/// The tests above would hear a page that does what it must not.
#[test]
fn complaints_are_heard() {
    let folder = Folder::new();
    let page = perf_render::html::html(&sample::page("ORDER_SUBMIT"));
    let with = |what: &str| page.replace("</main>", &format!("{what}</main>"));
    let allowed = page.replace(
        "script-src 'sha256-",
        "img-src 'self' file:; script-src 'unsafe-inline' 'no-",
    );
    let allowed = allowed.replace("; img-src data:", "");
    let trouble = "<img src=gone.png><script>console.error(1); throw 2</script>";
    let mut browser = Browser::start();
    let mut complaints = |content: &str| {
        folder.write("page.html", content.as_bytes());
        browser.open(&folder.path("page.html"));
        browser.complaints().join("\n")
    };
    // The policy refuses an inline script, its handlers, and pictures from elsewhere …
    for smuggled in [
        "<script>alert(1)</script>",
        "<img src=\"x.png\">",
        "<p onclick=\"alert(1)\" id=x>",
        "<iframe src=\"/\"></iframe>",
    ] {
        let said = complaints(&with(smuggled));
        assert!(
            said.contains("Content Security Policy"),
            "{smuggled}: {said}"
        );
    }
    // … and where it would not, requests and errors are heard all the same.
    let said = complaints(&allowed.replace("</main>", &format!("{trouble}</main>")));
    for heard in ["gone.png", "consoleAPICalled", "exceptionThrown"] {
        assert!(said.contains(heard), "{heard}: {said}");
    }
}

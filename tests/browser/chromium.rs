//! A headless Chromium under remote control: what a person does with mouse and keyboard, and what the page complains of.
//!
//! The browser is driven over a pair of pipes (`--remote-debugging-pipe`): JSON messages, each ended by a NUL. Input is
//! what the browser takes for real, and pages are opened as they are.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long one answer may take on a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(180);
/// Names under which the browser is found.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];
/// Nothing but the page: no network of its own, no first-run questions.
const OPTIONS: [&str; 14] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

/// A browser with one page.
pub(super) struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    /// Events that came while an answer was waited for.
    heard: Vec<Value>,
    // Removed when the browser is gone.
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(super) fn start() -> Browser {
        let profile = tempfile::tempdir().expect("a temporary folder can be made");
        // The browser wants its pipes as the files 3 and 4.
        let mut process = Command::new("sh")
            .args([
                "-c",
                r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#,
            ])
            .arg(find())
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let to = process.stdin.take().expect("it is piped");
        let output = process.stdout.take().expect("it is piped");
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("messages are JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Browser {
            process,
            to,
            from,
            session: None,
            sent: 0,
            heard: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for part in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{part}.enable"), json!({}));
        }
        browser
    }

    /// Opens a file, once everything before is forgotten.
    pub(super) fn open(&mut self, page: &Path) {
        self.heard.clear();
        let url = format!("file://{}", page.display());
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("Page.loadEventFired");
    }

    /// What `expression` is within the page.
    #[track_caller]
    pub(super) fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", asked);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer:#}"
        );
        answer["result"]["value"].clone()
    }

    /// The same as a list of strings.
    #[track_caller]
    pub(super) fn strings(&mut self, expression: &str) -> Vec<String> {
        let value = self.eval(expression);
        let values = value
            .as_array()
            .unwrap_or_else(|| panic!("{expression} is {value}"));
        values
            .iter()
            .map(|value| value.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Clicks the middle of the first element that `selector` finds.
    #[track_caller]
    pub(super) fn click(&mut self, selector: &str) {
        let (x, y) = self.point_at(selector);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Moves the mouse to the middle of the first element that `selector` finds, and says where that is.
    #[track_caller]
    pub(super) fn point_at(&mut self, selector: &str) -> (f64, f64) {
        // Two frames later the page has been told that it was scrolled.
        let place = self.eval(&format!(
            "(async () => {{ const e = document.querySelector({}); e.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        ));
        let at = |index: usize| place[index].as_f64().expect("a place on the page");
        let (x, y) = (at(0), at(1));
        self.call(
            "Input.dispatchMouseEvent",
            json!({"type": "mouseMoved", "x": x, "y": y}),
        );
        (x, y)
    }

    /// Gives the keyboard to the first element that `selector` finds.
    #[track_caller]
    pub(super) fn focus(&mut self, selector: &str) {
        let selector = json!(selector);
        let focused = self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector}); e.focus(); return document.activeElement === e; }})()"
        ));
        assert_eq!(focused, true, "{selector} cannot have the keyboard");
    }

    /// Presses and releases a key.
    pub(super) fn press(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
            "Tab" => ("Tab", 9, ""),
            "Escape" => ("Escape", 27, ""),
            "End" => ("End", 35, ""),
            "Home" => ("Home", 36, ""),
            "ArrowLeft" => ("ArrowLeft", 37, ""),
            "ArrowRight" => ("ArrowRight", 39, ""),
            other => panic!("the key {other} is not known here"),
        };
        let down = if text.is_empty() {
            "rawKeyDown"
        } else {
            "keyDown"
        };
        for kind in [down, "keyUp"] {
            let mut event =
                json!({"type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number});
            if kind == "keyDown" {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types into what has the keyboard.
    pub(super) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Gives the window a size in pixels.
    pub(super) fn resize(&mut self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Shows the page as on a `screen` or in `print`, to a reader whose system is `light` or `dark`.
    pub(super) fn emulate(&mut self, media: &str, scheme: &str) {
        let scheme = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call(
            "Emulation.setEmulatedMedia",
            json!({"media": media, "features": scheme}),
        );
    }

    /// What went wrong on the page since it was opened: errors, refusals of its policy, requests, dialogs.
    pub(super) fn complaints(&mut self) -> Vec<String> {
        // All that happened before this answer has been heard after it.
        self.eval("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 50)).then(() => 0)");
        self.heard.iter().filter_map(complaint).collect()
    }

    /// Calls a method of the browser and waits for its answer.
    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let written = write!(self.to, "{message}\0").and_then(|()| self.to.flush());
        written.expect("the browser listens");
        loop {
            let message = self.next(method);
            if message["id"] == self.sent {
                assert!(message["error"].is_null(), "{method}: {message:#}");
                return message["result"].clone();
            }
            self.heard.push(message);
        }
    }

    #[track_caller]
    fn wait_for(&mut self, event: &str) {
        while !self.heard.iter().any(|message| message["method"] == event) {
            let message = self.next(event);
            self.heard.push(message);
        }
    }

    #[track_caller]
    fn next(&mut self, waiting_for: &str) -> Value {
        match self.from.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(error) => panic!("no answer from the browser to {waiting_for}: {error}"),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked first, so that it takes its own children along.
        let _ = write!(self.to, "{}\0", json!({"id": 0, "method": "Browser.close"}))
            .and_then(|()| self.to.flush());
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(20) {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What `message` says that a page ought not to do, if it does.
fn complaint(message: &Value) -> Option<String> {
    let params = &message["params"];
    let is_trouble = match message["method"].as_str()? {
        "Runtime.exceptionThrown" | "Page.javascriptDialogOpening" => true,
        "Runtime.consoleAPICalled" => matches!(
            params["type"].as_str(),
            Some("error" | "warning" | "assert")
        ),
        "Log.entryAdded" => matches!(params["entry"]["level"].as_str(), Some("error" | "warning")),
        // The page itself is a request too; nothing else may be.
        "Network.requestWillBeSent" => {
            params["type"] != "Document" || params["request"]["url"] != params["documentURL"]
        }
        _ => false,
    };
    is_trouble.then(|| message.to_string())
}

fn find() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|file| file.is_file());
    found.expect("no Chromium on the PATH: `cargo xtask test` installs it; by hand: apt-get install chromium")
}

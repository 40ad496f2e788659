//! A program that is asked something of a capture: how long it takes, how much memory, what it answers.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Numbers by name: what two programs have to agree on.
pub(crate) type Answer = BTreeMap<String, f64>;

/// How a whole process went.
pub(crate) struct Asked {
    pub(crate) seconds: f64,
    pub(crate) anonymous_kib: u64,
    pub(crate) peak_kib: u64,
    /// What it asked the kernel for, in bytes.
    pub(crate) read_bytes: u64,
    /// What it printed.
    pub(crate) printed: String,
}

impl Asked {
    /// What it printed, as JSON; null if it printed nothing.
    ///
    /// # Errors
    /// When it printed something else.
    pub(crate) fn json(&self) -> Result<Value> {
        match self.printed.trim() {
            "" => Ok(Value::Null),
            printed => serde_json::from_str(printed).context("what it printed is no JSON"),
        }
    }
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, or fails.
pub(crate) fn ask(command: &mut Command) -> Result<Asked> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start it")?;
    let watched = thread::scope(|scope| {
        let pid = child.id();
        let (ended, ends) = std::sync::mpsc::channel::<()>();
        let watcher = scope.spawn(move || watch(pid, &ends));
        let output = collect(&mut child);
        let seconds = start.elapsed().as_secs_f64();
        drop(ended);
        let watched = watcher.join().expect("the watcher does not panic");
        output.map(|(printed, errors, success)| (printed, errors, success, seconds, watched))
    })?;
    let (printed, errors, success, seconds, (anonymous_kib, peak_kib, read_bytes)) = watched;
    ensure!(success, "it failed: {}", errors.trim());
    Ok(Asked {
        seconds,
        anonymous_kib,
        peak_kib,
        read_bytes,
        printed,
    })
}

/// Both outputs to their ends, then the exit status.
fn collect(child: &mut Child) -> Result<(String, String, bool)> {
    use std::io::Read;
    let mut errors = child.stderr.take().context("its errors are piped")?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    let mut printed = String::new();
    let output = child.stdout.as_mut().context("its output is piped")?;
    output.read_to_string(&mut printed)?;
    let success = child.wait()?.success();
    Ok((printed, reader.join().unwrap_or_default(), success))
}

/// The most anonymous memory, the most memory, KiB, and the bytes read, of a process until it is gone.
fn watch(pid: u32, ends: &std::sync::mpsc::Receiver<()>) -> (u64, u64, u64) {
    let mut most = (0, 0, 0);
    loop {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        most.0 = most.0.max(field(&status, "RssAnon:"));
        most.1 = most.1.max(field(&status, "VmHWM:"));
        most.2 = most.2.max(field(&io, "rchar:"));
        match ends.recv_timeout(Duration::from_millis(2)) {
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            _ => return most,
        }
    }
}

/// The number behind a name at the begin of a line; 0 if there is none.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// What `perf-analyze` answered, as numbers by the names that `analysis.py` gives them.
pub(crate) fn our_answer(question: &str, printed: &Value) -> Answer {
    let mut answer = Answer::new();
    let mut put = |name: String, value: &Value| {
        if let Some(value) = value.as_f64() {
            answer.insert(name, value);
        }
    };
    match question {
        "exact" | "bins" => {
            let none = Vec::new();
            let events = printed["events"].as_array().unwrap_or(&none);
            for event in events.iter().filter(|event| event["outcome"] == "ok") {
                let name = event["event"].as_str().unwrap_or_default();
                put(format!("{name} count"), &event["count"]);
                put(format!("{name} max"), &event["max"]);
                for (rank, value) in event["percentiles"].as_object().into_iter().flatten() {
                    put(format!("{name} {rank}"), value);
                }
            }
        }
        "traces" => {
            put("traces".to_owned(), &printed["traces"]);
            // The flows that are printed one by one are only the most frequent.
            let flows = printed["flows"].as_array().into_iter().flatten();
            let flows = flows.chain([&printed["other"]]);
            let max = flows.filter_map(|flow| flow["end_to_end"]["max"].as_u64());
            put("max".to_owned(), &max.max().into());
        }
        "sla" => {
            let total = &printed["rules"][0]["total"];
            put("count".to_owned(), &total["samples"]);
            put("over".to_owned(), &total["over"]);
        }
        _ => {}
    }
    answer
}

/// Whether both say the same, each number within a thousandth. What only one of them knows is a difference.
pub(crate) fn agree(ours: &Answer, theirs: &Answer) -> bool {
    ours.len() == theirs.len()
        && ours.iter().all(|(name, &value)| {
            theirs
                .get(name)
                .is_some_and(|&other| (other - value).abs() <= value.abs() * 1e-3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_agree_within_a_thousandth_and_only_about_the_same_things() {
        let report = json!({"events": [
            {"event": "A", "outcome": "ok", "count": 1000, "max": 90, "percentiles": {"50": 20, "99.9": 80}},
            {"event": "A", "outcome": "error", "count": 5, "max": 9, "percentiles": {}},
        ]});
        let ours = our_answer("exact", &report);
        assert_eq!(ours.len(), 4);
        let mut theirs = ours.clone();
        theirs.insert("A count".to_owned(), 1000.9);
        assert!(agree(&ours, &theirs));
        theirs.insert("A count".to_owned(), 1002.0);
        assert!(!agree(&ours, &theirs));
        theirs.remove("A count");
        assert!(!agree(&ours, &theirs));
    }

    #[test]
    fn traces_and_rules_are_read_as_the_engines_answer() {
        let traces = json!({
            "traces": 7,
            "flows": [{"end_to_end": {"max": 8}}, {"end_to_end": null}],
            "other": {"end_to_end": {"max": 9}},
        });
        let answer = our_answer("traces", &traces);
        assert_eq!((answer["traces"], answer["max"]), (7.0, 9.0));
        let rules = json!({"rules": [{"total": {"samples": 50, "over": 3}}]});
        let answer = our_answer("sla", &rules);
        assert_eq!((answer["count"], answer["over"]), (50.0, 3.0));
    }

    #[test]
    fn a_program_is_timed_and_its_memory_seen() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 0.2; echo '{\"x\": 1}'"]);
        let asked = ask(&mut command).expect("a shell");
        assert!(asked.seconds >= 0.2 && asked.peak_kib > 0);
        assert_eq!(asked.json().expect("an object")["x"], 1);
        assert!(ask(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).is_err());
    }
}

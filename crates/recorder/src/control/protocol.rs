//! What is said through the socket, as lines.

use std::time::Duration;

/// The version of the protocol.
pub const VERSION: u32 = 1;
/// Bytes of a request, at most.
pub const MAX_REQUEST_BYTES: usize = 1_024;
/// Bytes of an answer, at most.
pub(super) const MAX_ANSWER_BYTES: usize = 64 << 10;

const NAME: &str = "perf-control";
const OK: &str = "ok";
const ERROR: &str = "error ";
const END: &str = "end";

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Status,
    On,
    Off,
    /// With the reason.
    Snapshot(String),
}

/// Keys and values, or why not.
pub(super) type Answer = Result<Vec<(String, String)>, String>;

impl Request {
    /// `None` if it is no request.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (verb, rest) {
            ("status", "") => Some(Self::Status),
            ("on", "") => Some(Self::On),
            ("off", "") => Some(Self::Off),
            ("snapshot", words) => Some(Self::Snapshot(words.trim().to_owned())),
            _ => None,
        }
    }

    /// Without the line's end. Of a reason, as much as fits.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Status => "status".to_owned(),
            Self::On => "on".to_owned(),
            Self::Off => "off".to_owned(),
            Self::Snapshot(words) => {
                let mut line = "snapshot ".to_owned();
                for each in words.chars() {
                    if line.len() + each.len_utf8() >= MAX_REQUEST_BYTES {
                        break;
                    }
                    line.push(if each.is_control() { ' ' } else { each });
                }
                line
            }
        }
    }
}

/// The first line that the recorder says, without its end.
pub(super) fn greeting(patience: Duration) -> String {
    format!("{NAME} {VERSION} {}", patience.as_millis())
}

/// How long a snapshot may take, by the first line.
///
/// # Errors
/// The version, if it is another one; nothing, if it is no greeting.
pub(super) fn parse_greeting(line: &str) -> Result<Duration, Option<String>> {
    let mut words = line.split(' ');
    if words.next() != Some(NAME) {
        return Err(None);
    }
    let version = words.next().ok_or(None)?;
    if version != VERSION.to_string() {
        return Err(Some(version.chars().take(20).collect()));
    }
    let patience = words.next().and_then(|ms| ms.parse().ok()).ok_or(None)?;
    Ok(Duration::from_millis(patience))
}

/// An answer's lines.
pub(super) fn lines_of(answer: &Answer) -> String {
    let mut lines = String::new();
    match answer {
        Ok(facts) => {
            lines.push_str(OK);
            lines.push('\n');
            for (key, value) in facts {
                lines.push_str(&format!("{key} {}\n", escaped(value)));
            }
        }
        Err(words) => lines.push_str(&format!("{ERROR}{}\n", escaped(words))),
    }
    lines.push_str(END);
    lines.push('\n');
    lines
}

/// Whether this is an answer's last line.
pub(super) fn is_end(line: &str) -> bool {
    line == END
}

/// The answer in these lines, without the last. `None` if it is none.
pub(super) fn parse_answer(lines: &[String]) -> Option<Answer> {
    let (first, facts) = lines.split_first()?;
    if let Some(words) = first.strip_prefix(ERROR) {
        return Some(Err(plain(words)));
    }
    if first != OK {
        return None;
    }
    let fact = |line: &String| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), plain(value)))
    };
    facts.iter().map(fact).collect::<Option<Vec<_>>>().map(Ok)
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n")
}

fn plain(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(each) = rest.next() {
        match (each, rest.clone().next()) {
            ('\\', Some(next @ ('n' | '\\'))) => {
                plain.push(if next == 'n' { '\n' } else { '\\' });
                rest.next();
            }
            _ => plain.push(each),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_come_back_as_they_were() {
        let snapshot = Request::Snapshot("an odd  reply".to_owned());
        for request in [Request::Status, Request::On, Request::Off, snapshot] {
            assert_eq!(Request::parse(&request.line()), Some(request));
        }
        for line in [
            "",
            " status",
            "status now",
            "STATUS",
            "on off",
            "stop",
            "snapshots",
        ] {
            assert_eq!(Request::parse(line), None, "{line}");
        }
        let long = Request::Snapshot("ä\n".repeat(MAX_REQUEST_BYTES)).line();
        assert!(long.len() < MAX_REQUEST_BYTES && !long.contains('\n'));

        let facts = [("capture", "/tmp/a\nb\\nc\\"), ("empty", "")];
        let facts = facts.map(|(key, value)| (key.to_owned(), value.to_owned()));
        for answer in [
            Ok(facts.to_vec()),
            Ok(Vec::new()),
            Err("no\nway".to_owned()),
        ] {
            let text = lines_of(&answer);
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            assert!(is_end(&lines.pop().expect("a last line")));
            assert_eq!(parse_answer(&lines), Some(answer));
        }
        assert_eq!(parse_answer(&[]), None);
        assert_eq!(parse_answer(&["fine".to_owned()]), None);
        assert_eq!(parse_answer(&["ok".to_owned(), "lonely".to_owned()]), None);
    }

    #[test]
    fn other_versions_are_told_apart_from_nonsense() {
        let patience = Duration::from_millis(5_000);
        assert_eq!(parse_greeting(&greeting(patience)), Ok(patience));
        assert_eq!(
            parse_greeting("perf-control 2 now"),
            Err(Some("2".to_owned()))
        );
        for line in [
            "",
            "perf-control",
            "perf-control 1",
            "perf-control 1 x",
            "HTTP/1.1 200",
        ] {
            assert_eq!(parse_greeting(line), Err(None), "{line}");
        }
    }
}

//! Why a flight recorder wrote a file: what its labels say.

use perf_format::{FLIGHT_LABEL, FileHeader, TRIGGER_AT_LABEL, TRIGGER_LABEL, TRIGGERS_MORE_LABEL};
use serde::Serialize;

use crate::value::UnixNs;

/// What made a flight recorder write a part of its capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Which part.
    pub part: u32,
    /// `sla`, `panic`, `signal`, `snapshot` (a call), `attach` or `killed`; others come from newer recorders.
    pub kind: String,
    /// What happened, in the recorder's words. May be empty.
    pub words: String,
    /// When it happened; not known of a process that was killed.
    pub at_unix_ns: Option<UnixNs>,
    /// How far back the recorder's window reaches, in ns.
    pub window_ns: Option<u64>,
    /// Triggers since the part before that were not written for themselves.
    pub more: u64,
    /// The last of these, with its kind.
    pub last_more: Option<String>,
}

impl Snapshot {
    /// `None` if the file is no flight recorder's.
    pub(crate) fn of(header: &FileHeader) -> Option<Self> {
        let value = |key: &str| {
            let label = header.labels.iter().find(|label| label.key == key);
            label.map(|label| label.value.as_str())
        };
        let (kind, words) = parted(value(TRIGGER_LABEL)?);
        let (more, last_more) = value(TRIGGERS_MORE_LABEL).map_or(("", ""), parted);
        Some(Self {
            part: header.part,
            kind: kind.to_owned(),
            words: words.to_owned(),
            at_unix_ns: value(TRIGGER_AT_LABEL)
                .and_then(|at| at.parse().ok())
                .map(UnixNs),
            window_ns: value(FLIGHT_LABEL).and_then(|ns| ns.parse().ok()),
            more: more.parse().unwrap_or(0),
            last_more: (!last_more.is_empty()).then(|| last_more.to_owned()),
        })
    }
}

fn parted(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// Whether a [`Snapshot`] tells what the label with this key says.
pub(crate) fn is_told(key: &str) -> bool {
    [
        FLIGHT_LABEL,
        TRIGGER_LABEL,
        TRIGGER_AT_LABEL,
        TRIGGERS_MORE_LABEL,
    ]
    .contains(&key)
}

#[cfg(test)]
mod tests {
    use perf_format::Label;

    use super::*;

    fn header(labels: &[(&str, &str)]) -> FileHeader {
        let label = |(key, value): &(&str, &str)| Label {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        FileHeader {
            part: 3,
            labels: labels.iter().map(label).collect(),
            ..FileHeader::default()
        }
    }

    #[test]
    fn labels_say_what_triggered() {
        assert_eq!(Snapshot::of(&header(&[("version", "1")])), None);
        let of_kill = header(&[(FLIGHT_LABEL, "x"), (TRIGGER_LABEL, "killed")]);
        let killed = Snapshot::of(&of_kill).expect("a snapshot");
        assert_eq!(
            (killed.kind.as_str(), killed.words.as_str()),
            ("killed", "")
        );
        assert_eq!((killed.at_unix_ns, killed.window_ns), (None, None));
        let labels = [
            (FLIGHT_LABEL, "30000000000"),
            (TRIGGER_LABEL, "sla ORDER took 7.2ms, more than 5ms"),
            (TRIGGER_AT_LABEL, "1777636800000000000"),
            (TRIGGERS_MORE_LABEL, "12 signal SIGUSR2"),
        ];
        let snapshot = Snapshot::of(&header(&labels)).expect("a snapshot");
        assert_eq!(
            snapshot,
            Snapshot {
                part: 3,
                kind: "sla".to_owned(),
                words: "ORDER took 7.2ms, more than 5ms".to_owned(),
                at_unix_ns: Some(UnixNs(1_777_636_800_000_000_000)),
                window_ns: Some(30_000_000_000),
                more: 12,
                last_more: Some("signal SIGUSR2".to_owned()),
            }
        );
        assert!(labels.iter().all(|(key, _)| is_told(key)));
    }
}

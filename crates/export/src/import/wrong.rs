//! What is wrong with a file that is to be imported.

use std::fmt;

/// What, where, what was expected instead, and what to do.
#[derive(Debug)]
pub(super) struct Wrong {
    what: String,
    expected: String,
    remedy: &'static str,
}

impl Wrong {
    /// Something that stands where a value of another kind was expected.
    pub(super) fn new(what: String, expected: &str) -> Self {
        Self {
            what: format!("{what} is wrong"),
            expected: expected.to_owned(),
            remedy: "mend it, or leave it out of the file",
        }
    }

    /// Text that is no JSON, or JSON of another shape than that of `format`. The error says where.
    pub(super) fn json(error: &serde_json::Error, format: &str) -> Self {
        let at = format!("line {} column {}", error.line(), error.column());
        let full = error.to_string();
        let what = full.strip_suffix(&format!(" at {at}")).unwrap_or(&full);
        let (expected, remedy) = match error.classify() {
            serde_json::error::Category::Eof => (
                "more of it",
                "the file was cut off; copy or record it again",
            ),
            serde_json::error::Category::Data => (
                "the fields of that format",
                "check which program wrote it, and in which format",
            ),
            _ => ("JSON", "write the file again with the tool that made it"),
        };
        Self {
            what: format!("{at}: {what}"),
            expected: format!("{expected}, for {format}"),
            remedy,
        }
    }

    /// Bytes that are no text, from `at`.
    pub(super) fn bytes(bytes: &[u8], at: usize) -> Self {
        let (what, remedy) = match bytes {
            [0x1F, 0x8B, ..] => ("is compressed with gzip", "unpack it with gunzip first"),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => {
                ("is compressed with zstd", "unpack it with unzstd first")
            }
            _ => (
                "is no UTF-8 text",
                "export it as JSON: traces of Perfetto and OTLP in protobuf are not read",
            ),
        };
        Self {
            what: format!("byte {at}: {what}"),
            expected: "JSON".to_owned(),
            remedy,
        }
    }

    /// Something about the file as a whole.
    pub(super) fn whole(what: &str, expected: &str, remedy: &'static str) -> Self {
        Self {
            what: what.to_owned(),
            expected: expected.to_owned(),
            remedy,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; expected {}; {}",
            self.what, self.expected, self.remedy
        )
    }
}

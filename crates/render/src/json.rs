//! Results as JSON that is safe to look at in a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::escape::is_hidden;

/// `value` as indented JSON, ended by a newline.
///
/// Characters that would not show as themselves (terminal controls, text-direction overrides) are written as
/// `\u` escapes. Every JSON reader undoes these, so names stay exact.
///
/// # Errors
/// When `value` cannot be JSON, such as a map whose keys are no strings.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let formatter = Visible(PrettyFormatter::with_indent(b"  "));
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes, formatter,
    ))?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes).expect("serde_json writes UTF-8"))
}

/// Pretty JSON, in which strings hold nothing but visible characters.
struct Visible(PrettyFormatter<'static>);

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut written = 0;
        for (place, c) in fragment
            .char_indices()
            .filter(|(_, c)| !c.is_ascii_graphic() && is_hidden(*c))
        {
            writer.write_all(&fragment.as_bytes()[written..place])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = place + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn hidden_characters_are_escaped_and_come_back() {
        let names = [
            "a\u{1b}[2J\u{9b}\u{7f}",
            "\u{202e}x\u{e0041}",
            "注文 \"q\" \\ é\n",
        ];
        let text = json(&names).expect("strings are JSON");
        assert_eq!(
            text,
            "[\n  \"a\\u001b[2J\\u009b\\u007f\",\n  \"\\u202ex\\udb40\\udc41\",\n  \"注文 \\\"q\\\" \\\\ é\\n\"\n]\n"
        );
        let back: Vec<String> = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(back, names);
    }
}

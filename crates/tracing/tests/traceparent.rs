//! The header `traceparent`: what is written can be read, and nothing but what the standard allows is.

use perf_probe::TraceId;
use perf_tracing::{Traceparent, TraceparentError};
use proptest::prelude::*;

/// What the standard's grammar says, read digit by digit: version, ids, flags.
fn by_the_grammar(header: &str) -> bool {
    let lower_hex = |text: &str, len: usize| {
        text.len() == len
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = header.splitn(5, '-');
    let mut next = || parts.next().unwrap_or("");
    let (version, trace, parent, flags) = (next(), next(), next(), next());
    let more = parts.next();
    let zeros = |text: &str| text.bytes().all(|byte| byte == b'0');
    lower_hex(version, 2)
        && version != "ff"
        && lower_hex(trace, 32)
        && !zeros(trace)
        && lower_hex(parent, 16)
        && !zeros(parent)
        && lower_hex(flags, 2)
        && (more.is_none() || version != "00")
}

proptest! {
    #[test]
    fn what_is_written_is_read(trace in 1_u64.., high: u64, sampled: bool) {
        let written = Traceparent::new(TraceId::from_raw(trace), high, sampled).expect("a trace");
        let header = written.to_string();
        prop_assert!(by_the_grammar(&header), "{}", header);
        prop_assert_eq!(header.parse(), Ok(written));
        let child = written.child();
        prop_assert_eq!((child.trace(), child.high()), (written.trace(), high));
        prop_assert!(child.parent_id() != written.parent_id());
    }

    #[test]
    fn any_valid_header_is_read_to_the_bit(
        version in "0[0-9a-f]|[1-9a-e][0-9a-f]",
        trace: u128,
        parent in 1_u64..,
        flags: u8,
        more in "(-[ -~]{0,20})?",
    ) {
        prop_assume!(trace as u64 != 0);
        let more = if version == "00" { "" } else { more.as_str() };
        let header = format!("{version}-{trace:032x}-{parent:016x}-{flags:02x}{more}");
        prop_assert!(by_the_grammar(&header));
        let read = Traceparent::parse(&header).expect("a valid header");
        prop_assert_eq!(read.trace().raw(), trace as u64);
        prop_assert_eq!(read.high(), (trace >> 64) as u64);
        prop_assert_eq!(read.parent_id(), parent);
        prop_assert_eq!(read.is_sampled(), flags & 1 == 1);
    }

    #[test]
    fn one_changed_byte_is_judged_by_the_grammar(at in 0_usize..60, byte in b' '..=b'~', later: bool) {
        let version = if later { "01" } else { "00" };
        let mut header = format!("{version}-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").into_bytes();
        if at < header.len() {
            header[at] = byte;
        } else {
            header.push(byte);
        }
        let header = String::from_utf8(header).expect("ASCII");
        prop_assert_eq!(Traceparent::parse(&header).is_ok(), by_the_grammar(&header), "{}", header);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", dashes in "[0-9a-f-]{50,60}") {
        for header in [text, dashes] {
            let read = Traceparent::parse(&header);
            let low_half_is_zero = read == Err(TraceparentError::ZeroLowHalf);
            prop_assert_eq!(read.is_ok(), by_the_grammar(&header) && !low_half_is_zero);
        }
    }
}

#[test]
fn no_trace_has_no_header() {
    assert_eq!(Traceparent::new(TraceId::NONE, 7, true), None);
}

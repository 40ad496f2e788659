//! What goes to standard error: one line each, safe to show, coloured only on a terminal.

use std::io::Write;

use perf_render::escape::visible;

/// Says why nothing could be done, with the causes that the message does not already name.
pub(crate) fn error(error: &anyhow::Error) {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !message.contains(&cause) {
            message.push_str(if message.is_empty() { "" } else { ": " });
            message.push_str(&cause);
        }
    }
    say("\u{1b}[1;31merror:\u{1b}[0m", &message);
}

/// Says what the reader should know although the run goes on.
pub(crate) fn warning(message: &str) {
    say("\u{1b}[1;33mwarning:\u{1b}[0m", message);
}

/// Says what was done, where standard output has something else to say.
pub(crate) fn note(message: &str) {
    let _ = writeln!(anstream::stderr(), "{}", visible(message));
}

fn say(kind: &str, message: &str) {
    // Where even standard error is gone, there is nobody left to tell.
    let _ = writeln!(anstream::stderr(), "{kind} {}", visible(message));
}

//! How a failure ends the process: its text on stderr and its exit status.

use std::{error::Error, fmt, io, process::ExitCode};

use crate::notes;

/// The command line makes sense to the parser, but not together with the world (exit status 2).
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// Whoever read our stdout is gone, which is how `head` says thank you: no error, nothing to say.
///
/// A marker of its own, because a broken connection to the server is a broken pipe as well.
#[derive(Debug)]
pub(crate) struct OutputClosed;

impl fmt::Display for OutputClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output was closed")
    }
}

impl Error for OutputClosed {}

/// Marks the broken pipe of our own output.
pub(crate) fn of_output(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, OutputClosed),
        _ => error,
    }
}

/// Prints `failure` and says how to exit.
pub(crate) fn report(failure: &anyhow::Error) -> ExitCode {
    if is_output_closed(failure) {
        return ExitCode::SUCCESS;
    }
    notes::say(&format!("error: {}", text(failure)));
    if failure.chain().any(|cause| cause.is::<Usage>()) {
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}

fn is_output_closed(failure: &anyhow::Error) -> bool {
    let marked = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<OutputClosed>())
    };
    failure.chain().any(marked)
}

/// The causes one after the other, without those whose text the one before already holds.
fn text(failure: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in failure.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn causes_are_said_once() {
        let io = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let cases = [
            (anyhow!("a"), "a"),
            (anyhow!("a").context("b"), "b: a"),
            (anyhow!("a").context("b: a"), "b: a"),
            (anyhow::Error::new(io()).context("cannot reach x"), "cannot reach x: connection refused"),
        ];
        for (failure, expect) in cases {
            assert_eq!(text(&failure), expect);
        }
    }

    #[test]
    fn only_our_own_pipe_is_silent() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_output_closed(&anyhow::Error::new(of_output(broken())).context("x")));
        assert!(!is_output_closed(&broken().into()));
        assert!(!is_output_closed(&of_output(io::Error::from(io::ErrorKind::NotFound)).into()));
    }
}

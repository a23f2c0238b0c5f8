//! What the process says while it runs: lines in a log, and spans for a collector of traces.

pub(crate) mod traces;

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use self::traces::Traces;
use crate::args::LogFormat;
use crate::config::Config;
use crate::metrics::Metrics;

/// The target of the line that each request gets.
pub(crate) const ACCESS_TARGET: &str = "wargate::access";

/// The target of the span that each request is answered in.
pub(crate) const REQUEST_TARGET: &str = "wargate::request";

/// Begins to log, and to collect spans if somebody wants them. To be called in the runtime.
pub(crate) fn start(config: &Config, metrics: &Metrics) -> Result<Option<Traces>> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("{:?} is no log level (try info or debug)", config.log))?;
    let traces =
        config.operations.traces.as_ref().map(|traces| Traces::new(traces, metrics)).transpose()?;
    match &traces {
        // One filter for all is cheaper than one for each.
        None => tracing_subscriber::registry().with(filter).with(lines(config.log_format)).init(),
        Some(traces) => tracing_subscriber::registry()
            .with(lines(config.log_format).with_filter(filter))
            .with(traces.layer())
            .init(),
    }
    Ok(traces)
}

/// What writes lines to standard error.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // What cannot be written, to a full disk for example, is lost. To complain of it would be a panic.
    let layer = tracing_subscriber::fmt::layer().log_internal_errors(false);
    match format {
        LogFormat::Text => {
            let writer = || OneLine(io::stderr());
            Box::new(layer.with_ansi(io::stderr().is_terminal()).with_writer(writer))
        }
        LogFormat::Json => Box::new(layer.json().with_writer(io::stderr)),
    }
}

/// Writes each message as one line, so that no text of a stranger looks like a line of ours.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    /// A whole message, as the subscriber writes it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (message, end) = match bytes.split_last() {
            Some((b'\n', message)) => (message, &b"\n"[..]),
            _ => (bytes, &b""[..]),
        };
        if !message.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return self.0.write(bytes);
        }
        let mut line = Vec::with_capacity(bytes.len() + 16);
        for byte in message {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                other => line.push(*other),
            }
        }
        line.extend_from_slice(end);
        self.0.write_all(&line)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let written = |message: &str| {
            let mut out = OneLine(Vec::new());
            out.write_all(message.as_bytes()).unwrap();
            String::from_utf8(out.0).unwrap()
        };
        assert_eq!(written("a b\n"), "a b\n");
        assert_eq!(written("a\nERROR forged\r\n"), "a\\nERROR forged\\r\n");
        assert_eq!(written("\n\n"), "\\n\n");
    }
}

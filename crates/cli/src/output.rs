//! What goes to standard output and standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::{Value, json};
use wargate_console::harmless;

use crate::failure::Failure;
use crate::notices::Notices;

/// What a command has to say: the same for people and for programs.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) json: Value,
    /// How the process ends; not 0 if what was found is not what should be.
    pub(crate) exit: u8,
    /// Whether the JSON is somebody else's document, which is handed on as it is.
    pub(crate) is_export: bool,
    /// Whether the text is for programs, or this program's own from end to end.
    pub(crate) is_exact: bool,
}

impl Report {
    /// For people, and for programs.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, exit: 0, is_export: false, is_exact: false }
    }

    /// A text that has nothing in it that others have written, and goes out as it is.
    pub(crate) fn own(text: impl Into<String>, json: Value) -> Self {
        Self { is_exact: true, ..Self::new(text, json) }
    }

    /// A document that is handed on as it is.
    pub(crate) fn export(json: Value) -> Self {
        Self { is_export: true, ..Self::own(format!("{json:#}\n"), json) }
    }

    /// The text, as it may be shown.
    fn shown(&self) -> Cow<'_, str> {
        if self.is_exact { Cow::from(&self.text) } else { tame(&self.text).into() }
    }
}

/// How to say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    color: bool,
}

impl Output {
    /// As JSON, or as text.
    pub(crate) fn new(json: bool) -> Self {
        let mut output = Self { json, color: false };
        output.set_color("auto");
        output
    }

    /// `auto`, `always` or `never`.
    pub(crate) fn set_color(&mut self, when: &str) {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        self.color = match when {
            "always" => true,
            "never" => false,
            _ if set("NO_COLOR") => false,
            _ if set("CLICOLOR_FORCE") => true,
            _ => {
                let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
                io::stderr().is_terminal() && !dumb
            }
        };
    }

    /// Prints what came out.
    pub(crate) fn report(self, report: &Report, notices: &Notices) -> Result<(), Failure> {
        let text = match &report.json {
            // All was said on the way.
            Value::Null if self.json => String::new(),
            json if self.json && report.is_export => format!("{json:#}\n"),
            json if self.json => document(json.clone(), notices),
            _ => report.shown().into_owned(),
        };
        if text.is_empty() { Ok(()) } else { print(text.as_bytes()) }
    }

    /// Prints what was done before, and what went wrong; the exit code.
    pub(crate) fn failure(self, failure: &Failure, notices: &Notices) -> ExitCode {
        let done = failure.done();
        if self.json {
            let mut json = done.map_or_else(|| json!({}), |done| done.json.clone());
            json["error"] = failure.to_json();
            // A reader who has gone does not learn it; the exit code says it too.
            let _ = print(document(json, notices).as_bytes());
        } else {
            if let Some(done) = done {
                let _ = print(done.shown().as_bytes());
            }
            let (red, cyan, plain) =
                if self.color { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
            let mut text = format!("{red}error:{plain} {}\n", tame(failure.message()));
            for hint in failure.hints() {
                text.push_str(&format!("{cyan}hint:{plain} {}\n", tame(hint)));
            }
            let _ = io::stderr().write_all(text.as_bytes());
        }
        ExitCode::from(failure.exit())
    }
}

/// A JSON document with what else there is to say.
fn document(mut json: Value, notices: &Notices) -> String {
    notices.put_into(&mut json);
    format!("{json:#}\n")
}

/// Writes to standard output. A reader who has gone wants no more, which is not a failure.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::local(format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// A remark on standard error.
pub(crate) fn note(text: &str) {
    // Who closed it does not want to know.
    let _ = writeln!(io::stderr(), "{}", tame(text));
}

/// A text whose lines cannot harm a terminal, whatever paths and names are in it.
pub(crate) fn tame(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(harmless).collect();
    lines.join("\n")
}

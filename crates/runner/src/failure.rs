//! What goes wrong, whose fault it is, and what helps.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};
use wargate_console::harmless;

/// A command that failed before the component did anything, or because of what it did.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: u8,
    kind: &'static str,
    code: &'static str,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    fn new(exit: u8, kind: &'static str, code: &'static str, message: String) -> Self {
        Self { exit, kind, code, message, hints: Vec::new() }
    }

    /// The fault of who typed it.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(2, "usage", "usage", message.into())
    }

    /// It is nothing that can be run here.
    pub(crate) fn unfit(message: impl Into<String>) -> Self {
        Self::new(2, "usage", "not-runnable", message.into())
    }

    /// This machine's.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self::new(8, "local", "local", message.into())
    }

    /// The component's: it trapped.
    pub(crate) fn trap(message: impl Into<String>) -> Self {
        Self::new(134, "other", "trap", message.into())
    }

    /// Its time is over.
    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self::new(124, "other", "timeout", message.into())
    }

    /// What helps.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says it, to people on standard error, or to programs in a document on standard output; how the
    /// process ends.
    pub(crate) fn tell(&self, document: Option<Value>) -> ExitCode {
        // A reader who has gone does not learn it; the exit code says it, too.
        if let Some(given) = document {
            let mut error =
                json!({ "kind": self.kind, "code": self.code, "message": self.message });
            if !self.hints.is_empty() {
                error["hint"] = self.hints.join("\n").into();
            }
            let mut document = json!({ "error": error });
            // What the user should know all the same.
            if let Some(notices) = given.get("notices") {
                document["notices"] = notices.clone();
            }
            let _ = writeln!(std::io::stdout(), "{document:#}");
        } else {
            let mut text = format!("error: {}\n", tame(&self.message));
            for hint in &self.hints {
                text += &format!("hint: {}\n", tame(hint));
            }
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
        ExitCode::from(self.exit)
    }
}

/// A line on standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", tame(text));
}

/// A text whose lines cannot harm a terminal.
fn tame(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

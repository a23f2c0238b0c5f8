//! Where the story is told: people with directories of their own run the program `warg`, and what they
//! see is shown and written down.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use wargate_console::harmless;

use super::registry::{ours, system};
use crate::failure::{EXIT_UNTRUSTED, Failure};
use crate::output::print;

/// How long a command may take.
const COMMAND_TIME_MAX: Duration = Duration::from_mins(2);

/// Most lines of a command's output that are shown on a terminal. The transcript has all.
const SHOWN_LINES_MAX: usize = 16;

/// How a command should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Well.
    Well,
    /// With a refusal, because what the registry says cannot be true.
    Refusing,
}

/// How to show it.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// Whether anything is shown on the way.
    pub(super) shown: bool,
    pub(super) color: bool,
}

/// The stage.
pub(super) struct Stage {
    directory: PathBuf,
    look: Look,
    steps: Vec<Step>,
}

/// A step of the story.
struct Step {
    title: String,
    parts: Vec<Part>,
}

/// What happens in a step, in order.
enum Part {
    Told(String),
    Done(Box<Done>),
}

/// A command, and what came of it.
struct Done {
    person: &'static str,
    command: String,
    exit: i32,
    out: String,
    err: String,
}

impl Stage {
    /// A stage in a directory that is there.
    pub(super) fn new(directory: &Path, look: Look) -> Self {
        Self { directory: directory.to_owned(), look, steps: Vec::new() }
    }

    /// The person's current directory, which is made with its first use.
    pub(super) fn place(&self, person: &str) -> Result<PathBuf, Failure> {
        let place = self.directory.join(person);
        std::fs::create_dir_all(&place).map_err(|error| cannot_write(&place, &error))?;
        Ok(place)
    }

    /// Begins a step.
    pub(super) fn step(&mut self, title: &str) -> Result<(), Failure> {
        self.steps.push(Step { title: title.to_owned(), parts: Vec::new() });
        let number = self.steps.len();
        let (bold, plain) = if self.look.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.show(&format!("\n{bold}{number}. {title}{plain}\n"))
    }

    /// Says what happens, or what it means.
    pub(super) fn tell(&mut self, text: &str) -> Result<(), Failure> {
        self.note(Part::Told(text.to_owned()));
        self.show(&format!("\n{}\n", wrapped(text)))
    }

    /// Lets a person run the program, and shows what they see. Returns what stood on standard error.
    pub(super) async fn run(
        &mut self,
        person: &'static str,
        arguments: &[&str],
        ends: Ends,
    ) -> Result<String, Failure> {
        let done = self.done(person, arguments).await?;
        let (bold, plain) = if self.look.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let lines = done.lines();
        let mut text = format!("\n  {person}$ {bold}{}{plain}\n", done.command);
        for line in lines.iter().take(SHOWN_LINES_MAX) {
            text.push_str(&format!("    {line}\n"));
        }
        if let Some(more @ 1..) = lines.len().checked_sub(SHOWN_LINES_MAX) {
            text.push_str(&format!("    ({more} more lines; the transcript has them)\n"));
        }
        if done.exit != 0 {
            text.push_str(&format!("    (exit code {})\n", done.exit));
        }
        let as_it_should = match ends {
            Ends::Well => done.exit == 0,
            Ends::Refusing => done.exit == i32::from(EXIT_UNTRUSTED),
        };
        let failure = Failure::other(format!(
            "`{}` did not end as it should: exit code {}\n{}",
            done.command,
            done.exit,
            lines.join("\n")
        ));
        let err = done.err.clone();
        self.note(Part::Done(Box::new(done)));
        self.show(&text)?;
        if as_it_should {
            return Ok(err);
        }
        Err(failure
            .hint("`--keep` keeps all that was made; registry.log there has the server's words"))
    }

    async fn done(&self, person: &'static str, arguments: &[&str]) -> Result<Done, Failure> {
        let place = self.place(person)?;
        let mut command = Command::new(ours()?);
        // Nothing that is configured on this machine counts, and nothing of it is touched.
        command.args(arguments).env_clear().envs(system()).env("HOME", &place);
        for (variable, directory) in [
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_STATE_HOME", ".local/state"),
            ("APPDATA", ".config"),
        ] {
            command.env(variable, place.join(directory));
        }
        command.current_dir(&place).stdin(Stdio::null()).kill_on_drop(true);
        let words: Vec<&str> = ["warg"].iter().chain(arguments).copied().collect();
        let words = words.join(" ");
        let output = tokio::time::timeout(COMMAND_TIME_MAX, command.output()).await;
        let output = output.map_err(|_| Failure::other(format!("`{words}` does not end")))?;
        let output =
            output.map_err(|error| Failure::local(format!("cannot run `{words}`: {error}")))?;
        let home = place.display().to_string();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&home, "~");
        Ok(Done {
            person,
            command: words,
            exit: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        })
    }

    /// The transcript, as Markdown.
    pub(super) fn transcript(&self) -> String {
        let mut text = String::from(
            "# `warg demo`: a transcript\n\nAlice publishes, Bob and Carol fetch, and Mallory lies. \
             Every command is the program `warg` itself, and what stands below it is what it said.\n",
        );
        for (at, step) in self.steps.iter().enumerate() {
            text.push_str(&format!("\n## {}. {}\n", at + 1, step.title));
            for part in &step.parts {
                match part {
                    Part::Told(told) => text.push_str(&format!("\n{told}\n")),
                    Part::Done(done) => {
                        let command = format!("{}$ {}\n", done.person, done.command);
                        let output =
                            done.lines().iter().fold(String::new(), |all, line| all + line + "\n");
                        text.push_str(&format!("\n```console\n{command}{output}```\n"));
                        if done.exit != 0 {
                            text.push_str(&format!("\nExit code {}.\n", done.exit));
                        }
                    }
                }
            }
        }
        text
    }

    /// The story for programs.
    pub(super) fn to_json(&self) -> Value {
        let part = |part: &Part| match part {
            Part::Told(told) => json!({ "told": told }),
            Part::Done(done) => json!({
                "person": done.person,
                "command": done.command,
                "exit": done.exit,
                "stdout": done.out,
                "stderr": done.err,
            }),
        };
        let steps = self.steps.iter().enumerate().map(|(at, step)| {
            let parts: Vec<_> = step.parts.iter().map(part).collect();
            json!({ "number": at + 1, "title": step.title, "parts": parts })
        });
        steps.collect()
    }

    fn note(&mut self, part: Part) {
        if let Some(step) = self.steps.last_mut() {
            step.parts.push(part);
        }
    }

    fn show(&self, text: &str) -> Result<(), Failure> {
        if self.look.shown { print(text.as_bytes()) } else { Ok(()) }
    }
}

impl Done {
    /// What was said: remarks and errors first, as they come first.
    fn lines(&self) -> Vec<String> {
        self.err.lines().chain(self.out.lines()).map(harmless).collect()
    }
}

pub(super) fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::local(format!("cannot write {}: {error}", path.display()))
}

/// A text in lines that people like to read.
fn wrapped(text: &str) -> String {
    let mut wrapped = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let letters = word.chars().count();
        if width > 0 && width + 1 + letters > 92 {
            wrapped.push('\n');
            width = 0;
        } else if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped.push_str(word);
        width += letters;
    }
    wrapped
}

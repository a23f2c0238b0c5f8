//! A guide's text: what is typed, what is printed, and which files are shown.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// A guide.
pub(super) struct Document {
    /// Without folder and ending.
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
    /// Files that are shown: their names in the example's folder, and their text.
    pub(super) files: Vec<(String, String)>,
    /// Commands that are for the reader alone.
    pub(super) asides: Vec<String>,
}

/// Commands, and what they print.
pub(super) struct Step {
    /// Where they stand.
    pub(super) line: usize,
    pub(super) script: String,
    pub(super) output: Option<String>,
}

/// Where the guides are.
pub(super) const FOLDER: &str = "docs/guides";

impl Document {
    /// Reads the guide of this name.
    pub(super) fn read(name: &str) -> Result<Self> {
        let path = workspace::root().join(FOLDER).join(format!("{name}.md"));
        let text =
            fs::read_to_string(&path).with_context(|| format!("there is no {}", path.display()))?;
        Self::parse(name, &text).with_context(|| format!("{FOLDER}/{name}.md"))
    }

    /// Takes fenced blocks out of Markdown:
    ///
    /// | block | what it is |
    /// |---|---|
    /// | `sh guide` | commands of the guide |
    /// | `output` | what the block before prints |
    /// | `sh` | commands for the reader alone, such as how to install something |
    /// | `LANGUAGE FILE` | a file of the example, as a whole |
    /// | anything else | an illustration |
    pub(super) fn parse(name: &str, text: &str) -> Result<Self> {
        let (steps, files, asides) = (Vec::new(), Vec::new(), Vec::new());
        let mut document = Self { name: name.to_owned(), steps, files, asides };
        let mut lines = (1..).zip(text.lines());
        // Whether the last block was of commands, so that an output may follow.
        let mut is_answered = true;
        while let Some((line, text)) = lines.next() {
            let Some(kind) = text.strip_prefix("```") else { continue };
            let mut block = String::new();
            loop {
                let (_, text) = lines.next().with_context(|| format!("line {line}: no end"))?;
                if text == "```" {
                    break;
                }
                block.push_str(text);
                block.push('\n');
            }
            ensure!(!block.trim().is_empty(), "line {line}: an empty block");
            match kind.split_once(' ').unwrap_or((kind, "")) {
                ("sh", "guide") => {
                    document.steps.push(Step { line, script: block, output: None });
                    is_answered = false;
                }
                ("sh", "") => document.asides.push(block),
                ("output", "") => {
                    let step = document.steps.last_mut().filter(|_| !is_answered);
                    step.with_context(|| format!("line {line}: output of nothing"))?.output =
                        Some(block);
                    is_answered = true;
                }
                ("sh" | "output", other) => bail!("line {line}: what is `{other}`?"),
                (_, "") => {}
                (_, file) => document.files.push((file.to_owned(), block)),
            }
        }
        Ok(document)
    }
}

/// Whether what was printed is what the guide says. A line `…` stands for any number of lines.
pub(super) fn agrees(expected: &str, printed: &str) -> bool {
    let lines = |text: &str| text.trim().lines().map(|it| it.trim_end().to_owned()).collect();
    let (expected, printed): (Vec<String>, Vec<String>) = (lines(expected), lines(printed));
    matches(&expected, &printed)
}

fn matches(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=printed.len()).any(|from| matches(rest, &printed[from..]))
        }
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(it, others)| it == first && matches(rest, others))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_what_their_first_lines_say() {
        let text = "# A\n\n```rust src/lib.rs\nfn a() {}\n```\n\n```sh\napt\n```\n\n```sh \
                    guide\nb\nc\n```\n\n```output\nd\n```\n\n```mermaid\ne\n```\n";
        let document = Document::parse("a", text).unwrap();
        assert_eq!(document.files, [("src/lib.rs".to_owned(), "fn a() {}\n".to_owned())]);
        assert_eq!(document.asides, ["apt\n"]);
        let [step] = &document.steps[..] else { panic!("{} steps", document.steps.len()) };
        assert_eq!((step.line, &*step.script, step.output.as_deref()), (11, "b\nc\n", Some("d\n")));
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for (text, reason) in [
            ("```output\na\n```\n", "line 1: output of nothing"),
            ("```sh guide\na\n```\n```output\na\n```\n```output\na\n```\n", "line 7: output of"),
            ("\n```sh guide\na\n", "line 2: no end"),
            ("```sh guide\n```\n", "line 1: an empty block"),
            ("```sh guides\na\n```\n", "line 1: what is `guides`?"),
        ] {
            let error = Document::parse("a", text).err().unwrap().to_string();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_ellipsis_is_any_number_of_lines() {
        for (expected, printed, agreed) in [
            ("a\n", "a  \n\n", true),
            ("a\n…\nc\n", "a\nc\n", true),
            ("a\n…\nc\n", "a\nb\nb\nc\n", true),
            ("…\nc\n", "b\n", false),
            ("a\n", "a\nb\n", false),
            ("", "a\n", false),
        ] {
            assert_eq!(agrees(expected, printed), agreed, "{expected:?} {printed:?}");
        }
    }
}

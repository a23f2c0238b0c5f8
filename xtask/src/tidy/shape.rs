//! The shape of hand-written Rust: short files, short functions, documented modules, no `mod.rs`.

use super::scanner::Source;
use super::tree::File;
use super::{Finding, WHOLE_FILE};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

pub(super) fn check(file: &File, source: &Source, findings: &mut Vec<Finding>) {
    let mut find = |line, rule, advice| {
        findings.push(Finding { path: file.path.clone(), line, rule, advice });
    };
    let text = file.text().unwrap_or_default();

    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        let advice = format!("{lines} lines; split it by concern, {FILE_LINES_MAX} are the limit");
        find(FILE_LINES_MAX + 1, "file-length", advice);
    }
    if file.path.ends_with("/mod.rs") {
        find(WHOLE_FILE, "mod-rs", "name the file after its module, beside the folder".to_owned());
    }
    if !text.starts_with("//!") {
        let advice = "begin the file with `//!` and say what the module is for".to_owned();
        find(WHOLE_FILE, "module-docs", advice);
    }
    for function in source.functions() {
        let (name, lines) = (&function.name, function.lines);
        if lines > FUNCTION_LINES_MAX {
            let advice =
                format!("`{name}` has {lines} lines; split it, {FUNCTION_LINES_MAX} are the limit");
            find(function.line, "function-length", advice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let file = File { path: path.to_owned(), bytes: text.into() };
        let mut findings = Vec::new();
        check(&file, &Source::new(text), &mut findings);
        findings.into_iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn a_good_file_has_no_findings() {
        assert_eq!(rules("crates/a/src/lib.rs", "//! Docs.\n\nfn a() {}\n"), []);
    }

    #[test]
    fn docs_and_names_are_demanded() {
        assert_eq!(rules("a/src/b/mod.rs", "fn a() {}\n"), [(1, "mod-rs"), (1, "module-docs")]);
    }

    #[test]
    fn limits_are_exact() {
        let function =
            |lines: usize| format!("//! Docs.\nfn a() {{\n{}}}\n", "\n".repeat(lines - 2));
        assert_eq!(rules("a.rs", &function(FUNCTION_LINES_MAX)), []);
        assert_eq!(rules("a.rs", &function(FUNCTION_LINES_MAX + 1)), [(2, "function-length")]);

        let file = |lines: usize| format!("//! Docs.\n{}", "\n".repeat(lines - 1));
        assert_eq!(rules("a.rs", &file(FILE_LINES_MAX)), []);
        assert_eq!(rules("a.rs", &file(FILE_LINES_MAX + 1)), [(801, "file-length")]);
    }
}

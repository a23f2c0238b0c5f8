//! Reads Rust source just well enough for the rules: which characters are code, where functions
//! begin and end, which lines are test modules. It is no parser; what it must not do is mistake a
//! brace in a string for a block.

use std::ops::Range;

/// One `.rs` file, prepared.
pub(super) struct Source {
    /// The text with every comment and literal blanked: characters and lines keep their places.
    code: Vec<char>,
    /// Where each line begins in `code`.
    line_starts: Vec<usize>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// The line of `fn`, from 1.
    pub(super) line: usize,
    /// From the line of `fn` to that of the closing brace.
    pub(super) lines: usize,
}

impl Source {
    pub(super) fn new(text: &str) -> Self {
        let code = blank(&text.chars().collect::<Vec<_>>());
        let breaks = code.iter().enumerate().filter(|(_, c)| **c == '\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { code, line_starts }
    }

    /// The lines of code with their numbers from 1, comments and literals blanked.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, String)> {
        (1..).zip(self.code.split(|c| *c == '\n')).map(|(line, code)| (line, code.iter().collect()))
    }

    /// All functions with a body, nested ones too.
    pub(super) fn functions(&self) -> Vec<Function> {
        self.words("fn").filter_map(|at| self.function(at)).collect()
    }

    /// The lines that `#[cfg(test)]` takes out of the product, from the attribute to the end of
    /// the item below it.
    pub(super) fn test_lines(&self) -> Vec<Range<usize>> {
        self.places("#[cfg(test)]")
            .map(|at| {
                let end = self.item_end(at + "#[cfg(test)]".len());
                self.line_of(at)..self.line_of(end) + 1
            })
            .collect()
    }

    /// The paths that `use` groups directly below `root` name, such as `std::fs` for
    /// `use std::{fs, io::Read}`, with their lines.
    pub(super) fn grouped_paths(&self, root: &str) -> Vec<(usize, String)> {
        let opening = format!("{root}::{{");
        let mut paths = Vec::new();
        for at in self.places(&opening) {
            let start = at + opening.chars().count();
            let mut depth = 0_usize;
            let mut word = None;
            for (place, &c) in self.code.iter().enumerate().skip(start) {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => word = None,
                    c if is_word(c) && depth == 0 && word.is_none() => {
                        let end = self.word_end(place);
                        let name: String = self.code[place..end].iter().collect();
                        paths.push((self.line_of(place), format!("{root}::{name}")));
                        word = Some(place);
                    }
                    _ => {}
                }
            }
        }
        paths
    }

    fn function(&self, at: usize) -> Option<Function> {
        let start = (at + 2..self.code.len()).find(|&i| !self.code[i].is_whitespace())?;
        let end = self.word_end(start);
        // `fn(u8)` is a type, `fn $name` a macro's pattern.
        if end == start {
            return None;
        }
        let close = self.item_end(end);
        if self.code.get(close) != Some(&'}') {
            return None;
        }
        let line = self.line_of(at);
        let lines = self.line_of(close) - line + 1;
        Some(Function { name: self.code[start..end].iter().collect(), line, lines })
    }

    /// Where the item that `from` lies in ends: at its closing brace, or at the semicolon of an
    /// item without a body. Braces inside brackets, as in `[u8; { N }]`, belong to its head.
    fn item_end(&self, from: usize) -> usize {
        let mut brackets = 0_usize;
        let mut braces = 0_usize;
        for (at, &c) in self.code.iter().enumerate().skip(from) {
            match c {
                '(' | '[' if braces == 0 => brackets += 1,
                ')' | ']' if braces == 0 => brackets = brackets.saturating_sub(1),
                '{' if brackets == 0 => braces += 1,
                '}' if brackets == 0 && braces <= 1 => return at,
                '}' if brackets == 0 => braces -= 1,
                ';' if brackets == 0 && braces == 0 => return at,
                _ => {}
            }
        }
        self.code.len().saturating_sub(1)
    }

    /// Where `word` stands by itself.
    fn words(&self, word: &str) -> impl Iterator<Item = usize> {
        let length = word.len();
        self.places(word).filter(move |&at| {
            let before = at.checked_sub(1).map(|i| self.code[i]);
            let after = self.code.get(at + length).copied();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    }

    /// Where `pattern` stands.
    fn places(&self, pattern: &str) -> impl Iterator<Item = usize> {
        let pattern: Vec<char> = pattern.chars().collect();
        (0..self.code.len()).filter(move |&at| self.code[at..].starts_with(&pattern))
    }

    fn word_end(&self, from: usize) -> usize {
        (from..self.code.len()).find(|&i| !is_word(self.code[i])).unwrap_or(self.code.len())
    }

    /// The line, from 1, of a place in the code.
    fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= at)
    }
}

/// True for a character of an identifier.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Replaces comments and string, byte and character literals by spaces; line breaks stay.
fn blank(text: &[char]) -> Vec<char> {
    let mut code = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let end = literal_end(text, at).unwrap_or(at);
        for c in &mut code[at..end] {
            if *c != '\n' {
                *c = ' ';
            }
        }
        at = end.max(at + 1);
    }
    code
}

/// Where the comment or literal that begins at `at` ends, if one begins there.
fn literal_end(text: &[char], at: usize) -> Option<usize> {
    let rest = &text[at..];
    let inside_word = at > 0 && is_word(text[at - 1]);
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => quoted_length(rest, '"'),
        // `'static` is a lifetime; `'a'` and `'\n'` are characters.
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => quoted_length(rest, '\''),
        ['r', ..] if !inside_word => 1 + raw_string_length(&rest[1..])?,
        ['b' | 'c', 'r', ..] if !inside_word => 2 + raw_string_length(&rest[2..])?,
        _ => return None,
    };
    Some(at + length)
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `#"…"#` with any number of `#`; nothing for a raw identifier.
fn raw_string_length(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let mut closing = vec!['#'; hashes + 1];
    closing[0] = '"';
    let body = &rest[hashes + 1..];
    let end = body.windows(closing.len()).position(|window| window == closing);
    Some(end.map_or(rest.len(), |end| hashes + 1 + end + closing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new(text).lines().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    fn functions(text: &str) -> Vec<(String, usize, usize)> {
        Source::new(text).functions().into_iter().map(|f| (f.name, f.line, f.lines)).collect()
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        let cases = [
            ("a // { \"\nb", "a b"),
            ("a /* { /* } */ \n */ b", "a b"),
            ("f(\"{ \\\" //\") + 1", "f( ) + 1"),
            ("f(r#\"{ \" \\\"#)", "f( )"),
            ("f(br\"\\\", b'{', b\"}\")", "f( , b , b )"),
            ("'{' '\\'' '\\u{7f}' 'ä' x", "x"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("r#fn + attr\"x\"", "r#fn + attr"),
            ("'a: loop { break 'a }", "'a: loop { break 'a }"),
        ];
        for (text, expected) in cases {
            let blanked = code(text);
            assert_eq!(
                blanked.split_whitespace().collect::<Vec<_>>().join(" "),
                expected,
                "{text}"
            );
            assert_eq!(blanked.chars().count(), text.chars().count(), "{text}");
            assert_eq!(blanked.lines().count(), text.lines().count(), "{text}");
        }
    }

    #[test]
    fn literals_without_an_end_blank_the_rest() {
        for text in ["\"{", "/* {", "r##\"{\"#", "\"\\"] {
            assert_eq!(code(text).trim(), "", "{text}");
        }
    }

    #[test]
    fn functions_are_measured_from_fn_to_the_closing_brace() {
        let text = "impl A {\n    pub fn a(\n        x: [u8; { 2 }],\n    ) -> u8\n    {\n        \
                    '}';\n        fn b() {}\n        2\n    }\n    fn c();\n}\nfn d() {}\n";
        let expected = [("a", 2, 8), ("b", 7, 1), ("d", 12, 1)];
        let expected = expected.map(|(name, line, lines)| (name.to_owned(), line, lines));
        assert_eq!(functions(text), expected);
    }

    #[test]
    fn function_types_and_macro_patterns_are_no_functions() {
        assert_eq!(functions("struct A { run: fn(u8) -> u8 }"), []);
        assert_eq!(functions("macro_rules! m { ($n:ident) => { fn $n() {} } }"), []);
        assert_eq!(functions("let fnord = 1; afn (x) {}"), []);
    }

    #[test]
    fn test_items_are_found() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n\
                    #[cfg(test)]\n#[path = \"t.rs\"]\nmod t;\nfn d() {}";
        assert_eq!(Source::new(text).test_lines(), [3..7, 8..11]);
    }

    #[test]
    fn groups_name_their_first_segments() {
        let text = "use std::{\n    collections::{BTreeMap, env},\n    fs, io::Read,\n};\n";
        let paths = Source::new(text).grouped_paths("std");
        let expected = [(2, "std::collections"), (3, "std::fs"), (3, "std::io")];
        assert_eq!(paths, expected.map(|(line, path)| (line, path.to_owned())));
    }
}

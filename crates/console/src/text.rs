//! Words and counts.

/// A text without what a terminal obeys, or what hides or reorders other text.
#[must_use]
pub fn harmless(text: &str) -> String {
    let is_harmless = |character: char| {
        let hidden = matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        !character.is_control() && !hidden
    };
    text.chars()
        .map(|character| if is_harmless(character) { character } else { '\u{fffd}' })
        .collect()
}

/// A count with its noun: `1 record`, `2 records`. The noun is one that takes an `s`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        assert_eq!(harmless("a\x1b[2J\r\u{202e}ü"), "a\u{fffd}[2J\u{fffd}\u{fffd}ü");
    }

    #[test]
    fn one_is_not_many() {
        let texts = [0, 1, 2].map(|count| counted(count, "byte"));
        assert_eq!(texts, ["0 bytes", "1 byte", "2 bytes"]);
    }
}

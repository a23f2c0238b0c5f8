//! A registry's own words.

use crate::limits::MESSAGE_CHARS_MAX;

/// A registry's words, harmless to a terminal and of bounded length.
pub(crate) fn tame(text: &str) -> String {
    tame_to(text, MESSAGE_CHARS_MAX)
}

/// See [`tame`].
pub(crate) fn tame_to(text: &str, chars_max: usize) -> String {
    let mut tamed: String = text
        .chars()
        .take(chars_max)
        .map(|character| if is_harmless(character) { character } else { '\u{fffd}' })
        .collect();
    if text.chars().nth(chars_max).is_some() {
        tamed.push('…');
    }
    tamed
}

/// Neither a control character nor one that reorders or hides text.
fn is_harmless(character: char) -> bool {
    let hidden = matches!(character,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !character.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_cannot_write_to_the_terminal() {
        assert_eq!(tame("a\x1b[31mb\u{202e}c\r\n"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}\u{fffd}");
        assert_eq!(tame_to("abcdef", 3), "abc…");
        assert_eq!(tame_to("abc", 3), "abc");
    }
}

//! Text for any terminal: plain ASCII in lines of at most 79 characters.

/// One less than the usual 80: some terminals begin a new line after the last column by themselves.
pub const WIDTH: usize = 79;

/// What every terminal can show: umlauts and the like, which a serial line may turn into anything, become `?`.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || (' '..='~').contains(&c) { c } else { '?' }).collect()
}

/// A paragraph in lines that fit, all of them indented; a word that is too long is cut.
pub fn paragraph(text: &str, indent: usize) -> String {
    let room = WIDTH.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in plain(text).split_whitespace() {
        let mut word = word;
        while word.len() > room {
            let (head, rest) = word.split_at(room);
            lines.push(head.to_owned());
            word = rest;
        }
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= room) {
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

/// The same with a sign before the first line.
pub fn item(sign: &str, text: &str) -> String {
    let body = paragraph(text, sign.len() + 1);
    format!("{sign}{}", body.get(sign.len()..).unwrap_or("\n"))
}

/// What was typed, as it was meant: some keyboards' backspace reaches us as a character of its own, and other control
/// characters are nothing that anybody types on purpose.
pub fn cleaned(line: &str) -> String {
    let mut clean = String::new();
    for c in line.chars() {
        match c {
            '\u{8}' | '\u{7f}' => _ = clean.pop(),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_kept_together_and_lines_indented() {
        let text = paragraph("one two  three", 2);
        assert_eq!(text, "  one two three\n");
        assert_eq!(item("!", "wörds"), "! w?rds\n");
        assert_eq!(item("!", ""), "!\n");
        assert_eq!(cleaned("abx\u{8}c\u{1b}[A"), "abc[A");
    }

    proptest! {
        #[test]
        fn every_line_fits_and_is_plain(text in any::<String>(), indent in 0usize..100) {
            for line in paragraph(&text, indent).lines() {
                prop_assert!(line.len() <= WIDTH.max(indent + 1), "{line}");
                prop_assert!(line.chars().all(|c| (' '..='~').contains(&c)));
            }
        }
    }
}

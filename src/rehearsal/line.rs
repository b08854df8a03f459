//! The words of one line of a story, quoted as in a shell. What they mean is `parse`'s question.

/// Reads a line word by word.
pub(super) struct Words<'t> {
    line: &'t str,
    at: usize,
}

impl<'t> Words<'t> {
    /// Begins at the first word.
    pub fn new(line: &'t str) -> Self {
        Self { line, at: 0 }
    }

    fn skip_space(&mut self) {
        let rest = &self.line[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// What has not been read yet, without white space before it.
    pub fn rest(&mut self) -> &'t str {
        self.skip_space();
        &self.line[self.at..]
    }

    /// The next word with its quotes taken away; `None` at the end of the line or before a comment. Errors: a quote
    /// that is never closed.
    pub fn next(&mut self) -> Result<Option<String>, String> {
        if self.rest().starts_with('#') { Ok(None) } else { self.word() }
    }

    /// The next word where a channel stands: `#payments-ops` is one, not a comment.
    pub fn channel(&mut self) -> Result<Option<String>, String> {
        let mark = self.rest().strip_prefix('#');
        if mark.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            return Ok(None);
        }
        self.word()
    }

    fn word(&mut self) -> Result<Option<String>, String> {
        let from = self.rest();
        if from.is_empty() {
            return Ok(None);
        }
        let mut word = String::new();
        let mut chars = from.char_indices();
        let mut end = from.len();
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c.is_whitespace() => {
                    end = at;
                    break;
                }
                '"' | '\'' => {
                    if !quoted(&mut chars, c, &mut word) {
                        let shown: String = from[at..].chars().take(20).collect();
                        return Err(format!("the quote that opens at `{shown}` is never closed"));
                    }
                }
                '\\' => word.push(chars.next().map_or('\\', |(_, c)| c)),
                _ => word.push(c),
            }
        }
        self.at += end;
        Ok(Some(word))
    }
}

/// Reads up to the closing quote; `false` when there is none.
fn quoted(chars: &mut impl Iterator<Item = (usize, char)>, quote: char, word: &mut String) -> bool {
    while let Some((_, c)) = chars.next() {
        match c {
            _ if c == quote => return true,
            '\\' if quote == '"' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => word.push(c),
                Some((_, c)) => word.extend(['\\', c]),
                None => return false,
            },
            _ => word.push(c),
        }
    }
    false
}

/// A command without the comment behind it: white space, `#`, and white space or the end of the line, outside double
/// quotes. `#payments` in a command is a word.
pub(super) fn without_comment(command: &str) -> &str {
    let mut in_quotes = false;
    let mut before = ' ';
    let mut chars = command.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if before != '\\' => in_quotes = !in_quotes,
            '#' if !in_quotes && before.is_whitespace() && chars.peek().is_none_or(|(_, c)| c.is_whitespace()) => {
                return command[..at].trim_end();
            }
            _ => {}
        }
        before = c;
    }
    command.trim_end()
}

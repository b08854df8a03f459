//! The smallest pieces of the text grammar: cleaning what was said, quoting as in a shell, one word at a time.
//! Which word means what is decided in `grammar`.

use std::borrow::Cow;

use crate::domain::reject::{Reject, RejectCode};

/// The longest text that is read, in characters.
pub const LONGEST: usize = 4_000;

/// One word of a line. `title:"API 500s"` is one word with the name `title` and the value `API 500s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// Where it begins in the line (bytes).
    pub at: usize,
    /// Where it ends.
    pub end: usize,
    /// What stands before an unquoted `:`, where that could be the name of an option.
    pub name: Option<&'t str>,
    /// Where the value begins; `at` without a name.
    pub value_at: usize,
    /// The value with its quotes taken away.
    pub value: String,
    /// Whether the value begins with a quote.
    pub quoted: bool,
}

/// Takes out what has no business in a command: control characters (a line break and a tab stay) and the marks that
/// turn the direction of writing. Errors when the text is longer than `LONGEST`.
pub(super) fn clean(text: &str) -> Result<Cow<'_, str>, Reject> {
    // A character is at most four bytes, so a text over four times the limit need not be counted.
    if text.len() > LONGEST * 4 || text.chars().count() > LONGEST {
        let message = format!("this is too long: at most {LONGEST} characters are read");
        return Err(Reject::new(RejectCode::BadValue, message).hint("shorten it, and link to the rest"));
    }
    let unwanted = |c: char| (c.is_control() && c != '\n' && c != '\t') || turns_direction(c);
    if !text.contains(unwanted) {
        return Ok(Cow::Borrowed(text));
    }
    Ok(Cow::Owned(text.chars().filter(|c| !unwanted(*c)).collect()))
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A word as it is repeated in a refusal: on one line, at most 40 characters, without back quotes.
pub(super) fn shown(word: &str) -> String {
    const LONGEST_SHOWN: usize = 40;
    let mut text: String = word
        .chars()
        .take(LONGEST_SHOWN)
        .map(|c| if c == '`' { '\'' } else { c })
        .map(|c| if c.is_control() || turns_direction(c) { ' ' } else { c })
        .collect();
    if word.chars().nth(LONGEST_SHOWN).is_some() {
        text.push('…');
    }
    text
}

/// The first place at or after `from` that is not white space.
pub(super) fn skip_space(line: &str, from: usize) -> usize {
    line.len() - line[from..].trim_start().len()
}

/// Where the run of characters without white space that begins at `from` ends.
pub(super) fn raw_end(line: &str, from: usize) -> usize {
    line[from..].find(char::is_whitespace).map_or(line.len(), |n| from + n)
}

/// The name before a `:` in `title:…`, if the text begins like that: a letter, then letters, digits, `-` and `_`.
pub(super) fn option_name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once(':')?;
    let mut chars = name.chars();
    let fits = chars.next()?.is_ascii_alphabetic() && chars.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    fits.then_some(name)
}

/// The next word at or after `from`; `None` at the end of the line. Quotes open at the start of a value and after a
/// closed quote only, so that `it's` needs none.
pub(super) fn next_word(line: &str, from: usize) -> Result<Option<Word<'_>>, Reject> {
    let at = skip_space(line, from);
    if at == line.len() {
        return Ok(None);
    }
    let name = option_name(&line[at..]);
    let value_at = name.map_or(at, |name| at + name.len() + 1);
    let mut value = String::new();
    let mut chars = line[value_at..].char_indices().peekable();
    let quoted = chars.peek().is_some_and(|(_, c)| closers(*c).is_some());
    let mut may_open = true;
    let mut end = line.len();
    while let Some((i, c)) = chars.next() {
        if c.is_whitespace() {
            end = value_at + i;
            break;
        }
        match closers(c) {
            Some(closers) if may_open => {
                if !read_quoted(&mut chars, c, closers, &mut value) {
                    return Err(unbalanced(&line[value_at + i..], c));
                }
            }
            _ if c == '\\' => {
                value.push(chars.next().map_or('\\', |(_, escaped)| escaped));
                may_open = false;
            }
            _ => {
                value.push(c);
                may_open = false;
            }
        }
    }
    Ok(Some(Word { at, end, name, value_at, value, quoted }))
}

/// What closes a quote that this character opens.
fn closers(open: char) -> Option<&'static [char]> {
    match open {
        '"' => Some(&['"']),
        '\'' => Some(&['\'']),
        // A phone writes “…”, a German one „…“; some close with a straight quote.
        '“' | '”' | '„' => Some(&['”', '“', '"']),
        _ => None,
    }
}

/// Reads up to the closing quote; `false` when there is none. Within double quotes `\` protects a quote and itself.
fn read_quoted(
    chars: &mut impl Iterator<Item = (usize, char)>,
    open: char,
    close: &[char],
    value: &mut String,
) -> bool {
    while let Some((_, c)) = chars.next() {
        if close.contains(&c) {
            return true;
        }
        if c != '\\' || open == '\'' {
            value.push(c);
            continue;
        }
        match chars.next() {
            Some((_, escaped)) => {
                if escaped != '\\' && closers(escaped).is_none_or(|_| escaped == '\'') {
                    value.push('\\');
                }
                value.push(escaped);
            }
            None => return false,
        }
    }
    false
}

fn unbalanced(from: &str, open: char) -> Reject {
    let message = format!("the quote that opens at `{}` is never closed", shown(from));
    let hint = if open == '\'' {
        "close it with ', or write the text in double quotes: \"it's down\"".to_owned()
    } else {
        format!("close it with {}; a quote within a text is written \\\"", if open == '"' { '"' } else { '”' })
    };
    Reject::new(RejectCode::BadValue, message).hint(hint)
}

/// A value as it is written so that it reads back as itself: plain, or in double quotes.
pub(super) fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_.:@#/+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        if c == '"' || c == '\\' {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    Cow::Owned(text)
}

//! What of a message is said by its author: lines without what is quoted or fenced, and without a chat's own markup of
//! links. Nothing here knows what an alert looks like.

use std::borrow::Cow;

/// The beginning of a text, at most `max` bytes of it, ending with a whole line where there is one.
pub fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let cut = &text[..end];
    cut.rfind('\n').map_or(cut, |line| &cut[..line])
}

/// The lines that may be an alert; blank ones stay, as they part one thing from another. A line in a fence, one that
/// begins with `>`, and one that begins as inline code is somebody else's words.
pub fn lines(text: &str) -> Vec<Cow<'_, str>> {
    let mut lines = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        let line = line.trim_end();
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            // A fence that is closed on its own line fences that line only.
            fenced ^= start[3..].matches("```").count() % 2 == 0;
            continue;
        }
        if fenced {
            continue;
        }
        // Discord quotes everything behind this mark.
        if start.starts_with(">>>") || start.starts_with("&gt;&gt;&gt;") {
            break;
        }
        if start.starts_with('>') || start.starts_with("&gt;") || start.starts_with('`') {
            continue;
        }
        lines.push(unlinked(line));
    }
    lines
}

/// Slack's `<https://host/path|shown>` as `shown`, and `<https://host/path>` as the address.
fn unlinked(line: &str) -> Cow<'_, str> {
    if !line.contains("<http") {
        return Cow::Borrowed(line);
    }
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("<http") {
        plain.push_str(&rest[..at]);
        let inner = &rest[at + 1..];
        // Only to the next bracket of either kind, so that a thousand open ones are not looked through a thousand times.
        match inner.find(['<', '>']).filter(|end| inner[*end..].starts_with('>')) {
            Some(end) => {
                let (address, shown) = inner[..end].split_once('|').unwrap_or((&inner[..end], ""));
                plain.push_str(if shown.trim().is_empty() { address } else { shown });
                rest = &inner[end + 1..];
            }
            None => {
                plain.push('<');
                rest = inner;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// A line without what tools put before a title: `Subject: `, emoji, emoji by name (`:fire:`), marks of bold.
pub fn title(line: &str) -> &str {
    let mut rest = line.trim();
    rest = rest.strip_prefix("Subject: ").unwrap_or(rest);
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches(|c: char| {
            !c.is_ascii() && !c.is_alphanumeric() || c.is_whitespace() || matches!(c, '\u{fe0f}')
        });
        if let Some(named) = rest.strip_prefix(':')
            && let Some((name, behind)) = named.split_once(':')
            && !name.is_empty()
            && name.len() <= 40
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
        {
            rest = behind;
        }
        if rest.len() == before {
            return rest;
        }
    }
}

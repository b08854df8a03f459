//! Text from outside as Discord text that is only text: it mentions nobody, formats nothing and links nowhere. Pure.
//! What may mention somebody is said by `allowed_mentions` of the message, not here.

use crate::domain::input::Reply;
use crate::domain::paging::look;

/// The longest message content, in characters (Discord's reference, "Create Message").
pub const CONTENT_MAX: usize = 2000;

/// Marks in front of a letter: beyond this many (zalgo) they are dropped.
const MARKS_MAX: usize = 3;

/// One inert line of at most `max` characters, escapes counted; cut text ends in `…`.
///
/// Escaped is everything that Discord's Markdown knows. `@`, `://` and `discord.gg/` get a word joiner (U+2060) or a
/// backslash, since a mention or a bare link needs no Markdown.
pub fn line(text: &str, max: usize) -> String {
    let mut pieces: Vec<String> = Vec::new();
    let clean = look::line(text, max.max(1));
    let mut marks = 0;
    let mut before = ['\0'; 2];
    for c in clean.chars() {
        if unseen(c) {
            continue;
        }
        marks = if combining(c) { marks + 1 } else { 0 };
        if marks > MARKS_MAX {
            continue;
        }
        let mut piece = String::new();
        match c {
            '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '[' | ']' | '(' | ')' | '#' | '-' | '+' | '.'
                if escapes(c, before[1], pieces.is_empty()) =>
            {
                piece.push('\\');
                piece.push(c);
            }
            '@' => piece.push_str("@\u{2060}"),
            // `https://x` is a link without any Markdown; `https:\u{2060}//x` is none.
            '/' if before[1] == ':' => piece.push_str("\u{2060}/"),
            c => piece.push(c),
        }
        pieces.push(piece);
        before = [before[1], c];
    }
    join(pieces, max)
}

/// Whether a character has to be escaped here: some format anywhere, some only where a line begins.
fn escapes(c: char, before: char, first: bool) -> bool {
    match c {
        '#' | '-' | '+' => first,
        // Behind an escaped `]` it makes no link, but it costs nothing to be sure.
        '(' => before == ']',
        ')' => false,
        // `1. ` begins a list.
        '.' => before.is_ascii_digit(),
        _ => true,
    }
}

/// Puts whole pieces together up to `max` characters, so that no escape is cut in two.
fn join(pieces: Vec<String>, max: usize) -> String {
    let length = |piece: &str| piece.chars().count();
    let total: usize = pieces.iter().map(|piece| length(piece)).sum();
    if total <= max {
        return pieces.concat();
    }
    let mut out = String::new();
    let mut used = 1;
    for piece in &pieces {
        used += length(piece);
        if used > max {
            break;
        }
        out.push_str(piece);
    }
    if max > 0 {
        out.push('…');
    }
    out
}

/// Characters that are not seen, and with which a word can look like another.
fn unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{61c}' | '\u{ad}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Marks that are drawn over the letter before them.
fn combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Stands for a timestamp while the text around it is made inert.
const HELD: char = '\u{e000}';

/// Text of ours with parts from outside, as inert lines: as `line`, but line ends stay and so do timestamps
/// (`<t:SECS:R>`), which nobody can do harm with. A line has at most `LINE_MAX` characters.
pub fn text(text: &str) -> String {
    let shown = text.lines().map(|one| {
        let mut held = Vec::new();
        let mut bare = String::with_capacity(one.len());
        let mut rest = one;
        while let Some(at) = rest.find("<t:") {
            let (before, stamp) = rest.split_at(at);
            bare.extend(before.chars().filter(|c| *c != HELD));
            let length = timestamp(stamp);
            if length == 0 {
                bare.push_str("<t:");
                rest = &stamp[3..];
            } else {
                bare.push(HELD);
                held.push(&stamp[..length]);
                rest = &stamp[length..];
            }
        }
        bare.extend(rest.chars().filter(|c| *c != HELD));
        let mut held = held.into_iter();
        let mut out = String::with_capacity(bare.len());
        for c in line(&bare, LINE_MAX).chars() {
            if c == HELD { out.push_str(held.next().unwrap_or_default()) } else { out.push(c) }
        }
        out
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// What is answered, as `text`; the lines that are drawn stand in a block of code, where letters have one width and
/// nothing formats.
pub fn reply(reply: &Reply) -> String {
    let Some(drawn) = reply.drawn else { return text(&reply.text) };
    let all: Vec<&str> = reply.text.lines().collect();
    let first = drawn.first.min(all.len());
    let (before, rest) = all.split_at(first);
    let (plot, after) = rest.split_at(drawn.lines.min(rest.len()));
    // Escaped as `line` does, a line would no longer stand below the one above.
    let inert =
        |line: &&str| -> String { line.chars().filter(|c| !c.is_control() && !unseen(*c) && *c != '`').collect() };
    let mut parts = vec![text(&before.join("\n"))];
    if !plot.is_empty() {
        parts.push(format!("```\n{}\n```", plot.iter().map(inert).collect::<Vec<_>>().join("\n")));
    }
    parts.push(text(&after.join("\n")));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// The longest line of a text, in characters (before timestamps).
const LINE_MAX: usize = 1500;

/// How many bytes of the beginning are a timestamp; 0: none.
fn timestamp(text: &str) -> usize {
    let Some(end) = text.bytes().take(24).position(|b| b == b'>') else { return 0 };
    let Some(inner) = text.get(3..end) else { return 0 };
    let (digits, style) = inner.split_once(':').unwrap_or((inner, "f"));
    let number = !digits.is_empty() && digits.len() <= 13 && digits.bytes().all(|b| b.is_ascii_digit());
    if number && matches!(style, "t" | "T" | "d" | "D" | "f" | "F" | "R") { end + 1 } else { 0 }
}

/// Splits a text into messages of at most `CONTENT_MAX` characters, at line ends where there are any, at most `most`;
/// what does not fit is told by a last line.
pub fn messages(text: &str, most: usize) -> Vec<String> {
    const MORE: &str = "\n… (cut)";
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && out.len() < most.max(1) {
        let end = rest.char_indices().nth(CONTENT_MAX).map_or(rest.len(), |(at, _)| at);
        let at = if end == rest.len() { end } else { rest[..end].rfind('\n').filter(|at| *at > 0).unwrap_or(end) };
        out.push(rest[..at].to_owned());
        rest = rest[at..].trim_start_matches('\n');
    }
    if let (false, Some(last)) = (rest.is_empty(), out.last_mut()) {
        let keep = CONTENT_MAX - MORE.chars().count();
        if let Some((at, _)) = last.char_indices().nth(keep) {
            last.truncate(at);
        }
        last.push_str(MORE);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::input::Drawn;

    #[test]
    fn hostile_text_is_only_text() {
        let cases = [
            ("@everyone <@204> <@&7> <#9>", "@\u{2060}everyone \\<@\u{2060}204\\> \\<@\u{2060}&7\\> \\<#9\\>"),
            ("[bank](https://evil.example)", "\\[bank\\]\\(https:\u{2060}//evil.example)"),
            ("**b** __u__ ~~s~~ ||x|| `c`", "\\*\\*b\\*\\* \\_\\_u\\_\\_ \\~\\~s\\~\\~ \\|\\|x\\|\\| \\`c\\`"),
            ("# big", "\\# big"),
            ("a # b - c", "a # b - c"),
            ("1. list", "1\\. list"),
            ("\u{202e}evil\u{2066} a\u{200b}b", "evil ab"),
            ("</ack:1> <t:1:R> <id:home>", "\\</ack:1\\> \\<t:1:R\\> \\<id:home\\>"),
            ("a\nb\r\nc", "a b c"),
            ("", ""),
        ];
        for (text, shown) in cases {
            assert_eq!(line(text, 500), shown, "{text:?}");
        }
    }

    #[test]
    fn zalgo_loses_its_tower_and_a_cut_never_splits_an_escape() {
        let tower = format!("e{}x", "\u{301}".repeat(50));
        assert_eq!(line(&tower, 100), format!("e{}x", "\u{301}".repeat(3)));
        for max in 0..30 {
            let cut = line("*_*_*_*_@@@@ https://a.b/c [x](y)", max);
            assert!(cut.chars().count() <= max, "{max}: {cut}");
            let slashes = cut.trim_end_matches('…').chars().rev().take_while(|c| *c == '\\').count();
            assert_eq!(slashes % 2, 0, "{cut}");
        }
        assert!(line(&"@everyone ".repeat(1000), 256).chars().count() <= 256);
    }

    #[test]
    fn times_in_our_own_text_stay_and_nothing_else_does() {
        let shown = text("INC-1 **x**: until <t:1796264500:R>.\n- <t:1:X> <t:9999999999999999:R> <t:: <@1>\u{e000}");
        let expected = "INC-1 \\*\\*x\\*\\*: until <t:1796264500:R>.\n\\- \\<t:1:X\\> \\<t:9999999999999999:R\\> \\<t:: \\<@\u{2060}1\\>";
        assert_eq!(shown, expected);
        assert_eq!(text(&format!("{}<t:1:R>", "a".repeat(3000))).chars().count(), 1500);
    }

    #[test]
    fn what_is_drawn_keeps_its_columns_and_formats_nothing() {
        let drawn =
            |first, lines| Reply { drawn: Some(Drawn { first, lines }), ..Reply::done("a *b*\n x  `*y*`\n``` z\n_c_") };
        assert_eq!(reply(&drawn(1, 2)), "a \\*b\\*\n```\n x  *y*\n z\n```\n\\_c\\_");
        assert_eq!(reply(&drawn(0, 1)), "```\na *b*\n```\n x  \\`\\*y\\*\\`\n\\`\\`\\` z\n\\_c\\_");
        // Lines that are not there are none.
        assert_eq!(reply(&drawn(9, usize::MAX)), text("a *b*\n x  `*y*`\n``` z\n_c_"));
    }

    #[test]
    fn long_text_is_split_at_lines_and_says_when_it_is_cut() {
        let text = format!("{}\n{}\n{}", "ä".repeat(1500), "b".repeat(1500), "c".repeat(5000));
        let all = messages(&text, 10);
        assert!(all.iter().all(|message| message.chars().count() <= CONTENT_MAX));
        assert_eq!(all.concat().chars().count(), 8000);
        let two = messages(&text, 2);
        assert_eq!(two.len(), 2);
        assert!(two[1].ends_with("(cut)") && two[1].chars().count() <= CONTENT_MAX);
        assert!(messages("", 3).is_empty());
    }
}

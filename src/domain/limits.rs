//! How much of a sender's text is kept, and the keys that tie its signals together. Everything is cut on character
//! boundaries; a key is never cut but hashed, because two cut keys could become one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// How deep a body may be nested: `[[1]]` has depth 2.
pub const DEPTH: usize = 64;
/// How many alerts of one body are read.
pub const ALERTS: usize = 1_000;
/// Characters of a name, a service or a label's name.
pub const NAME_CHARS: usize = 256;
/// Characters of a summary.
pub const SUMMARY_CHARS: usize = 2_000;
/// Characters of a label's value.
pub const LABEL_CHARS: usize = 1_000;
/// Labels of one signal; the first ones by name are kept.
pub const LABELS: usize = 64;
/// Characters of a severity word, a status or an environment.
pub const WORD_CHARS: usize = 64;
/// Characters of a link; a longer one is left out, as half a link leads elsewhere.
pub const LINK_CHARS: usize = 2_000;
/// Characters of a dedup key; a longer one is replaced by its hash.
pub const KEY_CHARS: usize = 255;

/// Whether a character could break a line or reorder what stands around it: control characters, line separators and
/// the marks that switch the direction of writing (which can make one text look like another).
fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text as one line of at most `max_chars` characters; `None` when nothing is left. Line breaks and tabs become
/// blanks, other disturbing characters go.
pub fn line(text: &str, max_chars: usize) -> Option<String> {
    clean(text, max_chars, |c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if disturbs(c) => None,
        c => Some(c),
    })
}

/// The text with its line breaks, of at most `max_chars` characters; `None` when nothing is left.
pub fn lines(text: &str, max_chars: usize) -> Option<String> {
    clean(text, max_chars, |c| match c {
        '\n' => Some('\n'),
        '\t' => Some(' '),
        c if disturbs(c) => None,
        c => Some(c),
    })
}

/// Whether `line` would give the text back as it is: the usual case, told without looking at characters.
pub fn is_line(text: &str, max_chars: usize) -> bool {
    let plain = text.len() <= max_chars && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    plain && !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ')
}

fn clean(text: &str, max_chars: usize, keep: impl Fn(char) -> Option<char>) -> Option<String> {
    if is_line(text, max_chars) {
        return Some(text.to_owned());
    }
    let kept: String = text.trim().chars().filter_map(keep).take(max_chars).collect();
    let kept = kept.trim();
    if kept.is_empty() { None } else { Some(kept.to_owned()) }
}

/// A link as given; `None` when it is blank, too long, or holds characters that no link holds.
pub fn link(text: &str) -> Option<String> {
    let text = text.trim();
    let whole = !text.is_empty() && text.chars().count() <= LINK_CHARS;
    (whole && !text.chars().any(|c| disturbs(c) || c.is_whitespace())).then(|| text.to_owned())
}

/// A sender's dedup key; `None` when it is blank, which is no key. One that is long or holds control characters is
/// replaced by its hash, so that different keys stay different.
pub fn key(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let plain = text.len() <= KEY_CHARS || text.chars().count() <= KEY_CHARS;
    if plain && !text.chars().any(disturbs) { Some(text.to_owned()) } else { Some(hash([text])) }
}

/// The key of an alert that brings none: the hash of its labels, whatever their order in the body.
pub fn labels_key(labels: &BTreeMap<String, String>) -> String {
    hash(labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]))
}

/// The first 16 hexadecimal digits of the SHA-256 of the parts, as long as a Prometheus fingerprint. The byte that
/// ends each part occurs in no UTF-8 text, so `ab, c` and `a, bc` differ.
pub fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.as_bytes());
        sha.update([0xff]);
    }
    let mut digits = String::with_capacity(16);
    for byte in sha.finalize().iter().take(8) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

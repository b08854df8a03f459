//! From bytes to JSON: the checks that come before any parser looks at a body, and how its values are read as text.

use serde::Deserialize;
use serde_json::Value;

use super::{Unreadable, limits};

/// Parses a body as `T`. A byte order mark in front is skipped.
pub fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Unreadable> {
    let bytes = text(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(Unreadable {
            path: None,
            message: "the body is empty".to_owned(),
            hint: "send the alert as JSON in the body of the request".to_owned(),
        });
    }
    if deeper_than(bytes, limits::DEPTH) {
        return Err(Unreadable {
            path: Some("$".to_owned()),
            message: format!("the body is nested deeper than {} levels", limits::DEPTH),
            hint: "send a flatter body".to_owned(),
        });
    }
    serde_json::from_slice(bytes).map_err(|error| Unreadable {
        path: None,
        message: format!("the body is not valid JSON: {error}"),
        hint: "send one JSON document in UTF-8".to_owned(),
    })
}

/// The bytes without a byte order mark.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// The first character of the document: `{` for an object, `[` for a list.
pub fn first_byte(bytes: &[u8]) -> Option<u8> {
    text(bytes).trim_ascii_start().first().copied()
}

/// Whether brackets outside of strings are nested deeper than `limit`. A scan instead of a parse: it costs no stack
/// and no memory, whatever the bytes are.
fn deeper_than(bytes: &[u8], limit: usize) -> bool {
    // Few bodies have so many brackets at all, and counting them is the work of an instant.
    if bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= limit {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// A value that people write as text: text, a number or a truth value. `None` for null, lists and objects.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a value is, for people.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings_only() {
        assert!(!deeper_than(br#"[[1]]"#, 2));
        assert!(deeper_than(br#"[[[1]]]"#, 2));
        assert!(!deeper_than(br#"["[[[[", "\"[[[["]"#, 2));
        assert!(!deeper_than(br#"["\\", {}, {}, {}]"#, 2));
        assert!(!deeper_than(b"]]]][[", 2));
    }

    #[test]
    fn the_last_level_allowed_is_read_and_the_next_is_refused() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse::<Value>(nested(limits::DEPTH).as_bytes()).is_ok());
        let refused = parse::<Value>(nested(limits::DEPTH + 1).as_bytes()).expect_err("too deep");
        assert_eq!(refused.path.as_deref(), Some("$"));
        // A million open brackets cost a scan and no stack.
        assert!(parse::<Value>("[".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn an_error_never_quotes_the_body() {
        for bad in ["", "  \n", "hello", "{\"a\":}", "{\"secret\"", "{} {}", "\u{feff}", "{\"a\":1e999}"] {
            let error = parse::<Value>(bad.as_bytes()).expect_err(bad);
            assert_eq!(error.path, None, "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(parse::<Value>(b"\xef\xbb\xbf{}").is_ok(), "a byte order mark is skipped");
        assert!(parse::<Value>(b"\"\xff\xfe\"").is_err(), "not UTF-8");
    }
}

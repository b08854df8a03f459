//! `{{name}}` in the texts of a playbook: which names stand there, and what comes out with the values of a run. There is
//! nothing but names in it: no expression, no loop. How a value is fit for a URL or for JSON is here; that it is what
//! its parameter may be is asked in `values`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use compact_str::CompactString;

/// Values by name.
pub type Values = BTreeMap<CompactString, CompactString>;

/// Names that every run has: its number, who began it, for whom, its change, its request, its incident.
pub const OWN: [&str; 6] = ["run", "by", "for", "change", "request", "incident"];

/// A piece of a text.
enum Piece<'t> {
    Plain(&'t str),
    Name(&'t str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        found.push(Piece::Plain(before));
        found.push(Piece::Name(name.trim()));
        rest = behind;
    }
    found.push(Piece::Plain(rest));
    found
}

/// The names in a text, in order.
pub fn names(text: &str) -> Vec<&str> {
    pieces(text).into_iter().filter_map(|piece| if let Piece::Name(name) = piece { Some(name) } else { None }).collect()
}

/// Whether a name stands at the very beginning: what comes out could then look like an option.
pub fn begins_with_name(text: &str) -> bool {
    text.starts_with("{{") && !names(text).is_empty()
}

/// A text with the values in it; what has no value is empty.
pub fn fill(text: &str, values: &Values) -> CompactString {
    filled(text, values, |value, out| out.push_str(value))
}

/// The same for a URL: of a value only letters, digits and `-._~` stay as they are, so that it is one piece of a path
/// or of a query, whatever is in it. A value that is nothing but dots would lead up the path, and is refused.
///
/// # Errors
/// The name of the parameter.
pub fn fill_url(text: &str, values: &Values) -> Result<CompactString, CompactString> {
    let dots = |name: &&str| values.get(*name).is_some_and(|value| matches!(value.as_str(), "." | ".."));
    if let Some(name) = names(text).into_iter().find(dots) {
        return Err(name.into());
    }
    Ok(filled(text, values, |value, out| {
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                // Writing into a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }))
}

/// JSON with the values in its texts; keys stay as they are, and so does the shape.
pub fn fill_json(json: &serde_json::Value, values: &Values) -> serde_json::Value {
    match json {
        serde_json::Value::String(text) => serde_json::Value::String(fill(text, values).into()),
        serde_json::Value::Array(items) => items.iter().map(|item| fill_json(item, values)).collect(),
        serde_json::Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), fill_json(value, values))).collect()
        }
        other => other.clone(),
    }
}

fn filled(text: &str, values: &Values, mut write: impl FnMut(&str, &mut CompactString)) -> CompactString {
    let mut out = CompactString::default();
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => out.push_str(text),
            Piece::Name(name) => write(values.get(name).map_or("", |value| value), &mut out),
        }
    }
    out
}

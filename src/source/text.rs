//! Text: a message as a tool posts it in a chat, or its mail, read by the built-in sets or by a `[[text-alert]]` (the
//! mapping's). The JSON bodies of Discord's and Slack's webhooks are read for the texts in them. How alerts are found
//! in text is `domain/alert/text`'s business: chats hear by the same.

use serde_json::Value;

use super::{NAMELESS, Reading, Rejected, Unreadable, body, limits};
use crate::domain::alert::text::{self, TextRule};
use crate::domain::org::Mapping;
use crate::domain::signal::{Signal, SignalKind};

/// Fields of a Discord or Slack message that hold text, in the order in which it is shown.
const SHOWN: [&str; 9] =
    ["pretext", "content", "text", "title", "description", "value", "fields", "embeds", "attachments"];
/// What Slack's blocks hold text in.
const BLOCKS: &str = "blocks";

/// Reads a text. One in which nothing is an alert is one signal of the kind `ignore`.
pub fn read(bytes: &[u8], mapping: &Mapping) -> Result<Reading, Unreadable> {
    let told = if body::first_byte(bytes) == Some(b'{') { message(&body::parse(bytes)?) } else { plain(bytes)? };
    let builtin = TextRule::builtin();
    let text::TextReading { signals, unread, .. } =
        text::read(&told, mapping.text.as_ref().unwrap_or(&builtin), mapping);
    let rejected = unread.map(|reason| Rejected { path: "$".to_owned(), reason }).into_iter().collect();
    let signals = if signals.is_empty() { vec![ignored()] } else { signals };
    Ok(Reading { signals, ignored: 0, rejected })
}

fn plain(bytes: &[u8]) -> Result<String, Unreadable> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    if text.trim().is_empty() {
        return Err(Unreadable {
            path: None,
            message: "the body is empty".to_owned(),
            hint: "send the text of the message as the body of the request".to_owned(),
        });
    }
    Ok(text.into_owned())
}

/// People talk: nothing to do.
fn ignored() -> Signal {
    Signal {
        kind: SignalKind::Ignore,
        service: None,
        name: NAMELESS.to_owned(),
        severity: None,
        severity_word: None,
        status: NAMELESS.to_owned(),
        key: NAMELESS.to_owned(),
        summary: None,
        labels: Default::default(),
        environment: None,
        link: None,
        started_at: None,
        deployment: None,
    }
}

/// All texts of a message, a line's end between them.
fn message(body: &Value) -> String {
    let mut told = String::new();
    gather(body, &mut told);
    told
}

/// The depth is bounded by that of the body.
fn gather(value: &Value, told: &mut String) {
    match value {
        Value::Object(map) => {
            for name in SHOWN {
                match map.get(name) {
                    Some(Value::String(text)) => {
                        told.push_str(text);
                        told.push('\n');
                    }
                    Some(inner) => gather(inner, told),
                    None => {}
                }
            }
            if let Some(blocks) = map.get(BLOCKS) {
                gather(blocks, told);
            }
        }
        Value::Array(items) if told.len() <= limits::SUMMARY_CHARS * 64 => {
            items.iter().for_each(|item| gather(item, told));
        }
        _ => {}
    }
}

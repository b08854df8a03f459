//! Whether a body is what Discord takes: against its own description (OpenAPI, where the file is there), against
//! twilight's limits, and by the checks that both lack. Nothing here knows how Opsbell or serenity write a body.

use std::sync::OnceLock;

use serde_json::Value;
use twilight_model::application::command::Command;
use twilight_model::channel::message::{Component, Embed};

fn spec() -> Option<&'static Value> {
    static SPEC: OnceLock<Option<Value>> = OnceLock::new();
    SPEC.get_or_init(|| {
        let path = opsbell::catalog::process_env("OPSBELL_DISCORD_SPEC");
        let path = path.unwrap_or_else(|| "/work/shared/discord/openapi.json".to_owned());
        let read = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if read.is_none() {
            eprintln!("{path} is not there: bodies are not checked against Discord's own description");
        }
        read
    })
    .as_ref()
}

/// What is wrong with a request's body; empty: nothing.
pub fn problems(method: &str, path: &str, body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(spec) = spec()
        && let Some(schema) = schema_of(spec, method, path)
    {
        fits(spec, schema, body, "body", 0, &mut found);
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (method, parts.as_slice()) {
        ("POST", ["channels", _, "messages"]) | ("POST", ["webhooks", _, _]) => message(body, true, &mut found),
        ("PATCH", ["channels", _, "messages", _]) | ("PATCH", ["webhooks", _, _, "messages", _]) => {
            message(body, false, &mut found);
        }
        ("POST", ["interactions", _, _, "callback"]) => match body["type"].as_u64() {
            Some(4) => message(&body["data"], true, &mut found),
            Some(7) => message(&body["data"], false, &mut found),
            Some(8) if body["data"]["choices"].as_array().is_none_or(|choices| choices.len() > 25) => {
                found.push("more than 25 choices".to_owned());
            }
            Some(9) => form(&body["data"], &mut found),
            _ => {}
        },
        ("PUT", ["applications", _, "commands"]) => commands(body, &mut found),
        _ => {}
    }
    found
}

fn schema_of<'s>(spec: &'s Value, method: &str, path: &str) -> Option<&'s Value> {
    let wanted: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == wanted.len()
            && parts.iter().zip(&wanted).all(|(part, have)| part == have || part.starts_with('{'))
    };
    let paths = spec["paths"].as_object()?;
    // `@me` and `@original` before a place-holder that would take them.
    let mut named: Vec<&String> = paths.keys().filter(|template| fits(template)).collect();
    named.sort_by_key(|template| template.matches('{').count());
    let operation = &paths[*named.first()?][method.to_lowercase()];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    (!schema.is_null()).then_some(schema)
}

fn fits(spec: &Value, schema: &Value, value: &Value, at: &str, depth: usize, found: &mut Vec<String>) {
    if depth > 40 {
        return;
    }
    if let Some(name) = schema["$ref"].as_str() {
        let target = spec.pointer(name.trim_start_matches('#')).unwrap_or(&Value::Null);
        return fits(spec, target, value, at, depth + 1, found);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(spec, part, value, at, depth + 1, found);
    }
    for key in ["anyOf", "oneOf"] {
        let Some(options) = schema[key].as_array() else { continue };
        let tried = options.iter().map(|option| {
            let mut wrong = Vec::new();
            fits(spec, option, value, at, depth + 1, &mut wrong);
            wrong
        });
        let Some(least) = tried.min_by_key(Vec::len) else { continue };
        found.extend(least);
    }
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    let typed = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if !typed {
        return found.push(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        found.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    let bounds = |found: &mut Vec<String>, n: Option<f64>, least: &str, most: &str| {
        let Some(n) = n else { return };
        if schema[least].as_f64().is_some_and(|least| n < least) || schema[most].as_f64().is_some_and(|most| n > most) {
            found.push(format!("{at}: {n} is outside {least} {} and {most} {}", schema[least], schema[most]));
        }
    };
    bounds(found, value.as_str().map(|text| text.chars().count() as f64), "minLength", "maxLength");
    bounds(found, value.as_array().map(|items| items.len() as f64), "minItems", "maxItems");
    bounds(found, value.as_f64(), "minimum", "maximum");
    if let (Some(text), Some(pattern)) = (value.as_str(), schema["pattern"].as_str())
        && let Ok(pattern) = regex::Regex::new(pattern)
        && !pattern.is_match(text)
    {
        found.push(format!("{at}: {text:?} does not fit {pattern}"));
    }
    if let Some(items) = value.as_array().filter(|_| !schema["items"].is_null()) {
        for (n, item) in items.iter().enumerate() {
            fits(spec, &schema["items"], item, &format!("{at}[{n}]"), depth + 1, found);
        }
    }
    if let Some(object) = value.as_object() {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(key) {
                found.push(format!("{at}: `{key}` is missing"));
            }
        }
        for (key, value) in object {
            let inner = &schema["properties"][key];
            if !inner.is_null() {
                fits(spec, inner, value, &format!("{at}.{key}"), depth + 1, found);
            }
        }
    }
}

/// The keys of a message that Discord's description knows, beside those that serenity sends empty.
const MESSAGE_KEYS: [&str; 13] = [
    "content",
    "embeds",
    "allowed_mentions",
    "sticker_ids",
    "components",
    "flags",
    "attachments",
    "poll",
    "message_reference",
    "nonce",
    "enforce_nonce",
    "tts",
    "shared_client_theme",
];

fn message(body: &Value, new: bool, found: &mut Vec<String>) {
    for key in body.as_object().into_iter().flat_map(|body| body.keys()) {
        if !MESSAGE_KEYS.contains(&key.as_str()) {
            found.push(format!("a message has no `{key}`"));
        }
    }
    let content = body["content"].as_str().unwrap_or_default();
    if let Err(error) = twilight_validate::message::content(content) {
        found.push(error.to_string());
    }
    let empty = |key: &str| body[key].as_array().is_none_or(Vec::is_empty);
    if new && content.trim().is_empty() && empty("embeds") && empty("attachments") {
        found.push("Cannot send an empty message".to_owned());
    }
    if body["allowed_mentions"].is_null() {
        found.push("allowed_mentions is not said: whatever the text mentions would be mentioned".to_owned());
    }
    match serde_json::from_value::<Vec<Embed>>(embeds_with_kind(&body["embeds"])) {
        Ok(embeds) => found.extend(twilight_validate::message::embeds(&embeds).err().map(|error| error.to_string())),
        Err(error) => found.push(format!("embeds: {error}")),
    }
    components(&body["components"], found);
}

/// twilight wants a `kind` in each embed, which Discord does not ask for.
fn embeds_with_kind(embeds: &Value) -> Value {
    let mut embeds = embeds.clone();
    for embed in embeds.as_array_mut().into_iter().flatten() {
        embed["type"] = "rich".into();
    }
    if embeds.is_null() { Value::Array(Vec::new()) } else { embeds }
}

fn components(rows: &Value, found: &mut Vec<String>) {
    if rows.is_null() {
        return;
    }
    match serde_json::from_value::<Vec<Component>>(rows.clone()) {
        Ok(rows) => {
            found.extend(twilight_validate::message::components(&rows, false).err().map(|error| error.to_string()));
        }
        Err(error) => found.push(format!("components: {error}")),
    }
    let mut ids = Vec::new();
    for part in rows.as_array().into_iter().flatten().flat_map(|row| row["components"].as_array()).flatten() {
        if let Some(id) = part["custom_id"].as_str() {
            if ids.contains(&id) {
                found.push(format!("Component custom id cannot be duplicated: {id}"));
            }
            ids.push(id);
        }
    }
}

fn form(data: &Value, found: &mut Vec<String>) {
    let title = data["title"].as_str().unwrap_or_default().chars().count();
    let rows = data["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !(1..=45).contains(&title) || !(1..=5).contains(&rows.len()) {
        found.push(format!("a form has a title of 1 to 45 characters and 1 to 5 rows: {data}"));
    }
    for row in rows {
        let inside = row["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        if row["type"] != 1 || inside.len() != 1 || inside[0]["type"] != 4 {
            found.push(format!("a row of a form holds one text input: {row}"));
            continue;
        }
        let label = inside[0]["label"].as_str().unwrap_or_default().chars().count();
        if !(1..=45).contains(&label) {
            found.push(format!("a label has 1 to 45 characters: {}", inside[0]["label"]));
        }
    }
}

fn commands(body: &Value, found: &mut Vec<String>) {
    for command in body.as_array().into_iter().flatten() {
        let mut full = command.clone();
        for (key, value) in [("version", "1"), ("id", "1")] {
            full[key] = value.into();
        }
        full["default_member_permissions"] = Value::Null;
        if full["description"].is_null() {
            full["description"] = "".into();
        }
        match serde_json::from_value::<Command>(full) {
            Ok(read) if command["type"] == 1 => {
                found.extend(twilight_validate::command::command(&read).err().map(|error| {
                    format!("/{}: {error} {:?}", read.name, std::error::Error::source(&error).map(ToString::to_string))
                }));
            }
            Ok(_) => {}
            Err(error) => found.push(format!("{}: {error}", command["name"])),
        }
    }
}

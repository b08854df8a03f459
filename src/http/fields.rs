//! Small JSON objects of the API, field by field, so that an error names the field. Payloads of senders are not read
//! here.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::error::Failure;

/// The fields of an object that have not been taken yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object that has no fields but `known`.
    pub fn parse(bytes: &[u8], known: &[&'static str]) -> Result<Self, Failure> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            let failure = Failure::new(StatusCode::BAD_REQUEST, "bad-json", format!("the body is not JSON: {error}"));
            failure.hint(format!("send an object with {}", known.join(", ")))
        })?;
        let Value::Object(fields) = value else {
            return Err(Failure::value("$", format!("the body is {}, not an object", kind(&value)))
                .hint(format!("send an object with {}", known.join(", "))));
        };
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                let short: String = name.chars().take(60).collect();
                let failure = Failure::value(short.clone(), format!("there is no field `{short}` here"));
                Err(failure.meant(&short, known.iter().copied()))
            }
            None => Ok(Self(fields)),
        }
    }

    /// A text that may be left out.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, Failure> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Failure::value(name, format!("`{name}` is {}, not a text", kind(&other)))),
        }
    }

    /// A text that has to be there and say something.
    pub fn needed(&mut self, name: &'static str) -> Result<String, Failure> {
        match self.text(name)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            Some(_) => Err(Failure::missing(name, format!("`{name}` is empty"))),
            None => Err(Failure::missing(name, format!("`{name}` is missing"))),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

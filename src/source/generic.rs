//! Any JSON body, read by the JSONPath mapping of its integration (RFC 9535; defaults at [`Mapping`]). One object is
//! one alert, a list is one alert each, and `items` finds the list when it stands deeper. Paths of fields start at
//! the alert, so `$.summary` is the summary of each. A whole number beyond 64 bits loses its last digits: a sender
//! with such ids has to write them as text.

use serde_json::Value;
use serde_json_path::{JsonPath, PathElement};

use super::{Reading, Rejected, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};

/// States that mean recovered where the mapping names none.
const RECOVERED: [&str; 4] = ["resolved", "ok", "closed", "recovered"];
/// The state of an alert that does not say it.
const NO_STATUS: &str = "firing";

/// Reads a body by its mapping. An alert without a summary is rejected alone.
pub fn read(bytes: &[u8], mapping: &Mapping) -> Result<Reading, Unreadable> {
    let fields = Fields::compile(mapping)?;
    let body: Value = body::parse(bytes)?;
    let items = items(&body, mapping)?;
    let mut reading = Reading::default();
    for (path, item) in items.iter().take(limits::ALERTS) {
        match fields.read(item, path, mapping) {
            Ok(signal) => reading.signals.push(signal),
            Err(rejected) => reading.rejected.push(rejected),
        }
    }
    if let Some((path, _)) = items.get(limits::ALERTS) {
        reading.rejected.push(Rejected {
            path: path.clone(),
            reason: format!(
                "{} alerts from here on were not read: at most {} in one body; send them in several",
                items.len() - limits::ALERTS,
                limits::ALERTS
            ),
        });
    }
    Ok(reading)
}

/// The alerts of a body, each with its path.
fn items<'a>(body: &'a Value, mapping: &Mapping) -> Result<Vec<(String, &'a Value)>, Unreadable> {
    let Some(path) = &mapping.items else {
        return match body {
            Value::Array(items) => Ok(numbered("$", items)),
            Value::Object(_) => Ok(vec![("$".to_owned(), body)]),
            other => Err(Unreadable {
                path: Some("$".to_owned()),
                message: format!("the body is {}, not an alert", body::kind(other)),
                hint: "send one object per alert, or a list of objects".to_owned(),
            }),
        };
    };
    let found = compile("items", path)?.query_located(body).all();
    match found.as_slice() {
        [] => Err(Unreadable {
            path: Some(path.clone()),
            message: "the mapping's `items` finds nothing in the body".to_owned(),
            hint: "compare the path with a body of this sender (`opsbell read generic FILE`)".to_owned(),
        }),
        // `$.alerts` finds the list, `$.alerts[*]` what is in it: both are meant by people who write them.
        [one] if one.node().is_array() => {
            let at = readable(one.location().iter());
            Ok(one.node().as_array().map(|items| numbered(&at, items)).unwrap_or_default())
        }
        many => Ok(many.iter().map(|node| (readable(node.location().iter()), node.node())).collect()),
    }
}

fn numbered<'a>(at: &str, items: &'a [Value]) -> Vec<(String, &'a Value)> {
    items.iter().enumerate().map(|(i, item)| (format!("{at}[{i}]"), item)).collect()
}

/// A normalised path as people write it: `$.alerts[3]`, quoted only where a name needs it.
fn readable<'a>(elements: impl Iterator<Item = &'a PathElement<'a>>) -> String {
    let mut path = "$".to_owned();
    for element in elements {
        match element {
            PathElement::Index(i) => path.push_str(&format!("[{i}]")),
            PathElement::Name(name) if plain(name) => path.push_str(&format!(".{name}")),
            PathElement::Name(name) => {
                path.push_str(&format!("[{:?}]", limits::line(name, limits::WORD_CHARS).unwrap_or_default()));
            }
        }
    }
    path
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= limits::WORD_CHARS && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn compile(field: &str, path: &str) -> Result<JsonPath, Unreadable> {
    JsonPath::parse(path).map_err(|error| Unreadable {
        path: None,
        message: format!("the mapping's `{field}` is not a JSONPath: {error}"),
        hint: "correct it in the integration's mapping (RFC 9535, as in `$.alert.title`) and run `opsbell check`"
            .into(),
    })
}

/// Where one field stands in an alert.
enum Field {
    /// The default: a member of the alert itself.
    Member(&'static str),
    /// As the mapping says.
    Path(JsonPath, String),
}

impl Field {
    fn compile(name: &'static str, path: Option<&String>) -> Result<Self, Unreadable> {
        path.map_or(Ok(Self::Member(name)), |path| Ok(Self::Path(compile(name, path)?, path.clone())))
    }

    /// The first text, number or truth value found.
    fn text(&self, item: &Value) -> Option<String> {
        match self {
            Self::Member(name) => item.get(name).and_then(body::scalar),
            Self::Path(path, _) => path.query(item).iter().find_map(|value| body::scalar(value)),
        }
    }

    /// The path below that of the alert.
    fn below(&self, at: &str) -> String {
        match self {
            Self::Member(name) => format!("{at}.{name}"),
            Self::Path(_, path) => format!("{at}{}", path.trim_start_matches('$')),
        }
    }
}

struct Fields {
    summary: Field,
    service: Field,
    severity: Field,
    key: Field,
    status: Field,
}

impl Fields {
    fn compile(mapping: &Mapping) -> Result<Self, Unreadable> {
        Ok(Self {
            summary: Field::compile("summary", mapping.summary.as_ref())?,
            service: Field::compile("service", mapping.service.as_ref())?,
            severity: Field::compile("severity", mapping.severity.as_ref())?,
            key: Field::compile("key", mapping.key.as_ref())?,
            status: Field::compile("status", mapping.status.as_ref())?,
        })
    }

    fn read(&self, item: &Value, at: &str, mapping: &Mapping) -> Result<Signal, Rejected> {
        if !item.is_object() && !item.is_array() {
            let reason = format!("an alert is an object; this is {}", body::kind(item));
            return Err(Rejected { path: at.to_owned(), reason });
        }
        let said = self.summary.text(item).unwrap_or_default();
        let Some(name) = limits::line(&said, limits::NAME_CHARS) else {
            return Err(Rejected {
                path: self.summary.below(at),
                reason: "there is no text here to name the alert by; set `summary` in the integration's mapping".into(),
            });
        };
        // The name is one short line: the whole is kept beside it where that says more.
        let summary = limits::lines(&said, limits::SUMMARY_CHARS).filter(|text| *text != name);
        let line = |field: &Field, max_chars| field.text(item).and_then(|text| limits::line(&text, max_chars));
        let service = line(&self.service, limits::NAME_CHARS);
        let severity_word = line(&self.severity, limits::WORD_CHARS);
        let status = line(&self.status, limits::WORD_CHARS).unwrap_or_else(|| NO_STATUS.to_owned());
        let key = self
            .key
            .text(item)
            .and_then(|text| limits::key(&text))
            .unwrap_or_else(|| limits::hash([service.as_deref().unwrap_or_default(), said.trim()]));
        Ok(Signal {
            kind: if recovered(&status, mapping) { SignalKind::Resolve } else { SignalKind::Alert },
            service,
            name,
            severity: severity_word.as_deref().and_then(|word| severity(word, mapping)),
            severity_word,
            status,
            key,
            summary,
            labels: Default::default(),
            environment: None,
            link: None,
            started_at: None,
            deployment: None,
        })
    }
}

fn severity(word: &str, mapping: &Mapping) -> Option<AlertSeverity> {
    mapping.severities.get(&word.to_lowercase()).copied().or_else(|| AlertSeverity::from_word(word))
}

fn recovered(status: &str, mapping: &Mapping) -> bool {
    let status = status.to_lowercase();
    if mapping.resolved.is_empty() {
        RECOVERED.contains(&status.as_str())
    } else {
        mapping.resolved.iter().any(|word| word.to_lowercase() == status)
    }
}

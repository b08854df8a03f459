//! Finding the lists in an export, whichever way it was taken: one file with all lists, one for each list, or a folder
//! with one file for each thing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Keys that an answer of an API has beside its list.
const PAGING: [&str; 9] = ["limit", "offset", "more", "total", "took", "requestId", "paging", "errors", "extensions"];
/// An export with more things than this is none.
const MOST: usize = 20_000;

/// The things of an export, by kind.
#[derive(Debug, Default)]
pub struct Exported<'a> {
    lists: BTreeMap<&'static str, Vec<&'a Value>>,
}

impl<'a> Exported<'a> {
    /// Gathers what is known, and notes what is not.
    pub fn gather(kinds: &[&'static str], documents: &'a [(PathBuf, Value)], notes: &mut Vec<String>) -> Self {
        let mut all = Self::default();
        for (path, value) in documents {
            let value = match value.get("data") {
                Some(data) if value.as_object().is_some_and(|object| only(object, "data")) => data,
                _ => value,
            };
            let by_name = named(path, kinds);
            match value {
                Value::Object(object) => {
                    let before = all.len();
                    if object.get("more") == Some(&Value::Bool(true)) {
                        notes.push(format!(
                            "{}: THIS IS NOT ALL: it says `more: true`, so it is one page of a longer list; export the pages \
                             after it (offset=…) as well, and import them together",
                            path.display()
                        ));
                    }
                    for (key, inner) in object {
                        match known(key, kinds) {
                            Some(kind) => all.add(kind, inner),
                            // One of these is a field of the thing, where the file is one thing.
                            None if by_name.is_some() || PAGING.contains(&key.as_str()) => {}
                            None => notes.push(format!("{}: `{}` is not read", path.display(), short(key))),
                        }
                    }
                    if let (Some(kind), true) = (by_name, all.len() == before) {
                        all.add(kind, value);
                    }
                }
                Value::Array(_) if by_name.is_some() => all.add(by_name.unwrap_or_default(), value),
                _ => notes.push(format!(
                    "{}: not understood; call it after what it lists, such as {}.json",
                    path.display(),
                    kinds.first().copied().unwrap_or_default()
                )),
            }
        }
        for (kind, list) in &mut all.lists {
            if list.len() > MOST {
                notes.push(format!("{kind}: only the first {MOST} of {} are read", list.len()));
                list.truncate(MOST);
            }
        }
        all
    }

    fn add(&mut self, kind: &'static str, value: &'a Value) {
        let list = self.lists.entry(kind).or_default();
        match value.get("nodes").unwrap_or(value) {
            Value::Array(items) => list.extend(items.iter().filter(|item| item.is_object())),
            Value::Object(_) => list.push(value),
            _ => {}
        }
    }

    fn len(&self) -> usize {
        self.lists.values().map(Vec::len).sum()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All things of a kind, in order.
    pub fn all(&self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.lists.get(kind).cloned().unwrap_or_default().into_iter()
    }
}

fn only(object: &Map<String, Value>, key: &str) -> bool {
    object.keys().all(|other| other == key || PAGING.contains(&other.as_str()))
}

/// The kind that a word names: `users`, `user`, `escalation-policies`.
fn known(word: &str, kinds: &[&'static str]) -> Option<&'static str> {
    let plain = |word: &str| word.replace(['-', '_', ' '], "").to_lowercase();
    let word = plain(word);
    kinds.iter().copied().find(|kind| {
        let kind = plain(kind);
        let one = kind.strip_suffix("ies").map(|stem| format!("{stem}y")).or(kind.strip_suffix('s').map(str::to_owned));
        kind == word || one.as_deref() == Some(&word)
    })
}

/// The kind that a file is named after, or else its folder.
fn named(path: &Path, kinds: &[&'static str]) -> Option<&'static str> {
    let word = |part: Option<&std::ffi::OsStr>| known(part?.to_str()?, kinds);
    word(path.file_stem()).or_else(|| word(path.parent()?.file_name()))
}

/// A text of a thing by the path to it; empty where there is none.
pub fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A list of a thing.
pub fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A whole number of a thing, which some exports write as a text.
pub fn number(value: &Value, path: &str) -> Option<u64> {
    let value = value.pointer(path)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A text for a note: one line, not long.
pub fn short(text: &str) -> String {
    super::super::value::cut(text)
}

//! What the senders of deployments and builds have in common: a signal without an alert in it, their times, commits and
//! references. What their bodies look like is each one's own.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{NAMELESS, Unreadable, body, limits};
use crate::domain::signal::{Commit, Deployment, Ran, Signal, SignalKind, Stage};
use crate::domain::time::Timestamp;

/// Commits of one push that are looked at, the newest.
const COMMITS: usize = 20;

/// The value at a path of names.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// The text of a field in one line; blank is nothing.
pub fn text(value: &Value, max_chars: usize) -> Option<String> {
    body::scalar(value).and_then(|text| limits::line(&text, max_chars))
}

/// A name: of a repository, an environment, a pipeline.
pub fn name(value: &Value) -> Option<String> {
    text(value, limits::NAME_CHARS)
}

/// A word: a status, an environment.
pub fn word(value: &Value) -> Option<String> {
    text(value, limits::WORD_CHARS)
}

/// An id that has to be there: a number or a text.
pub fn id(body: &Value, path: &[&str]) -> Result<String, Unreadable> {
    let missing = || Unreadable {
        path: Some(format!("$.{}", path.join("."))),
        message: format!("`{}` is missing: without it, later events of the same thing are not found", path.join(".")),
        hint: "send the webhook as the tool writes it".to_owned(),
    };
    body::scalar(at(body, path)).and_then(|id| limits::key(&id)).ok_or_else(missing)
}

/// The hash of a commit, whole or in part: 7 to 64 hex digits.
pub fn sha(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let hex = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && text.bytes().any(|byte| byte != b'0')).then(|| text.to_ascii_lowercase())
}

/// A reference without what git puts in front: `refs/tags/1.4` is `1.4`.
pub fn reference(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let bare = ["refs/tags/", "refs/heads/"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    limits::line(bare, limits::NAME_CHARS)
}

/// What is brought in: the reference, unless it is the branch that everything comes from, or the commit itself.
pub fn version(reference: Option<String>, default_branch: &Value, sha: Option<&String>) -> Option<String> {
    let plain = |name: &String| {
        let branch = default_branch.as_str().map_or(matches!(name.as_str(), "main" | "master"), |it| it == name);
        !branch && sha != Some(&name.to_ascii_lowercase())
    };
    reference.filter(plain).or_else(|| sha.cloned())
}

/// A time as code hosts write it: RFC 3339, `2021-04-28 21:50:00 +0200`, `2016-08-12 15:23:28 UTC`.
pub fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?.trim();
    if text.len() > 40 || !text.is_ascii() {
        return None;
    }
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let text = text.strip_suffix(" UTC").map_or_else(|| text.to_owned(), |bare| format!("{bare}Z"));
    let mut text = text.replacen(' ', "T", 1).replace(' ', "");
    let sign = text.len().checked_sub(5)?;
    if matches!(text.as_bytes()[sign], b'+' | b'-') {
        text.insert(sign + 3, ':');
    }
    text.parse().ok()
}

/// A commit, where it is told with its whole hash.
pub fn commit(sha_of: &Value, at_time: &Value, email: &Value) -> Option<Commit> {
    let sha = sha(sha_of).filter(|sha| sha.len() >= 40)?;
    Some(Commit { sha, at: time(at_time), email: text(email, limits::NAME_CHARS) })
}

/// The newest commits of a list as GitHub and GitLab write it.
pub fn commits(list: &Value) -> Vec<Commit> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let newest = &all[all.len().saturating_sub(COMMITS)..];
    let one = |it: &Value| commit(at(it, &["id"]), at(it, &["timestamp"]), at(it, &["author", "email"]));
    newest.iter().filter_map(one).collect()
}

/// What a name says that is done: `Build`, `unit-tests`. One that says both, or a deployment, says neither.
pub fn stage(name: &str) -> Option<Stage> {
    let name = name.to_lowercase();
    let says = |begins: &[&str]| {
        let mut words = name.split(|c: char| !c.is_alphanumeric());
        words.any(|word| begins.iter().any(|begin| word.starts_with(begin)))
    };
    match (says(&["build", "compile"]), says(&["test", "e2e"]), says(&["deploy", "release", "publish"])) {
        (true, false, false) => Some(Stage::Build),
        (false, true, false) => Some(Stage::Test),
        _ => None,
    }
}

/// What was built or tested, where both its times are told.
pub fn ran(stage: Option<Stage>, from: &Value, until: &Value) -> Option<Ran> {
    let (stage, from, until) = (stage?, time(from)?, time(until)?);
    (from <= until).then_some(Ran { stage, from, until })
}

/// A signal of these senders. What has no name of its own goes by its service.
pub fn signal(
    kind: SignalKind,
    service: Option<String>,
    name: Option<String>,
    status: Option<String>,
    key: String,
    deployment: Deployment,
) -> Signal {
    Signal {
        kind,
        name: name.or_else(|| service.clone()).unwrap_or_else(|| NAMELESS.to_owned()),
        service,
        severity: None,
        severity_word: None,
        status: status.unwrap_or_else(|| NAMELESS.to_owned()),
        // Parts that are within their limits can be too long together.
        key: limits::key(&key).unwrap_or_else(|| NAMELESS.to_owned()),
        summary: None,
        labels: BTreeMap::new(),
        environment: None,
        link: None,
        started_at: None,
        deployment: Some(Box::new(deployment)),
    }
}

/// Something that is understood and asks for nothing.
pub fn nothing(service: Option<String>, status: Option<String>) -> Signal {
    let mut signal = signal(SignalKind::Ignore, service, None, status, NAMELESS.to_owned(), Deployment::default());
    signal.deployment = None;
    signal
}

/// The refusal of a body that is no object: a list, a text.
pub fn object(body: &Value, hint: &str) -> Result<(), Unreadable> {
    if body.is_object() {
        return Ok(());
    }
    Err(Unreadable {
        path: Some("$".to_owned()),
        message: format!("a webhook is an object; this is {}", body::kind(body)),
        hint: hint.to_owned(),
    })
}

//! Steps that do something inside Opsbell (`page`, `set-severity`, `silence`, `change`, `request`), and `wait` for a
//! signal, as a file says them. Whom and what they name is looked up here where it is no `{{name}}`; that is judged when
//! the run has its value.

use compact_str::CompactString;

use super::line::{wait, within, words};
use crate::catalog::draft::{Draft, Kind as Named};
use crate::catalog::finding::Finding;
use crate::catalog::read::{Table, Text};
use crate::catalog::value::{self, Wrong};
use crate::domain::change::rules::{Group, PRODUCTION};
use crate::domain::incident::Severity;
use crate::domain::playbook::acts::{Act, Awaited, ChangeStep};
use crate::domain::playbook::drive::group;
use crate::domain::playbook::spec::{Does, WAIT_MAX};
use crate::domain::playbook::text::names;
use crate::domain::silence::matcher::{self, Matcher};
use crate::domain::silence::until::LONGEST;
use crate::domain::time::Span;

/// How long something that was asked for may take where nothing is said.
const REQUEST: Span = Span::days(1);
/// How long a signal is waited for where nothing is said.
const SIGNAL: Span = Span::hours(1);
/// The words that stand for a signal in `wait`.
const SIGNALS: [&str; 2] = ["deployment", "recovery"];

/// A line of text under a key.
fn line(table: &mut Table<'_>, key: &'static str) -> Option<CompactString> {
    table.parse(key, words)
}

/// The name of a service; `{{name}}` may stand for it.
fn service(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Option<CompactString> {
    let text = table.text("service")?;
    if names(&text.value).is_empty() {
        draft.mention(Named::Service, &text);
    }
    Some(text.value.into())
}

/// `page`
pub(super) fn page(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Option<Does> {
    let whom = table.text("page");
    let text = line(table, "text");
    let whom = whom?;
    let kind = match whom.value.split_once(':') {
        Some(("person", _)) => Some(Named::Person),
        Some(("team", _)) => Some(Named::Team),
        Some(("service", _)) => Some(Named::Service),
        _ => None,
    };
    let Some((kind, (_, name))) = kind.zip(whom.value.split_once(':')) else {
        let message = format!("`{}` is nobody who could be paged", value::cut(&whom.value));
        table.add(Finding::error(&whom.spot, message).hint("write person:NAME, team:NAME or service:NAME"));
        return None;
    };
    if names(name).is_empty() {
        draft.mention(kind, &Text { value: name.to_owned(), spot: whom.spot.clone() });
    }
    Some(Does::Act(Act::Page { whom: whom.value.as_str().into(), text }))
}

/// `set-severity`
pub(super) fn severity(table: &mut Table<'_>) -> Option<Does> {
    let all = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4].map(|it| (it.as_str(), it));
    table.parse("set-severity", |word| value::choice(word, "severity", &all)).map(|it| Does::Act(Act::SetSeverity(it)))
}

/// `silence`
pub(super) fn silence(table: &mut Table<'_>) -> Option<Does> {
    for key in ["for", "reason"] {
        table.require(key);
    }
    let matchers = table.parse("silence", matchers);
    let span = table.parse("for", |text| within(text, LONGEST));
    let reason = line(table, "reason");
    Some(Does::Act(Act::Silence { matchers: matchers?, span: span?, reason: reason? }))
}

/// Matchers as `/alert silence` takes them. A name may stand for a value that is compared as it is: within an expression
/// its value could say anything.
pub(in crate::catalog) fn matchers(text: &str) -> Result<Vec<Matcher>, Wrong> {
    let wrong = |reject: crate::domain::reject::Reject| {
        let found = Wrong::new(super::told(&reject.message));
        match reject.hint {
            Some(hint) => found.hint(hint),
            None => found,
        }
    };
    let found = matcher::parse(text).map_err(wrong)?;
    matcher::check(&found).map_err(wrong)?;
    if let Some(bad) = found.iter().find(|it| !it.plain() && !names(it.wanted()).is_empty()) {
        return Err(Wrong::new(format!(
            "`{}` would let a value be read as an expression",
            value::cut(&bad.to_string())
        ))
        .hint("a {{name}} stands behind = or != only"));
    }
    Ok(found)
}

/// `change`
pub(super) fn change(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Option<Does> {
    let title = line(table, "change");
    let step = ChangeStep {
        title: title.clone().unwrap_or_default(),
        service: service(draft, table),
        environment: line(table, "environment"),
        version: line(table, "version"),
        reason: line(table, "reason"),
        plan: line(table, "plan"),
        rollback: line(table, "rollback"),
    };
    title.map(|_| Does::Act(Act::Change(Box::new(step))))
}

/// `request`
pub(super) fn request(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Option<Does> {
    table.require("of");
    let text = line(table, "request");
    let of = whom(draft, table);
    let within = table.parse("within", wait).unwrap_or(REQUEST);
    Some(Does::Act(Act::Request { text: text?, of: of?, within }))
}

/// Who is asked: `of`.
pub(super) fn whom(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Option<CompactString> {
    let of = table.text("of")?;
    let named = |value: String| Text { value, spot: of.spot.clone() };
    match group(&of.value) {
        Some(Group::Person(person)) => draft.mention(Named::Person, &named(person.to_string())),
        Some(Group::Team(team)) => draft.mention(Named::Team, &named(team.to_string())),
        Some(Group::Role(_)) => {}
        None => {
            let message = format!("`{}` is nobody who could answer", value::cut(&of.value));
            table.add(Finding::error(&of.spot, message).hint("write person:NAME, team:NAME or role:admin"));
        }
    }
    Some(of.value.into())
}

/// `wait`: for time, or for a signal.
pub(super) fn until(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Option<Does> {
    let said = table.text("wait")?;
    if !SIGNALS.contains(&said.value.as_str()) {
        let span =
            wait(&said.value).map_err(|wrong| if value::wait(&said.value).is_ok() { wrong } else { or_signal(wrong) });
        return table.settle_value(&said, span).map(Does::Wait);
    }
    let awaited = if said.value == "deployment" {
        table.require("service");
        let service = service(draft, table);
        let version = line(table, "version");
        let environment = line(table, "environment").unwrap_or_else(|| PRODUCTION.into());
        service.map(|service| Awaited::Deployment { service, version, environment })
    } else {
        table.require("alerts");
        table.parse("alerts", matchers).map(|matchers| Awaited::Recovery { matchers })
    };
    let within = table.parse("within", |text| within(text, WAIT_MAX)).unwrap_or(SIGNAL);
    Some(Does::Until { awaited: awaited?, within })
}

fn or_signal(wrong: Wrong) -> Wrong {
    wrong.hint(format!("write a time like 30s, or what is waited for: {}", SIGNALS.join(" or ")))
}

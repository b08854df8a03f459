//! Playbooks: the files `playbooks/NAME.toml`, and what their steps may reach (`[perform]`, `[[http-host]]`). Each file is
//! read for itself; what they say of each other, and of hosts and programs, is judged in `whole` when all are read.

pub(super) mod acts;
mod item;
mod line;
pub mod models;
pub mod reference;
#[cfg(test)]
mod tests;
mod whole;

use std::path::Path;
use std::sync::Arc;

use compact_str::CompactString;
use toml::de::DeTable;

use super::changes::EARN_MAX;
use super::draft::{Draft, Kind as Named};
use super::files;
use super::finding::{Finding, Source, Spot};
use super::read::Table;
use super::value::{self, Wrong};
use crate::domain::change::Level;
use crate::domain::command::spec::Permission;
use crate::domain::limits;
use crate::domain::playbook::spec::{Host, Kind, PARAMETERS_MAX, Parameter, ParameterKind, Part, Playbook};
use crate::domain::playbook::text::OWN;
use crate::domain::playbook::values;

pub use line::Line;
pub use whole::whole;

/// More playbooks than any organisation needs.
const MOST: usize = 200;
/// More hosts, or programs, than any organisation needs.
const REACH_MAX: usize = 200;

/// A playbook as its file says it.
pub struct Drafted {
    /// Everything but the steps.
    pub playbook: Playbook,
    /// Its parts, with the playbooks that they use.
    pub parts: [(Part, Vec<Line>); 3],
    /// Its file.
    pub spot: Spot,
}

const RISKS: [(&str, Level); 3] = [("low", Level::Low), ("medium", Level::Medium), ("high", Level::High)];
const PERMISSIONS: [(&str, Permission); 3] =
    [("declare", Permission::Declare), ("respond", Permission::Respond), ("administer", Permission::Administer)];

/// Reads one file.
pub fn read(draft: &mut Draft<'_>, source: &Arc<Source>, path: &Path, text: &str) {
    let Some(name) = files::playbook(path) else { return };
    let file = Spot::file(source);
    if let Err(wrong) = value::id(name) {
        return draft.sink.error(&file, wrong);
    }
    if draft.playbooks.len() == MOST {
        return draft.sink.add(Finding::error(&file, format!("there are more than {MOST} playbooks")));
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let spot = Spot::new(source, error.span().unwrap_or(0..0));
        draft.sink.add(Finding::error(&spot, format!("this is not TOML: {}", error.message())));
    }
    if errors.is_empty() {
        let table = Table::new("a playbook", source, document.get_ref(), 0..0, draft.sink);
        let drafted = match table.has("model") {
            true => models::read(draft, table, name, file),
            false => Some(playbook(draft, table, name, file)),
        };
        if let Some(drafted) = drafted {
            draft.playbooks.insert(name.into(), drafted);
        }
    }
}

fn playbook(draft: &mut Draft<'_>, mut table: Table<'_>, name: &str, spot: Spot) -> Drafted {
    for key in ["kind", "summary", "step"] {
        table.require(key);
    }
    let kind = table.parse("kind", |word| value::choice(word, "kind", &Kind::ALL));
    let summary = table.parse("summary", summary);
    let services = draft.refer_all(Named::Service, "services", &mut table).unwrap_or_default();
    let risk = table.parse("risk", |word| value::choice(word, "risk", &RISKS));
    let permission = table.parse("permission", |word| value::choice(word, "permission", &PERMISSIONS));
    let item = item::read(draft, &mut table, kind, permission);
    let expected = table.parse("expected", value::wait);
    let earn_after = table.count("earn_after", 1..=EARN_MAX);
    let expects = table.parse_all("expects", |text| Ok(CompactString::from(text.trim()))).unwrap_or_default();
    let mut parameters: Vec<Parameter> = Vec::new();
    for inner in table.tables("parameter", "[[parameter]]").unwrap_or_default() {
        parameters.extend(parameter(inner, &parameters));
    }
    let parts: [(Part, Vec<Line>); 3] = [
        (Part::Steps, "step", "[[step]]"),
        (Part::Verify, "verify", "[[verify]]"),
        (Part::Rollback, "rollback", "[[rollback]]"),
    ]
    .map(|(part, key, what)| {
        let inner = table.tables(key, what).unwrap_or_default();
        (part, inner.into_iter().enumerate().filter_map(|(n, inner)| line::line(draft, inner, part, n)).collect())
    });
    if table.has("step") && parts[0].1.is_empty() {
        table.add(Finding::error(&table.spot_of("step"), "a playbook does something").hint("add a [[step]]"));
    }
    table.done();
    let playbook = Playbook {
        id: name.into(),
        kind: kind.unwrap_or(Kind::Runbook),
        summary: summary.unwrap_or_default(),
        services: services.into_iter().map(Into::into).collect(),
        risk: risk.unwrap_or(Level::Medium),
        permission: permission.unwrap_or(Permission::Respond),
        expected,
        earn_after,
        expects: expects.into_iter().map(|(name, _)| name).collect(),
        item,
        parameters,
        steps: Vec::new(),
        verify: Vec::new(),
        rollback: Vec::new(),
    };
    Drafted { playbook, parts, spot }
}

/// A message on one line: it may repeat what a file says.
fn told(message: &str) -> String {
    limits::line(message, 300).unwrap_or_default()
}

fn summary(text: &str) -> Result<CompactString, Wrong> {
    let line = text.trim();
    if line.is_empty() || line.chars().count() > 200 || line.contains('\n') {
        return Err(Wrong::new("`summary` is one line of at most 200 characters"));
    }
    Ok(line.into())
}

fn parameter(mut table: Table<'_>, known: &[Parameter]) -> Option<Parameter> {
    table.require("name");
    let at = table.spot_of("name");
    let name = table.parse("name", |text| value::id(text).map(|()| CompactString::from(text)));
    let summary = table.text("summary").map(|text| CompactString::from(text.value.trim()));
    let kind = table.parse("type", |word| value::choice(word, "type", &ParameterKind::ALL));
    let required = table.flag("required").unwrap_or(false);
    let default = table.text("default");
    let values = table.parse_all("values", |text| Ok(CompactString::from(text))).unwrap_or_default();
    let pattern = table.parse("pattern", |text| match values::pattern(text) {
        Ok(_) => Ok(CompactString::from(text)),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(Wrong::new(told(&format!("this pattern cannot be read: {why}")))
                .hint("write it like '[0-9]+\\.[0-9]+\\.[0-9]+'; it has to match the whole value"))
        }
    });
    if pattern.is_some() && !values.is_empty() {
        table.add(Finding::error(&table.spot_of("pattern"), "`values` and `pattern` do not go together"));
    }
    let name = name.and_then(|name| {
        let wrong = if OWN.contains(&name.as_str()) || ["dry", "with", "playbook"].contains(&name.as_str()) {
            format!("`{name}` means something in every run; choose another name")
        } else if known.iter().any(|other| other.name == name) {
            format!("a second parameter `{name}`")
        } else if known.len() >= PARAMETERS_MAX {
            format!("there are more than {PARAMETERS_MAX} parameters")
        } else {
            return Some(name);
        };
        table.add(Finding::error(&at, wrong));
        None
    });
    table.done();
    Some(Parameter {
        name: name?,
        summary,
        kind: kind.unwrap_or(ParameterKind::Text),
        required,
        default: default.map(|text| text.value.as_str().into()),
        values: values.into_iter().map(|(value, _)| value).collect(),
        pattern,
    })
}

/// `[perform]`
pub fn perform(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let programs = table.parse_all("programs", program).unwrap_or_default();
    table.done();
    draft.org.allowed.programs = programs.into_iter().map(|(path, _)| path).take(REACH_MAX).collect();
}

/// The absolute path of a program.
pub(super) fn program(text: &str) -> Result<CompactString, Wrong> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let fits =
        text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain)) && !text.contains(['\0', '{', '\n']);
    if fits {
        return Ok(text.into());
    }
    Err(Wrong::new(format!("`{}` is not the path of a program", value::cut(text)))
        .hint("write all of it, like /usr/bin/rollout: nothing is looked up in PATH"))
}

/// `[[http-host]]`
pub fn http_host(draft: &mut Draft<'_>, mut table: Table<'_>) {
    table.require("host");
    let at = table.spot_of("host");
    let host = table.parse("host", host);
    let private = table.flag("private").unwrap_or(false);
    let (_, token) = draft.secret(("token_env", "token_file"), &mut table);
    let header = table.parse("token_header", header);
    table.done();
    let Some(host) = host else { return };
    if draft.org.allowed.hosts.iter().any(|known| known.host == host) || draft.org.allowed.hosts.len() >= REACH_MAX {
        return draft.sink.add(Finding::error(&at, format!("a second [[http-host]] `{host}`")).hint("leave one out"));
    }
    if let Some(token) = token {
        draft.secrets.hosts.insert(host.to_string(), token);
    }
    draft.org.allowed.hosts.push(Host { host, private, header });
}

/// `deploy.ej.example`, `127.0.0.1:8080`.
fn host(text: &str) -> Result<CompactString, Wrong> {
    let (name, port) = text.rsplit_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let named = !name.is_empty() && name.len() <= 253 && !name.starts_with(['-', '.']);
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if named && name.chars().all(fits) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Ok(text.into());
    }
    Err(Wrong::new(format!("`{}` is not a host", value::cut(text)))
        .hint("write it like deploy.ej.example, or deploy.ej.example:8443: small letters, no scheme, no path, no *"))
}

fn header(text: &str) -> Result<CompactString, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        return Ok(text.into());
    }
    Err(Wrong::new(format!("`{}` is not the name of a header", value::cut(text))).hint("write it like PRIVATE-TOKEN"))
}

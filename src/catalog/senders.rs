//! The tables of what signals come from and posts go to: integrations with their mappings, webhooks, summaries.

use std::collections::BTreeMap;

use compact_str::{CompactString, format_compact};
use serde_json_path::JsonPath;

use super::SOURCES;
use super::draft::{Draft, Kind};
use super::finding::Finding;
use super::read::Table;
use super::secret::{Secret, signing_key};
use super::value::{self, Wrong};
use crate::domain::org::{Integration, Mapping, Summary, Webhook};
use crate::domain::report::summary::template::DAILY;

/// `[[integration]]`
pub fn integration(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let id = draft.declare(Kind::Integration, &mut table);
    table.require("source");
    let source = table.parse("source", source);
    let service = draft.refer(Kind::Service, "service", &mut table);
    let group_by = table.parse_all("group_by", label);
    let may_acknowledge = table.flag("may_acknowledge").unwrap_or(false);
    let (named, key) = draft.secret(("key_env", "key_file"), &mut table);
    unshared(draft, &mut table, id.as_deref(), key.as_ref());
    if !named {
        table.require("key_env");
    }
    if source.is_some_and(|source| source != "generic") && table.has("map") {
        table.add(Finding::error(&table.spot_of("map"), "`map` is for the source `generic` only").hint("leave it out"));
    }
    let mapping = table.table("map", "map").map(mapping);
    let (answers, token) = answers(draft, &mut table, source);
    if let Some(why) = key.as_ref().and_then(Secret::weakness) {
        let key = if table.has("key_env") { "key_env" } else { "key_file" };
        // Of the key itself nothing is told, not even how long it is.
        let finding = Finding::warning(&table.spot_of(key), format!("this ingest key is weak: {why}"));
        table.add(
            finding.hint("make another, for example with `openssl rand -hex 24`; whoever guesses it can send alerts"),
        );
    }
    table.done();
    let Some(id) = id else { return };
    if let Some(key) = key {
        draft.secrets.ingest.insert(id.as_str().into(), key);
    }
    if let Some(token) = token {
        draft.secrets.answers.insert(id.as_str().into(), token);
    }
    let group_by = match group_by {
        Some(labels) => labels.into_iter().map(|(label, _)| label).collect(),
        None => vec![CompactString::const_new("alertname")],
    };
    let integration = Integration {
        id: id.as_str().into(),
        source: source.unwrap_or_default().into(),
        service: service.map(Into::into),
        group_by,
        may_acknowledge,
        mapping,
        answers,
    };
    draft.org.integrations.insert(id.into(), integration);
}

/// A key is of one integration: whoever has it could else speak as another, too.
fn unshared(draft: &mut Draft<'_>, table: &mut Table<'_>, id: Option<&str>, key: Option<&Secret>) {
    let Some(name) = ["key_env", "key_file"].into_iter().find(|name| table.has(name)) else { return };
    let (id, spot) = (id.unwrap_or_default(), table.spot_of(name));
    let hint = "give each integration a key of its own, for example by `openssl rand -hex 24`";
    let message = |other: &str| format!("this key is that of `{other}` as well: either could speak as the other");
    // A text of the wrong type has been reported.
    if let Some(text) = table.keys().find(|(key, _)| *key == name).and_then(|(_, value)| value.get_ref().as_str()) {
        let text = format!("{name}={text}");
        if let Some(other) = draft.key_names.get(&text) {
            return table.add(Finding::error(&spot, message(other)).hint(hint));
        }
        draft.key_names.insert(text, id.to_owned());
    }
    if let Some((other, _)) = draft.secrets.ingest.iter().find(|(_, other)| Some(*other) == key) {
        draft.unusable_secrets.push(Finding::error(&spot, message(other.as_str())).hint(hint));
    }
}

/// Where, and with which token, deployments are answered that the code host holds.
fn answers(
    draft: &mut Draft<'_>,
    table: &mut Table<'_>,
    source: Option<&str>,
) -> (Option<CompactString>, Option<Secret>) {
    let own = match source {
        Some("github") => Some("https://api.github.com"),
        Some("gitlab") => Some("https://gitlab.com"),
        _ => None,
    };
    let url = table.text("answer_url");
    let (named, token) = draft.secret(("answer_token_env", "answer_token_file"), table);
    for key in ["answer_url", "answer_token_env", "answer_token_file"] {
        if own.is_none() && source.is_some() && table.has(key) {
            let message = format!("`{key}` is for the sources `github` and `gitlab` only");
            table.add(Finding::error(&table.spot_of(key), message).hint("leave it out"));
        }
    }
    let base = match &url {
        Some(text) => table.settle_value(text, base(&text.value)),
        None => own,
    };
    if let (Some(text), Some(base)) = (&url, base) {
        let near = ["http://localhost", "http://127.", "http://[::1]"].iter().any(|near| base.starts_with(near));
        if base.starts_with("http://") && !near {
            let finding = Finding::warning(&text.spot, "the token goes over the network in the clear");
            table.add(finding.hint("use an https address"));
        }
        if !named {
            let finding = Finding::error(&text.spot, "`answer_url` is given without a token to answer with");
            table.add(finding.hint("say answer_token_env or answer_token_file, or leave it out"));
        }
    }
    (base.filter(|_| named && own.is_some()).map(CompactString::from), token)
}

/// The address of an API, below which everything is sent: no query, no fragment, no last `/`.
fn base(text: &str) -> Result<&str, Wrong> {
    value::url(text)?;
    if text.contains(['?', '#', '\\']) {
        return Err(
            Wrong::new("this address has more than a host and a path").hint("write it like https://gitlab.example")
        );
    }
    Ok(text.trim_end_matches('/'))
}

fn source(word: &str) -> Result<&'static str, Wrong> {
    if let Some(known) = SOURCES.into_iter().find(|known| *known == word) {
        return Ok(known);
    }
    let wrong = Wrong::new(format!("unknown source `{}`", value::cut(word)));
    if word == "prometheus" {
        return Err(wrong.hint("Prometheus alerts come from its Alertmanager: source = \"alertmanager\""));
    }
    Err(wrong.hint(match value::meant(word, SOURCES) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known: {}; `generic` reads any JSON by a `map`", SOURCES.join(", ")),
    }))
}

pub(super) fn label(text: &str) -> Result<CompactString, Wrong> {
    let fits = !text.is_empty() && text.len() <= 200 && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    if fits {
        return Ok(text.into());
    }
    Err(Wrong::new(format!("`{}` is not the name of a label", value::cut(text))).hint("write it like alertname"))
}

fn mapping(mut table: Table<'_>) -> Mapping {
    let mapping = Mapping {
        items: table.parse("items", path),
        summary: table.parse("summary", path),
        service: table.parse("service", path),
        severity: table.parse("severity", path),
        key: table.parse("key", path),
        status: table.parse("status", path),
        severities: severities(&mut table),
        resolved: table
            .parse_all("resolved", |word| Ok(word.to_lowercase()))
            .unwrap_or_default()
            .into_iter()
            .map(|(word, _)| word)
            .collect(),
        text: None,
    };
    table.done();
    mapping
}

pub(super) fn severities(table: &mut Table<'_>) -> BTreeMap<String, crate::domain::signal::AlertSeverity> {
    let mut words = BTreeMap::new();
    let Some(mut inner) = table.table("severities", "severities") else { return words };
    for (word, value) in inner.entries() {
        let Some(text) = inner.as_text(&word.value, value) else { continue };
        if let Some(severity) = inner.settle_value(&text, value::severity(&text.value)) {
            words.insert(word.value.to_lowercase(), severity);
        }
    }
    words
}

/// A JSONPath expression. The length is bounded because the parser recurses into brackets.
fn path(text: &str) -> Result<String, Wrong> {
    let wrong = |why: String| {
        Wrong::new(format!("`{}` is not a JSONPath expression: {why}", value::cut(text)))
            .hint("write it like $.alerts[*] or $.labels.service")
    };
    if text.len() > 300 {
        return Err(wrong("it has more than 300 characters".to_owned()));
    }
    match JsonPath::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(wrong(value::cut(error.message()))),
    }
}

/// `[[webhook]]`
pub fn webhook(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let id = draft.declare(Kind::Webhook, &mut table);
    table.require("url");
    let url = table.text("url").and_then(|text| {
        table.settle_value(&text, value::url(&text.value))?;
        Some(text.value.clone())
    });
    let (signed, secret) = draft.secret(("secret_env", "secret_file"), &mut table);
    let at = table.spot_of(if table.has("secret_env") { "secret_env" } else { "secret_file" });
    table.done();
    if let Some(Err(error)) = secret.as_ref().map(|secret| signing_key(secret.expose())) {
        draft.unusable_secrets.push(Finding::error(&at, error.to_string()));
    }
    let Some(id) = id else { return };
    if let Some(secret) = secret {
        draft.secrets.signing.insert(id.as_str().into(), secret);
    }
    draft.org.webhooks.insert(id.as_str().into(), Webhook { id: id.into(), url: url.unwrap_or_default(), signed });
}

/// `[[summary]]`
pub fn summary(draft: &mut Draft<'_>, mut table: Table<'_>) {
    table.require("channel");
    table.require("cron");
    let at = table.spot_of("id");
    let id = table.parse("id", |text| value::id(text).map(|()| CompactString::from(text)));
    let channel = draft.channel(&mut table);
    let cron = table.parse("cron", value::cron);
    let zone = table.parse("zone", value::zone).unwrap_or(draft.org.defaults.zone);
    let quiet_when_empty = table.flag("quiet_when_empty").unwrap_or(false);
    let template = table.text("template");
    let team = draft.refer(Kind::Team, "team", &mut table).map(Into::into);
    let mail_to = draft.refer_all(Kind::Person, "mail_to", &mut table).unwrap_or_default();
    let mailed = mail_to.iter().map(|person| (person.clone(), table.spot_of("mail_to")));
    draft.mailed.extend(mailed);
    let name = template.as_ref().map_or(DAILY, |text| text.value.as_str()).into();
    draft.summary_templates.extend(template);
    let taken = id.as_ref().filter(|id| draft.org.summaries.contains_key(*id));
    if let Some(id) = taken {
        table.add(Finding::error(&at, format!("a second summary `{id}`")).hint("give one of them another `id`"));
    }
    table.done();
    let (Some(channel), Some(cron)) = (channel, cron) else { return };
    // Unnamed ones go by their channel, further ones by a number that no declared id can have.
    let unnamed = || {
        let mut names = (1_usize..).map(|n| match n {
            1 => format_compact!("#{channel}"),
            n => format_compact!("#{channel} {n}"),
        });
        names.find(|name| !draft.org.summaries.contains_key(name))
    };
    let Some(id) = id.or_else(unnamed) else { return };
    let mail_to = mail_to.into_iter().map(Into::into).collect();
    draft.org.summaries.insert(id, Summary { channel, cron, zone, quiet_when_empty, template: name, team, mail_to });
}

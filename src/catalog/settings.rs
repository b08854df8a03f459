//! The tables of settings, which stand in `opsbell.toml` only: server, operators, defaults, mail and chats.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use compact_str::CompactString;

use super::draft::{Draft, Kind};
use super::finding::Finding;
use super::read::Table;
use super::secret::Secret;
use super::value::{self, Wrong};
use super::{Chat, Mail, Tls, tables};
use crate::domain::delivery::CHATS;
use crate::domain::incident::Severity;
use crate::domain::incident::assess::{Level, Matrix};
use crate::domain::org::Operators;
use crate::domain::time::Span;

/// The environment variable with Discord's token, where the configuration names no other.
const DISCORD_TOKEN: &str = "OPSBELL_DISCORD_TOKEN";

/// The chat platforms that `serve` connects to (the terminal is there without being asked).
pub const BUILT_CHATS: [&str; 2] = ["terminal", "discord"];

/// `[server]`
pub fn server(draft: &mut Draft<'_>, mut table: Table<'_>) {
    draft.server.listen = table.parse("listen", listen);
    let hosts = table.parse_all("link_hosts", host).unwrap_or_default();
    table.done();
    draft.org.link_hosts = hosts.into_iter().map(|(host, _)| host).collect();
}

fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(format!("`{}` is not an address to listen on", value::cut(text)))
            .hint("write an IP address and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080")
    })
}

fn host(text: &str) -> Result<String, Wrong> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    if !text.is_empty() && text.len() <= 253 && text.bytes().all(fits) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Wrong::new(format!("`{}` is not the name of a host", value::cut(text))).hint("write it like wiki.ej.example"))
}

/// `[operators]`
pub fn operators(draft: &mut Draft<'_>, mut table: Table<'_>) {
    draft.settings.insert("operators", table.spot());
    let people = draft.refer_all(Kind::Person, "people", &mut table).unwrap_or_default();
    let webhooks = draft.refer_all(Kind::Webhook, "webhooks", &mut table).unwrap_or_default();
    let channel = draft.channel(&mut table);
    let (named, heartbeat) = draft.secret(("heartbeat_url_env", "heartbeat_url_file"), &mut table);
    if let Some(every) = table.parse("heartbeat_every", value::wait) {
        draft.server.heartbeat_every = every;
        if !named {
            let finding = Finding::error(&table.spot_of("heartbeat_every"), "a heartbeat without an address");
            table.add(
                finding.hint("write heartbeat_url_env = \"NAME_OF_A_VARIABLE\" or heartbeat_url_file = \"/path\""),
            );
        }
    }
    table.done();
    draft.secrets.heartbeat = heartbeat;
    draft.org.operators = Operators {
        people: people.into_iter().map(Into::into).collect(),
        webhooks: webhooks.into_iter().map(Into::into).collect(),
        channel,
    };
}

/// `[defaults]`
pub fn defaults(draft: &mut Draft<'_>, mut table: Table<'_>) {
    draft.settings.insert("defaults", table.spot());
    table.require("service");
    let service = draft.refer(Kind::Service, "service", &mut table);
    let fallback = draft.refer(Kind::Policy, "fallback", &mut table);
    let severity = table.parse("severity", value::severity);
    let (high, low) = tables::notify(draft, None, &mut table);
    let close_after = table.parse("close_after", value::wait);
    let zone = table.parse("zone", value::zone);
    let update_every = update_every(&mut table);
    table.done();
    let defaults = &mut draft.org.defaults;
    defaults.update_every = update_every;
    defaults.service = service.unwrap_or_default().into();
    defaults.fallback = fallback.map(Into::into);
    defaults.severity = severity.unwrap_or(defaults.severity);
    defaults.close_after = close_after.unwrap_or(defaults.close_after);
    defaults.zone = zone.unwrap_or(defaults.zone);
    match high {
        Some(high) => defaults.notify_high = high,
        None => draft.unsaid.push("high"),
    }
    match low {
        Some(low) => defaults.notify_low = low,
        None => draft.unsaid.push("low"),
    }
}

/// `update_every = { sev1 = "30m" }`
fn update_every(table: &mut Table<'_>) -> BTreeMap<Severity, Span> {
    let Some(mut inner) = table.table("update_every", "update_every") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (key, severity) in SEVERITIES {
        let wait = inner.parse(key, |text| match value::wait(text)? {
            wait if wait < SHORTEST_REMINDER => Err(Wrong::new(format!("`{}` is too often", value::cut(text)))
                .hint(format!("at least {SHORTEST_REMINDER}: whoever mends it must not be busy answering"))),
            wait => Ok(wait),
        });
        found.extend(wait.map(|wait| (severity, wait)));
    }
    inner.done();
    found
}

const SEVERITIES: [(&str, Severity); 4] =
    [("sev1", Severity::Sev1), ("sev2", Severity::Sev2), ("sev3", Severity::Sev3), ("sev4", Severity::Sev4)];

/// An update cannot be asked for more often than this.
const SHORTEST_REMINDER: Span = Span::mins(5);

/// `[severity]`: by impact, then urgency.
pub fn severities(draft: &mut Draft<'_>, mut table: Table<'_>) {
    draft.settings.insert("severity", table.spot());
    let usual = Matrix::default();
    let mut rows = usual.0;
    for (row, impact) in rows.iter_mut().zip(Level::ALL) {
        let Some(mut inner) = table.table(impact.as_str(), "an impact of [severity]") else { continue };
        for (cell, urgency) in row.iter_mut().zip(Level::ALL) {
            let severity = inner.parse(urgency.as_str(), |word| value::choice(word, "severity", &SEVERITIES));
            *cell = severity.unwrap_or(*cell);
        }
        inner.done();
    }
    table.done();
    // What hurts more is never of less severity.
    let falls = |worse: Severity, milder: Severity| worse > milder;
    let across = rows.iter().any(|row| row.windows(2).any(|pair| falls(pair[0], pair[1])));
    let down = rows.windows(2).any(|pair| pair[0].iter().zip(&pair[1]).any(|(a, b)| falls(*a, *b)));
    if across || down {
        let finding = Finding::warning(&draft.settings["severity"], "a higher impact or urgency has a milder severity")
            .hint("sev1 is worst; is a row turned round?");
        draft.sink.add(finding);
    }
    draft.org.defaults.matrix = Matrix(rows);
}

/// Whether what is said to a host does not leave this machine.
pub fn stays_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

/// `[mail]`
pub fn mail(draft: &mut Draft<'_>, mut table: Table<'_>) {
    draft.settings.insert("mail", table.spot());
    table.require("host");
    table.require("from");
    let host = table.parse("host", host);
    let tls = table
        .parse("tls", |word| {
            value::choice(word, "kind of TLS", &[("starttls", Tls::StartTls), ("tls", Tls::Tls), ("none", Tls::None)])
        })
        .unwrap_or(Tls::StartTls);
    let usual = match tls {
        Tls::StartTls => 587,
        Tls::Tls => 465,
        Tls::None => 25,
    };
    let port = table.count("port", 1..=65_535).and_then(|port| u16::try_from(port).ok()).unwrap_or(usual);
    let from = table.parse("from", value::email);
    let username = table.text("username").map(|text| text.value);
    let (named, password) = draft.secret(("password_env", "password_file"), &mut table);
    if username.is_some() && !named {
        let finding = Finding::error(&table.spot_of("username"), "a username without a password")
            .hint("write password_env = \"NAME_OF_A_VARIABLE\" or password_file = \"/path/to/a/file\"");
        if !table.has("password") {
            table.add(finding);
        }
    }
    if named && username.is_none() && !table.has("username") {
        let finding = Finding::error(&table.spot(), "a password without a username");
        table.add(finding.hint("write username = \"…\", or leave the password out"));
    }
    if named && tls == Tls::None && host.as_deref().is_some_and(|host| !stays_here(host)) {
        let finding = Finding::error(&table.spot_of("tls"), "the password would go over the network in the clear");
        table.add(finding.hint("write tls = \"starttls\" or \"tls\"; none is for a relay on the same machine"));
    }
    table.done();
    draft.secrets.mail_password = password;
    draft.mail = Some(Mail { host: host.unwrap_or_default(), port, tls, from: from.unwrap_or_default(), username });
}

/// `[chat.*]`
pub fn chats(draft: &mut Draft<'_>, mut table: Table<'_>) {
    for (name, value) in table.entries() {
        match CHATS.into_iter().find(|chat| *chat == name.value) {
            Some(chat) => {
                if let Some(inner) = table.as_table(chat, "[chat.*]", value) {
                    one_chat(draft, chat, inner);
                }
            }
            None => {
                let hint = match value::meant(&name.value, CHATS) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known: {}", CHATS.join(", ")),
                };
                let message = format!("unknown chat platform `{}`", value::cut(&name.value));
                table.add(Finding::error(&name.spot, message).hint(hint));
            }
        }
    }
}

fn one_chat(draft: &mut Draft<'_>, chat: &'static str, mut table: Table<'_>) {
    let at = table.spot();
    let api_base = table.text("api_base");
    let api_base = api_base.and_then(|text| {
        table.settle_value(&text, value::url(&text.value))?;
        Some(text.value.clone())
    });
    let (named, mut token) = draft.secret(("token_env", "token_file"), &mut table);
    let mut settings = Chat { api_base, ..Chat::default() };
    if chat == "discord" {
        if !named {
            token = (draft.env)(DISCORD_TOKEN).and_then(|value| Secret::new(&value));
            if token.is_none() {
                draft.unread.push(Finding::warning(&at, format!("{DISCORD_TOKEN} is not set; serve will refuse")));
            }
        }
        discord(&mut settings, &mut table);
        settings.stakeholders = super::rooms::stakeholders(draft, &mut table);
    }
    table.done();
    if let Some(token) = token {
        draft.secrets.chat.insert(chat.to_owned(), token);
    }
    if !BUILT_CHATS.contains(&chat) {
        let finding = Finding::error(&at, format!("the chat platform {chat} is not built yet"))
            .hint("leave the table out; the terminal chat needs none");
        draft.not_built.push(finding);
    }
    draft.chat.insert(CompactString::const_new(chat), settings);
}

fn discord(settings: &mut Chat, table: &mut Table<'_>) {
    settings.guild = table.parse("guild", snowflake);
    settings.command_prefix = table.parse("command_prefix", prefix).unwrap_or_default();
    settings.rooms = super::rooms::rooms(table);
    if let Some(mut inner) = table.table("channels", "[chat.discord] channels") {
        for (name, value) in inner.entries() {
            let named = inner.settle_value(&name, value::channel(&name.value));
            let id = inner.as_text(&name.value, value);
            let id = id.and_then(|text| inner.settle_value(&text, snowflake(&text.value)));
            if let (Some(named), Some(id)) = (named, id) {
                settings.channels.insert(named.name.to_string(), id);
            }
        }
    }
    if let Some(mut inner) = table.table("roles", "[chat.discord] roles") {
        for (id, value) in inner.entries() {
            let known = inner.settle_value(&id, snowflake(&id.value));
            let role = inner.as_text(&id.value, value);
            let role = role.and_then(|text| inner.settle_value(&text, value::role(&text.value)));
            if let (Some(id), Some(role)) = (known, role) {
                settings.roles.insert(id, role);
            }
        }
    }
}

fn snowflake(text: &str) -> Result<String, Wrong> {
    // Its serial number begins in 2015, so real ones have 17 digits and more; another server's may have fewer.
    if text.parse::<u64>().is_ok_and(|id| id > 0) && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{}` is not a Discord id", value::cut(text)))
        .hint("digits only: in Discord, turn on Developer Mode, right-click, and choose Copy ID"))
}

/// What goes before the names of commands: `ob-` makes `/ob-ack`.
fn prefix(text: &str) -> Result<String, Wrong> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if text.len() <= 10 && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{}` cannot stand before the name of a command", value::cut(text)))
        .hint("at most 10 of a-z, 0-9, `-` and `_`, such as \"ob-\""))
}

//! The tables that declare an organisation: teams, people, schedules, escalation policies and services. Each function
//! reads one table into the draft and says what is wrong with it by itself; `check` judges what they say together.

use compact_str::CompactString;

use super::draft::{Draft, Kind, Use};
use super::finding::{Finding, Spot};
use super::read::{Table, Text};
use super::value::{self, Wrong};
use crate::domain::actor::ADMINISTRATOR;
use crate::domain::delivery::Method;
use crate::domain::org::{Every, NotifyRule, Person, Policy, Rotation, Schedule, Service, Step, Target, Team};

/// More entries than this in one list are refused; a policy of fifty steps is a mistake.
const MOST_STEPS: usize = 50;

/// `[[team]]`
pub fn team(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let id = draft.declare(Kind::Team, &mut table);
    table.require("escalation");
    let escalation = draft.refer(Kind::Policy, "escalation", &mut table);
    let channel = draft.channel(&mut table);
    table.done();
    if let Some(id) = id {
        let team = Team { id: id.as_str().into(), channel, escalation: escalation.unwrap_or_default().into() };
        draft.org.teams.insert(id.into(), team);
    }
}

/// `[[person]]`
pub fn person(draft: &mut Draft<'_>, mut table: Table<'_>) {
    refuse_phones(&mut table);
    let id = draft.declare(Kind::Person, &mut table);
    if id.as_deref() == Some(ADMINISTRATOR) {
        let message =
            format!("no person can be called `{ADMINISTRATOR}`: it is the holder of the administrator's token");
        table.add(Finding::error(&table.spot_of("id"), message).hint("give the person a name of their own"));
    }
    let table_has_email = table.has("email");
    let email = table.parse("email", value::email);
    let discord = table.parse("discord", discord_id);
    let github = table.parse("github", account);
    let gitlab = table.parse("gitlab", account);
    let gitlab_id = table.count("gitlab_id", 1..=u32::MAX);
    let webhook = draft.refer(Kind::Webhook, "webhook", &mut table);
    let zone = table.parse("zone", value::zone);
    let role = table.parse("role", value::role);
    let left = table.flag("left");
    let (high, low) = notify(draft, Some(id.as_deref().unwrap_or_default()), &mut table);
    table.done();
    if let Some(id) = id {
        let person = Person {
            id: id.as_str().into(),
            // A wrong one has been reported; it is not missing on top of that.
            email: if table_has_email { Some(email.unwrap_or_default()) } else { None },
            discord,
            github,
            gitlab,
            gitlab_id,
            webhook: webhook.map(Into::into),
            zone: zone.unwrap_or(draft.org.defaults.zone),
            role: role.unwrap_or_default(),
            left: left.unwrap_or(false),
            notify_high: high,
            notify_low: low,
        };
        draft.org.people.insert(id.into(), person);
    }
}

/// Phone numbers never stand in the configuration, under whatever key.
fn refuse_phones(table: &mut Table<'_>) {
    let named = |key: &str| {
        matches!(key, "phone" | "phones" | "phone_number" | "mobile" | "cell" | "tel" | "telephone" | "sms" | "voice")
    };
    let found: Vec<&str> = table
        .keys()
        .filter(|(key, value)| named(key) || value.get_ref().as_str().is_some_and(value::is_phone))
        .map(|(key, _)| key)
        .collect();
    for key in found {
        let finding = Finding::error(&table.spot_of(key), "phone numbers never stand in the configuration")
            .hint("leave it out: text messages and calls are not built yet. For now write email = \"…\", or webhook = \"NAME\" with a [[webhook]]");
        table.add(finding);
        table.settle(key);
    }
}

/// The name of an account on a code host.
fn account(text: &str) -> Result<CompactString, Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !text.is_empty() && text.len() <= 100 && text.chars().all(fits) {
        return Ok(text.into());
    }
    Err(Wrong::new(format!("`{}` is no account", value::cut(text))).hint("write its name, as in its address"))
}

fn discord_id(text: &str) -> Result<String, Wrong> {
    if (15..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("this is not a Discord user id")
        .hint("17 to 20 digits: in Discord, turn on Developer Mode and choose Copy User ID"))
}

/// `notify.high` and `notify.low` of a person (or of the defaults, without a name).
pub fn notify(
    draft: &mut Draft<'_>,
    person: Option<&str>,
    table: &mut Table<'_>,
) -> (Option<Vec<NotifyRule>>, Option<Vec<NotifyRule>>) {
    let Some(mut inner) = table.table("notify", "notify") else { return (None, None) };
    let high = rules(draft, person, "high", &mut inner);
    let low = rules(draft, person, "low", &mut inner);
    inner.done();
    (high, low)
}

fn rules(
    draft: &mut Draft<'_>,
    person: Option<&str>,
    key: &'static str,
    table: &mut Table<'_>,
) -> Option<Vec<NotifyRule>> {
    let parsed = table.parse_all(key, value::rule)?;
    refuse_empty(table, key, parsed.len(), "name at least one method, or leave it out to have the default");
    let mut rules: Vec<NotifyRule> = Vec::new();
    for (rule, spot) in parsed {
        if rules.contains(&rule) {
            table.add(
                Finding::error(&spot, format!("`{}` stands here twice", rule.method)).hint("leave one of them out"),
            );
            continue;
        }
        draft.uses.push(Use { person: person.map(Into::into), method: rule.method, spot });
        rules.push(rule);
    }
    rules.sort_by_key(|rule| rule.after);
    if !rules.is_empty() && rules.iter().all(|rule| rule.method == Method::Chat) {
        let message = format!("`{key}` names chat only, and no chat is connected in this release");
        draft.chat_only.push(Finding::error(&table.spot_of(key), message).hint("add email or webhook"));
    }
    Some(rules)
}

/// Reports a list that stands there and is empty.
fn refuse_empty(table: &Table<'_>, key: &'static str, read: usize, hint: &str) {
    // A list whose entries were all wrong has been reported entry by entry.
    let written = table.keys().find(|(name, _)| *name == key).and_then(|(_, value)| value.get_ref().as_array());
    if read == 0 && written.is_some_and(|items| items.is_empty()) {
        table.add(Finding::error(&table.spot_of(key), format!("`{key}` is empty")).hint(hint));
    }
}

/// Reports a list that is longer than anybody means.
fn refuse_long(table: &Table<'_>, key: &'static str, read: usize, most: usize) {
    if read > most {
        let message = format!("`{key}` has {read} entries; at most {most} are taken");
        table.add(Finding::error(&table.spot_of(key), message));
    }
}

/// `[[schedule]]`
pub fn schedule(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let id = draft.declare(Kind::Schedule, &mut table);
    table.require("zone");
    table.require("rotations");
    let zone = table.parse("zone", value::zone);
    let inner = table.tables("rotations", "a rotation").unwrap_or_default();
    refuse_empty(&table, "rotations", inner.len(), "a schedule has at least one rotation");
    refuse_long(&table, "rotations", inner.len(), MOST_STEPS);
    let turns = inner.into_iter().filter_map(|inner| {
        let spot = inner.spot();
        Some((rotation(draft, inner)?, spot))
    });
    let (rotations, spots) = turns.unzip();
    table.done();
    if let Some(id) = id {
        draft.rotations.insert(id.as_str().into(), spots);
        let zone = zone.unwrap_or(draft.org.defaults.zone);
        draft.org.schedules.insert(id.as_str().into(), Schedule { id: id.into(), zone, rotations });
    }
}

fn rotation(draft: &mut Draft<'_>, mut table: Table<'_>) -> Option<Rotation> {
    for key in ["every", "handoff", "start", "members"] {
        table.require(key);
    }
    let every = table.parse("every", value::every);
    let handoff = table.text("handoff");
    // Whether a weekday belongs into the hand-off is only known when the turn is.
    let handoff = match (every, &handoff) {
        (Some(every), Some(text)) => table.settle_value(text, value::handoff(&text.value, every)),
        (None, Some(text)) => {
            let week = value::handoff(&text.value, Every::Weeks(1));
            let fits = value::handoff(&text.value, Every::Days(1)).or(week);
            table.settle_value(text, fits)
        }
        (_, None) => None,
    };
    let start = table.date("start");
    let members = draft.refer_all(Kind::Person, "members", &mut table);
    if let Some(members) = &members {
        refuse_empty(&table, "members", members.len(), "name the people who take turns, in order");
        refuse_long(&table, "members", members.len(), 200);
    }
    table.done();
    let (handoff_day, handoff_time) = handoff?;
    let members = members?.into_iter().map(Into::into).collect();
    Some(Rotation { every: every?, handoff_day, handoff_time, start: start?, members })
}

/// `[[escalation]]`
pub fn escalation(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let id = draft.declare(Kind::Policy, &mut table);
    table.require("steps");
    let repeat = table.count("repeat", 0..=5).unwrap_or(0);
    let ack_expires = table.parse("ack_expires", value::wait);
    let inner = table.tables("steps", "a step").unwrap_or_default();
    refuse_empty(&table, "steps", inner.len(), "a policy has at least one step");
    refuse_long(&table, "steps", inner.len(), MOST_STEPS);
    let steps = inner.into_iter().filter_map(|inner| step(draft, inner)).collect();
    table.done();
    if let Some(id) = id {
        let repeat = u8::try_from(repeat).unwrap_or(0);
        draft.org.policies.insert(id.as_str().into(), Policy { id: id.into(), steps, repeat, ack_expires });
    }
}

fn step(draft: &mut Draft<'_>, mut table: Table<'_>) -> Option<Step> {
    table.require("page");
    table.require("escalate_after");
    let page = table.parse_all("page", value::target);
    if let Some(page) = &page {
        refuse_empty(&table, "page", page.len(), "name whom this step pages, such as \"schedule:…\"");
        refuse_long(&table, "page", page.len(), MOST_STEPS);
        page.iter().for_each(|(target, spot)| mention(draft, target, spot));
    }
    let escalate_after = table.parse("escalate_after", value::wait);
    table.done();
    let page = page?.into_iter().map(|(target, _)| target).collect();
    Some(Step { page, escalate_after: escalate_after? })
}

fn mention(draft: &mut Draft<'_>, target: &Target, spot: &Spot) {
    let (kind, name) = match target {
        Target::Person(id) => (Kind::Person, id.to_string()),
        Target::Schedule(id) => (Kind::Schedule, id.to_string()),
        Target::Webhook(id) => (Kind::Webhook, id.to_string()),
        Target::Channel(channel) => return draft.channels.push((channel.clone(), spot.clone())),
    };
    draft.mention(kind, &Text { value: name, spot: spot.clone() });
}

/// `[[service]]`
pub fn service(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let id = draft.declare(Kind::Service, &mut table);
    table.require("team");
    let team = draft.refer(Kind::Team, "team", &mut table);
    let depends_on = draft.refer_all(Kind::Service, "depends_on", &mut table).unwrap_or_default();
    let tier = table.count("tier", 1..=4).unwrap_or(3);
    let runbook = draft.link("runbook", &mut table);
    let repositories = repositories(draft, &mut table);
    table.done();
    if let Some(id) = id {
        let service = Service {
            id: id.as_str().into(),
            team: team.unwrap_or_default().into(),
            depends_on: depends_on.into_iter().map(Into::into).collect(),
            runbook,
            tier: u8::try_from(tier).unwrap_or(3),
            repositories,
        };
        draft.org.services.insert(id.into(), service);
    }
}

/// `repositories` of a service: what is deployed from one is deployed to this service, and to no other.
fn repositories(draft: &Draft<'_>, table: &mut Table<'_>) -> Vec<CompactString> {
    let parsed = table.parse_all("repositories", repository).unwrap_or_default();
    refuse_long(table, "repositories", parsed.len(), MOST_STEPS);
    let mut names: Vec<CompactString> = Vec::new();
    for (name, spot) in parsed {
        let same = |own: &CompactString| own.eq_ignore_ascii_case(&name);
        let other = draft.org.services.values().find(|service| service.repositories.iter().any(same));
        if let Some(other) = other {
            let message = format!("`{}` is a repository of `{}` already", value::cut(&name), other.id);
            table.add(Finding::error(&spot, message).hint("a repository belongs to one service; leave it out here"));
        } else if !names.iter().any(same) {
            names.push(name);
        }
    }
    names
}

fn repository(text: &str) -> Result<CompactString, Wrong> {
    let strange = |c: char| c.is_control() || c.is_whitespace();
    if text.contains("://") || text.starts_with("git@") || text.ends_with(".git") {
        return Err(Wrong::new(format!("`{}` is an address, not a name", value::cut(text)))
            .hint("write it as the code host names it, like \"org/repo\""));
    }
    if text.is_empty() || text.len() > 200 || text.contains(strange) {
        return Err(Wrong::new(format!("`{}` is not the name of a repository", value::cut(text)))
            .hint("write it as the code host names it, like \"org/repo\""));
    }
    Ok(text.into())
}

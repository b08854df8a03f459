//! The tables about changes: `[change]`, `[[approval]]`, `[[freeze]]`, `[[change-window]]`, `[[change-model]]`; and what is
//! wrong when somebody who has left is still to be paged.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use compact_str::CompactString;

use super::draft::{Draft, Kind};
use super::finding::Finding;
use super::read::{Table, Text};
use super::value::{self, Wrong};
use crate::domain::change::Level;
use crate::domain::change::period::{Period, When};
use crate::domain::change::rules::{self, ApprovalRule, Group, Model};
use crate::domain::id::ServiceId;
use crate::domain::org::Target;

/// More tables of one kind than this are refused: each is looked at whenever something is asked.
const MOST: usize = 200;
/// The most approvals that one rule may ask for.
const QUORUM_MAX: u32 = 20;
/// The most clean runs that a model may have to show.
pub(super) const EARN_MAX: u32 = 1_000;

const LEVELS: [(&str, Level); 3] = [("low", Level::Low), ("medium", Level::Medium), ("high", Level::High)];

/// `[change]`
pub fn change(draft: &mut Draft<'_>, mut table: Table<'_>) {
    draft.settings.insert("change", table.spot());
    let mut approvals = draft.org.changes.approvals.clone();
    if let Some(mut inner) = table.table("approvals", "approvals of [change]") {
        for (word, level) in LEVELS {
            let count = inner.count(word, 0..=QUORUM_MAX).and_then(|count| u8::try_from(count).ok());
            approvals.extend(count.map(|count| (level, count)));
        }
        inner.done();
    }
    let expires = table.parse("approval_expires", value::wait);
    let emergency = table.parse("emergency_approval", value::wait);
    let review = table.parse("review_within", value::wait);
    let length = table.parse("length", value::wait);
    let unbegun = table.parse("cancel_unbegun_after", value::wait);
    let controlled = table.parse_all("controlled", environment);
    let factor = levels(&mut table, "second_factor");
    let uncontrolled = table.parse_all("uncontrolled", environment).unwrap_or_default();
    table.done();
    let rules = &mut draft.org.changes;
    rules.approvals = approvals;
    rules.expires = expires.unwrap_or(rules.expires);
    rules.emergency = emergency.unwrap_or(rules.emergency);
    rules.review = review.unwrap_or(rules.review);
    rules.length = length.unwrap_or(rules.length);
    rules.second_factor = factor.unwrap_or_default();
    rules.unbegun = unbegun.unwrap_or(rules.unbegun);
    rules.uncontrolled = uncontrolled.into_iter().map(|(environment, _)| environment).collect();
    if let Some(controlled) = controlled {
        rules.controlled = controlled.into_iter().map(|(environment, _)| environment).collect();
    }
}

fn levels(table: &mut Table<'_>, key: &'static str) -> Option<Vec<Level>> {
    let found = table.parse_all(key, |word| value::choice(word, "risk", &LEVELS))?;
    Some(found.into_iter().map(|(level, _)| level).collect())
}

fn environment(text: &str) -> Result<CompactString, Wrong> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if !text.is_empty() && text.len() <= 63 && text.chars().all(fits) {
        return Ok(rules::environment(text));
    }
    Err(Wrong::new(format!("`{}` is not an environment", value::cut(text))).hint("write it like production"))
}

/// The name of a table of its kind, once; `known` are those before.
pub(super) fn named(table: &mut Table<'_>, what: &str, known: &[CompactString]) -> Option<CompactString> {
    table.require("id");
    let at = table.spot_of("id");
    let id = table.parse("id", |text| value::id(text).map(|()| CompactString::from(text)))?;
    if known.contains(&id) {
        table.add(Finding::error(&at, format!("a second {what} `{id}`")).hint("give one of them another `id`"));
        return None;
    }
    if known.len() >= MOST {
        table.add(Finding::error(&at, format!("there are more than {MOST} of {what}")).hint("leave some out"));
        return None;
    }
    Some(id)
}

fn services(draft: &mut Draft<'_>, table: &mut Table<'_>) -> Vec<ServiceId> {
    let names = draft.refer_all(Kind::Service, "services", table).unwrap_or_default();
    names.into_iter().map(Into::into).collect()
}

fn environments(table: &mut Table<'_>) -> Vec<CompactString> {
    table.parse_all("environments", environment).unwrap_or_default().into_iter().map(|(name, _)| name).collect()
}

/// `[[approval]]`
pub fn approval(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let known: Vec<CompactString> = draft.org.changes.approvers.iter().map(|rule| rule.id.clone()).collect();
    let id = named(&mut table, "[[approval]]", &known);
    let services = services(draft, &mut table);
    let environments = environments(&mut table);
    let risks = table.parse_all("risk", |word| value::choice(word, "risk", &LEVELS)).unwrap_or_default();
    table.require("approvers");
    let approvers = table.parse_all("approvers", group);
    let empty = approvers.as_ref().is_some_and(Vec::is_empty);
    for (group, spot) in approvers.iter().flatten() {
        let (kind, name) = match group {
            Group::Person(person) => (Kind::Person, person.to_string()),
            Group::Team(team) => (Kind::Team, team.to_string()),
            Group::Role(_) => continue,
        };
        draft.mention(kind, &Text { value: name, spot: spot.clone() });
    }
    if empty
        && table
            .keys()
            .any(|(key, value)| key == "approvers" && value.get_ref().as_array().is_some_and(|it| it.is_empty()))
    {
        let finding = Finding::error(&table.spot_of("approvers"), "`approvers` is empty: nobody could ever approve");
        table.add(finding.hint("write approvers = [\"team:payments\", \"person:cleo\", \"role:admin\"]"));
    }
    let quorum = table.count("quorum", 0..=QUORUM_MAX).and_then(|count| u8::try_from(count).ok());
    let accept = table.parse_all("accept", |word| value::choice(word, "accept", &[("pull-request", ())]));
    let second_factor = levels(&mut table, "second_factor");
    table.done();
    let Some(id) = id else { return };
    draft.org.changes.approvers.push(ApprovalRule {
        id,
        services,
        environments,
        risks: risks.into_iter().map(|(risk, _)| risk).collect(),
        approvers: approvers.unwrap_or_default().into_iter().map(|(group, _)| group).collect(),
        quorum,
        pull_request: accept.is_some_and(|accept| !accept.is_empty()),
        second_factor,
    });
}

/// `person:cleo`, `team:payments`, `role:admin`.
fn group(text: &str) -> Result<Group, Wrong> {
    match text.split_once(':') {
        Some(("person", id)) => Ok(Group::Person(id.into())),
        Some(("team", id)) => Ok(Group::Team(id.into())),
        Some(("role", word)) => value::role(word).map(Group::Role),
        _ => Err(Wrong::new(format!("`{}` is nobody who could approve", value::cut(text)))
            .hint("write person:NAME, team:NAME or role:admin")),
    }
}

/// `[[freeze]]`
pub fn freeze(draft: &mut Draft<'_>, table: Table<'_>) {
    let known: Vec<CompactString> = draft.org.changes.freezes.iter().map(|it| it.id.clone()).collect();
    let found = period(draft, table, "[[freeze]]", &known);
    draft.org.changes.freezes.extend(found);
}

/// `[[change-window]]`
pub fn change_window(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let known: Vec<CompactString> = draft.org.changes.windows.iter().map(|it| it.id.clone()).collect();
    table.require("services");
    let found = period(draft, table, "[[change-window]]", &known);
    draft.org.changes.windows.extend(found);
}

/// What a bound of a period says.
enum Bound {
    At(NaiveDateTime),
    Weekly(Weekday, NaiveTime),
    Daily(NaiveTime),
}

fn bound(text: &str) -> Result<Bound, Wrong> {
    let text = text.trim();
    for form in ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
            let range = NaiveDate::from_ymd_opt(1971, 1, 1).zip(NaiveDate::from_ymd_opt(2098, 12, 31));
            if range.is_some_and(|(first, last)| (first..=last).contains(&at.date())) {
                return Ok(Bound::At(at));
            }
        }
    }
    if let Ok(time) = NaiveTime::parse_from_str(text, "%H:%M") {
        return Ok(Bound::Daily(time));
    }
    if let Some((day, time)) = text.split_once(' ')
        && let (Ok(day), Ok(time)) = (day.parse::<Weekday>(), NaiveTime::parse_from_str(time.trim(), "%H:%M"))
    {
        return Ok(Bound::Weekly(day, time));
    }
    Err(Wrong::new(format!("`{}` is no beginning or end", value::cut(text)))
        .hint("write 2026-12-18T18:00 for once, \"Fri 16:00\" for each week, or \"22:00\" for each day"))
}

fn weekday(text: &str) -> Result<Weekday, Wrong> {
    text.parse().map_err(|_| Wrong::new(format!("`{}` is not a weekday", value::cut(text))).hint("write Mon, Tue, …"))
}

fn period(draft: &mut Draft<'_>, mut table: Table<'_>, what: &'static str, known: &[CompactString]) -> Option<Period> {
    let id = named(&mut table, what, known);
    let reason = table.text("reason").map(|text| CompactString::from(text.value.trim()));
    let services = services(draft, &mut table);
    let environments = environments(&mut table);
    let zone = table.parse("zone", value::zone).unwrap_or(draft.org.defaults.zone);
    table.require("from");
    table.require("until");
    let from = table.parse("from", bound);
    let until = table.parse("until", bound);
    let days: Option<Vec<Weekday>> =
        table.parse_all("days", weekday).map(|days| days.into_iter().map(|(day, _)| day).collect());
    let except = table.parse_all("except", value::date).unwrap_or_default();
    let at = table.spot_of("until");
    let when = match (from?, until?, days) {
        (Bound::At(from), Bound::At(until), None) if from < until => Ok(When::Once(from, until)),
        (Bound::At(_), Bound::At(_), None) => Err("`until` is not after `from`"),
        (Bound::Weekly(day, from), Bound::Weekly(end, until), None) if (day, from) != (end, until) => {
            Ok(When::Weekly((day, from), (end, until)))
        }
        (Bound::Weekly(..), Bound::Weekly(..), None) => Err("`from` and `until` are the same"),
        (Bound::Daily(from), Bound::Daily(until), days) => Ok(When::Daily(days.unwrap_or_default(), from, until)),
        (_, _, Some(_)) => Err("`days` goes with times of the day only"),
        _ => Err("`from` and `until` are not of the same kind"),
    };
    let when = match when {
        Ok(when) => when,
        Err(wrong) => {
            let hint = "both as 2026-12-18T18:00, both as \"Fri 16:00\", or both as \"22:00\" (with days = [\"Sat\"])";
            table.add(Finding::error(&at, wrong).hint(hint));
            table.done();
            return None;
        }
    };
    table.done();
    let except = except.into_iter().map(|(date, _)| date).collect();
    Some(Period { id: id?, reason, services, environments, zone, when, except })
}

/// `[[change-model]]`
pub fn change_model(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let known: Vec<CompactString> = draft.org.changes.models.keys().cloned().collect();
    let id = named(&mut table, "[[change-model]]", &known);
    for key in ["summary", "plan", "rollback"] {
        table.require(key);
    }
    let summary = table.text("summary");
    let services = services(draft, &mut table);
    let (plan, rollback) = (table.text("plan"), table.text("rollback"));
    let expects = table.parse_all("expects", |text| Ok(CompactString::from(text.trim()))).unwrap_or_default();
    let length = table.parse("for", value::wait);
    let earn_after = table.count("earn_after", 1..=EARN_MAX);
    let up_to = table.parse("up_to", |word| value::choice(word, "risk", &LEVELS));
    table.done();
    let (Some(id), Some(summary), Some(plan), Some(rollback)) = (id, summary, plan, rollback) else { return };
    let model = Model {
        id: id.clone(),
        summary: summary.value.as_str().into(),
        services,
        plan: plan.value.as_str().into(),
        rollback: rollback.value.as_str().into(),
        expects: expects.into_iter().map(|(name, _)| name).collect(),
        length,
        up_to: up_to.unwrap_or(Level::Medium),
        earn_after,
    };
    draft.org.changes.models.insert(id, model);
}

/// Somebody who has left is to be paged by nothing.
pub fn gone(draft: &Draft<'_>) {
    for person in draft.org.people.values().filter(|person| person.left) {
        let Some(spot) = draft.declared.get(&(Kind::Person, person.id.to_string())) else { continue };
        let turns = draft
            .org
            .schedules
            .values()
            .filter(|schedule| schedule.rotations.iter().any(|rotation| rotation.members.contains(&person.id)));
        let steps =
            draft.org.policies.values().filter(|policy| {
                policy.steps.iter().any(|step| step.page.contains(&Target::Person(person.id.clone())))
            });
        let mut names: Vec<String> = turns.map(|it| format!("[[schedule]] {}", it.id)).collect();
        names.extend(steps.map(|it| format!("[[escalation]] {}", it.id)));
        if draft.org.operators.people.contains(&person.id) {
            names.push("[operators]".to_owned());
        }
        if !names.is_empty() {
            let message = format!("{} has left, and is still to be paged by {}", person.id, names.join(", "));
            draft.sink.add(Finding::warning(spot, message).hint("put somebody else in their place"));
        }
    }
}

//! Opsgenie, as its REST API v2 writes it. A rule's `delay` counts from the alert; here a wait stands between two steps,
//! so each is the difference of two delays.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::Value;

use super::exported::{Exported, list, number, short, text};
use super::plan::{Plan, Rights, Step};

/// The wait after the last step where nothing says it.
const LAST_WAIT: u64 = 10;

pub fn read(exported: &Exported<'_>, plan: &mut Plan) {
    for user in exported.all("users") {
        let (username, name) = (text(user, "/username"), text(user, "/fullName"));
        if user.get("blocked").and_then(Value::as_bool) == Some(true) {
            plan.note("person", name, "is blocked; left out");
            continue;
        }
        let role = text(user, "/role/name").to_lowercase();
        let rights = Rights::of(&role, &["owner", "admin"], &["observer", "stakeholder"]);
        plan.person(&[username, text(user, "/id")], name, username, text(user, "/timeZone"), rights);
    }
    for schedule in exported.all("schedules") {
        read_schedule(schedule, plan);
    }
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for team in exported.all("teams") {
        let people = list(team, "/members").iter().filter_map(|member| {
            let user = [text(member, "/user/username"), text(member, "/user/id")];
            user.into_iter().find_map(|user| plan.target("person", user))
        });
        let people: Vec<String> = people.collect();
        for key in [text(team, "/id"), text(team, "/name")].into_iter().filter(|key| !key.is_empty()) {
            members.insert(key.to_owned(), people.clone());
        }
    }
    let mut policies: BTreeMap<String, String> = BTreeMap::new();
    for escalation in exported.all("escalations") {
        let (id, name) = (text(escalation, "/id"), text(escalation, "/name"));
        let steps = steps(escalation, &members, plan);
        let repeat = number(escalation, "/repeat/count").unwrap_or(0);
        if escalation.pointer("/repeat/resetRecipientStates").and_then(Value::as_bool) == Some(true) {
            plan.note("escalation", name, "`resetRecipientStates` does not map: each run pages anew");
        }
        let Some(ours) = plan.policy(if id.is_empty() { name } else { id }, name, repeat, steps) else { continue };
        let team = [text(escalation, "/ownerTeam/id"), text(escalation, "/ownerTeam/name")];
        for team in team.into_iter().filter(|team| !team.is_empty()) {
            policies.entry(team.to_owned()).or_insert_with(|| ours.clone());
        }
    }
    for team in exported.all("teams") {
        team_policy(team, exported, &members, &mut policies, plan);
    }
    for service in exported.all("services") {
        let team = text(service, "/teamId");
        plan.service(text(service, "/name"), policies.get(team).cloned());
    }
    // Alerts went to teams there; here they go to services.
    for team in exported.all("teams") {
        let (id, name) = (text(team, "/id"), text(team, "/name"));
        if !exported.all("services").any(|service| text(service, "/teamId") == id)
            && let Some(policy) = policies.get(id).cloned()
        {
            plan.note("team", name, "has no service; one of its name is made");
            plan.service(name, Some(policy));
        }
    }
}

/// What pages a team: its escalation, else its schedule, else its members.
fn team_policy(
    team: &Value,
    exported: &Exported<'_>,
    members: &BTreeMap<String, Vec<String>>,
    policies: &mut BTreeMap<String, String>,
    plan: &mut Plan,
) {
    let (id, name) = (text(team, "/id"), text(team, "/name"));
    if let Some(known) = policies.get(id).or_else(|| policies.get(name)).cloned() {
        policies.insert(id.to_owned(), known.clone());
        plan.note("team", name, format!("is paged by {known}; its routing rules are not taken"));
        return;
    }
    let owned = exported.all("schedules").find(|schedule| {
        let owner = [text(schedule, "/ownerTeam/id"), text(schedule, "/ownerTeam/name")];
        owner.iter().any(|owner| !owner.is_empty() && (*owner == id || *owner == name))
    });
    let (page, by) = match owned.and_then(|schedule| plan.target("schedule", text(schedule, "/id"))) {
        Some(schedule) => (vec![schedule], "its schedule"),
        None => (members.get(id).or_else(|| members.get(name)).cloned().unwrap_or_default(), "all its members"),
    };
    let step = Step { page, wait: LAST_WAIT };
    if let Some(ours) = plan.policy(&format!("team {id} {name}"), name, 0, vec![step]) {
        plan.note("team", name, format!("has no escalation; {by} are paged"));
        policies.insert(id.to_owned(), ours);
    }
}

fn steps(escalation: &Value, members: &BTreeMap<String, Vec<String>>, plan: &mut Plan) -> Vec<Step> {
    let name = text(escalation, "/name");
    let mut rules: Vec<(u64, Vec<String>)> = Vec::new();
    for rule in list(escalation, "/rules") {
        let delay = match rule.get("delay") {
            Some(Value::Object(_)) => {
                let amount = number(rule, "/delay/timeAmount").unwrap_or(0);
                amount.saturating_mul(match text(rule, "/delay/timeUnit") {
                    "hours" => 60,
                    "days" => 1440,
                    _ => 1,
                })
            }
            _ => number(rule, "/delay").unwrap_or(0),
        };
        let condition = text(rule, "/condition");
        if !matches!(condition, "" | "if-not-acked") {
            plan.note(
                "escalation",
                name,
                format!(
                    "the condition `{}` does not map: a step is paged unless somebody acknowledged",
                    short(condition)
                ),
            );
        }
        let how = text(rule, "/notifyType");
        if !matches!(how, "" | "default") {
            plan.note(
                "escalation",
                name,
                format!("`notifyType` `{}` does not map: whoever is on call is paged", short(how)),
            );
        }
        let page = recipient(rule, members, plan, name);
        match rules.iter_mut().find(|(at, _)| *at == delay) {
            Some((_, all)) => all.extend(page),
            None => rules.push((delay, page)),
        }
    }
    rules.sort_by_key(|(at, _)| *at);
    if rules.first().is_some_and(|(at, _)| *at > 0) {
        let wait = rules.first().map_or(0, |(at, _)| *at);
        plan.note(
            "escalation",
            name,
            format!("its first rule waited {wait} minutes; here the first step is paged at once"),
        );
    }
    let last = number(escalation, "/repeat/waitInterval").filter(|wait| *wait > 0).unwrap_or(LAST_WAIT);
    let waits: Vec<u64> = rules.windows(2).map(|two| two[1].0 - two[0].0).chain([last]).collect();
    let mut steps: Vec<Step> = rules.into_iter().zip(waits).map(|((_, page), wait)| Step { page, wait }).collect();
    for step in &mut steps {
        step.page.sort();
        step.page.dedup();
    }
    steps
}

fn recipient(rule: &Value, members: &BTreeMap<String, Vec<String>>, plan: &mut Plan, name: &str) -> Vec<String> {
    let kind = text(rule, "/recipient/type");
    let keys = [text(rule, "/recipient/id"), text(rule, "/recipient/username"), text(rule, "/recipient/name")];
    let mut keys = keys.into_iter().filter(|key| !key.is_empty());
    let shown = keys.clone().next_back().unwrap_or_default();
    let found = match kind {
        "user" => keys.find_map(|key| plan.target("person", key)).map(|target| vec![target]),
        "schedule" => keys.find_map(|key| plan.target("schedule", key)).map(|target| vec![target]),
        "team" => {
            plan.note("escalation", name, format!("it pages the team {}; here all its members", short(shown)));
            keys.find_map(|key| members.get(key)).cloned()
        }
        _ => None,
    };
    found.filter(|found| !found.is_empty()).unwrap_or_else(|| {
        plan.note("escalation", name, format!("its {} {} is not known here; left out", short(kind), short(shown)));
        Vec::new()
    })
}

fn read_schedule(schedule: &Value, plan: &mut Plan) {
    let (id, name) = (text(schedule, "/id"), text(schedule, "/name"));
    if schedule.get("enabled").and_then(Value::as_bool) == Some(false) {
        plan.note("schedule", name, "is switched off; it is written all the same");
    }
    let zone = plan.zone("schedule", name, text(schedule, "/timezone")).unwrap_or(Tz::UTC);
    let mut rotations = Vec::new();
    for rotation in list(schedule, "/rotations") {
        if !text(rotation, "/endDate").is_empty() {
            plan.note("schedule", name, format!("rotation {} has an end; left out", short(text(rotation, "/name"))));
            continue;
        }
        if rotation.get("timeRestriction").is_some_and(|value| !value.is_null()) {
            plan.note("schedule", name, "a rotation is restricted to some hours; here it holds at all hours");
        }
        let n = number(rotation, "/length").unwrap_or(1);
        let kind = text(rotation, "/type");
        let plural = if n == 1 { "" } else { "s" };
        let every = match kind {
            "weekly" => (format!("{n} week{plural}"), true),
            "daily" => (format!("{n} day{plural}"), false),
            "hourly" => (format!("{n} hour{plural}"), false),
            _ => {
                plan.note("schedule", name, format!("a rotation of type `{}` does not map; left out", short(kind)));
                continue;
            }
        };
        let participants = list(rotation, "/participants");
        let members: Vec<String> = participants
            .iter()
            .filter_map(|one| {
                [text(one, "/id"), text(one, "/username")].into_iter().find_map(|key| plan.person_id(key))
            })
            .collect();
        if members.len() < participants.len() {
            plan.note("schedule", name, "some participants are no people who are known here; left out");
        }
        rotations.extend(plan.rotation(name, zone, every, text(rotation, "/startDate"), members));
    }
    plan.schedule(&[id, name], name, zone, rotations);
}

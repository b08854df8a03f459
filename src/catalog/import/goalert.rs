//! GoAlert, as its GraphQL API answers. A step's `delayMinutes` is the wait after it, as here.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::Value;

use super::exported::{Exported, list, number, short, text};
use super::plan::{Plan, Rights, Rotation, Step};

pub fn read(exported: &Exported<'_>, plan: &mut Plan) {
    for user in exported.all("users") {
        let (name, rights) = (text(user, "/name"), Rights::of(text(user, "/role"), &["admin"], &[]));
        plan.person(&[text(user, "/id")], name, text(user, "/email"), "", rights);
        if !list(user, "/contactMethods").is_empty() {
            plan.note(
                "person",
                name,
                "contact methods and notification rules are not taken: `notify.high` in people.toml",
            );
        }
    }
    let rotations: BTreeMap<&str, &Value> =
        exported.all("rotations").map(|rotation| (text(rotation, "/id"), rotation)).collect();
    for schedule in exported.all("schedules") {
        read_schedule(schedule, &rotations, plan);
    }
    let mut policies = BTreeMap::new();
    for policy in exported.all("escalationPolicies") {
        let (id, name) = (text(policy, "/id"), text(policy, "/name"));
        let steps = list(policy, "/steps").iter().map(|step| read_step(step, name, &rotations, plan)).collect();
        if let Some(ours) = plan.policy(id, name, number(policy, "/repeat").unwrap_or(0), steps) {
            policies.insert(id.to_owned(), ours);
        }
    }
    for service in exported.all("services") {
        let name = text(service, "/name");
        let policy = [text(service, "/escalationPolicyID"), text(service, "/escalationPolicy/id")];
        plan.service(name, policy.iter().find_map(|policy| policies.get(*policy)).cloned());
        for field in ["integrationKeys", "heartbeatMonitors"] {
            if !list(service, &format!("/{field}")).is_empty() {
                plan.note("service", name, format!("`{field}` are not taken: make an [[integration]] for each sender"));
            }
        }
    }
}

fn read_step(step: &Value, policy: &str, rotations: &BTreeMap<&str, &Value>, plan: &mut Plan) -> Step {
    let mut page: Vec<String> = Vec::new();
    for target in list(step, "/targets") {
        let (kind, id) = (text(target, "/type"), text(target, "/id"));
        let found = match kind {
            "user" => plan.target("person", id),
            "schedule" => plan.target("schedule", id),
            // Here a rotation stands in a schedule: one is made for it.
            "rotation" => {
                if plan.target("schedule", id).is_none()
                    && let Some(rotation) = rotations.get(id)
                {
                    let zone = zone_of(rotation, plan);
                    let made: Vec<Rotation> = read_rotation(rotation, zone, plan).into_iter().collect();
                    plan.schedule(&[id], text(rotation, "/name"), zone, made);
                }
                plan.target("schedule", id)
            }
            _ => None,
        };
        match found {
            Some(found) if !page.contains(&found) => page.push(found),
            Some(_) => {}
            None => plan.note(
                "escalation",
                policy,
                format!("its {} {} is not known here; left out", short(kind), short(id)),
            ),
        }
    }
    Step { page, wait: number(step, "/delayMinutes").unwrap_or(15) }
}

fn zone_of(rotation: &Value, plan: &mut Plan) -> Tz {
    plan.zone("rotation", text(rotation, "/name"), text(rotation, "/timeZone")).unwrap_or(Tz::UTC)
}

fn read_rotation(rotation: &Value, zone: Tz, plan: &mut Plan) -> Option<Rotation> {
    let name = text(rotation, "/name");
    let n = number(rotation, "/shiftLength").unwrap_or(1).max(1);
    let plural = if n == 1 { "" } else { "s" };
    let every = match text(rotation, "/type") {
        "weekly" => (format!("{n} week{plural}"), true),
        "daily" => (format!("{n} day{plural}"), false),
        "hourly" => (format!("{n} hour{plural}"), false),
        other => {
            plan.note("rotation", name, format!("its type `{}` does not map; left out", short(other)));
            return None;
        }
    };
    let users = list(rotation, "/userIDs");
    let members: Vec<String> = users.iter().filter_map(|user| plan.person_id(user.as_str()?)).collect();
    if members.len() < users.len() {
        plan.note("rotation", name, "some of its users are not known here; left out");
    }
    plan.note(
        "rotation",
        name,
        "GoAlert keeps whose turn it is; compare `opsbell oncall`, and change the order of `members`",
    );
    plan.rotation(name, zone, every, text(rotation, "/start"), members)
}

fn read_schedule(schedule: &Value, rotations: &BTreeMap<&str, &Value>, plan: &mut Plan) {
    let name = text(schedule, "/name");
    let zone = plan.zone("schedule", name, text(schedule, "/timeZone")).unwrap_or(Tz::UTC);
    let mut made = Vec::new();
    for target in list(schedule, "/targets") {
        let (kind, id) = (text(target, "/target/type"), text(target, "/target/id"));
        let always = list(target, "/rules").iter().any(|rule| {
            let days = list(rule, "/weekdayFilter");
            let whole_day = text(rule, "/start") == text(rule, "/end");
            whole_day && days.iter().all(|day| day.as_bool() == Some(true))
        });
        if !always {
            plan.note("schedule", name, "a rule holds at some hours only; here it holds at all hours");
        }
        match (kind, rotations.get(id), plan.person_id(id)) {
            ("rotation", Some(rotation), _) => made.extend(read_rotation(rotation, zone, plan)),
            // One person all the time is a rotation of one.
            ("user", _, Some(person)) => {
                let every = ("1 week".to_owned(), true);
                made.extend(plan.rotation(name, zone, every, "2026-01-05T09:00:00", vec![person]));
            }
            _ => plan.note("schedule", name, format!("its {} {} is not known here; left out", short(kind), short(id))),
        }
    }
    plan.schedule(&[text(schedule, "/id")], name, zone, made);
}

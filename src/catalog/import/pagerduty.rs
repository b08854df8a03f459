//! PagerDuty, as its REST API v2 writes it. `escalation_delay_in_minutes` is the wait after a rule, as here.

use chrono_tz::Tz;
use serde_json::Value;

use super::exported::{Exported, list, number, text};
use super::plan::{Plan, Rights, Rotation, Step};

/// Fields that say something for which there is no place here, with what became of it.
const SERVICE: [(&str, &str); 7] = [
    ("acknowledgement_timeout", "set `ack_expires` in its escalation"),
    ("auto_resolve_timeout", "nothing is resolved by time alone"),
    ("alert_grouping_parameters", "set `group_by` in its integration"),
    ("incident_urgency_rule", "urgency follows from the severity"),
    ("support_hours", "it is paged for at all hours"),
    ("integrations", "make an [[integration]] for each sender; keys are not taken"),
    ("scheduled_actions", "they are left out"),
];

pub fn read(exported: &Exported<'_>, plan: &mut Plan) {
    for user in exported.all("users") {
        let (name, role) = (text(user, "/name"), text(user, "/role"));
        let readers = ["observer", "read_only_user", "read_only_limited_user"];
        let rights = Rights::of(role, &["owner", "admin"], &readers);
        plan.person(&[text(user, "/id")], name, text(user, "/email"), text(user, "/time_zone"), rights);
        if !list(user, "/notification_rules").is_empty() || !list(user, "/contact_methods").is_empty() {
            plan.note(
                "person",
                name,
                "contact methods and notification rules are not taken: `notify.high` in people.toml",
            );
        }
    }
    for schedule in exported.all("schedules") {
        read_schedule(schedule, plan);
    }
    let mut policies = std::collections::BTreeMap::new();
    for policy in exported.all("escalation_policies") {
        let (id, name) = (text(policy, "/id"), text(policy, "/name"));
        let mut steps = Vec::new();
        for rule in list(policy, "/escalation_rules") {
            let mut page = Vec::new();
            for target in list(rule, "/targets") {
                let kind = if text(target, "/type").starts_with("schedule") { "schedule" } else { "person" };
                match plan.target(kind, text(target, "/id")) {
                    Some(known) if !page.contains(&known) => page.push(known),
                    Some(_) => {}
                    None => plan.note(
                        "escalation",
                        name,
                        format!("its {kind} {} is not known here; left out", text(target, "/id")),
                    ),
                }
            }
            if text(rule, "/escalation_rule_assignment_strategy/type") == "round_robin" {
                plan.note("escalation", name, "a rule takes turns among its targets; here all of them are paged");
            }
            steps.push(Step { page, wait: number(rule, "/escalation_delay_in_minutes").unwrap_or(30) });
        }
        let repeat = number(policy, "/num_loops").unwrap_or(0);
        if let Some(ours) = plan.policy(id, name, repeat, steps) {
            policies.insert(id.to_owned(), ours);
        }
    }
    for service in exported.all("services") {
        let name = text(service, "/name");
        plan.service(name, policies.get(text(service, "/escalation_policy/id")).cloned());
        for (field, instead) in SERVICE {
            let said = service.get(field).is_some_and(|value| match value {
                Value::Null => false,
                Value::Array(items) => !items.is_empty(),
                _ => true,
            });
            if said {
                plan.note("service", name, format!("`{field}` does not map: {instead}"));
            }
        }
    }
}

fn read_schedule(schedule: &Value, plan: &mut Plan) {
    let name = text(schedule, "/name");
    let zone = plan.zone("schedule", name, text(schedule, "/time_zone")).unwrap_or(Tz::UTC);
    let layers = list(schedule, "/schedule_layers");
    let mut rotations: Vec<Rotation> = Vec::new();
    for layer in layers {
        let layer_name = text(layer, "/name");
        if layer.get("end").is_some_and(|end| !end.is_null()) {
            plan.note("schedule", name, format!("layer {} has an end; left out", super::exported::short(layer_name)));
            continue;
        }
        if !list(layer, "/restrictions").is_empty() {
            plan.note("schedule", name, "a layer is restricted to some hours; here it holds at all hours");
        }
        let users = list(layer, "/users");
        let members: Vec<String> = users.iter().filter_map(|user| plan.person_id(text(user, "/user/id"))).collect();
        if members.len() < users.len() {
            plan.note("schedule", name, "some of its users are not known here; left out");
        }
        let Some(length) = number(layer, "/rotation_turn_length_seconds").and_then(turn) else {
            plan.note("schedule", name, "a turn is not whole hours; its layer is left out");
            continue;
        };
        let start = text(layer, "/rotation_virtual_start");
        rotations.extend(plan.rotation(name, zone, length, start, members));
    }
    if rotations.len() > 1 {
        plan.note(
            "schedule",
            name,
            "a higher layer hides a lower one in PagerDuty; here the holders of all of them are paged",
        );
    }
    plan.schedule(&[text(schedule, "/id")], name, zone, rotations);
}

/// A turn in our words, and whether it is whole weeks.
fn turn(seconds: u64) -> Option<(String, bool)> {
    let some = |n: u64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    match seconds {
        0 => None,
        s if s % 604_800 == 0 => Some((some(s / 604_800, "week"), true)),
        s if s % 86_400 == 0 => Some((some(s / 86_400, "day"), false)),
        s if s % 3_600 == 0 => Some((some(s / 3_600, "hour"), false)),
        _ => None,
    }
}

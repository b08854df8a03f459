//! How on-call reads in a reply: who holds what now and next, and what a person holds.

use std::fmt::Write as _;

use super::{Shift, holders, next_shift};
use crate::domain::command::OncallOf;
use crate::domain::id::{PersonId, PolicyId};
use crate::domain::org::{Org, Schedule, Target};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Timestamp;

/// `/oncall who`.
pub fn who(org: &Org, of: Option<&OncallOf>, now: Timestamp) -> Result<String, Reject> {
    let mut text = String::new();
    for schedule in schedules(org, of)? {
        for shift in holders(schedule, now) {
            let _ = match shift {
                Some(shift) => {
                    writeln!(text, "{}: {} until <t:{}:f>", schedule.id, shift.person, shift.until.unix_secs())
                }
                None => writeln!(text, "{}: nobody is on call", schedule.id),
            };
        }
    }
    text.push_str("Who comes after: /oncall next");
    Ok(text)
}

/// `/oncall next`.
pub fn next(org: &Org, of: Option<&OncallOf>, now: Timestamp) -> Result<String, Reject> {
    let mut text = String::new();
    for schedule in schedules(org, of)? {
        for rotation in &schedule.rotations {
            let _ = match next_shift(rotation, schedule.zone, now) {
                Some(shift) => {
                    writeln!(text, "{}: {} from <t:{}:f>", schedule.id, shift.person, shift.from.unix_secs())
                }
                None => writeln!(text, "{}: nobody", schedule.id),
            };
        }
    }
    text.push_str("Who it is now: /oncall who");
    Ok(text)
}

/// Who holds each schedule now and next, for the API: one object per schedule.
pub fn json(org: &Org, now: Timestamp) -> serde_json::Value {
    let shift = |shift: Option<Shift>| match shift {
        Some(shift) => serde_json::json!({ "person": shift.person, "from": shift.from, "until": shift.until }),
        None => serde_json::Value::Null,
    };
    let schedules = org.schedules.values().map(|schedule| {
        let next = schedule.rotations.iter().map(|rotation| shift(next_shift(rotation, schedule.zone, now)));
        serde_json::json!({
            "id": schedule.id,
            "zone": schedule.zone.name(),
            "now": holders(schedule, now).into_iter().map(shift).collect::<Vec<_>>(),
            "next": next.collect::<Vec<_>>(),
        })
    });
    schedules.collect()
}

/// What a person holds now.
pub fn duties(org: &Org, person: &PersonId, now: Timestamp) -> String {
    let mut held = Vec::new();
    for schedule in org.schedules.values() {
        for shift in holders(schedule, now).into_iter().flatten().filter(|shift| shift.person == *person) {
            held.push(format!("{} until <t:{}:f>", schedule.id, shift.until.unix_secs()));
        }
    }
    if held.is_empty() {
        "You are not on call now.".to_owned()
    } else {
        format!("You are on call for {}.", held.join(", "))
    }
}

fn schedules<'o>(org: &'o Org, of: Option<&OncallOf>) -> Result<Vec<&'o Schedule>, Reject> {
    let of_policy = |policy: &PolicyId| -> Vec<&'o Schedule> {
        let steps = org.policies.get(policy).map(|policy| policy.steps.as_slice()).unwrap_or_default();
        let targets = steps.iter().flat_map(|step| &step.page);
        let mut named: Vec<&Schedule> = targets
            .filter_map(|target| if let Target::Schedule(id) = target { org.schedules.get(id) } else { None })
            .collect();
        named.dedup_by_key(|schedule| schedule.id.clone());
        named
    };
    let found = match of {
        None => org.schedules.values().collect(),
        Some(OncallOf::Schedule(id)) => org.schedules.get(id).into_iter().collect(),
        Some(OncallOf::Team(id)) => org.teams.get(id).map(|team| of_policy(&team.escalation)).unwrap_or_default(),
        Some(OncallOf::Service(id)) => {
            let team = org.services.get(id).and_then(|service| org.teams.get(&service.team));
            team.map(|team| of_policy(&team.escalation)).unwrap_or_default()
        }
    };
    if found.is_empty() {
        return Err(Reject::new(RejectCode::NotFound, "No schedule is used there: people are paged by name.")
            .hint("All schedules: /oncall who"));
    }
    Ok(found)
}

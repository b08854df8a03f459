//! How risky a change is: points for what is known, each with its reason. Pure, and small enough to be argued with.

use std::fmt;

use chrono::{Datelike, Timelike, Weekday};
use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::domain::id::PersonId;
use crate::domain::oncall;
use crate::domain::org::{Org, Target};
use crate::domain::service::tree::{Graph, Way};
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// How risky.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Fewer than 4 points.
    #[default]
    Low,
    /// 4 to 6 points.
    Medium,
    /// More.
    High,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The level of so many points.
    pub fn of(points: u32) -> Self {
        match points {
            0..=3 => Self::Low,
            4..=6 => Self::Medium,
            _ => Self::High,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How risky a change is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Risk {
    /// The level of all points.
    pub level: Level,
    /// What was looked at.
    pub lines: Vec<Line>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How much it counts.
    pub points: u32,
    /// What it is.
    pub why: CompactString,
}

/// Looks at a change to be carried out at an instant.
pub fn assess(org: &Org, state: &State, content: &Content, at: Timestamp) -> Risk {
    let mut lines = Vec::new();
    let mut add = |points: u32, why: CompactString| lines.push(Line { points, why });
    if !org.changes.controls(&content.environment) {
        add(0, format_compact!("{} is not a controlled environment", content.environment));
        return Risk { level: Level::Low, lines };
    }
    let tier = org.services.get(&content.service).map_or(3, |service| service.tier);
    add(u32::from(4_u8.saturating_sub(tier)), format_compact!("{} is of tier {tier}", content.service));
    let graph = Graph::new(org);
    let dependents = graph.all(&content.service, Way::NeededBy).len();
    let points = match dependents {
        0 => 0,
        1..=2 => 1,
        3..=9 => 2,
        _ => 3,
    };
    let services = if dependents == 1 { "service needs" } else { "services need" };
    add(points, format_compact!("{dependents} {services} it"));
    let needs = graph.all(&content.service, Way::Needs);
    // Private ones count nowhere that everybody reads.
    let near = state.open_incidents().filter(|it| it.service == content.service || needs.contains(&it.service));
    let near = near.filter(|it| it.severity.pages()).count();
    if near > 0 {
        let s = if near == 1 { "" } else { "s" };
        let points = if near > 1 { 3 } else { 2 };
        add(points, format_compact!("{near} open incident{s} on it or what it needs"));
    }
    let local = at.local(org.defaults.zone);
    let weekend = matches!(local.weekday(), Weekday::Sat | Weekday::Sun);
    if weekend || !(8..18).contains(&local.hour()) {
        let when = if weekend { "at the weekend" } else { "outside of 08:00–18:00" };
        add(1, format_compact!("{when}, {}", org.defaults.zone.name()));
    }
    if !staffed(org, content, at) {
        add(1, format_compact!("nobody is on call for {} then", content.service));
    }
    let points = lines.iter().map(|line| line.points).sum();
    Risk { level: Level::of(points), lines }
}

/// Whether somebody is on call for a service at an instant: the first step of its team's policy reaches a person.
pub fn staffed(org: &Org, content: &Content, at: Timestamp) -> bool {
    let team = org.services.get(&content.service).and_then(|service| org.teams.get(&service.team));
    let Some(policy) = team.and_then(|team| org.policies.get(&team.escalation)) else { return false };
    let Some(first) = policy.steps.first() else { return false };
    let here = |person: &PersonId| org.people.get(person).is_some_and(|known| !known.left);
    first.page.iter().any(|target| match target {
        Target::Person(person) => here(person),
        Target::Schedule(id) => org.schedules.get(id).is_some_and(|schedule| {
            oncall::holders(schedule, at).into_iter().flatten().any(|shift| here(&shift.person))
        }),
        Target::Channel(_) | Target::Webhook(_) => false,
    })
}

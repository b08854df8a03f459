//! Suspects: what was changed lately on a service and on what it needs, the likeliest first, each with the reason. What
//! was closed is remembered for a few days in short, since State keeps no closed record.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{Change, ChangeState, Level, Outcome};
use crate::domain::id::{ChangeId, ServiceId};
use crate::domain::incident::Incident;
use crate::domain::org::Org;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// How long a closed change is remembered …
const KEPT: Span = Span::days(7);
/// … and how many; the oldest are forgotten first.
pub(super) const PAST_MAX: usize = 2_000;
/// What ended longer ago is no suspect.
const SUSPECT_FOR: Span = Span::days(1);
/// Suspects that are told.
const TOLD: usize = 3;

/// A closed change, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Which.
    pub change: ChangeId,
    /// Of which service.
    pub service: ServiceId,
    /// Where.
    pub environment: CompactString,
    /// What.
    pub title: CompactString,
    /// Which version it brought in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<CompactString>,
    /// How risky it was.
    pub risk: Level,
    /// How it ended; none where it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When it began, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Timestamp,
}

impl Past {
    /// A change that is over.
    pub fn of(change: &Change) -> Self {
        let closed = change.closed_at.unwrap_or(change.opened_at);
        Self {
            change: change.id,
            service: change.content.service.clone(),
            environment: change.content.environment.clone(),
            title: change.content.title.clone(),
            version: change.content.version.clone(),
            risk: change.content.risk,
            outcome: change.outcome,
            started: change.started.as_ref().map(|started| started.at),
            ended: change.ended.as_ref().map_or(closed, |ended| ended.at),
        }
    }

    /// Whether it need not be remembered any more.
    pub(super) fn forgotten(&self, now: Timestamp) -> bool {
        now.since(self.ended) > KEPT
    }
}

/// A change that may have caused something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Which.
    pub change: ChangeId,
    /// What it did, to what.
    pub what: String,
    /// Why it is suspected.
    pub why: String,
    points: u32,
}

/// How far a service is: 0 itself, 1 what it needs, 2 what that needs; nearest first.
fn distances(org: &Org, service: &ServiceId) -> BTreeMap<ServiceId, u32> {
    let mut found = BTreeMap::from([(service.clone(), 0)]);
    let mut ring = vec![service.clone()];
    let mut far = 0;
    while !ring.is_empty() {
        far += 1;
        let next: Vec<ServiceId> = ring
            .iter()
            .filter_map(|id| org.services.get(id))
            .flat_map(|service| service.depends_on.iter().cloned())
            .filter(|id| !found.contains_key(id))
            .collect();
        found.extend(next.iter().map(|id| (id.clone(), far)));
        ring = next;
    }
    found
}

/// What was changed before an instant, in an environment, on a service or on what it needs; the likeliest first.
pub fn suspects(state: &State, org: &Org, service: &ServiceId, environment: &str, at: Timestamp) -> Vec<Suspect> {
    if !org.changes.controls(environment) {
        return Vec::new();
    }
    let near = distances(org, service);
    // Every page asks this: what is long over, or elsewhere, is not even copied.
    let open = state.changes.values().filter(|it| it.state >= ChangeState::Implementing);
    let open = open.filter(|it| it.content.environment == environment && near.contains_key(&it.content.service));
    let open = open.filter_map(|it| suspect(&near, &Past::of(it), it.state == ChangeState::Implementing, at));
    let over = state.past.values().filter(|past| past.environment == environment);
    let mut found: Vec<Suspect> = open.chain(over.filter_map(|past| suspect(&near, past, false, at))).collect();
    found.sort_by_key(|one| std::cmp::Reverse((one.points, one.change)));
    found.truncate(TOLD);
    found
}

fn suspect(near: &BTreeMap<ServiceId, u32>, past: &Past, running: bool, at: Timestamp) -> Option<Suspect> {
    let ended = if running { at } else { past.ended };
    let ago = at.since(ended);
    if ago > SUSPECT_FOR {
        return None;
    }
    let far = *near.get(&past.service)?;
    let started = past.started.filter(|started| *started <= at)?;
    let mut points = 0;
    let mut why = Vec::new();
    let mut add = |more: u32, reason: String| {
        points += more;
        why.push(reason);
    };
    match ago {
        _ if running => add(5, format!("it began {} before, and runs", at.since(started).whole())),
        ago if ago <= Span::hours(1) => add(4, format!("it ended {} before", ago.whole())),
        ago if ago <= Span::hours(6) => add(2, format!("it ended {} before", ago.whole())),
        ago => add(1, format!("it ended {} before", ago.whole())),
    }
    match far {
        0 => add(3, "on the same service".to_owned()),
        1 => add(2, format!("on {}, which it needs", past.service)),
        _ => add(1, format!("on {}, {far} steps away", past.service)),
    }
    match past.risk {
        Level::High => add(2, "of high risk".to_owned()),
        Level::Medium => add(1, "of medium risk".to_owned()),
        Level::Low => {}
    }
    if let Some(outcome @ (Outcome::Failed | Outcome::RolledBack)) = past.outcome {
        add(2, outcome.to_string());
    }
    let what = format!("{} {}: {}", past.change, past.service, past.title);
    Some(Suspect { change: past.change, what, why: why.join(", "), points })
}

/// The suspects of an incident.
pub fn of(state: &State, org: &Org, incident: &Incident) -> Vec<Suspect> {
    let environment = super::rules::environment(incident.environment.as_deref().unwrap_or_default());
    suspects(state, org, &incident.service, &environment, incident.opened_at)
}

/// The likeliest one, as a page tells it.
pub fn first(state: &State, org: &Org, incident: &Incident) -> Option<CompactString> {
    let first = of(state, org, incident).into_iter().next()?;
    Some(format!("{} ({})", first.what, first.why).into())
}

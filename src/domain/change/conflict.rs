//! What the calendar says against a change: another one on the same service, on what it needs or what needs it; a
//! freeze; outside of the windows for changes; the same person on two at once. Where nothing is controlled only a freeze
//! that names the place counts. And the next time at which nothing does.

use std::collections::BTreeSet;

use super::content::{Content, Window};
use super::{Change, ChangeState, open, rules, show};
use crate::domain::command::ChangeAsked;
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, ServiceId};
use crate::domain::input::Reply;
use crate::domain::org::Org;
use crate::domain::reject::Reject;
use crate::domain::service::tree::{Graph, Way};
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// So far ahead a free slot is looked for …
const AHEAD: Span = Span::days(60);
/// … in at most so many steps.
const STEPS_MAX: usize = 500;

/// One thing that stands against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What, in words: `in freeze christmas (no changes), until …`.
    pub why: String,
    /// When it is over; `None` where that is not known.
    pub until: Option<Timestamp>,
    /// Whether it is a freeze: then the line is stopped.
    pub freeze: bool,
}

/// The services around one: what it needs, itself included, and what needs it.
struct Around<'o> {
    needs: BTreeSet<&'o ServiceId>,
    needed_by: BTreeSet<&'o ServiceId>,
}

impl<'o> Around<'o> {
    fn of(org: &'o Org, service: &'o ServiceId) -> Self {
        let graph = Graph::new(org);
        let mut needs = graph.all(service, Way::Needs);
        needs.insert(service);
        Self { needs, needed_by: graph.all(service, Way::NeededBy) }
    }
}

/// Everything that stands against carrying out a content within a window. `but` is the change itself.
pub fn find(
    org: &Org,
    state: &State,
    content: &Content,
    window: Window,
    but: Option<ChangeId>,
    now: Timestamp,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    let around = Around::of(org, &content.service);
    let controlled = org.changes.controls(&content.environment);
    if controlled {
        others(org, state, content, window, (but, now), &around, &mut found);
    }
    found.extend(frozen(org, state, content, window, &around.needs));
    if controlled {
        found.extend(closed_window(org, content, window));
    }
    found
}

fn others(
    org: &Org,
    state: &State,
    content: &Content,
    window: Window,
    (but, now): (Option<ChangeId>, Timestamp),
    around: &Around<'_>,
    found: &mut Vec<Conflict>,
) {
    // What a pipeline brings to staging books nobody, and nobody says there when it is over.
    let counts = |it: &&Change| Some(it.id) != but && org.changes.controls(&it.content.environment);
    for other in state.timed_changes().filter(counts) {
        let theirs = match (other.state, other.window(), &other.started) {
            (ChangeState::AwaitingApproval | ChangeState::Scheduled | ChangeState::Requested, Some(theirs), _) => {
                theirs
            }
            // Until it is over.
            (ChangeState::Implementing, planned, Some(started)) => {
                let until = planned.map_or(started.at.after(org.changes.length), |planned| planned.until);
                // One that takes longer than it said is in the way of what would begin now, not of what comes later.
                let late = if window.from <= now { now.after(Span::mins(1)) } else { until };
                Window { from: started.at, until: until.max(late) }
            }
            _ => continue,
        };
        if !theirs.meets(&window) {
            continue;
        }
        let when = format!("<t:{}:f> to <t:{}:f>", theirs.from.unix_secs(), theirs.until.unix_secs());
        let until = Some(theirs.until);
        let (id, service) = (other.id, &other.content.service);
        let doing = if other.state == ChangeState::Implementing { "is being carried out" } else { "is planned" };
        let near = around.needs.contains(service) || around.needed_by.contains(service);
        if near && other.content.environment == content.environment {
            let on = if *service == content.service { "on it".to_owned() } else { format!("on {service}") };
            found.push(Conflict { why: format!("{id} {doing} {on}, {when}"), until, freeze: false });
        } else if let Some(person) = &content.implementer
            && other.content.implementer.as_ref() == Some(person)
        {
            found.push(Conflict { why: format!("{person} carries out {id} then, {when}"), until, freeze: false });
        }
    }
}

/// Why a service is frozen now, if it is; `environment` by its usual word.
pub fn frozen_now(org: &Org, state: &State, service: &ServiceId, environment: &str, now: Timestamp) -> Option<String> {
    let content = Content { service: service.clone(), environment: environment.into(), ..Content::default() };
    let window = Window { from: now, until: now.after(Span::secs(1)) };
    let around = Around::of(org, service);
    frozen(org, state, &content, window, &around.needs).into_iter().next().map(|conflict| conflict.why)
}

fn frozen(
    org: &Org,
    state: &State,
    content: &Content,
    window: Window,
    touched: &BTreeSet<&ServiceId>,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    for freeze in state.freezes.values().filter(|it| it.environment == content.environment) {
        let here = freeze.service.as_ref().is_none_or(|service| touched.contains(service));
        if here && freeze.ends.is_none_or(|ends| window.from < ends) {
            let until =
                freeze.ends.map_or("until somebody ends it".to_owned(), |at| format!("until <t:{}:f>", at.unix_secs()));
            let why = format!("{} is frozen {until}: {}", freeze.what(), freeze.name());
            found.push(Conflict { why, until: freeze.ends, freeze: true });
        }
    }
    for period in &org.changes.freezes {
        let named = match period.environments.as_slice() {
            [] => org.changes.controls(&content.environment),
            some => some.contains(&content.environment),
        };
        let here = period.services.is_empty() || period.services.iter().any(|service| touched.contains(service));
        if let Some(hit) = (named && here).then(|| period.within(&window)).and_then(|hits| hits.into_iter().next()) {
            let (from, until) = (hit.from.unix_secs(), hit.until.unix_secs());
            let why = format!("in the freeze {}, <t:{from}:f> to <t:{until}:f>", period.name());
            found.push(Conflict { why, until: Some(hit.until), freeze: true });
        }
    }
    found
}

/// Where windows are declared for a service, a change has to lie within one.
fn closed_window(org: &Org, content: &Content, window: Window) -> Option<Conflict> {
    let ours = || {
        let named = |it: &&super::period::Period| match it.environments.as_slice() {
            [] => true,
            some => some.contains(&content.environment),
        };
        org.changes.windows.iter().filter(move |it| it.services.contains(&content.service) && named(it))
    };
    ours().next()?;
    let inside = |it: &super::period::Period| {
        it.within(&window).iter().any(|open| open.from <= window.from && window.until <= open.until)
    };
    if ours().any(inside) {
        return None;
    }
    // The first window that begins later and is long enough.
    let ahead = Window { from: window.from, until: window.from.after(AHEAD) };
    let fits = |open: &Window| open.from > window.from && open.length() >= window.length();
    let next = ours().flat_map(|it| it.within(&ahead)).filter(fits).map(|open| open.from).min();
    let names = ours().map(|it| it.id.to_string()).collect::<Vec<_>>().join(", ");
    Some(Conflict { why: format!("outside of the windows for changes ({names})"), until: next, freeze: false })
}

/// The next window of the same length at which nothing stands against it.
pub fn next_free(
    org: &Org,
    state: &State,
    content: &Content,
    from: Window,
    but: Option<ChangeId>,
    now: Timestamp,
) -> Option<Window> {
    let length = from.length();
    let mut at = from.from;
    for _ in 0..STEPS_MAX {
        let window = Window { from: at, until: at.after(length) };
        let found = find(org, state, content, window, but, now);
        if found.is_empty() {
            return Some(window);
        }
        // All of it has to be over; what has no end leaves nothing free.
        let over: Option<Vec<Timestamp>> = found.into_iter().map(|conflict| conflict.until).collect();
        let next = over?.into_iter().max()?;
        if next <= at || next.since(from.from) > AHEAD {
            return None;
        }
        at = next;
    }
    None
}

/// `/change check`: yes or no, each reason, and the next free slot. Writes nothing.
pub fn check(draft: &mut Draft<'_>, asked: ChangeAsked) -> Result<Reply, Reject> {
    let org = draft.org;
    let content = Content {
        service: asked.service.clone().unwrap_or_else(|| org.defaults.service.clone()),
        environment: asked.environment.as_deref().map_or_else(|| rules::PRODUCTION.into(), rules::environment),
        implementer: asked.implementer.clone().or_else(|| draft.person().cloned()),
        ..Content::default()
    };
    let now = Window { from: draft.now, until: draft.now.after(org.changes.length) };
    let window = open::window(draft, &asked.when, None)?.unwrap_or(now);
    let mut why: Vec<String> =
        find(org, draft.state, &content, window, None, draft.now).into_iter().map(|it| it.why).collect();
    let calendar = why.is_empty();
    let at_once = window.from <= draft.now;
    why.extend(super::gate::surroundings(draft, &content).into_iter().filter(|_| at_once).map(|reason| reason.text));
    let when = if at_once { "now".to_owned() } else { format!("at <t:{}:f>", window.from.unix_secs()) };
    let risk = super::risk::assess(org, draft.state, &content, window.from);
    let mut text = if why.is_empty() {
        format!("Yes: {} may be changed {when}, for {}.", content.service, window.length())
    } else {
        format!("No: {} may not be changed {when}.\n- {}", content.service, why.join("\n- "))
    };
    if !calendar {
        let free = next_free(org, draft.state, &content, window, None, draft.now);
        text.push('\n');
        text.push_str(&show::free(free));
    }
    text.push_str(&format!("\nRisk {}: {}", risk.level, show::risk_in_short(&risk)));
    let content = Content { risk: risk.level, ..content };
    text.push_str(&format!("\nA normal change needs {}", show::approvers(org, &content)));
    Ok(Reply::done(text))
}

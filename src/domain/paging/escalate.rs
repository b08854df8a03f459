//! Escalations: which step fires when, whom it pages and why. GoAlert's semantics: step 0 at once, `escalate_after` is
//! the wait after a step, `repeat` runs all steps again, an empty step falls through at once with a warning.

use compact_str::{CompactString, format_compact};

use super::page;
use super::{Escalation, PageState};
use crate::domain::change::suspect;
use crate::domain::delivery::{ChannelRef, Content, Destination, NextPaged, PageContent, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, PageId, PersonId};
use crate::domain::incident::{Incident, IncidentState};
use crate::domain::oncall;
use crate::domain::org::{Org, Policy, Step, Target};
use crate::domain::problem::recurrence::known_error;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// The policy that an incident was opened with by `/page`, else the one that its team runs, or the team that owns its
/// service now; the fallback, or an empty one, where configuration knows none of them.
pub fn policy_of(org: &Org, incident: &Incident) -> Policy {
    if let Some(own) = &incident.own_policy {
        return (**own).clone();
    }
    let of = |team| org.teams.get(team).and_then(|team| org.policies.get(&team.escalation));
    let owner = || org.services.get(&incident.service).and_then(|service| of(&service.team));
    let fallback = || org.defaults.fallback.as_ref().and_then(|id| org.policies.get(id));
    of(&incident.team).or_else(owner).or_else(fallback).cloned().unwrap_or_else(|| Policy {
        id: "none".into(),
        steps: Vec::new(),
        repeat: 0,
        ack_expires: None,
    })
}

/// Starts an escalation at a step and fires that step. Pages that still run go on.
pub fn start(draft: &mut Draft<'_>, id: IncidentId, policy: Policy, step: u8, reason: CompactString) {
    let policy = Box::new(policy);
    draft.emit(Event::EscalationStarted { incident: id, policy, step, reason, held: None, goes_on: false });
    advance(draft, id, None);
}

/// Starts an escalation whose first step waits until then, so that a remedy may help.
pub fn start_held(draft: &mut Draft<'_>, id: IncidentId, policy: Policy, reason: CompactString, until: Timestamp) {
    let (policy, held) = (Box::new(policy), Some(until));
    draft.emit(Event::EscalationStarted { incident: id, policy, step: 0, reason, held, goes_on: false });
}

/// Fires the next step of a running escalation; past the last one the next cycle, past the last cycle the last resort.
/// `asked` says who wanted it before its time.
pub fn advance(draft: &mut Draft<'_>, id: IncidentId, asked: Option<&str>) {
    // Each turn fires a step or falls through an empty one; a whole cycle of empty steps ends the policy.
    let mut fell_through = 0;
    loop {
        let Some(escalation) = draft.incident(id).and_then(|incident| incident.escalation.clone()) else { return };
        let steps = escalation.policy.steps.len();
        let at = usize::from(escalation.step);
        let (step, cycle) = if at < steps {
            (at, escalation.cycle)
        } else if escalation.cycle < escalation.policy.repeat && fell_through < steps {
            (0, escalation.cycle + 1)
        } else {
            return exhaust(draft, id, &escalation);
        };
        let Some(rule) = escalation.policy.steps.get(step) else { return exhaust(draft, id, &escalation) };
        let next = draft.now.after(rule.escalate_after);
        let step_no = u8::try_from(step).unwrap_or(u8::MAX);
        draft.emit(Event::EscalationStepped { incident: id, step: step_no, cycle, next });
        if fire(draft, id, &escalation.policy, rule, step_no, cycle, asked) {
            return;
        }
        fell_through += 1;
        draft.warn(id, format_compact!("step {} of {} reaches nobody", step + 1, escalation.policy.id));
    }
}

/// Pages the targets of one step; whether anybody is reached.
fn fire(
    draft: &mut Draft<'_>,
    id: IncidentId,
    policy: &Policy,
    step: &Step,
    step_no: u8,
    cycle: u8,
    asked: Option<&str>,
) -> bool {
    let next = next_paged(draft.org, draft.incident(id), draft.now);
    let mut reached = false;
    let mut paged: Vec<PersonId> = Vec::new();
    for target in &step.page {
        let why = reason(target, policy, step_no, cycle, asked);
        match target {
            Target::Person(person) => page_once(draft, id, person, &why, next.as_ref(), &mut paged),
            Target::Schedule(schedule) => {
                let Some(known) = draft.org.schedules.get(schedule) else {
                    draft.warn(id, format_compact!("schedule {schedule} is no longer configured"));
                    continue;
                };
                for holder in oncall::holders(known, draft.now) {
                    match holder {
                        Some(shift) => page_once(draft, id, &shift.person, &why, next.as_ref(), &mut paged),
                        None => draft.warn(id, format_compact!("schedule {schedule} has nobody on call")),
                    }
                }
            }
            Target::Channel(_) | Target::Webhook(_) => {
                page::send(draft, id, None, &destination(draft.org, target), &why, next.clone());
                reached = true;
            }
        }
    }
    reached || !paged.is_empty()
}

fn page_once(
    draft: &mut Draft<'_>,
    id: IncidentId,
    person: &PersonId,
    why: &str,
    next: Option<&NextPaged>,
    paged: &mut Vec<PersonId>,
) {
    if !paged.contains(person) && page::open(draft, id, person, why, next.cloned()) {
        paged.push(person.clone());
    }
}

fn destination(org: &Org, target: &Target) -> Destination {
    match target {
        Target::Webhook(webhook) => Destination::Webhook(webhook.clone()),
        Target::Channel(channel) => Destination::Channel(org.channel(channel)),
        // People are paged by their rules, never as a destination of their own.
        Target::Person(_) | Target::Schedule(_) => Destination::Channel(ChannelRef::parse("")),
    }
}

fn reason(target: &Target, policy: &Policy, step: u8, cycle: u8, asked: Option<&str>) -> String {
    let who = match target {
        Target::Person(_) => String::new(),
        Target::Schedule(schedule) => format!("on call for {schedule}, "),
        Target::Channel(channel) => format!("channel {channel}, "),
        Target::Webhook(webhook) => format!("webhook {webhook}, "),
    };
    if let Some((_, asker)) = policy.id.as_str().split_once(AD_HOC) {
        let again = if cycle > 0 { ", again" } else { "" };
        return format!("paged by {asker}{again}");
    }
    let again = if cycle > 0 { format!(", repeat {cycle} of {}", policy.repeat) } else { String::new() };
    let asked = match asked {
        Some(asked) => format!(" ({asked})"),
        None if step > 0 || cycle > 0 => ", nobody has acknowledged".to_owned(),
        None => String::new(),
    };
    format!("{who}step {} of {}{again}{asked}", u16::from(step) + 1, policy.id)
}

/// Who is paged next by a running escalation, and when.
pub fn next_paged(org: &Org, incident: Option<&Incident>, now: Timestamp) -> Option<NextPaged> {
    let escalation = incident?.escalation.as_ref()?;
    let at = escalation.due.max(now);
    let steps = &escalation.policy.steps;
    let step = steps
        .get(usize::from(escalation.step))
        .or_else(|| if escalation.cycle < escalation.policy.repeat { steps.first() } else { None });
    let Some(step) = step else { return Some(NextPaged { who: "the last resort".into(), at }) };
    let mut names: Vec<String> = Vec::new();
    for target in &step.page {
        match target {
            Target::Person(person) => names.push(person.to_string()),
            Target::Schedule(schedule) => {
                let holders = org.schedules.get(schedule).map(|known| oncall::holders(known, at)).unwrap_or_default();
                names.extend(holders.into_iter().flatten().map(|shift| shift.person.to_string()));
            }
            Target::Channel(channel) => names.push(format!("#{}", org.channel(channel).name)),
            Target::Webhook(webhook) => names.push(webhook.to_string()),
        }
    }
    names.dedup();
    let who = if names.is_empty() { "nobody in that step".to_owned() } else { names.join(", ") };
    Some(NextPaged { who: who.into(), at })
}

/// The policy is used up: the team's channel, the fallback policy and the operators are told. Pages that still run
/// go on: only a human (or a recovery) stops them.
fn exhaust(draft: &mut Draft<'_>, id: IncidentId, escalation: &Escalation) {
    expire(draft, id);
    draft.emit(Event::EscalationExhausted { incident: id });
    let policy = &escalation.policy.id;
    let why = format!("last resort: nobody acknowledged through {policy}");
    let team = draft.incident(id).and_then(|incident| draft.org.teams.get(&incident.team));
    let channel = team.and_then(|team| team.channel.clone()).map(Destination::Channel);
    let mut told = Vec::new();
    for to in channel.into_iter().chain(operators(draft.org)) {
        if !told.contains(&to) {
            page::send(draft, id, None, &to, &why, None);
            told.push(to);
        }
    }
    let org = draft.org;
    let fallback = org.defaults.fallback.as_ref().filter(|fallback| *fallback != policy);
    if let Some(fallback) = fallback.and_then(|fallback| org.policies.get(fallback)) {
        // What starts over is short: it is tried again and again.
        let (reason, repeat) = match escalation.reason == UNREACHED {
            true => (UNREACHED.into(), 0),
            false => (format_compact!("{policy} is exhausted"), fallback.repeat),
        };
        let policy = Box::new(Policy { repeat, ..fallback.clone() });
        draft.emit(Event::EscalationStarted { incident: id, policy, step: 0, reason, held: None, goes_on: true });
        advance(draft, id, None);
    }
}

/// The policy is used up and nobody came; something new is a reason to ask again.
pub fn after_last_resort(draft: &mut Draft<'_>, id: IncidentId, why: &str) {
    if given_up(draft, id) {
        let policy = draft.incident(id).map(|incident| policy_of(draft.org, incident));
        policy.into_iter().for_each(|policy| start(draft, id, policy, 0, why.into()));
    }
}

/// Nobody was reached, not by the last resort either: the policy starts over in ten minutes, later in half an hour, as
/// whatever is broken may be mended by then.
pub fn after_nobody(draft: &mut Draft<'_>, id: IncidentId) {
    let Some(incident) = draft.incident(id).filter(|_| given_up(draft, id)) else { return };
    let policy = Policy { repeat: 0, ..policy_of(draft.org, incident) };
    let wait = Span::mins(10 * (i64::from(incident.unreached) + 1).min(3));
    start_held(draft, id, policy, UNREACHED.into(), draft.now.after(wait));
}

/// Whether somebody is wanted, and nothing asks any more.
fn given_up(draft: &Draft<'_>, id: IncidentId) -> bool {
    draft.incident(id).is_some_and(|incident| {
        incident.state == IncidentState::Triggered
            && incident.severity.pages()
            && incident.exhausted_at.is_some()
            && incident.escalation.is_none()
    })
}

/// Ends the pages that have nothing left to try.
fn expire(draft: &mut Draft<'_>, id: IncidentId) {
    let Some(incident) = draft.incident(id) else { return };
    let owes = |n: u32| incident.deliveries.iter().any(|delivery| delivery.page == Some(n) && delivery.owed());
    let over = incident.pages.iter().filter(|page| page.state.running() && page.next.is_none() && !owes(page.n));
    let over: Vec<PageId> = over.map(|page| page.id(id)).collect();
    for page in over {
        draft.emit(Event::PageEnded { page, state: PageState::Expired, reason: "nobody acknowledged".into() });
    }
}

/// Everywhere that the operators are told: each of them by every method, their webhooks, their channel.
pub fn operators(org: &Org) -> Vec<Destination> {
    let mut to = Vec::new();
    for person in &org.operators.people {
        let mut methods = Vec::new();
        for rule in org.rules(person, true).iter().chain(org.rules(person, false)) {
            if !methods.contains(&rule.method) {
                methods.push(rule.method);
                to.push(Destination::Person { person: person.clone(), method: rule.method });
            }
        }
    }
    to.extend(org.operators.webhooks.iter().cloned().map(Destination::Webhook));
    to.extend(org.operators.channel.iter().map(|channel| Destination::Channel(org.channel(channel))));
    to
}

/// Nobody needs to be paged about an incident any more.
pub fn stop(draft: &mut Draft<'_>, id: IncidentId, state: PageState, reason: &str) {
    end_pages(draft, id, state, reason);
    if draft.incident(id).is_some_and(|incident| incident.escalation.is_some()) {
        draft.emit(Event::EscalationStopped { incident: id, reason: reason.into() });
    }
}

/// Ends every running page, and pages to channels and webhooks that have not started.
fn end_pages(draft: &mut Draft<'_>, id: IncidentId, state: PageState, reason: &str) {
    let Some(incident) = draft.incident(id) else { return };
    let running: Vec<PageId> =
        incident.pages.iter().filter(|page| page.state.running()).map(|page| page.id(id)).collect();
    let loose: Vec<_> = incident
        .deliveries
        .iter()
        .filter(|delivery| delivery.page.is_none() && delivery.is_page() && delivery.owed())
        .map(|delivery| delivery.id.clone())
        .collect();
    for page in running {
        draft.emit(Event::PageEnded { page, state, reason: reason.into() });
    }
    for delivery in loose {
        draft.emit(Event::DeliveryCancelled { delivery, incident: Some(id), reason: reason.into() });
    }
}

/// What a page about an incident says.
pub fn content(state: &State, org: &Org, incident: &Incident, reason: &str, next: Option<NextPaged>) -> Content {
    Content::Page(PageContent {
        title: incident.title.clone(),
        severity: incident.severity,
        service: incident.service.clone(),
        unrouted: incident.unrouted,
        reason: reason.into(),
        next,
        known_error: known_error(state, incident).map(|(problem, helps)| format_compact!("{problem}: {helps}")),
        suspect: suspect::first(state, org, incident),
    })
}

/// How urgent pages about an incident are.
pub fn priority(incident: &Incident) -> Priority {
    if incident.severity.high_urgency() { Priority::CriticalPage } else { Priority::Page }
}

/// Stands in the name of a policy made for one `/page`, before the name of who asked; no configured one has it.
pub const AD_HOC: &str = "page:";
/// The wait after a step of a policy made for one `/page`.
pub const AD_HOC_WAIT: Span = Span::mins(10);
/// Why an escalation starts over that has reached nobody.
pub const UNREACHED: &str = "nobody could be reached";

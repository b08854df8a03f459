//! The life of an incident:
//!
//! | from | by | to |
//! |---|---|---|
//! | – | an alert, `/incident declare`, `/page` | triggered |
//! | triggered | acknowledge, snooze | acknowledged |
//! | acknowledged | hand back, the acknowledgement expires, escalate | triggered |
//! | triggered, acknowledged | mitigate | mitigated |
//! | triggered, acknowledged, mitigated | resolve, all alerts recovered | resolved |
//! | resolved | close, its time | closed |
//! | resolved, closed | reopen | triggered |
//!
//! Only triggered incidents escalate. Who may do it has been asked before these functions are called.

use compact_str::{CompactString, format_compact};

use super::assess::Assessed;
use super::record::{Incident, IncidentState, Resolution, RoleName, Severity};
use super::remind;
use crate::domain::draft::Draft;
use crate::domain::event::{Event, IncidentOpened};
use crate::domain::id::{IncidentId, PersonId, ServiceId, TeamId};
use crate::domain::input::{Place, Reply};
use crate::domain::org::Policy;
use crate::domain::paging::{PageState, escalate, page};
use crate::domain::playbook::remedy;
use crate::domain::postmortem;
use crate::domain::problem::recurrence;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::silence::hold;
use crate::domain::time::{Span, Timestamp};

/// The severity of an incident that is declared without one: somebody thought it worth saying.
const DECLARED_SEVERITY: Severity = Severity::Sev2;

/// What makes an incident that no alert opened.
pub struct Declaration<'a> {
    /// What is wrong.
    pub title: &'a str,
    /// What it is about.
    pub service: Option<ServiceId>,
    /// Who owns it, where that is not the service's team.
    pub team: Option<TeamId>,
    /// How bad.
    pub severity: Option<Severity>,
    /// The impact and urgency that the severity follows from.
    pub assessed: Option<Assessed>,
    /// Whether only those see it who are invited or paged.
    pub private: bool,
    /// Where it was said.
    pub place: &'a Place,
    /// Whom to page instead of the policy of the service's team.
    pub policy: Option<Policy>,
}

/// Opens an incident by a person's word.
pub fn declare(draft: &mut Draft<'_>, declaration: Declaration<'_>) -> IncidentId {
    let incident = draft.next_incident();
    let service = declaration.service.unwrap_or_else(|| draft.org.defaults.service.clone());
    let owner = || draft.org.services.get(&service).map(|known| known.team.clone()).unwrap_or_default();
    let team: TeamId = declaration.team.unwrap_or_else(owner);
    draft.emit(Event::IncidentOpened(Box::new(IncidentOpened {
        incident,
        title: declaration.title.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect(),
        service,
        team,
        severity: declaration.severity.unwrap_or(DECLARED_SEVERITY),
        group: CompactString::default(),
        environment: None,
        unrouted: false,
        place: Some(declaration.place.clone()),
        private: declaration.private,
        assessed: declaration.assessed,
    })));
    let reason = format_compact!("declared by {}", draft.actor());
    match declaration.policy {
        Some(policy) => begin_with(draft, incident, policy, reason, None),
        None => begin(draft, incident, reason),
    }
    incident
}

/// What follows from a new incident: the team's policy runs, the team's channel is told.
pub fn begin(draft: &mut Draft<'_>, id: IncidentId, reason: CompactString) {
    let Some(incident) = draft.incident(id) else { return };
    let policy = escalate::policy_of(draft.org, incident);
    begin_with(draft, id, policy, reason, None);
}

/// The same; where a remedy is tried first, people are paged when it has had its time.
pub fn begin_held(draft: &mut Draft<'_>, id: IncidentId, reason: CompactString, held: Option<Timestamp>) {
    let Some(incident) = draft.incident(id) else { return };
    let policy = escalate::policy_of(draft.org, incident);
    begin_with(draft, id, policy, reason, held);
}

fn begin_with(draft: &mut Draft<'_>, id: IncidentId, policy: Policy, reason: CompactString, held: Option<Timestamp>) {
    let Some(incident) = draft.incident(id) else { return };
    match held {
        _ if !incident.severity.pages() => {}
        Some(until) => escalate::start_held(draft, id, policy, reason, until),
        None => escalate::start(draft, id, policy, 0, reason),
    }
    // What opens by itself can be a storm of alerts: nothing is worded that nobody reads.
    let Some(incident) = draft.incident(id).filter(|incident| draft.channel(incident).is_some()) else { return };
    let text = format!("{}\n{}", super::show::headline(incident), super::show::who_is_paged(incident));
    draft.announce(id, text);
}

/// Somebody takes it. `snooze`: only for so long.
pub fn acknowledge(draft: &mut Draft<'_>, id: IncidentId, snooze: Option<Span>) {
    let Some(incident) = draft.incident(id) else { return };
    let expires_after = incident.escalation.as_ref().and_then(|escalation| escalation.policy.ack_expires);
    let expires_after = expires_after.or_else(|| escalate::policy_of(draft.org, incident).ack_expires);
    let expires: Option<Timestamp> = snooze.or(expires_after).map(|span| draft.now.after(span));
    draft.emit(Event::IncidentAcknowledged { incident: id, expires, snoozed: snooze.is_some() });
    let (reason, until) = match snooze {
        Some(span) => {
            (format!("snoozed by {}", draft.actor()), format!(" until <t:{}:t>", draft.now.after(span).unix_secs()))
        }
        None => (format!("acknowledged by {}", draft.actor()), String::new()),
    };
    escalate::stop(draft, id, PageState::Acknowledged, &reason);
    remind::restart(draft, id);
    draft.post(id, format!("{id}: {reason}{until}."));
}

/// `/ack`, and its button.
pub fn ack(draft: &mut Draft<'_>, id: IncidentId) -> Result<Reply, Reject> {
    let incident = draft.open(id)?;
    match incident.state {
        IncidentState::Triggered => {
            acknowledge(draft, id, None);
            let expires = draft.incident(id).and_then(|incident| incident.ack_expires);
            let until = expires.map(|at| format!(" It counts until <t:{}:t>.", at.unix_secs())).unwrap_or_default();
            let command = draft.incident(id).and_then(super::show::wants_commander).unwrap_or_default();
            Ok(Reply::done(format!(
                "{id} acknowledged: nobody else is paged.{until}{command}\nNext: /incident update {id} \"…\", then /resolve {id}"
            ))
            .about(id))
        }
        IncidentState::Acknowledged | IncidentState::Mitigated => {
            let has_it = has_it(incident);
            if end_own_pages(draft, id, PageState::Acknowledged, &format!("acknowledged by {}", draft.actor())) {
                return Ok(Reply::done(format!(
                    "{id} no longer pages you; it is {has_it}.\nRead on: /incident show {id}"
                ))
                .about(id));
            }
            Ok(Reply::done(format!("{id} is already {has_it}. Nothing changed.")).about(id))
        }
        IncidentState::Resolved | IncidentState::Closed => Err(already_over(incident)),
    }
}

/// More incidents than this are not taken at once: one input is one commit.
const ACK_ALL_MAX: usize = 100;

/// `/ack all`: everything that pages whoever asks.
pub fn ack_all(draft: &mut Draft<'_>) -> Result<Reply, Reject> {
    let Some(person) = draft.person() else {
        return Err(Reject::new(RejectCode::NotAllowed, "Only a person can do that."));
    };
    let pages = |incident: &&Incident| {
        incident.state == IncidentState::Triggered
            && incident.pages.iter().any(|page| page.state.running() && page.person == *person)
    };
    let all = draft.state.all_open_incidents().filter(pages);
    let (ids, titles): (Vec<IncidentId>, Vec<String>) =
        all.take(ACK_ALL_MAX).map(|incident| (incident.id, super::show::headline(incident))).unzip();
    let Some(first) = ids.first() else {
        return Err(Reject::new(RejectCode::Conflict, "Nothing pages you.")
            .hint("What is open: /incident list. To take one: /ack INC-n"));
    };
    for id in &ids {
        acknowledge(draft, *id, None);
    }
    let next = format!("Next: /incident update {first} \"…\", then /resolve {first}");
    let reply =
        Reply::done(format!("{} acknowledged: nobody else is paged.\n{}\n{next}", ids.len(), titles.join("\n")));
    Ok(ids.iter().fold(reply, |reply, id| reply.about(*id)))
}

/// `acknowledged by cleo 1m ago`, `mitigated 5m ago, cleo has it`.
fn has_it(incident: &Incident) -> String {
    let since = |at: Timestamp| format!(" <t:{}:R>", at.unix_secs());
    let whose = incident.holder.as_ref().map_or("somebody".to_owned(), |holder| holder.actor.to_string());
    if incident.state == IncidentState::Mitigated {
        format!("mitigated{}, {whose} has it", incident.mitigated_at.map(since).unwrap_or_default())
    } else {
        let at = incident.holder.as_ref().map(|holder| since(holder.since)).unwrap_or_default();
        format!("acknowledged by {whose}{at}")
    }
}

/// Ends the pages of whoever asks; whether there were any.
fn end_own_pages(draft: &mut Draft<'_>, id: IncidentId, state: PageState, reason: &str) -> bool {
    let (Some(person), Some(incident)) = (draft.person(), draft.incident(id)) else { return false };
    let own: Vec<_> = incident
        .pages
        .iter()
        .filter(|page| page.person == *person && page.state.running())
        .map(|page| page.id(id))
        .collect();
    for page in &own {
        draft.emit(Event::PageEnded { page: *page, state, reason: reason.into() });
    }
    !own.is_empty()
}

fn already_over(incident: &Incident) -> Reject {
    let id = incident.id;
    let at = incident.resolved_at.map(|at| format!(" <t:{}:R>", at.unix_secs())).unwrap_or_default();
    let how = incident.resolution.map(|how| format!(" as {how}")).unwrap_or_default();
    Reject::new(RejectCode::Conflict, format!("{id} was resolved{how}{at}."))
        .hint(format!("If it is not over: /incident reopen {id}"))
}

/// An incident that is neither resolved nor closed.
fn unresolved<'d>(draft: &'d Draft<'_>, id: IncidentId) -> Result<&'d Incident, Reject> {
    let incident = draft.open(id)?;
    if incident.state.open() { Ok(incident) } else { Err(already_over(incident)) }
}

/// `/snooze`: hold back its pages for a while.
pub fn snooze(draft: &mut Draft<'_>, id: IncidentId, span: Span) -> Result<Reply, Reject> {
    if unresolved(draft, id)?.state == IncidentState::Mitigated {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{id} is mitigated: it pages nobody, so there is nothing to snooze."),
        )
        .hint(format!("When the cause is gone: /resolve {id}. If it is not over: /incident escalate {id}")));
    }
    acknowledge(draft, id, Some(span));
    let until = draft.now.after(span).unix_secs();
    Ok(Reply::done(format!("{id} is snoozed: it pages again <t:{until}:R> unless it is resolved. /resolve {id}"))
        .about(id))
}

/// The button "Can't": the next step is paged at once.
pub fn cant(draft: &mut Draft<'_>, id: IncidentId) -> Result<Reply, Reject> {
    let triggered = unresolved(draft, id)?.state == IncidentState::Triggered;
    let reason = format!("{} can't", draft.actor());
    if !triggered {
        // Somebody has it; whoever was asked to help need not.
        if end_own_pages(draft, id, PageState::Cancelled, &reason) {
            return Ok(Reply::done(format!("Understood: {id} no longer pages you.")).about(id));
        }
        return ack(draft, id);
    }
    // After the last resort nobody's page runs any more, and "Can't" still has to reach somebody else.
    let late = draft.incident(id).is_some_and(|incident| {
        incident.exhausted_at.is_some() && draft.person().is_some_and(|person| incident.involves(person))
    });
    if !end_own_pages(draft, id, PageState::Cancelled, &reason) && !late {
        // Also the second tap: the first one has paged the next step already.
        return Ok(Reply::done(format!(
            "{id} does not page you. Nothing changed. {}\nTo page the next step now: /incident escalate {id}",
            paged_now(draft, id)
        ))
        .about(id));
    }
    let incident = draft.open(id)?;
    if incident.escalation.is_some() {
        escalate::advance(draft, id, Some(&reason));
    } else if incident.severity.pages() {
        return escalate(draft, id);
    }
    Ok(Reply::done(format!("Understood. {}", paged_now(draft, id))).about(id))
}

/// `/incident escalate`: the next step is paged at once.
pub fn escalate(draft: &mut Draft<'_>, id: IncidentId) -> Result<Reply, Reject> {
    let incident = unresolved(draft, id)?;
    let asked = format!("escalated by {}", draft.actor());
    if incident.escalation.is_some() {
        escalate::advance(draft, id, Some(&asked));
    } else {
        // After an acknowledgement (or the last resort) escalation goes on behind the step that fired last.
        let policy = escalate::policy_of(draft.org, incident);
        let steps = policy.steps.len();
        let next = incident.last_step.map_or(0, |last| usize::from(last) + 1);
        let step = u8::try_from(if next < steps { next } else { 0 }).unwrap_or(0);
        if incident.state != IncidentState::Triggered {
            draft.emit(Event::IncidentUnacknowledged { incident: id, reason: asked.as_str().into() });
        }
        escalate::start(draft, id, policy, step, asked.into());
    }
    Ok(Reply::done(format!("{id} escalated. {}", paged_now(draft, id))).about(id))
}

fn paged_now(draft: &Draft<'_>, id: IncidentId) -> String {
    draft.incident(id).map(super::show::who_is_paged).unwrap_or_default()
}

/// The button "Hand back": nobody has it any more, the escalation starts over.
pub fn hand_back(draft: &mut Draft<'_>, id: IncidentId) -> Result<Reply, Reject> {
    let incident = unresolved(draft, id)?;
    if incident.state != IncidentState::Acknowledged {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{id} is {}, so there is nothing to hand back.", incident.state),
        )
        .hint(format!("To page the next step: /incident escalate {id}")));
    }
    let reason = format_compact!("handed back by {}", draft.actor());
    restart(draft, id, reason);
    Ok(Reply::done(format!("{id} handed back. {}", paged_now(draft, id))).about(id))
}

/// Nobody has it any more: the team's policy of today starts over.
pub fn restart(draft: &mut Draft<'_>, id: IncidentId, reason: CompactString) {
    draft.emit(Event::IncidentUnacknowledged { incident: id, reason: reason.clone() });
    let Some(incident) = draft.incident(id) else { return };
    if incident.severity.pages() {
        let policy = escalate::policy_of(draft.org, incident);
        escalate::start(draft, id, policy, 0, reason.clone());
    }
    draft.announce(id, format!("{id}: {reason}. {}", paged_now(draft, id)));
}

/// An acknowledgement has run out.
pub fn ack_expired(draft: &mut Draft<'_>, id: IncidentId) {
    let Some(incident) = draft.incident(id) else { return };
    let reason = match &incident.holder {
        Some(holder) if holder.snoozed => format_compact!("the snooze of {} is over", holder.actor),
        Some(holder) => format_compact!("the acknowledgement of {} expired", holder.actor),
        None => "the acknowledgement expired".into(),
    };
    restart(draft, id, reason);
}

/// `/incident mitigate`.
pub fn mitigate(draft: &mut Draft<'_>, id: IncidentId) -> Result<Reply, Reject> {
    let incident = unresolved(draft, id)?;
    if incident.state == IncidentState::Mitigated {
        return Ok(Reply::done(format!("{id} is already mitigated. Next: /resolve {id}")).about(id));
    }
    if incident.state == IncidentState::Triggered {
        acknowledge(draft, id, None);
    }
    draft.emit(Event::IncidentMitigated { incident: id });
    draft.post(id, format!("{id}: mitigated by {}; the impact is over.", draft.actor()));
    Ok(Reply::done(format!("{id} is mitigated. When the cause is gone: /resolve {id}")).about(id))
}

/// It is over: paging stops, its alerts are resolved with it.
pub fn resolve(draft: &mut Draft<'_>, id: IncidentId, how: Resolution, text: Option<&str>) {
    let closes = draft.now.after(draft.org.defaults.close_after);
    draft.emit(Event::IncidentResolved { incident: id, resolution: how, text: text.map(CompactString::from), closes });
    let (why, told) = if how == Resolution::Recovered && draft.person().is_none() {
        ("all alerts have recovered".to_owned(), "all alerts have recovered, so it is resolved".to_owned())
    } else {
        (format!("resolved by {}", draft.actor()), format!("resolved as {how} by {}", draft.actor()))
    };
    escalate::stop(draft, id, PageState::Cancelled, &why);
    remind::stop(draft, id, &why);
    let said = text.map(|text| format!(": {text}")).unwrap_or_else(|| ".".to_owned());
    draft.announce(id, format!("{id}: {told}{said}"));
    postmortem::life::resolved(draft, id);
    recurrence::resolved(draft, id);
}

/// `/resolve`, and its button.
pub fn resolve_by_person(
    draft: &mut Draft<'_>,
    id: IncidentId,
    how: Option<Resolution>,
    text: Option<&str>,
) -> Result<Reply, Reject> {
    let incident = draft.open(id)?;
    if !incident.state.open() {
        let how = incident.resolution.map(|how| format!(" as {how}")).unwrap_or_default();
        let at = incident.resolved_at.map(|at| format!(" <t:{}:R>", at.unix_secs())).unwrap_or_default();
        return Ok(Reply::done(format!("{id} was already resolved{how}{at}. Nothing changed.")).about(id));
    }
    let how = how.unwrap_or(Resolution::Fixed);
    let fires = match incident.alerts_firing {
        0 => "",
        1 => "\nIts alert still fires: if it is sent again, it opens a new incident.",
        _ => "\nAlerts of it still fire: if they are sent again, they open a new incident.",
    };
    resolve(draft, id, how, text);
    let closes = draft.incident(id).and_then(|incident| incident.closes);
    let closes = closes.map(|at| format!(" It closes <t:{}:R>.", at.unix_secs())).unwrap_or_default();
    let drafted = draft.incident(id).is_some_and(|incident| incident.postmortem().is_some());
    let next = if drafted { "Its postmortem: /postmortem show" } else { "Read what happened: /incident timeline" };
    Ok(Reply::done(format!("{id} resolved as {how}.{closes}{fires}\n{next} {id}")).about(id))
}

/// `/incident reopen`.
pub fn reopen(draft: &mut Draft<'_>, id: IncidentId, text: Option<&str>) -> Result<Reply, Reject> {
    let incident = draft.any(id)?;
    if incident.state.open() {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is {}: it is not over yet.", incident.state))
            .hint(format!("See it: /incident show {id}")));
    }
    let revived = if draft.incident(id).is_some() { None } else { draft.closed(id).cloned().map(Box::new) };
    draft.emit(Event::IncidentReopened { incident: id, revived });
    if let Some(text) = text {
        draft.emit(Event::IncidentNoted { incident: id, text: text.into() });
    }
    begin(draft, id, format_compact!("reopened by {}", draft.actor()));
    Ok(Reply::done(format!("{id} is open again. {}\nTake it: /ack {id}", paged_now(draft, id))).about(id))
}

/// `/incident close`. Other tools end an incident by this word: where it is said how it ended, it is resolved as well.
pub fn close(
    draft: &mut Draft<'_>,
    id: IncidentId,
    how: Option<Resolution>,
    text: Option<&str>,
) -> Result<Reply, Reject> {
    let incident = draft.any(id)?;
    match incident.state {
        IncidentState::Closed => Ok(Reply::done(format!("{id} is already closed. Nothing changed.")).about(id)),
        IncidentState::Resolved => {
            draft.emit(Event::IncidentClosed { incident: id });
            Ok(Reply::done(format!("{id} closed. Its record stays: /incident show {id}")).about(id))
        }
        state => match how {
            Some(how) => {
                resolve(draft, id, how, text);
                draft.emit(Event::IncidentClosed { incident: id });
                Ok(Reply::done(format!("{id} resolved as {how} and closed. Its record stays: /incident show {id}"))
                    .about(id))
            }
            None => Err(Reject::new(
                RejectCode::Conflict,
                format!("{id} is {state}: only a resolved incident can be closed. To close says that its record is complete."),
            )
            .hint(format!(
                "Is it over? /resolve {id} fixed \"what was done\": it then closes of itself after {}. Both at once: /incident close {id} fixed",
                draft.org.defaults.close_after
            ))),
        },
    }
}

/// Sets how bad it is; `reason` where an alert did and no person.
pub fn change_severity(
    draft: &mut Draft<'_>,
    id: IncidentId,
    severity: Severity,
    reason: Option<CompactString>,
    assessed: Option<Assessed>,
) {
    let Some(before) = draft.incident(id).map(|incident| incident.severity) else { return };
    draft.emit(Event::IncidentSeveritySet { incident: id, severity, reason: reason.clone(), assessed });
    let from = assessed.map(|assessed| format!(" ({assessed})")).unwrap_or_default();
    let why = reason.unwrap_or_else(|| format_compact!("set by {}", draft.actor()));
    draft.post(id, format!("{id}: severity {before} → {severity}{from}, {why}."));
    remind::restart(draft, id);
    let Some(incident) = draft.incident(id) else { return };
    let more_urgent = (severity.high_urgency() && !before.high_urgency()) || (severity.pages() && !before.pages());
    // It was put off for what it was then.
    if more_urgent && hold::snoozed_by_another(draft, id) {
        return restart(draft, id, format_compact!("severity raised to {severity}, {why}"));
    }
    if incident.state != IncidentState::Triggered {
        return;
    }
    // Whoever was reached by the gentle rules is reached again by the urgent ones.
    if !severity.pages() {
        escalate::stop(draft, id, PageState::Cancelled, &format!("severity {severity} pages nobody"));
    } else if more_urgent {
        let policy = escalate::policy_of(draft.org, incident);
        escalate::start(draft, id, policy, 0, format_compact!("severity raised to {severity}, {why}"));
    } else if severity < before {
        remedy::page_now(draft, id, &format!("severity raised to {severity}, {why}"));
    }
}

/// `/incident severity`.
pub fn severity(
    draft: &mut Draft<'_>,
    id: IncidentId,
    severity: Severity,
    assessed: Option<Assessed>,
) -> Result<Reply, Reject> {
    let incident = draft.open(id)?;
    let from = assessed.map(|assessed| format!(" ({assessed})")).unwrap_or_default();
    if incident.severity == severity {
        return Ok(Reply::done(format!("{id} is already {severity}{from}. Nothing changed.")).about(id));
    }
    let before = incident.severity;
    change_severity(draft, id, severity, None, assessed);
    let text = format!("{id}: severity {before} → {severity}{from}. {}", paged_now(draft, id));
    Ok(Reply::done(text.trim_end().to_owned()).about(id))
}

/// `/incident role`.
pub fn role(draft: &mut Draft<'_>, id: IncidentId, role: RoleName, person: &PersonId) -> Result<Reply, Reject> {
    unresolved(draft, id)?;
    draft.emit(Event::IncidentRoleSet { incident: id, role, person: Some(person.clone()) });
    let text = format!("{id}: {person} is {}.", role.as_str());
    draft.post(id, text.clone());
    Ok(Reply::done(text).about(id))
}

/// `/incident note`.
pub fn note(draft: &mut Draft<'_>, id: IncidentId, text: &str) -> Result<Reply, Reject> {
    draft.open(id)?;
    draft.emit(Event::IncidentNoted { incident: id, text: text.into() });
    Ok(Reply::done(format!("Noted on {id}. Read it back: /incident timeline {id}")).about(id))
}

/// `/incident update`.
pub fn update(draft: &mut Draft<'_>, id: IncidentId, text: &str) -> Result<Reply, Reject> {
    let incident = draft.open(id)?;
    let told = format!("{id} ({}, {}): {text} — {}", incident.severity, incident.state, draft.actor());
    draft.emit(Event::IncidentUpdated { incident: id, text: text.into() });
    remind::restart(draft, id);
    draft.announce(id, told);
    Ok(Reply::done(format!("{id} updated. When it is over: /resolve {id}")).about(id))
}

/// `/page` about an incident: one more person, whatever the escalation does.
pub fn page_person(
    draft: &mut Draft<'_>,
    id: IncidentId,
    person: &PersonId,
    text: Option<&str>,
) -> Result<Reply, Reject> {
    unresolved(draft, id)?;
    let said = text.map(|text| format!(": {text}")).unwrap_or_default();
    let why = format!("paged by {}{said}", draft.actor());
    if page::open(draft, id, person, &why, None) {
        Ok(Reply::done(format!("{person} is paged about {id}. Who was paged: /incident pages {id}")).about(id))
    } else {
        Err(Reject::new(RejectCode::Conflict, format!("{person} cannot be reached: no notification rules."))
            .hint(format!("Page the next step instead: /incident escalate {id}")))
    }
}

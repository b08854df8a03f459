//! Summaries: posts at set times (`[[summary]]`). Here: when one is due, what State keeps for them, and what they are
//! told by; how they read stands in `playbooks/summaries/`, and set times are `cron`'s.

use std::collections::BTreeMap;

use compact_str::CompactString;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};

use crate::domain::delivery::{Content, Destination, Method, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, ServiceId};
use crate::domain::incident::{Incident, IncidentState, Resolution, Severity};
use crate::domain::oncall;
use crate::domain::org::{Org, Schedule, Summary};
use crate::domain::paging::escalate;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// The text of a daily status.
const DAILY: &str = include_str!("../../../playbooks/summaries/daily.md");
/// Steps that a template may take; the longest daily status takes a tenth of it.
const FUEL: u64 = 50_000;
/// Lines of one kind; more are counted.
const LINES_MAX: usize = 10;
/// Characters of a title in a line.
const TITLE_MAX: usize = 100;
/// Resolved incidents that are kept for the next summary.
const RESOLVED_MAX: usize = 100;
/// A summary that is posted later than this says that it is late.
const GRACE: Span = Span::mins(5);

/// What State keeps for summaries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// What is planned, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub planned: BTreeMap<CompactString, Planned>,
    /// What was resolved since the oldest of the last summaries, oldest first; at most `RESOLVED_MAX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved: Vec<Resolved>,
}

/// A summary that will be posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its cron expression, as planned.
    pub cron: CompactString,
    /// Its zone's name, as planned.
    pub zone: CompactString,
    /// When it is due.
    pub next: Timestamp,
    /// When the last one was posted, or it was first planned.
    pub since: Timestamp,
    /// The commit of that.
    pub seq: u64,
}

/// An incident that was resolved; it may have left State since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The commit that resolved it.
    pub seq: u64,
    /// Which.
    pub incident: IncidentId,
    /// How bad it was.
    pub severity: Severity,
    /// What it was about.
    pub service: ServiceId,
    /// How it ended.
    pub resolution: Option<Resolution>,
    /// From its beginning to the first acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Span>,
    /// From its beginning to the end of its impact.
    pub restored: Span,
}

impl Resolved {
    /// What is kept of an incident that was just resolved by a commit.
    pub fn of(incident: &Incident, seq: u64, at: Timestamp) -> Self {
        Self {
            seq,
            incident: incident.id,
            severity: incident.severity,
            service: incident.service.clone(),
            resolution: incident.resolution,
            acknowledged: incident.acknowledged_at.map(|acked| acked.since(incident.opened_at)),
            restored: incident.mitigated_at.unwrap_or(at).since(incident.opened_at),
        }
    }
}

impl Book {
    /// The first that is due, by (due, name).
    pub fn first(&self) -> Option<(&CompactString, &Planned)> {
        self.planned.iter().min_by_key(|(id, planned)| (planned.next, *id))
    }

    /// Applies an event about summaries.
    pub fn apply(&mut self, event: &Event, seq: u64, at: Timestamp) {
        match event {
            Event::SummaryPlanned { summary, cron, zone, next } => {
                let (cron, zone, next) = (cron.clone(), zone.clone(), *next);
                // An edited one goes on from its last post.
                let (since, seq) = self.planned.get(summary).map_or((at, seq), |known| (known.since, known.seq));
                self.planned.insert(summary.clone(), Planned { cron, zone, next, since, seq });
            }
            Event::SummaryDropped { summary } => {
                self.planned.remove(summary);
            }
            Event::SummaryPosted { summary, next, .. } => match (next, self.planned.get_mut(summary)) {
                (Some(next), Some(planned)) => (planned.next, planned.since, planned.seq) = (*next, at, seq),
                _ => {
                    self.planned.remove(summary);
                }
            },
            _ => return,
        }
        let told = self.planned.values().map(|planned| planned.seq).min().unwrap_or(u64::MAX);
        self.resolved.retain(|resolved| resolved.seq > told);
    }

    /// Keeps what was resolved, if a summary will tell it.
    pub fn keep(&mut self, resolved: Resolved) {
        if self.planned.is_empty() {
            return;
        }
        self.forget(resolved.incident);
        if self.resolved.len() >= RESOLVED_MAX {
            self.resolved.remove(0);
        }
        self.resolved.push(resolved);
    }

    /// It was not over.
    pub fn forget(&mut self, incident: IncidentId) {
        self.resolved.retain(|resolved| resolved.incident != incident);
    }
}

/// Compares what is planned with what is declared: new and edited summaries are planned, others dropped.
pub fn plan(draft: &mut Draft<'_>) {
    let (org, planned) = (draft.org, &draft.state.meta.summaries.planned);
    for id in planned.keys().filter(|id| !org.summaries.contains_key(*id)) {
        draft.emit(Event::SummaryDropped { summary: id.clone() });
    }
    for (id, summary) in &org.summaries {
        let (cron, zone) = (summary.cron.as_str(), summary.zone.name());
        let known = planned.get(id);
        if known.is_some_and(|known| known.cron == cron && known.zone == zone) {
            continue;
        }
        match summary.cron.next_after(draft.now, summary.zone) {
            Some(next) => {
                let (summary, cron, zone) = (id.clone(), cron.into(), zone.into());
                draft.emit(Event::SummaryPlanned { summary, cron, zone, next });
            }
            None if known.is_some() => draft.emit(Event::SummaryDropped { summary: id.clone() }),
            None => {}
        }
    }
}

/// Posts the first summary that is due. Its next one is due after now, so that of several that were missed only one is
/// posted, late.
pub fn due(draft: &mut Draft<'_>) {
    let (state, org, now) = (draft.state, draft.org, draft.now);
    let Some((id, planned)) = state.meta.summaries.first().filter(|(_, planned)| planned.next <= now) else { return };
    let Some(summary) = org.summaries.get(id) else {
        draft.emit(Event::SummaryDropped { summary: id.clone() });
        return;
    };
    let facts = facts(state, org, planned, now);
    let quiet = summary.quiet_when_empty && facts.nothing_to_say();
    let next = summary.cron.next_after(now, summary.zone);
    draft.emit(Event::SummaryPosted { summary: id.clone(), due: planned.next, next, quiet });
    if quiet {
        return;
    }
    let text = written(DAILY, &facts);
    for to in destinations(org, summary) {
        draft.owe(None, None, to, Priority::Post, Content::Post { text: text.clone() });
    }
}

/// Its channel. Without a chat, what the operators have instead that wakes nobody: their webhooks and mail.
fn destinations(org: &Org, summary: &Summary) -> Vec<Destination> {
    if org.chat_connected {
        return vec![Destination::Channel(org.channel(&summary.channel))];
    }
    let silent = |to: &Destination| {
        matches!(to, Destination::Webhook(_) | Destination::Person { method: Method::Email | Method::Webhook, .. })
    };
    escalate::operators(org).into_iter().filter(silent).collect()
}

/// What a template is told.
#[derive(Serialize)]
struct Facts {
    due: String,
    now: String,
    since: String,
    late: bool,
    open: Vec<OpenLine>,
    open_count: usize,
    pages: Vec<PageLine>,
    pages_count: usize,
    unrouted: Vec<String>,
    unrouted_count: usize,
    resolved: Vec<ResolvedLine>,
    resolved_count: usize,
    resolved_capped: bool,
    oncall: Vec<DutyLine>,
    oncall_count: usize,
}

#[derive(Serialize)]
struct OpenLine {
    id: String,
    severity: String,
    service: String,
    title: String,
    state: String,
    whose: String,
    opened: String,
}

#[derive(Serialize)]
struct PageLine {
    person: String,
    incident: String,
    since: String,
}

#[derive(Serialize)]
struct ResolvedLine {
    id: String,
    severity: String,
    service: String,
    title: String,
    resolution: String,
    acknowledged: String,
    restored: String,
}

#[derive(Serialize)]
struct DutyLine {
    schedule: String,
    now: String,
    next: String,
}

impl Facts {
    fn nothing_to_say(&self) -> bool {
        self.open_count == 0 && self.pages_count == 0 && self.resolved_count == 0
    }
}

fn facts(state: &State, org: &Org, planned: &Planned, now: Timestamp) -> Facts {
    let mut open: Vec<&Incident> = state.open_incidents().collect();
    open.sort_by_key(|incident| (incident.severity, incident.opened_at, incident.id));
    let pages = || {
        let waiting = open.iter().filter(|incident| incident.state == IncidentState::Triggered);
        waiting.flat_map(|incident| {
            incident.pages.iter().filter(|page| page.state.running()).map(move |page| (incident.id, page))
        })
    };
    let page = |(incident, page): (IncidentId, &crate::domain::paging::Page)| PageLine {
        person: page.person.to_string(),
        incident: incident.to_string(),
        since: moment(page.opened_at, 'f'),
    };
    let unrouted = || open.iter().filter(|incident| incident.unrouted);
    let book = &state.meta.summaries;
    let public = |resolved: &&Resolved| !state.meta.private.contains(&resolved.incident);
    let resolved = || book.resolved.iter().filter(|resolved| resolved.seq > planned.seq).filter(public);
    Facts {
        due: moment(planned.next, 'f'),
        now: moment(now, 'f'),
        since: moment(planned.since, 'f'),
        late: now.since(planned.next) > GRACE,
        open: open.iter().take(LINES_MAX).map(|incident| open_line(incident)).collect(),
        open_count: open.len(),
        pages: pages().take(LINES_MAX).map(page).collect(),
        pages_count: pages().count(),
        unrouted: unrouted().take(LINES_MAX).map(|incident| incident.id.to_string()).collect(),
        unrouted_count: unrouted().count(),
        // The latest are the ones that people ask about.
        resolved: resolved().rev().take(LINES_MAX).map(|resolved| resolved_line(state, resolved)).collect(),
        resolved_count: resolved().count(),
        resolved_capped: resolved().count() >= RESOLVED_MAX,
        oncall: org.schedules.values().take(LINES_MAX).map(|schedule| duty(schedule, now)).collect(),
        oncall_count: org.schedules.len(),
    }
}

fn open_line(incident: &Incident) -> OpenLine {
    let whose = match (&incident.holder, incident.state) {
        (_, IncidentState::Triggered) if incident.exhausted_at.is_some() => ", NOBODY ANSWERED".to_owned(),
        (Some(holder), IncidentState::Acknowledged | IncidentState::Mitigated) => format!(", {} has it", holder.actor),
        _ => String::new(),
    };
    OpenLine {
        id: incident.id.to_string(),
        severity: incident.severity.to_string(),
        service: incident.service.to_string(),
        title: short(&incident.title),
        state: incident.state.to_string(),
        whose,
        opened: moment(incident.opened_at, 'f'),
    }
}

fn resolved_line(state: &State, resolved: &Resolved) -> ResolvedLine {
    let title = state.incidents.get(&resolved.incident).map(|incident| format!(": {}", short(&incident.title)));
    ResolvedLine {
        id: resolved.incident.to_string(),
        severity: resolved.severity.to_string(),
        service: resolved.service.to_string(),
        title: title.unwrap_or_default(),
        resolution: resolved.resolution.map_or_else(|| "resolved".to_owned(), |resolution| resolution.to_string()),
        acknowledged: match resolved.acknowledged {
            Some(span) => format!("acknowledged after {}", whole(span)),
            None => "never acknowledged".to_owned(),
        },
        restored: whole(resolved.restored).to_string(),
    }
}

fn duty(schedule: &Schedule, now: Timestamp) -> DutyLine {
    let join = |names: Vec<String>| if names.is_empty() { "nobody".to_owned() } else { names.join(" + ") };
    let holders = oncall::holders(schedule, now).into_iter().map(|shift| match shift {
        Some(shift) => format!("{} until {}", shift.person, moment(shift.until, 'f')),
        None => "nobody".to_owned(),
    });
    let nexts = schedule.rotations.iter().map(|rotation| match oncall::next_shift(rotation, schedule.zone, now) {
        Some(shift) => shift.person.to_string(),
        None => "nobody".to_owned(),
    });
    DutyLine { schedule: schedule.id.to_string(), now: join(holders.collect()), next: join(nexts.collect()) }
}

/// A template's text. One that fails says so, and where to look instead.
fn written(template: &str, facts: &Facts) -> String {
    match rendered(template, facts) {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) => format!("The summary of {} cannot be written: {error}. How things stand: /status", facts.due),
    }
}

fn rendered(template: &str, facts: &Facts) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.set_fuel(Some(FUEL));
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    templates.render_str(template, Serde(facts))
}

fn moment(at: Timestamp, form: char) -> String {
    format!("<t:{}:{form}>", at.unix_secs())
}

/// In whole seconds, below which nobody reads.
fn whole(span: Span) -> Span {
    Span(span.0 - span.0 % 1000)
}

fn short(title: &str) -> String {
    match title.char_indices().nth(TITLE_MAX) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title.to_owned(),
    }
}

#[cfg(test)]
mod tests;

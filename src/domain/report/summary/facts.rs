//! What a summary can tell: all of it is text, its times as chats render them for each reader. How many lines there are
//! of anything is bounded here; what is left out is counted.

use serde::Serialize;

use super::{Planned, Resolved, Tally};
use crate::domain::change;
use crate::domain::id::{IncidentId, ServiceId, TeamId};
use crate::domain::incident::{Incident, IncidentState};
use crate::domain::input::Head;
use crate::domain::oncall;
use crate::domain::org::{Org, Schedule, Summary, Target};
use crate::domain::paging::Page;
use crate::domain::postmortem::Waiting;
use crate::domain::problem::Problem;
use crate::domain::request;
use crate::domain::silence;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// Lines of one kind; more are counted.
const LINES_MAX: usize = 10;
/// Services of a review: as many as one still reads.
const SERVICES_MAX: usize = 25;
/// Characters of a title in a line.
const TITLE_MAX: usize = 100;
/// A summary that is posted later than this says that it is late.
const GRACE: Span = Span::mins(5);

/// Everything that a template can say.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    /// When it was due.
    pub due: String,
    /// Now.
    pub now: String,
    /// When the last one was posted.
    pub since: String,
    /// Whether it was missed when it was due.
    pub late: bool,
    /// The team that it is about; empty: all.
    pub team: String,
    /// Open incidents, the worst first.
    pub open: Vec<Open>,
    /// How many there are.
    pub open_count: usize,
    /// Pages that nobody has acknowledged.
    pub pages: Vec<Paged>,
    /// How many there are.
    pub pages_count: usize,
    /// Open incidents whose alerts name no known service.
    pub unrouted: Vec<String>,
    /// How many there are.
    pub unrouted_count: usize,
    /// Incidents resolved since the last one, the latest first.
    pub resolved: Vec<Restored>,
    /// How many there are.
    pub resolved_count: usize,
    /// Whether that is all that is kept, and there may have been more.
    pub resolved_capped: bool,
    /// Who is on call.
    pub oncall: Vec<Duty>,
    /// How many schedules there are.
    pub oncall_count: usize,
    /// Postmortems that wait to be published, oldest first.
    pub waiting: Vec<Unpublished>,
    /// How many there are.
    pub waiting_count: usize,
    /// Unresolved problems, oldest first.
    pub problems: Vec<Known>,
    /// How many there are.
    pub problems_count: usize,
    /// Services that something happened to since the last one, the busiest first.
    pub services: Vec<Reviewed>,
    /// How many there are.
    pub services_count: usize,
    /// Services to which nothing happened.
    pub services_calm: usize,
    /// What is suppressed, and by how many silences, of all teams; empty where nothing is.
    pub suppressed: String,
    /// What is changed, waits for approval, is frozen or overdue, of all teams; empty where nothing is.
    pub changes: String,
    /// What is requested and waits, or is overdue; empty where nothing is.
    pub requests: String,
    /// The journal's last durable commit, `SEQ:HASH`; empty in a rehearsal.
    pub head: String,
}

/// An open incident.
#[derive(Debug, Clone, Serialize)]
pub struct Open {
    /// `INC-7`.
    pub id: String,
    /// `sev1`.
    pub severity: String,
    /// What it is about.
    pub service: String,
    /// What is wrong.
    pub title: String,
    /// `triggered`, `acknowledged`, …
    pub state: String,
    /// `, bas has it`; may be empty.
    pub whose: String,
    /// When it was opened.
    pub opened: String,
    /// The last note or update; may be empty.
    pub last: String,
}

/// A page that nobody has acknowledged.
#[derive(Debug, Clone, Serialize)]
pub struct Paged {
    /// Who.
    pub person: String,
    /// For which incident.
    pub incident: String,
    /// Since when.
    pub since: String,
}

/// A resolved incident.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// `INC-7`.
    pub id: String,
    /// `sev1`.
    pub severity: String,
    /// What it was about.
    pub service: String,
    /// `: what was wrong`; empty where the record is closed.
    pub title: String,
    /// How it ended.
    pub resolution: String,
    /// `acknowledged after 4m`, or `never acknowledged`.
    pub acknowledged: String,
    /// `34m`.
    pub restored: String,
}

/// Who is on call by a schedule.
#[derive(Debug, Clone, Serialize)]
pub struct Duty {
    /// Which.
    pub schedule: String,
    /// Who now, and until when.
    pub now: String,
    /// Who next.
    pub next: String,
}

/// A postmortem that waits to be published.
#[derive(Debug, Clone, Serialize)]
pub struct Unpublished {
    /// Of which incident.
    pub id: String,
    /// `sev1`.
    pub severity: String,
    /// What it was about.
    pub service: String,
    /// What was wrong.
    pub title: String,
    /// `draft` or `review`.
    pub state: String,
    /// Since when.
    pub since: String,
}

/// An unresolved problem.
#[derive(Debug, Clone, Serialize)]
pub struct Known {
    /// `PRB-1`.
    pub id: String,
    /// What it is about.
    pub service: String,
    /// What comes again.
    pub title: String,
    /// `open`, `investigating`, `known-error`.
    pub state: String,
    /// How many incidents it has.
    pub incidents: usize,
    /// What helps; may be empty.
    pub workaround: String,
}

/// What happened to a service.
#[derive(Debug, Clone, Serialize)]
pub struct Reviewed {
    /// Which.
    pub service: String,
    /// Whose.
    pub team: String,
    /// Incidents opened.
    pub opened: u32,
    /// The worst of them; empty where none was opened.
    pub worst: String,
    /// Incidents resolved.
    pub resolved: u32,
    /// Incidents that are open now.
    pub open: usize,
    /// Unresolved problems.
    pub problems: usize,
    /// How long an acknowledgement took on average; empty where there was none.
    pub acknowledged: String,
    /// How long it took to restore on average; empty where nothing was resolved.
    pub restored: String,
    /// The longest of them.
    pub longest: String,
}

impl Facts {
    /// The facts for a summary that is due.
    pub fn of(
        state: &State,
        org: &Org,
        summary: &Summary,
        planned: &Planned,
        now: Timestamp,
        head: Option<&Head>,
    ) -> Self {
        let ours = |team: &TeamId| summary.team.as_ref().is_none_or(|wanted| wanted == team);
        let our_service =
            |id: &ServiceId| org.services.get(id).map_or(summary.team.is_none(), |known| ours(&known.team));
        let mut open: Vec<&Incident> = state.open_incidents().filter(|incident| ours(&incident.team)).collect();
        open.sort_by_key(|incident| (incident.severity, incident.opened_at, incident.id));
        let pages: Vec<Paged> = open
            .iter()
            .filter(|incident| incident.state == IncidentState::Triggered)
            .flat_map(|incident| incident.pages.iter().map(|page| (incident.id, page)))
            .filter(|(_, page)| page.state.running())
            .map(|(incident, page)| paged(incident, page))
            .collect();
        let unrouted: Vec<String> =
            open.iter().filter(|incident| incident.unrouted).map(|incident| incident.id.to_string()).collect();
        let resolved: Vec<&Resolved> =
            state.meta.summaries.resolved.iter().filter(|one| one.seq > planned.seq).collect();
        // Those of others count: they are what takes the place.
        let resolved_capped = resolved.len() >= super::RESOLVED_MAX;
        let resolved: Vec<&Resolved> = resolved.into_iter().filter(|one| our_service(&one.service)).collect();
        let schedules = schedules(org, summary.team.as_ref());
        let waiting: Vec<&Waiting> = state.waiting_publicly().filter(|one| ours(&one.team)).collect();
        let unresolved = state.problems.values().map(|problem| &**problem).filter(|problem| problem.state.open());
        let problems: Vec<&Problem> = unresolved.filter(|problem| ours(&problem.team)).collect();
        let mut services: Vec<Reviewed> = planned
            .services
            .iter()
            .filter(|(id, _)| our_service(id))
            .map(|(id, tally)| reviewed(org, id, tally, &open, &problems))
            .collect();
        services.sort_by(|one, two| (two.opened, &one.service).cmp(&(one.opened, &two.service)));
        let all = org.services.keys().filter(|id| our_service(id)).count();
        Self {
            due: moment(planned.next),
            now: moment(now),
            since: moment(planned.since),
            late: now.since(planned.next) > GRACE,
            team: summary.team.as_ref().map(ToString::to_string).unwrap_or_default(),
            open_count: open.len(),
            open: open.iter().take(LINES_MAX).map(|incident| open_line(incident)).collect(),
            pages_count: pages.len(),
            pages: first(pages),
            unrouted_count: unrouted.len(),
            unrouted: first(unrouted),
            resolved_count: resolved.len(),
            // The latest are the ones that people ask about.
            resolved: resolved.iter().rev().take(LINES_MAX).map(|one| restored(state, one)).collect(),
            resolved_capped,
            oncall_count: schedules.len(),
            oncall: schedules.iter().take(LINES_MAX).map(|schedule| duty(schedule, now)).collect(),
            waiting_count: waiting.len(),
            waiting: waiting.iter().take(LINES_MAX).map(|one| unpublished(one)).collect(),
            problems_count: problems.len(),
            problems: problems.iter().take(LINES_MAX).map(|problem| known(problem)).collect(),
            services_count: services.len(),
            services_calm: all.saturating_sub(services.len()),
            services: services.into_iter().take(SERVICES_MAX).collect(),
            suppressed: silence::show::status(state, now).unwrap_or_default(),
            changes: change::show::status(state, now).unwrap_or_default(),
            requests: request::show::status(state, summary.team.as_ref(), now).unwrap_or_default(),
            head: head.map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Whether nothing is open, paged, resolved, suppressed or waits to be published.
    pub fn nothing_to_say(&self) -> bool {
        let counts = [self.open_count, self.pages_count, self.resolved_count, self.waiting_count];
        let lines = [&self.suppressed, &self.changes, &self.requests];
        counts.iter().all(|count| *count == 0) && lines.iter().all(|line| line.is_empty())
    }

    /// Nothing has happened.
    pub fn sparse() -> Self {
        let text = |text: &str| text.to_owned();
        Self { due: text("<t:0:f>"), now: text("<t:0:f>"), since: text("<t:0:f>"), ..Self::default() }
    }

    /// A sample with something of everything.
    pub fn sample() -> Self {
        let text = |text: &str| text.to_owned();
        let (id, severity) = (text("INC-1"), text("sev1"));
        let (service, title) = (text("payments-api"), text("replication lag 900s"));
        Self {
            late: true,
            team: text("payments"),
            open: vec![Open {
                id: id.clone(),
                severity: severity.clone(),
                service: service.clone(),
                title: title.clone(),
                state: text("acknowledged"),
                whose: text(", bas has it"),
                opened: text("<t:0:f>"),
                last: text("cleo: failing over to the replica"),
            }],
            open_count: 2,
            pages: vec![Paged { person: text("bas"), incident: id.clone(), since: text("<t:0:f>") }],
            pages_count: 2,
            unrouted: vec![id.clone()],
            unrouted_count: 2,
            resolved: vec![Restored {
                id: id.clone(),
                severity: severity.clone(),
                service: service.clone(),
                title: format!(": {title}"),
                resolution: text("fixed"),
                acknowledged: text("acknowledged after 4m"),
                restored: text("34m"),
            }],
            resolved_count: 2,
            resolved_capped: true,
            oncall: vec![Duty { schedule: text("primary"), now: text("bas until <t:0:f>"), next: text("cleo") }],
            oncall_count: 2,
            waiting: vec![Unpublished {
                id,
                severity: severity.clone(),
                service: service.clone(),
                title: title.clone(),
                state: text("draft"),
                since: text("<t:0:f>"),
            }],
            waiting_count: 2,
            changes: text("1 being carried out (CHG-1)"),
            requests: text("1 for an approval, 1 being fulfilled; REQ-1 is overdue"),
            suppressed: text("3 alerts suppressed by 1 silence: /alert list suppressed"),
            problems: vec![Known {
                id: text("PRB-1"),
                service: service.clone(),
                title,
                state: text("known-error"),
                incidents: 3,
                workaround: text("restart the consumer"),
            }],
            problems_count: 2,
            services: vec![Reviewed {
                service,
                team: text("payments"),
                opened: 3,
                worst: severity,
                resolved: 2,
                open: 1,
                problems: 1,
                acknowledged: text("4m"),
                restored: text("34m"),
                longest: text("1h"),
            }],
            services_count: 2,
            services_calm: 3,
            head: text("7:00"),
            ..Self::sparse()
        }
    }
}

/// The schedules of a team, by its policy; all where no team is meant.
fn schedules<'o>(org: &'o Org, team: Option<&TeamId>) -> Vec<&'o Schedule> {
    let Some(team) = team else { return org.schedules.values().collect() };
    let policy = org.teams.get(team).and_then(|team| org.policies.get(&team.escalation));
    let targets = || policy.iter().flat_map(|policy| &policy.steps).flat_map(|step| &step.page);
    let paged = |id| targets().any(|target| matches!(target, Target::Schedule(named) if named == id));
    org.schedules.values().filter(|schedule| paged(&schedule.id)).collect()
}

fn open_line(incident: &Incident) -> Open {
    let whose = match (&incident.holder, incident.state) {
        (_, IncidentState::Triggered) if incident.exhausted_at.is_some() => ", NOBODY ANSWERED".to_owned(),
        (Some(holder), IncidentState::Acknowledged | IncidentState::Mitigated) => format!(", {} has it", holder.actor),
        _ => String::new(),
    };
    let told = |text: &str| Some(short(text.strip_prefix("update: ").or_else(|| text.strip_prefix("note: "))?));
    let last = incident.timeline.iter().rev().find_map(|entry| Some(format!("{}: {}", entry.by, told(&entry.text)?)));
    Open {
        id: incident.id.to_string(),
        severity: incident.severity.to_string(),
        service: incident.service.to_string(),
        title: short(&incident.title),
        state: incident.state.to_string(),
        whose,
        opened: moment(incident.opened_at),
        last: last.unwrap_or_default(),
    }
}

fn paged(incident: IncidentId, page: &Page) -> Paged {
    Paged { person: page.person.to_string(), incident: incident.to_string(), since: moment(page.opened_at) }
}

fn restored(state: &State, resolved: &Resolved) -> Restored {
    let title = state.incidents.get(&resolved.incident).map(|incident| format!(": {}", short(&incident.title)));
    Restored {
        id: resolved.incident.to_string(),
        severity: resolved.severity.to_string(),
        service: resolved.service.to_string(),
        title: title.unwrap_or_default(),
        resolution: resolved.resolution.map_or_else(|| "resolved".to_owned(), |resolution| resolution.to_string()),
        acknowledged: match resolved.acknowledged {
            Some(span) => format!("acknowledged after {}", span.whole()),
            None => "never acknowledged".to_owned(),
        },
        restored: resolved.restored.whole().to_string(),
    }
}

fn duty(schedule: &Schedule, now: Timestamp) -> Duty {
    let join = |names: Vec<String>| if names.is_empty() { "nobody".to_owned() } else { names.join(" + ") };
    let holders = oncall::holders(schedule, now).into_iter().map(|shift| match shift {
        Some(shift) => format!("{} until {}", shift.person, moment(shift.until)),
        None => "nobody".to_owned(),
    });
    let nexts = schedule.rotations.iter().map(|rotation| match oncall::next_shift(rotation, schedule.zone, now) {
        Some(shift) => shift.person.to_string(),
        None => "nobody".to_owned(),
    });
    Duty { schedule: schedule.id.to_string(), now: join(holders.collect()), next: join(nexts.collect()) }
}

fn unpublished(waiting: &Waiting) -> Unpublished {
    Unpublished {
        id: waiting.incident.to_string(),
        severity: waiting.severity.to_string(),
        service: waiting.service.to_string(),
        title: short(&waiting.title),
        state: waiting.state.to_string(),
        since: moment(waiting.since),
    }
}

fn known(problem: &Problem) -> Known {
    Known {
        id: problem.id.to_string(),
        service: problem.service.to_string(),
        title: short(&problem.title),
        state: problem.state.to_string(),
        incidents: problem.incidents.len() + problem.incidents_folded as usize,
        workaround: problem.workaround.as_deref().map(short).unwrap_or_default(),
    }
}

fn reviewed(org: &Org, id: &ServiceId, tally: &Tally, open: &[&Incident], problems: &[&Problem]) -> Reviewed {
    let mean = |all: Span, n: u32| match n {
        0 => String::new(),
        n => Span(all.0 / i64::from(n)).whole().to_string(),
    };
    Reviewed {
        service: id.to_string(),
        team: org.services.get(id).map(|service| service.team.to_string()).unwrap_or_default(),
        opened: tally.opened,
        worst: tally.worst.map(|severity| severity.to_string()).unwrap_or_default(),
        resolved: tally.resolved,
        open: open.iter().filter(|incident| incident.service == *id).count(),
        problems: problems.iter().filter(|problem| problem.service == *id).count(),
        acknowledged: mean(tally.acknowledging, tally.acknowledged),
        restored: mean(tally.restoring, tally.resolved),
        longest: tally.longest.whole().to_string(),
    }
}

fn first<T>(mut lines: Vec<T>) -> Vec<T> {
    lines.truncate(LINES_MAX);
    lines
}

fn moment(at: Timestamp) -> String {
    format!("<t:{}:f>", at.unix_secs())
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TITLE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

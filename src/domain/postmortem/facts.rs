//! What a template of a postmortem can say of an incident: all of it is text, ready to be read, in the organisation's
//! zone. How much there is of anything is bounded here, so that a long incident gives a draft of a bounded size.

use chrono_tz::Tz;
use serde::Serialize;

use crate::domain::incident::times::Milestone;
use crate::domain::incident::{Entry, Incident};
use crate::domain::paging::PageState;
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// Lines of each part that are told; further ones are counted.
const LINES_MAX: usize = 60;
/// The longest text of a line, in characters.
const LINE_MAX: usize = 300;

/// Everything that a template can say.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// The incident itself.
    pub incident: About,
    /// The zone of all times.
    pub zone: String,
    /// Impact start, detected, acknowledged, mitigated, resolved.
    pub times: Vec<Time>,
    /// Roles with their holders, then further responders.
    pub people: Vec<Person>,
    /// Notes and updates.
    pub told: Vec<Line>,
    /// The course of its life.
    pub happened: Vec<Line>,
    /// Entries of the timeline that are neither.
    pub folded: usize,
    /// Its alerts.
    pub alerts: Alerts,
    /// Who was paged.
    pub pages: Vec<Paged>,
    /// Pages left out.
    pub pages_folded: usize,
}

/// The incident itself. What is not known is empty.
#[derive(Debug, Clone, Default, Serialize)]
pub struct About {
    /// `INC-7`.
    pub id: String,
    /// What broke.
    pub title: String,
    /// What it was about.
    pub service: String,
    /// Who owns it.
    pub team: String,
    /// `sev1`.
    pub severity: String,
    /// Production, staging, …
    pub environment: String,
    /// How it ended.
    pub resolution: String,
    /// Who opened it.
    pub opened_by: String,
    /// `PRB-1 (title)`.
    pub problem: String,
}

/// One of its times.
#[derive(Debug, Clone, Serialize)]
pub struct Time {
    /// `impact start`.
    pub what: String,
    /// `2026-12-25 03:00:00`, or `not recorded`.
    pub at: String,
    /// How long after the first of them; may be empty.
    pub after: String,
    /// Who stated it and why, and what was recorded; may be empty.
    pub stated: String,
}

/// Somebody who took part.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// `lead`, `responder`, …
    pub role: String,
    /// Who.
    pub name: String,
}

/// One line of the timeline.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// Its alerts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Alerts {
    /// What they did.
    pub lines: Vec<Line>,
    /// How many there were.
    pub total: u32,
}

/// One page.
#[derive(Debug, Clone, Serialize)]
pub struct Paged {
    /// When.
    pub at: String,
    /// Who.
    pub person: String,
    /// How it ended.
    pub outcome: String,
    /// Why this person.
    pub reason: String,
}

impl Facts {
    /// The facts of an incident.
    pub fn of(incident: &Incident, state: &State, zone: Tz) -> Self {
        let problem = incident.problem().map(|id| match state.problems.get(&id) {
            Some(problem) => format!("{id} ({})", problem.title),
            None => id.to_string(),
        });
        let mut facts = Self {
            incident: About {
                id: incident.id.to_string(),
                title: cut(&incident.title),
                service: incident.service.to_string(),
                team: incident.team.to_string(),
                severity: incident.severity.to_string(),
                environment: incident.environment.as_deref().map(cut).unwrap_or_default(),
                resolution: incident.resolution.map(|how| how.to_string()).unwrap_or_default(),
                opened_by: incident.opened_by.to_string(),
                problem: problem.unwrap_or_default(),
            },
            zone: zone.name().to_owned(),
            times: times(incident, zone),
            people: people(incident),
            told: Vec::new(),
            happened: Vec::new(),
            folded: incident.timeline_folded as usize,
            alerts: Alerts { lines: Vec::new(), total: incident.alerts_total },
            pages: Vec::new(),
            pages_folded: incident.pages.len().saturating_sub(LINES_MAX),
        };
        for entry in &incident.timeline {
            facts.sort_in(entry, zone);
        }
        for page in incident.pages.iter().take(LINES_MAX) {
            facts.pages.push(Paged {
                at: moment(page.opened_at, zone),
                person: page.person.to_string(),
                outcome: outcome(page.state).to_owned(),
                reason: cut(&page.reason),
            });
        }
        facts
    }

    /// Puts an entry of the timeline where it belongs: what people said, its life, its alerts; the rest is noise here.
    fn sort_in(&mut self, entry: &Entry, zone: Tz) {
        let said = |text: &str| ["note: ", "update: "].iter().any(|word| text.starts_with(word));
        let noise = |text: &str| {
            ["paged ", "escalation ", "warning: ", "could not reach ", "was refused ", "postmortem "]
                .iter()
                .any(|word| text.starts_with(word))
        };
        let list = match entry.text.as_str() {
            text if said(text) => &mut self.told,
            text if text.starts_with("ALR-") => &mut self.alerts.lines,
            text if noise(text) => return self.folded += 1,
            _ => &mut self.happened,
        };
        if list.len() < LINES_MAX {
            let text = crate::domain::paging::look::times(&entry.text, zone, entry.at);
            list.push(Line { at: moment(entry.at, zone), by: entry.by.to_string(), text: cut(&text) });
        } else {
            self.folded += 1;
        }
    }

    /// A sample with something of everything.
    pub fn sample() -> Self {
        let text = |text: &str| text.to_owned();
        let line = |said: &str| Line { at: text("2026-12-25 03:05:00"), by: text("bas"), text: text(said) };
        let time = |what: &str, after: &str, stated: &str| Time {
            what: text(what),
            at: text("2026-12-25 03:00:00"),
            after: text(after),
            stated: text(stated),
        };
        Self {
            incident: About {
                id: text("INC-1"),
                title: text("replication lag 900s"),
                service: text("payments-api"),
                team: text("payments"),
                severity: text("sev1"),
                environment: text("production"),
                resolution: text("fixed"),
                opened_by: text("integration:prometheus"),
                problem: text("PRB-1 (replication lag)"),
            },
            zone: text("Europe/Amsterdam"),
            times: vec![
                time("impact start", "", "stated by bas: seen in the logs"),
                time("detected", "5m", ""),
                time("acknowledged", "6m", ""),
                time("mitigated", "20m", ""),
                time("resolved", "1h", ""),
            ],
            people: vec![Person { role: text("lead"), name: text("bas") }],
            told: vec![line("note: it is the disk")],
            happened: vec![line("acknowledged")],
            folded: 3,
            alerts: Alerts { lines: vec![line("ALR-1 replication lag fires (critical)")], total: 1 },
            pages: vec![Paged {
                at: text("2026-12-25 03:00:00"),
                person: text("bas"),
                outcome: text("acknowledged"),
                reason: text("on call for payments-primary, step 1 of payments"),
            }],
            pages_folded: 1,
        }
    }

    /// A sample in which nothing is known that need not be.
    pub fn sparse() -> Self {
        let mut facts = Self::sample();
        facts.incident.environment.clear();
        facts.incident.problem.clear();
        facts.times.iter_mut().for_each(|time| {
            "not recorded".clone_into(&mut time.at);
            time.after.clear();
            time.stated.clear();
        });
        facts.people.clear();
        facts.told.clear();
        facts.happened.clear();
        facts.alerts = Alerts::default();
        facts.pages.clear();
        (facts.folded, facts.pages_folded) = (0, 0);
        facts
    }
}

fn times(incident: &Incident, zone: Tz) -> Vec<Time> {
    let first = Milestone::ALL.into_iter().find_map(|milestone| incident.time_of(milestone));
    let time = |milestone| {
        let at = incident.time_of(milestone);
        let after = at.zip(first).filter(|(at, first)| at > first).map(|(at, first)| at.since(first).to_string());
        let stated = incident.stated(milestone).map(|stated| {
            let was = incident.recorded(milestone).map(|at| format!(", recorded as {}", moment(at, zone)));
            cut(&format!("stated by {}: {}{}", stated.by, stated.reason, was.unwrap_or_default()))
        });
        Time {
            what: milestone.to_string(),
            at: at.map_or_else(|| "not recorded".to_owned(), |at| moment(at, zone)),
            after: after.unwrap_or_default(),
            stated: stated.unwrap_or_default(),
        }
    };
    Milestone::ALL.into_iter().map(time).collect()
}

fn people(incident: &Incident) -> Vec<Person> {
    let roles = &incident.roles;
    let named = [
        ("commander", &roles.commander),
        ("lead", &roles.lead),
        ("communications", &roles.communications),
        ("scribe", &roles.scribe),
    ];
    let holders = named.iter().filter_map(|(role, who)| Some((*role, who.as_ref()?)));
    let others = roles.responders.iter().filter(|who| !named.iter().any(|(_, held)| held.as_ref() == Some(*who)));
    let all = holders.chain(others.map(|who| ("responder", who)));
    all.take(LINES_MAX).map(|(role, who)| Person { role: role.to_owned(), name: who.to_string() }).collect()
}

fn outcome(state: PageState) -> &'static str {
    match state {
        PageState::Owed | PageState::Sent => "no answer",
        PageState::Acknowledged => "ended by the acknowledgement",
        PageState::Expired => "nobody answered",
        PageState::Cancelled => "stopped",
    }
}

/// `2026-12-25 03:00:00`.
fn moment(at: Timestamp, zone: Tz) -> String {
    at.local(zone).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(LINE_MAX).collect();
    if text.chars().nth(LINE_MAX).is_some() {
        short.push('…');
    }
    short
}

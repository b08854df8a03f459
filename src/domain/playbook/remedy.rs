//! Remedies (`[[remedy]]`): an alert begins a runbook by itself, within guards. People are paged as ever, at once or, where
//! the remedy says so, after a while in which it may help: that page is owed from the beginning, so whatever happens to the
//! runbook (or to Opsbell) it goes out, and it goes out early when the runbook fails. A remedy is tried once for an
//! incident; what it did, or why it did not, is told in the incident's timeline.

use std::collections::BTreeMap;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::spec::Playbook;
use super::start;
use super::text::{Values, fill};
use super::{Ending, Run, values};
use crate::domain::change::{conflict, rules};
use crate::domain::draft::Draft;
use crate::domain::event::{AlertOpened, Event};
use crate::domain::id::{AlertId, IncidentId, RunId, ServiceId};
use crate::domain::incident::{IncidentState, Severity};
use crate::domain::limits;
use crate::domain::paging::escalate;
use crate::domain::silence::matcher::{Matcher, Subject};
use crate::domain::time::{Span, Timestamp};

/// The window in which runs are counted.
pub const HOUR: Span = Span::hours(1);
/// The longest that a page may wait for a remedy.
pub const HOLD_MAX: Span = Span::mins(30);
/// The most runs in an hour that may be allowed.
pub const PER_HOUR_MAX: u32 = 60;
/// What the values of a remedy can name, beside `label.NAME`.
pub const NAMES: [&str; 7] = ["service", "environment", "incident", "alert", "key", "severity", "integration"];

/// `[[remedy]]`: which alerts begin which runbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// Its name.
    pub id: CompactString,
    /// The playbook.
    pub runbook: CompactString,
    /// The alerts: all of them have to match.
    pub alerts: Vec<Matcher>,
    /// Only those of these services; empty: of all.
    pub services: Vec<ServiceId>,
    /// Only in incidents at least that bad.
    pub severity: Severity,
    /// At most so often in an hour.
    pub per_hour: u32,
    /// Whether it is also tried while the service is frozen.
    pub in_freeze: bool,
    /// The runbook's parameters; names of `NAMES` and `label.…` stand for what the alert says.
    pub with: Values,
    /// How long the page waits for it; `None`: people are paged at once.
    pub before_page: Option<Span>,
}

/// Something happened to a remedy for an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedied {
    /// Which.
    pub remedy: CompactString,
    /// For which incident.
    pub incident: IncidentId,
    /// What.
    pub what: Told,
}

/// What happened to a remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Its runbook was begun.
    Started {
        /// The run.
        run: RunId,
        /// The alert that began it.
        alert: AlertId,
        /// People are paged then, where they are not yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page_at: Option<Timestamp>,
    },
    /// It was not begun.
    Guarded {
        /// Why not.
        reason: CompactString,
    },
    /// Its runbook was carried out.
    Succeeded {
        /// The run.
        run: RunId,
    },
    /// Its runbook was not carried out, or nobody knows.
    Failed {
        /// The run.
        run: RunId,
        /// Why.
        reason: CompactString,
    },
    /// What it should have mended is still there, and people are paged.
    Stayed,
}

impl Told {
    /// All words, in the order of the variants.
    pub const WORDS: [&'static str; 5] = ["started", "guarded", "succeeded", "failed", "stayed"];

    /// The word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Guarded { .. } => "guarded",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Stayed => "stayed",
        }
    }
}

impl Remedied {
    /// How the incident's timeline tells it.
    pub fn line(&self) -> CompactString {
        let remedy = &self.remedy;
        match &self.what {
            Told::Started { run, alert, page_at: None } => format_compact!("remedy {remedy} for {alert}: {run} begins"),
            Told::Started { run, alert, page_at: Some(at) } => {
                format_compact!("remedy {remedy} for {alert}: {run} begins; people are paged <t:{}:T>", at.unix_secs())
            }
            Told::Guarded { reason } => format_compact!("remedy {remedy} is not tried: {reason}"),
            Told::Succeeded { run } => format_compact!("remedy {remedy}: {run} is done"),
            Told::Failed { run, reason } => format_compact!("remedy {remedy}: {run} has not worked: {reason}"),
            Told::Stayed => format_compact!("remedy {remedy} has not helped in time"),
        }
    }
}

/// When remedies were begun in the last hour, by their names.
pub type Begun = BTreeMap<CompactString, Vec<Timestamp>>;

/// Counts a beginning, and forgets those before the last hour.
pub fn count(begun: &mut Begun, remedy: &CompactString, at: Timestamp) {
    begun.entry(remedy.clone()).or_default().push(at);
    for times in begun.values_mut() {
        times.retain(|time| at.since(*time) < HOUR);
    }
    begun.retain(|_, times| !times.is_empty());
}

fn tell(draft: &mut Draft<'_>, remedy: &CompactString, incident: IncidentId, what: Told) {
    draft.emit(Event::Remedied(Box::new(Remedied { remedy: remedy.clone(), incident, what })));
}

/// The remedies that an alert calls for, and that were not tried for its incident, by their names.
fn called<'o>(draft: &Draft<'o>, incident: IncidentId, alert: &AlertOpened) -> Vec<&'o Remedy> {
    let Some(record) = draft.incident(incident) else { return Vec::new() };
    // What is sent to the default service, because nobody knows the one that it names, is not that service's trouble.
    if record.unrouted {
        return Vec::new();
    }
    let subject = Subject::from(alert);
    let meant = |it: &&Remedy| {
        (it.services.is_empty() || it.services.contains(&alert.service))
            && it.alerts.iter().all(|matcher| matcher.matches(&subject))
            && !record.remedies.contains(&it.id)
    };
    draft.org.remedies.values().filter(meant).collect()
}

/// How long the page about a new incident waits: as long as the remedy that will be begun for it says.
pub fn hold(draft: &Draft<'_>, incident: IncidentId, alert: &AlertOpened) -> Option<Timestamp> {
    let called = called(draft, incident, alert);
    let first = called.into_iter().find(|it| guarded(draft, it, incident, alert).is_none())?;
    first.before_page.map(|span| draft.now.after(span.min(HOLD_MAX)))
}

/// Tries what an alert calls for: the first remedy that nothing stands against. Others are told with what does.
pub fn consider(draft: &mut Draft<'_>, incident: IncidentId, alert: &AlertOpened) {
    let mut why = None;
    for remedy in called(draft, incident, alert) {
        let refused = match guarded(draft, remedy, incident, alert) {
            Some(refused) => refused,
            None => match begin(draft, remedy, incident, alert) {
                Ok(()) => return,
                Err(refused) => refused,
            },
        };
        let reason: CompactString = limits::line(&refused, 300).unwrap_or_default().into();
        why = Some(format!("remedy {} is not tried: {reason}", remedy.id));
        tell(draft, &remedy.id, incident, Told::Guarded { reason });
    }
    if let Some(why) = why {
        page_now(draft, incident, &why);
    }
}

/// What stands against beginning it now.
fn guarded(draft: &Draft<'_>, remedy: &Remedy, incident: IncidentId, alert: &AlertOpened) -> Option<String> {
    let record = draft.incident(incident)?;
    // Numbers and guards are read from what was: of what one moment lets go, one alert begins a run.
    if draft.events().iter().any(|event| matches!(event, Event::PlaybookStarted { .. })) {
        return Some("another run begins in the same moment".to_owned());
    }
    if record.severity > remedy.severity {
        return Some(format!("it is for {} and worse, and this is {}", remedy.severity, record.severity));
    }
    if let Some(run) =
        draft.state.runs.values().find(|run| run.remedy.as_ref() == Some(&remedy.id) && run.ended.is_none())
    {
        return Some(format!("{} is still under way", run.headline()));
    }
    let lately = |times: &Vec<Timestamp>| times.iter().filter(|at| draft.now.since(**at) < HOUR).count();
    let lately = draft.state.meta.remedies.get(&remedy.id).map_or(0, lately);
    if lately >= remedy.per_hour as usize {
        let times = if lately == 1 { "once".to_owned() } else { format!("{lately} times") };
        return Some(format!("it was tried {times} in the last hour, and more is not allowed"));
    }
    if !remedy.in_freeze {
        let environment = rules::environment(alert.environment.as_deref().unwrap_or_default());
        if let Some(why) = conflict::frozen_now(draft.org, draft.state, &alert.service, &environment, draft.now) {
            return Some(why);
        }
    }
    let Some(playbook) = draft.org.playbooks.get(&remedy.runbook) else {
        return Some(format!("there is no playbook {} any more", remedy.runbook));
    };
    match read(draft, remedy, playbook, incident, alert) {
        Err(why) => Some(why),
        Ok(values) => start::room_for(draft, playbook, &values, Some(incident)).err().map(|reject| reject.message),
    }
}

/// The values of the run. What an alert says is checked like what a person says.
fn read(
    draft: &Draft<'_>,
    remedy: &Remedy,
    playbook: &Playbook,
    incident: IncidentId,
    alert: &AlertOpened,
) -> Result<Values, String> {
    let mut names = Values::from([
        ("service".into(), alert.service.0.clone()),
        ("environment".into(), rules::environment(alert.environment.as_deref().unwrap_or_default())),
        ("incident".into(), format_compact!("{incident}")),
        ("alert".into(), alert.name.clone()),
        ("key".into(), alert.key.clone()),
        ("severity".into(), alert.severity.as_str().into()),
        ("integration".into(), format_compact!("{}", alert.integration)),
    ]);
    names.extend(alert.labels.iter().map(|(name, value)| (format_compact!("label.{name}"), value.into())));
    let mut said: Vec<(CompactString, String)> =
        remedy.with.iter().map(|(name, text)| (name.clone(), fill(text, &names).to_string())).collect();
    // What every alert says is handed on by itself.
    for name in ["service", "environment"] {
        let takes = playbook.parameters.iter().any(|it| it.name == name);
        if takes && !remedy.with.contains_key(name) {
            said.extend(names.get(name).map(|value| (name.into(), value.to_string())));
        }
    }
    values::read(draft.org, playbook, &said).map_err(|reject| reject.message)
}

fn begin(draft: &mut Draft<'_>, remedy: &Remedy, incident: IncidentId, alert: &AlertOpened) -> Result<(), String> {
    let gone = || format!("there is no playbook {} any more", remedy.runbook);
    let playbook = draft.org.playbooks.get(&remedy.runbook).ok_or_else(gone)?.clone();
    let values = read(draft, remedy, &playbook, incident, alert)?;
    let run = start::by_remedy(draft, &playbook, values, incident, &remedy.id).map_err(|reject| reject.message)?;
    let held = draft.incident(incident).and_then(|it| it.escalation.as_ref()).filter(|it| it.held).map(|it| it.due);
    tell(draft, &remedy.id, incident, Told::Started { run, alert: alert.alert, page_at: held });
    Ok(())
}

/// A run that a remedy began is over.
pub(super) fn ended(draft: &mut Draft<'_>, run: &Run, ending: Ending, why: Option<&str>) {
    let (Some(remedy), Some(incident)) = (&run.remedy, run.incident) else { return };
    if ending == Ending::Done {
        return tell(draft, remedy, incident, Told::Succeeded { run: run.id });
    }
    let reason = why.map_or_else(|| ending.to_string(), ToOwned::to_owned);
    not_worked(draft, run, &reason);
}

/// A run that a remedy began has not worked, or nobody knows whether it has: nobody waits for it any longer.
pub(super) fn not_worked(draft: &mut Draft<'_>, run: &Run, reason: &str) {
    let (Some(remedy), Some(incident)) = (&run.remedy, run.incident) else { return };
    let reason: CompactString = limits::line(reason, 300).unwrap_or_default().into();
    tell(draft, remedy, incident, Told::Failed { run: run.id, reason });
    page_now(draft, incident, &format!("{} of remedy {remedy} has not worked", run.id));
}

/// An alert joins an incident of which the page waits: nobody said that the remedy is for that one too.
pub fn joined(draft: &mut Draft<'_>, id: IncidentId, alert: &AlertOpened) {
    let Some(record) = draft.incident(id) else { return };
    let tried = draft.org.remedies.values().filter(|remedy| record.remedies.contains(&remedy.id));
    let subject = Subject::from(alert);
    if !tried.into_iter().any(|remedy| remedy.alerts.iter().all(|matcher| matcher.matches(&subject))) {
        page_now(draft, id, &format!("{} fires as well", alert.name));
    }
}

/// The page that waited goes out.
pub fn page_now(draft: &mut Draft<'_>, id: IncidentId, why: &str) {
    let Some(incident) = draft.incident(id) else { return };
    let held = incident.escalation.as_ref().is_some_and(|escalation| escalation.held);
    if held && incident.state == IncidentState::Triggered {
        escalate::advance(draft, id, Some(why));
    }
}

/// The next step of an escalation is due; where that is the first one, it waited for a remedy that has not helped, or
/// for what nobody could be reached by.
pub fn step_due(draft: &mut Draft<'_>, id: IncidentId) {
    let escalation = draft.incident(id).and_then(|it| it.escalation.as_ref());
    if !escalation.is_some_and(|it| it.held) {
        return escalate::advance(draft, id, None);
    }
    if escalation.is_some_and(|it| it.reason == escalate::UNREACHED) {
        return page_now(draft, id, "nobody could be reached before");
    }
    let remedy = draft.incident(id).and_then(|incident| incident.remedies.last().cloned()).unwrap_or_default();
    tell(draft, &remedy, id, Told::Stayed);
    page_now(draft, id, &format!("remedy {remedy} has not helped in time"));
}

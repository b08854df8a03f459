//! Beginning a silence, or the maintenance of a service, by a person's word, and ending one before its time. What it
//! would mute now is told by the same function that decides it.

use std::collections::BTreeSet;

use compact_str::CompactString;

use super::matcher::{self, Matcher, Subject};
use super::until::Ends;
use super::{Silence, SilenceStarted, end, hold, show};
use crate::domain::alert::Alert;
use crate::domain::authorise;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{AlertId, ChangeId, IncidentId, ServiceId, SilenceId};
use crate::domain::incident::{IncidentState, life, private};
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::{Span, Timestamp};

/// Silences in force at once; each signal is compared with all of them.
const SILENCES_MAX: usize = 200;
/// The end is told so long before, or a quarter of the whole time where that is less.
const REMINDED: Span = Span::mins(15);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// All of them have to match.
    pub matchers: Vec<Matcher>,
    /// Until when.
    pub ends: Option<Ends>,
    /// Why.
    pub reason: Option<String>,
    /// Only to be told what it would mute.
    pub preview: bool,
}

/// `/alert silence`.
///
/// # Errors
/// No matcher, or one that matches everything; no end, or one that is past; no reason.
pub fn silence(draft: &mut Draft<'_>, asked: Asked) -> Result<Reply, Reject> {
    matcher::check(&asked.matchers)?;
    if asked.preview {
        return Ok(Reply::done(show::preview(&asked.matchers, &matching(draft, &asked.matchers))));
    }
    begin(draft, asked, false, "/alert silence … for:2h reason:\"why\"")
}

/// `/service maintenance`; `over` ends the one that runs.
///
/// # Errors
/// As for a silence; nothing to end.
pub fn maintenance(
    draft: &mut Draft<'_>,
    service: &ServiceId,
    ends: Option<Ends>,
    reason: Option<String>,
    over: bool,
) -> Result<Reply, Reject> {
    let running = draft
        .state
        .silences
        .values()
        .find(|it| it.maintenance && it.in_force(draft.now) && it.service().as_ref() == Some(service));
    if over {
        let Some(running) = running.map(|it| it.id) else {
            return Err(Reject::new(RejectCode::NotFound, format!("{service} has no maintenance that runs."))
                .hint("What is silenced: /alert silences"));
        };
        return unsilence(draft, running);
    }
    if let Some(running) = running {
        let message =
            format!("{service} is in maintenance already: {} until <t:{}:f>.", running.id, running.ends.unix_secs());
        return Err(Reject::new(RejectCode::Conflict, message)
            .hint(format!("To end it: /service maintenance {service} end:now. Longer: end it and begin another")));
    }
    let matchers = vec![Matcher::is("service", service.as_str())];
    let next = format!("/service maintenance {service} for:2h reason:\"why\"");
    begin(draft, Asked { matchers, ends, reason, preview: false }, true, &next)
}

fn begin(draft: &mut Draft<'_>, asked: Asked, maintenance: bool, next: &str) -> Result<Reply, Reject> {
    let missing = |what: &str| Err(Reject::new(RejectCode::Missing, what).hint(format!("Say it like {next}")));
    let Some(ends) = asked.ends else { return missing("Until when? Say for:… or until:…") };
    let Some(reason) = asked.reason else { return missing("Why? Whoever wonders why nothing pages will read it.") };
    let (ends, by_clock) = ends.at(draft.now, draft.org.zone(draft.person()))?;
    if draft.state.silences.values().filter(|it| it.in_force(draft.now)).count() >= SILENCES_MAX {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{SILENCES_MAX} silences are in force; no more are taken."),
        )
        .hint("End one: /alert unsilence SIL-n"));
    }
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ").into();
    let (started, muted) = commit(draft, (asked.matchers, maintenance, None), reason, (ends, by_clock));
    let channels = end::channels(draft, &started.matchers, muted.iter().copied());
    let posted = show::posted(draft, &started, muted.len());
    end::post(draft, &channels, &posted);
    Ok(Reply::done(show::started(draft, &started, &muted)).about(started.silence))
}

/// The fence of a change: what it names as expected is silenced until it is over.
pub fn fence(draft: &mut Draft<'_>, change: ChangeId, matchers: Vec<Matcher>, reason: CompactString, ends: Timestamp) {
    commit(draft, (matchers, false, Some(change)), reason, (ends, false));
}

/// Puts a silence into force; what it mutes now.
fn commit<'a>(
    draft: &mut Draft<'a>,
    (matchers, maintenance, change): (Vec<Matcher>, bool, Option<ChangeId>),
    reason: CompactString,
    (ends, by_clock): (Timestamp, bool),
) -> (SilenceStarted, Vec<&'a Alert>) {
    let id = SilenceId(draft.state.meta.silences + 1);
    // A change expects what begins while it runs; what fires already goes on.
    let muted = if change.is_some() { Vec::new() } else { matching(draft, &matchers) };
    let mutes: Vec<AlertId> = muted.iter().map(|alert| alert.id).collect();
    let holds = holds(draft, &muted, ends);
    let length = ends.since(draft.now);
    let remind = Timestamp(ends.0 - REMINDED.0.min(length.0 / 4));
    let started = SilenceStarted {
        silence: id,
        matchers,
        maintenance,
        change,
        reason,
        ends,
        by_clock,
        remind,
        mutes,
        holds: holds.clone(),
    };
    draft.emit(Event::SilenceStarted(Box::new(started.clone())));
    for incident in holds {
        life::acknowledge(draft, incident, Some(length));
    }
    (started, muted)
}

/// The alerts that fire, match, and are not suppressed yet; oldest first. Those of a private incident are for whoever
/// may see it.
fn matching<'a>(draft: &Draft<'a>, matchers: &[Matcher]) -> Vec<&'a Alert> {
    let alerts = draft.state.alerts.values().map(|alert| &**alert).filter(|alert| alert.suppressed.is_none());
    let seen = |alert: &Alert| {
        let incident = draft.state.incidents.get(&alert.incident);
        incident.is_none_or(|incident| private::may_see(draft.org, draft.actor(), incident))
    };
    alerts
        .filter(|alert| seen(alert))
        .filter(|alert| {
            let subject = Subject::from(*alert);
            matchers.iter().all(|matcher| matcher.matches(&subject))
        })
        .collect()
}

/// The incidents of which every alert is muted then, and that would page before the silence ends: they are snoozed.
/// A remedy snoozes nothing: nobody has looked yet, and what it is for has to page if it does not help.
fn holds(draft: &Draft<'_>, muted: &[&Alert], ends: Timestamp) -> Vec<IncidentId> {
    if authorise::remedy(draft.actor()) {
        return Vec::new();
    }
    let ids: BTreeSet<AlertId> = muted.iter().map(|alert| alert.id).collect();
    let incidents: BTreeSet<IncidentId> = muted.iter().map(|alert| alert.incident).collect();
    let all_muted =
        |id: &IncidentId| draft.state.alerts_of(*id).all(|alert| alert.suppressed.is_some() || ids.contains(&alert.id));
    let pages = |id: &IncidentId| {
        draft.incident(*id).is_some_and(|incident| match incident.state {
            IncidentState::Triggered => incident.severity.pages(),
            _ => hold::snoozed(draft, *id) && incident.ack_expires.is_some_and(|at| at < ends),
        })
    };
    incidents.into_iter().filter(|id| pages(id) && all_muted(id)).collect()
}

/// `/alert unsilence`.
///
/// # Errors
/// There is none of that number, or it is over.
pub fn unsilence(draft: &mut Draft<'_>, id: SilenceId) -> Result<Reply, Reject> {
    let found: Option<&Silence> = draft.state.silences.get(&id);
    let silence = match found {
        Some(silence) if silence.ended.is_none() => silence,
        Some(silence) => {
            let at = silence.ended.as_ref().map_or(silence.ends, |ended| ended.at).unix_secs();
            return Ok(Reply::done(format!("{id} ended <t:{at}:R>. Nothing changed.")).about(id));
        }
        None => {
            let message = match draft.state.meta.silences {
                last if (1..=last).contains(&id.0) => format!("{id} is over."),
                0 => format!("There is no {id}: nothing has been silenced yet."),
                last => format!("There is no {id}; the last one is SIL-{last}."),
            };
            return Err(Reject::new(RejectCode::NotFound, message).hint("What is silenced: /alert silences"));
        }
    };
    let count = draft.state.suppressed_by(id).count();
    end::finish(draft, silence);
    let fires = match count {
        0 => "Nothing that it muted fires.".to_owned(),
        1 => "1 alert that it muted still fires and pages now.".to_owned(),
        n => format!("{n} alerts that it muted still fire and page now."),
    };
    Ok(Reply::done(format!("{} is over. {fires}\nWhat is open: /incident list", silence.name())).about(id))
}

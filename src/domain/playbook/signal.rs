//! Waiting to hear something: how a deployment went, or that alerts have recovered. It is judged when the step begins and
//! whenever something is decided that could matter; what was heard stands in the journal, and the run goes on from there.

use compact_str::{CompactString, format_compact};

use super::acts::Awaited;
use super::drive::step;
use super::{Doing, Move, Run};
use crate::domain::alert::Alert;
use crate::domain::change::rules;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{AlertId, DeploymentId, RunId};
use crate::domain::signal::Progress;
use crate::domain::silence::matcher::{Matcher, Subject};

/// What was heard: that it went as hoped, or not.
pub(super) type Heard = Result<CompactString, CompactString>;

/// What is known already when the step begins.
pub(super) fn now(draft: &Draft<'_>, run: &Run, awaited: &Awaited) -> Option<Heard> {
    match awaited {
        Awaited::Deployment { service, version, environment } => {
            let environment = rules::environment(environment);
            let known = draft.state.deployments.values().rev();
            known
                .filter(|it| it.progress.over() && it.told_at >= run.started_at)
                .find(|it| {
                    let told = (it.version.as_deref(), it.sha.as_deref());
                    it.service.as_str() == service && it.environment == environment && same(version.as_deref(), told)
                })
                .map(|it| judge(it.id, it.progress))
        }
        Awaited::Recovery { matchers } => recovered(draft, matchers),
    }
}

/// Looks through what has just been decided for what runs wait to hear.
pub fn heard(draft: &mut Draft<'_>) {
    let matters = |event: &Event| {
        matches!(event, Event::AlertResolved { .. } | Event::IncidentResolved { .. } | Event::DeploymentTold(_))
    };
    if !draft.events().iter().any(matters) {
        return;
    }
    let waits = |run: &Run| matches!(run.doing, Doing::Hearing { .. });
    let ids: Vec<RunId> = draft.state.runs.values().filter(|run| waits(run)).map(|run| run.id).collect();
    for id in ids {
        let Some(mut run) = draft.state.runs.get(&id).map(|run| (**run).clone()) else { continue };
        let Doing::Hearing { awaited, .. } = run.doing.clone() else { continue };
        let heard = match &awaited {
            Awaited::Deployment { .. } => deployed(draft, &run, &awaited),
            Awaited::Recovery { matchers } => recovered(draft, matchers),
        };
        let (Some(heard), Some(next)) = (heard, run.step().map(|step| step.id.clone())) else { continue };
        let (output, failure) = match heard {
            Ok(text) => (Some(text), None),
            Err(why) => (None, Some(why)),
        };
        step(draft, &mut run, Move::Heard { step: next, failure, output });
    }
}

/// What the decision in hand tells of a deployment that is waited for.
fn deployed(draft: &Draft<'_>, run: &Run, awaited: &Awaited) -> Option<Heard> {
    let Awaited::Deployment { service, version, environment } = awaited else { return None };
    let environment = rules::environment(environment);
    draft.events().iter().rev().find_map(|event| {
        let Event::DeploymentTold(told) = event else { return None };
        let before = draft.state.deployments.get(&told.deployment).is_some_and(|it| it.told_at < run.started_at);
        let names = (told.version.as_deref(), told.sha.as_deref());
        let meant = told.service.as_str() == service
            && told.environment == environment
            && same(version.as_deref(), names)
            && !before;
        (meant && told.progress.over()).then(|| judge(told.deployment, told.progress))
    })
}

fn judge(id: DeploymentId, progress: Progress) -> Heard {
    let text = format_compact!("{id} {}", progress.as_str());
    if progress == Progress::Succeeded { Ok(text) } else { Err(text) }
}

/// `1.4`, `v1.4`, or the beginning of the commit's hash.
fn same(wanted: Option<&str>, (version, sha): (Option<&str>, Option<&str>)) -> bool {
    let bare = |text: &str| text.strip_prefix(['v', 'V']).unwrap_or(text).to_lowercase();
    let Some(wanted) = wanted.filter(|it| !it.is_empty()).map(bare) else { return true };
    let hash = wanted.len() >= 7 && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    version.is_some_and(|version| bare(version) == wanted) || hash && sha.is_some_and(|sha| sha.starts_with(&wanted))
}

/// Whether nothing fires any more that matches, with what the decision in hand ends and begins.
fn recovered(draft: &Draft<'_>, matchers: &[Matcher]) -> Option<Heard> {
    let over: Vec<AlertId> = draft
        .events()
        .iter()
        .flat_map(|event| match event {
            Event::AlertResolved { alert } => vec![*alert],
            // Whoever resolves an incident resolves its alerts.
            Event::IncidentResolved { incident, .. } => draft.state.alerts_of(*incident).map(|it| it.id).collect(),
            _ => Vec::new(),
        })
        .collect();
    let matches = |subject: Subject<'_>| matchers.iter().all(|matcher| matcher.matches(&subject));
    let fires = |alert: &Alert| !over.contains(&alert.id) && matches(Subject::from(alert));
    let begins = draft.events().iter().any(|event| match event {
        Event::AlertOpened(opened) => matches(Subject::from(&**opened)),
        Event::AlertSuppressed(held) => matches(Subject::from(&held.alert)),
        _ => false,
    });
    let still = begins || draft.state.alerts.values().any(|alert| fires(alert));
    (!still).then(|| Ok("nothing of that fires".into()))
}

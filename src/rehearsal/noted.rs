//! What a transcript tells of an event beside what is sent.

use crate::domain::actor::Actor;
use crate::domain::change::answer::QuestionStep;
use crate::domain::event::Event;
use crate::domain::playbook::Move;
use crate::domain::problem::ProblemChange;
use crate::domain::request::Step as RequestStep;

/// One line about an event; `None` for what a reader sees by other lines.
pub fn noted(event: &Event, by: &Actor) -> Option<String> {
    Some(match event {
        Event::ConfigLoaded { hash } if !hash.is_empty() => {
            format!("configuration {} in force", hash.chars().take(8).collect::<String>())
        }
        Event::AttemptRefused { command, permission, .. } => {
            format!("recorded: {by} was refused /{command}, which needs the permission {permission}")
        }
        Event::IncidentOpened(opened) => {
            let mark = if opened.unrouted { " [unrouted]" } else { "" };
            format!("{} opened: {} {}{mark}: {}", opened.incident, opened.severity, opened.service, opened.title)
        }
        Event::IncidentAcknowledged { incident, .. } => format!("{incident} acknowledged by {by}"),
        Event::IncidentUnacknowledged { incident, reason } => format!("{incident} triggered again: {reason}"),
        Event::IncidentMitigated { incident } => format!("{incident} mitigated by {by}"),
        Event::IncidentResolved { incident, resolution, .. } => format!("{incident} resolved as {resolution} by {by}"),
        Event::IncidentReopened { incident, .. } => format!("{incident} reopened by {by}"),
        Event::IncidentClosed { incident } => format!("{incident} closed by {by}"),
        Event::IncidentSeveritySet { incident, severity, .. } => format!("{incident} is {severity} now"),
        Event::IncidentMerged(merged) => format!("{} merged into {}", merged.incident, merged.into),
        Event::IncidentLinked(linked) => format!("{} is {} {}", linked.incident, linked.kind, linked.to),
        Event::IncidentInvited { incident, person } => format!("{incident}: {person} is invited"),
        Event::IncidentTimeStated(stated) => format!("{}: {} stated by {by}", stated.incident, stated.milestone),
        Event::PostmortemDrafted(drafted) => match &drafted.failure {
            Some(why) => format!("{}: postmortem drafted from {}: {why}", drafted.incident, drafted.template),
            None => format!("{}: postmortem drafted from {}", drafted.incident, drafted.template),
        },
        Event::PostmortemEdited(edited) => format!("{}: postmortem edited by {by}", edited.incident),
        Event::PostmortemPublished(published) => format!("{}: postmortem published by {by}", published.incident),
        Event::ProblemProposed { incident, reason } => format!("{incident} proposed as a problem: {reason}"),
        Event::ProblemOpened(opened) => format!("{} opened by {by}: {}", opened.problem, opened.title),
        Event::ProblemLinked { problem, incident } => format!("{incident} linked to {problem}"),
        Event::ProblemChanged { problem, change } => match change {
            ProblemChange::RootCause(text) => format!("{problem}: root cause: {text}"),
            ProblemChange::Workaround(text) => format!("{problem}: workaround: {text}"),
            ProblemChange::KnownError => format!("{problem} is a known error"),
            ProblemChange::Resolved(_) => format!("{problem} resolved by {by}"),
            ProblemChange::Closed => format!("{problem} closed by {by}"),
        },
        Event::RequestOpened(opened) => format!("{} asked for by {by}: {}", opened.request, opened.title),
        Event::RequestMoved(moved) => match &moved.step {
            RequestStep::Approved => format!("{} approved by {by}", moved.request),
            RequestStep::Rejected { reason } => format!("{} rejected by {by}: {reason}", moved.request),
            RequestStep::Taken => format!("{} taken by {by}", moved.request),
            RequestStep::Stalled { reason } => format!("{} not fulfilled: {reason}", moved.request),
            RequestStep::Fulfilled { .. } => format!("{} fulfilled", moved.request),
            RequestStep::Cancelled { .. } => format!("{} cancelled by {by}", moved.request),
            RequestStep::Closed => format!("{} closed", moved.request),
            RequestStep::Began { .. } | RequestStep::Linked { .. } | RequestStep::Reminded => return None,
        },
        Event::ChangeOpened(opened) => format!("{} asked for by {by}: {}", opened.change, opened.content.title),
        Event::ChangeEdited(edited) => format!("{} edited by {by}: {}", edited.change, edited.what),
        Event::ChangeApproved(approved) => format!("{} approved by {by}", approved.change),
        Event::PlaybookStarted(started) => match &started.remedy {
            Some(remedy) => format!("{} runs {}, begun by the remedy {remedy}", started.run, started.playbook.id),
            None => format!("{} runs {}, begun by {by}", started.run, started.playbook.id),
        },
        Event::Remedied(told) => format!("{}: {}", told.incident, told.line()),
        Event::PlaybookMoved(moved) => match &moved.step {
            Move::Unclear { step, reason, .. } => format!("{}: nobody knows about {step}: {reason}", moved.run),
            Move::Retried { step, reason, .. } => format!("{}: {step} is tried again: {reason}", moved.run),
            Move::Finished { ending, .. } => format!("{} is {ending}", moved.run),
            _ => return None,
        },
        Event::DeploymentQuestion(moved) => match &moved.step {
            QuestionStep::Answered { approved: true } => format!("{} is approved", moved.deployment),
            QuestionStep::Answered { approved: false } => format!("{} is rejected", moved.deployment),
            QuestionStep::Waits { why, .. } => format!("{} waits: {why}", moved.deployment),
            _ => return None,
        },
        Event::FreezeStarted(started) => format!("{} begins: {}", started.freeze, started.reason),
        Event::FreezeEnded { freeze } => format!("{freeze} is over"),
        Event::IncidentWarned { incident, text } => format!("{incident} warns: {text}"),
        Event::EscalationStarted { incident, policy, reason, .. } => {
            format!("{incident} escalates by {}: {reason}", policy.id)
        }
        Event::SummaryPosted { summary, quiet: true, .. } => format!("summary {summary}: nothing to say"),
        Event::EscalationExhausted { incident } => format!("{incident}: last resort"),
        _ => return None,
    })
}

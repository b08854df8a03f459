//! Doing what a step says inside Opsbell: the same functions that people's commands run, asked by the one function that
//! authorises, in the name of whoever began the run. Such a step is one commit with its beginning and its end, so a crash
//! finds it not begun or done, never in between.

use compact_str::{CompactString, format_compact};

use super::acts::{Act, ChangeStep};
use super::drive::{self, failed, group, step};
use super::question::{self, Answers};
use super::spec::{Does, Step};
use super::{Doing, Move, Run};
use crate::domain::actor::{Actor, By};
use crate::domain::authorise::{authorise_by, word};
use crate::domain::change::rules::Group;
use crate::domain::change::{self, open};
use crate::domain::command::spec::Permission;
use crate::domain::command::{ChangeAsked, PageTarget};
use crate::domain::decide;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, PersonId, ServiceId};
use crate::domain::incident::{Severity, life, private};
use crate::domain::input::{Place, Wakeup, WakeupKind};
use crate::domain::limits;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::request::{asked, carry};
use crate::domain::silence::start::{Asked, silence};
use crate::domain::silence::until::Ends;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// By what way a step's commit came.
pub(in crate::domain) const VIA: &str = "playbook";
/// What a chat's roles grant counts for so long after it was read, and never over a wait: no chat tells when it is taken.
const GRANTED_FOR: Span = Span::mins(5);

/// In whose name a moment is decided at which a run does something inside Opsbell; `None` at any other.
pub fn envelope(state: &State, wakeup: &Wakeup, now: Timestamp) -> Option<By> {
    let WakeupKind::Playbook(id) = wakeup.kind else { return None };
    let run = state.runs.get(&id)?;
    let acts = matches!(run.doing, Doing::Next { .. }) && matches!(run.step()?.does, Does::Act(_));
    let fresh = run.granted_at.is_some_and(|at| now.since(at) <= GRANTED_FOR);
    acts.then(|| By { granted: run.granted.filter(|_| fresh), ..By::new(run.by.clone(), VIA) })
}

/// Does what a step says; what it says has its values already. Nothing is done where the decision is in another name:
/// the run's next moment comes at once, and in the right one.
pub(super) fn act(draft: &mut Draft<'_>, run: &mut Run, next: &Step, act: &Act) {
    if *draft.actor() != run.by {
        return;
    }
    let id = next.id.clone();
    let doing = match act {
        Act::Request { text, within, .. } => Doing::Asking { question: text.clone(), until: draft.now.after(*within) },
        _ => Doing::Next { since: draft.now },
    };
    let until = doing.due();
    step(draft, run, Move::Began { step: id.clone(), doing });
    match done(draft, run, act, until.unwrap_or(draft.now)) {
        Err(reject) => {
            let reason = limits::line(&reject.message, 300).unwrap_or_default();
            failed(draft, run, reason.into(), None, false);
        }
        Ok(_) if matches!(act, Act::Request { .. }) => {}
        Ok(output) => step(draft, run, Move::Ended { step: id, failure: None, output: Some(output) }),
    }
}

/// Asks the one function; a refusal stands in the journal.
fn permit(draft: &mut Draft<'_>, run: &Run, act: &Act) -> Result<(), Reject> {
    let (meaning, least, about) = match act {
        Act::Page { .. } => ("page", Permission::Declare, true),
        Act::SetSeverity(_) => ("incident.severity", Permission::Respond, true),
        Act::Silence { .. } => ("alert.silence", Permission::Respond, false),
        Act::Change(_) => ("change.new", Permission::Respond, false),
        // Nothing is changed by it, so whoever may declare may ask.
        Act::Request { .. } => ("incident.declare", Permission::Declare, true),
    };
    // An organisation may ask for more than the built-in words do.
    let specs = draft.org.lexicon.commands.iter().filter(|spec| spec.run == meaning);
    let permission = specs.map(|spec| spec.permission).min().unwrap_or(least).max(least);
    let incident = run.incident.filter(|_| about);
    let on = incident.and_then(|id| draft.any(id).ok());
    let refused = match authorise_by(draft.org, (draft.actor(), draft.by.granted), permission, on) {
        Ok(()) => return Ok(()),
        Err(refused) => refused,
    };
    draft.emit(Event::AttemptRefused {
        command: format_compact!("runbook step {}", act.word()),
        permission: word(permission).into(),
        incident: incident.filter(|id| draft.incident(*id).is_some()),
        record: Some(format_compact!("{}", run.id)),
    });
    if run.granted.is_some() && draft.by.granted.is_none() {
        let more = "what a role of the chat grants does not count after a wait, or longer than 5 minutes";
        return Err(Reject::new(refused.code, format!("{} In a run {more}.", refused.message)));
    }
    Err(refused)
}

fn done(draft: &mut Draft<'_>, run: &Run, act: &Act, until: Timestamp) -> Result<CompactString, Reject> {
    permit(draft, run, act)?;
    let private = run.incident.is_some_and(|id| draft.state.meta.private.contains(&id));
    let text = match act {
        Act::Page { whom, text } => page(draft, run, whom, text.as_deref(), private)?,
        Act::SetSeverity(severity) => {
            let incident = incident(draft, run)?;
            match &run.remedy {
                Some(remedy) => by_remedy(draft, incident, *severity, remedy)?,
                None => life::severity(draft, incident, *severity, None)?.text,
            }
        }
        Act::Silence { matchers, span, reason } => {
            let reason = Some(format!("{reason} ({})", run.id));
            let matchers = matchers.clone();
            silence(draft, Asked { matchers, ends: Some(Ends::For(*span)), reason, preview: false })?.text
        }
        Act::Change(said) => ask_for_change(draft, run, said, private)?,
        Act::Request { text, of, .. } => request(draft, run, text, of, until, private)?,
    };
    // The first line says what was done; those after it what a person could do next.
    let first = text.lines().next().unwrap_or_default();
    Ok(limits::line(first, 300).unwrap_or_default().into())
}

/// No person has looked yet: a remedy may say that it is worse, never that nobody has to come; and a worse alert may still
/// raise it afterwards.
fn by_remedy(draft: &mut Draft<'_>, id: IncidentId, severity: Severity, remedy: &str) -> Result<String, Reject> {
    let before = draft.open(id)?.severity;
    if severity > before {
        let reject = Reject::new(RejectCode::NotAllowed, format!("a remedy does not make {id} milder than {before}"));
        return Err(reject.hint("Leave that to whoever looks at it: /incident severity"));
    }
    if severity < before {
        life::change_severity(draft, id, severity, Some(format_compact!("set by remedy {remedy}")), None);
    }
    Ok(format!("{id} is {severity}"))
}

/// The incident that the run belongs to.
fn incident(draft: &Draft<'_>, run: &Run) -> Result<IncidentId, Reject> {
    let Some(id) = run.incident else {
        return Err(Reject::new(RejectCode::Missing, format!("{} is run for no incident.", run.id))
            .hint(format!("Say for which: /runbook run {} incident:INC-n", run.playbook.id)));
    };
    draft.open(id).map(|incident| incident.id)
}

fn page(draft: &mut Draft<'_>, run: &Run, whom: &str, text: Option<&str>, private: bool) -> Result<String, Reject> {
    let target = target(draft, whom)?;
    let said = text.map_or_else(|| format!("{} asks for help", run.headline()), ToOwned::to_owned);
    let open = run.incident.filter(|id| draft.incident(*id).is_some_and(|incident| incident.state.open()));
    let reply = match (open, &target) {
        (Some(id), PageTarget::Person(person)) => life::page_person(draft, id, person, Some(&said))?,
        _ => {
            let place = Place { chat: VIA.into(), ..Place::default() };
            decide::page_somebody(draft, &place, target, Some(&said), None, private)?
        }
    };
    if let Some(incident) = run.incident
        && reply.records.first().is_some_and(|record| *record != format_compact!("{incident}"))
    {
        let first = reply.text.lines().next().unwrap_or_default().to_owned();
        drive::note(draft, run, &format!("{} paged {whom}: {first}", run.id));
    }
    Ok(reply.text)
}

/// Whom a page is for, as the organisation knows them now.
fn target(draft: &Draft<'_>, whom: &str) -> Result<PageTarget, Reject> {
    let org = draft.org;
    let found = match whom.split_once(':') {
        Some(("person", name)) if org.people.contains_key(name) => Some(PageTarget::Person(name.into())),
        Some(("team", name)) if org.teams.contains_key(name) => Some(PageTarget::Team(name.into())),
        Some(("service", name)) if org.services.contains_key(name) => Some(PageTarget::Service(name.into())),
        _ => None,
    };
    found.ok_or_else(|| {
        let shown: String = whom.chars().filter(|c| !c.is_control()).take(60).collect();
        Reject::new(RejectCode::NotFound, format!("There is no `{shown}` to page."))
            .hint("It is written person:NAME, team:NAME or service:NAME")
    })
}

fn ask_for_change(draft: &mut Draft<'_>, run: &Run, said: &ChangeStep, private: bool) -> Result<String, Reject> {
    if private {
        let incident = run.incident.map(|id| id.to_string()).unwrap_or_default();
        return Err(Reject::new(RejectCode::Conflict, format!("{incident} is private, and everybody reads changes."))
            .hint("Ask for a change in words that tell nothing: /change new …"));
    }
    let service = match said.service.as_ref().filter(|name| !name.is_empty()) {
        Some(name) => ServiceId(name.clone()),
        None => run.service.clone().ok_or_else(|| {
            Reject::new(RejectCode::Missing, format!("{} says no service for its change.", run.id))
                .hint("write service = \"…\" in the step")
        })?,
    };
    if !draft.org.services.contains_key(&service) {
        return Err(Reject::new(RejectCode::NotFound, format!("There is no service {service}.")));
    }
    let text = |said: &Option<CompactString>| said.as_ref().filter(|it| !it.is_empty()).map(ToString::to_string);
    let why = match run.incident {
        Some(incident) => format!("{} for {incident}", run.headline()),
        None => run.headline(),
    };
    let asked = ChangeAsked {
        title: Some(said.title.to_string()),
        service: Some(service),
        environment: text(&said.environment),
        version: text(&said.version),
        reason: text(&said.reason).or(Some(why)),
        plan: text(&said.plan),
        rollback: text(&said.rollback),
        // Whoever began the run does not approve what it asks for.
        implementer: run.by.person().cloned(),
        ..ChangeAsked::default()
    };
    let reply = open::normal(draft, asked)?;
    let first = reply.text.lines().next().unwrap_or_default().to_owned();
    drive::note(draft, run, &format!("{}: {first}", run.id));
    if let Some(change) = reply.records.first().and_then(|record| record.parse().ok()) {
        carry::asked_for(draft, run, change);
    }
    Ok(reply.text)
}

fn request(
    draft: &mut Draft<'_>,
    run: &Run,
    text: &str,
    of: &str,
    until: Timestamp,
    private: bool,
) -> Result<String, Reject> {
    let Some(who) = group(of) else {
        return Err(Reject::new(RejectCode::BadValue, format!("`{of}` is nobody who could be asked.")));
    };
    // Everybody reads requests, so what a private incident needs has no record.
    let record = if private { None } else { asked::open(draft, run, text, of, until) };
    let record = record.map(|id| format!("\nIts record: /request show {id}")).unwrap_or_default();
    let told = format!(
        "{} asks {who} for something: {text}\nUntil <t:{2}:f>; when it is done: /runbook answer {1} yes, else: /runbook answer {1} no WHY{record}",
        run.headline(),
        run.id,
        until.unix_secs()
    );
    let hidden = |person: &PersonId| {
        let incident = run.incident.and_then(|id| draft.incident(id)).filter(|_| private);
        incident.is_some_and(|it| !private::may_see(draft.org, &Actor::Person(person.clone()), it))
    };
    match &who {
        Group::Person(person) if hidden(person) => {
            let incident = run.incident.map(|id| id.to_string()).unwrap_or_default();
            return Err(Reject::new(
                RejectCode::Conflict,
                format!("{incident} is private: {person} may not hear of it."),
            )
            .hint(format!("Invite them first: /incident invite {incident} {person}")));
        }
        Group::Person(person) => question::tell(draft, run, &told, (person, Answers::DoneOrNot)),
        Group::Team(_) | Group::Role(_) if private => {
            let incident = run.incident.map(|id| id.to_string()).unwrap_or_default();
            return Err(Reject::new(RejectCode::Conflict, format!("{incident} is private: {who} may not hear of it."))
                .hint("Ask a person: of = \"person:NAME\""));
        }
        Group::Team(team) if *team != run.team => {
            change::life::post_content(draft, team, question::content(run, &told, Answers::DoneOrNot));
        }
        Group::Team(_) | Group::Role(_) => {}
    }
    if !private {
        question::put(draft, run, &told, (None, Answers::DoneOrNot));
    }
    drive::note(draft, run, &format!("{} asks {who} for something: {text}", run.id));
    Ok(String::new())
}

//! How a run begins: by a playbook's name and values, in a change where the playbook is a standard change. Whoever may
//! run it has been asked by then. A dry run says what would be done, and does nothing.

use compact_str::{CompactString, format_compact};
use std::sync::Arc;

use super::drive::{self, all_values, service_of};
use super::spec::{Does, Kind, Part, Playbook};
use super::text::{Values, fill};
use super::{Board, Doing, OPEN_MAX, PlaybookStarted, Run, board, values};
use crate::domain::change::content::Content;
use crate::domain::change::{self, Change, open};
use crate::domain::command::spec::Permission;
use crate::domain::command::{ChangeAsked, ChangeCommand, Command, PlaybookAsked, PlaybookCommand, RequestCommand};
use crate::domain::counted::counted;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, IncidentId, RunId, ServiceId};
use crate::domain::input::Reply;
use crate::domain::limits;
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::request::ServiceRequest;
use crate::domain::request::open::{Aside, by_item};

/// What a command needs beyond what its file says: the permission of the playbook that it runs or acts on.
pub fn least(draft: &Draft<'_>, command: &Command) -> Permission {
    let of = |name: &str| draft.org.playbooks.get(name).map(|playbook| playbook.permission);
    let run = |id: &RunId| draft.state.runs.get(id).map(|run| run.playbook.permission);
    let needed = match command {
        Command::Playbook(PlaybookCommand::Run(asked)) if !asked.dry => of(&asked.playbook),
        Command::Playbook(PlaybookCommand::Cancel(id, _) | PlaybookCommand::Resume(id, _)) => run(id),
        Command::Request(RequestCommand::New(asked)) => {
            let item = asked.item.as_deref().and_then(|name| draft.org.playbooks.get(name));
            item.filter(|playbook| playbook.kind == Kind::Request).map(|playbook| playbook.permission)
        }
        Command::Change(ChangeCommand::Standard(asked)) => asked.model.as_deref().and_then(of),
        Command::Change(ChangeCommand::Start(id)) => {
            draft.state.changes.get(id).and_then(|change| change.content.model.as_deref()).and_then(of)
        }
        _ => None,
    };
    needed.unwrap_or(Permission::Read)
}

/// A playbook by its name; else a refusal that says what there is.
pub fn find<'o>(org: &'o Org, name: &str) -> Result<&'o Arc<Playbook>, Reject> {
    org.playbooks.get(name).ok_or_else(|| {
        let known = || org.playbooks.keys().map(CompactString::as_str);
        let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        let reject = Reject::new(RejectCode::NotFound, format!("There is no playbook `{shown}`."));
        match did_you_mean(name, known()) {
            Some(near) => reject.hint(format!("Did you mean {near}? All: /runbook list")),
            None => reject.hint("See what there is: /runbook list"),
        }
    })
}

/// A refused run stands in the journal: somebody may be trying what a value could do.
pub(in crate::domain) fn refused(draft: &mut Draft<'_>, playbook: &Playbook, reject: Reject) -> Reject {
    draft.emit(Event::AttemptRefused {
        command: "runbook run".into(),
        permission: "a fitting value".into(),
        incident: None,
        record: Some(playbook.id.clone()),
    });
    reject
}

/// `/runbook run`, and an organisation's own commands.
pub fn run(draft: &mut Draft<'_>, asked: PlaybookAsked) -> Result<Reply, Reject> {
    let playbook = find(draft.org, &asked.playbook)?.clone();
    let values = match values::read(draft.org, &playbook, &asked.said) {
        Ok(values) => values,
        Err(reject) if asked.dry => return Err(reject),
        Err(reject) => return Err(refused(draft, &playbook, reject)),
    };
    if asked.dry {
        return Ok(Reply::done(dry(draft, &playbook, &values, asked.incident)));
    }
    if let Some(incident) = asked.incident {
        draft.open(incident)?;
    }
    if playbook.kind == Kind::StandardChange {
        let asked = change_asked(&playbook, &values, asked.incident);
        return in_change(draft, &playbook, asked, values);
    }
    if playbook.kind == Kind::Request {
        return by_item(draft, &playbook, values, Aside { incident: asked.incident, ..Aside::default() });
    }
    let id = begin(draft, &playbook, values, (None, asked.incident), None)?;
    let mut reply = Reply::done(format!(
        "{id} runs {}: {}.\nFollow it: /runbook show {id}",
        playbook.id,
        counted(playbook.steps.len(), "step")
    ))
    .about(id);
    if let Some(incident) = asked.incident {
        reply = reply.about(incident);
    }
    Ok(reply)
}

/// What is asked of the change that a run is.
fn change_asked(playbook: &Playbook, values: &Values, incident: Option<IncidentId>) -> ChangeAsked {
    let said = |name: &str| values.get(name).map(ToString::to_string);
    ChangeAsked {
        title: Some(fill(&playbook.summary, values).into()),
        service: values.get("service").map(|name| name.as_str().into()),
        environment: said("environment"),
        version: said("version"),
        reason: incident.map(|incident| incident.to_string()),
        model: Some(playbook.id.to_string()),
        ..ChangeAsked::default()
    }
}

/// Opens, begins and runs a standard change at once.
fn in_change(
    draft: &mut Draft<'_>,
    playbook: &Arc<Playbook>,
    asked: ChangeAsked,
    values: Values,
) -> Result<Reply, Reject> {
    // Told before the calendar is asked, which would only say that the service is being changed.
    room(draft, playbook, service_of(draft.org, &values).as_ref())?;
    if let Some(held) = open::held(draft, &asked, &values)? {
        return Ok(held);
    }
    let change = open::by_playbook(draft, asked, values.clone())?;
    let id = begin(draft, playbook, values, (Some(change.id), None), None)?;
    let fenced = match change.content.expects.len() {
        0 => String::new(),
        _ => format!(" {} page nobody meanwhile.", change.content.expects.join(", ")),
    };
    Ok(Reply::done(format!(
        "{} has begun: {id} runs {}, {}.{fenced}\nFollow it: /runbook show {id}",
        change.headline(),
        playbook.id,
        counted(playbook.steps.len(), "step")
    ))
    .about(change.id)
    .about(id))
}

/// The playbook of a standard change's model and its values, from what is asked of the change: `service`, `version` and
/// `environment` go to the parameters of these names. `None` where the model is no playbook.
///
/// # Errors
/// The values do not fit.
pub fn parameters(draft: &mut Draft<'_>, asked: &ChangeAsked) -> Result<Option<(Arc<Playbook>, Values)>, Reject> {
    let Some(playbook) = asked.model.as_deref().and_then(|model| draft.org.playbooks.get(model)).cloned() else {
        if let Some((name, _)) = asked.with.first() {
            let message = format!("That model is no playbook, and takes no `{name}`.");
            return Err(Reject::new(RejectCode::BadValue, message).hint("Leave `with` out"));
        }
        return Ok(None);
    };
    let known = [
        ("service", asked.service.as_ref().map(ToString::to_string)),
        ("version", asked.version.clone()),
        ("environment", asked.environment.clone()),
    ];
    let takes = |name: &str| playbook.parameters.iter().any(|parameter| parameter.name == name);
    let said: Vec<(CompactString, String)> = known
        .into_iter()
        .filter(|(name, _)| takes(name))
        .filter_map(|(name, text)| Some((name.into(), text?)))
        .chain(asked.with.iter().cloned())
        .collect();
    match values::read(draft.org, &playbook, &said) {
        Ok(values) => Ok(Some((playbook, values))),
        Err(reject) => Err(refused(draft, &playbook, reject)),
    }
}

/// `/change standard` by a playbook, now.
pub fn standard(
    draft: &mut Draft<'_>,
    (playbook, values): (Arc<Playbook>, Values),
    asked: ChangeAsked,
) -> Result<Reply, Reject> {
    let title = asked.title.or_else(|| Some(fill(&playbook.summary, &values).into()));
    in_change(draft, &playbook, ChangeAsked { title, ..asked }, values)
}

/// `/change start` of a change whose model is a playbook: it is run. Gives the run.
///
/// # Errors
/// The playbook no longer takes what was said, or runs on the service already.
pub fn begun(draft: &mut Draft<'_>, change: &Change) -> Result<Option<RunId>, Reject> {
    let Some(playbook) = playbook_of(draft.org, &change.content).cloned() else { return Ok(None) };
    let said: Vec<(CompactString, String)> =
        change.content.parameters.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    let values = values::read(draft.org, &playbook, &said)?;
    begin(draft, &playbook, values, (Some(change.id), None), None).map(Some)
}

fn playbook_of<'o>(org: &'o Org, content: &Content) -> Option<&'o Arc<Playbook>> {
    if content.class == change::Class::Emergency {
        return None;
    }
    content.model.as_deref().and_then(|model| org.playbooks.get(model))
}

/// Whether one more may run: not twice at once on a service, and not too many.
fn room(draft: &Draft<'_>, playbook: &Playbook, service: Option<&ServiceId>) -> Result<(), Reject> {
    let mut open = draft.state.runs.values().filter(|run| run.ended.is_none());
    if let Some(other) = open.clone().find(|run| run.playbook.id == playbook.id && run.service.as_ref() == service) {
        return Err(Reject::new(RejectCode::Conflict, format!("{} runs already.", other.headline()))
            .hint(format!("Follow it: /runbook show {0}; stop it: /runbook cancel {0}", other.id)));
    }
    if open.nth(OPEN_MAX - 1).is_some() {
        return Err(too_many());
    }
    Ok(())
}

fn too_many() -> Reject {
    Reject::new(RejectCode::Conflict, format!("{OPEN_MAX} playbooks run; no more are begun."))
        .hint("See them: /runbook list")
}

/// The service that an item of the catalogue is asked for.
///
/// # Errors
/// It is not for that service.
pub(in crate::domain) fn service_for(
    org: &Org,
    playbook: &Playbook,
    values: &Values,
) -> Result<Option<ServiceId>, Reject> {
    let only = || match playbook.services.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    let service = service_of(org, values).or_else(only);
    if playbook.fits(service.as_ref()) {
        return Ok(service);
    }
    let on = service.map(|service| service.to_string()).unwrap_or_default();
    Err(Reject::new(RejectCode::NotAllowed, format!("{} is not for {on}.", playbook.id))
        .hint(format!("See it: /runbook show {}", playbook.id)))
}

/// Begins the run that fulfils a request, in its requester's name. Two requests for the same are two runs.
///
/// # Errors
/// Too much runs already.
pub(in crate::domain) fn by_request(
    draft: &mut Draft<'_>,
    playbook: &Arc<Playbook>,
    request: &ServiceRequest,
) -> Result<RunId, Reject> {
    let open = || draft.state.runs.values().filter(|run| run.ended.is_none());
    // What everybody may ask for leaves room for what answers an incident.
    if open().nth(OPEN_MAX - 1).is_some() || open().filter(|run| run.request.is_some()).nth(OPEN_MAX / 2).is_some() {
        return Err(too_many());
    }
    let id = RunId(draft.state.meta.runs + 1);
    let incident = request.incident.filter(|id| draft.open(*id).is_ok());
    let mut values = request.item.as_ref().map(|item| item.values.clone()).unwrap_or_default();
    values.extend(request.for_whom.as_ref().map(|person| ("for".into(), person.as_str().into())));
    let started = PlaybookStarted {
        run: id,
        playbook: playbook.clone(),
        values,
        change: None,
        request: Some(request.id),
        by: Some(request.requester.clone()).filter(|requester| requester != draft.actor()),
        incident,
        service: request.service.clone(),
        team: request.team.clone(),
        remedy: None,
    };
    if let Some(incident) = incident {
        let text = format_compact!("{id} runs {} for {}", playbook.id, request.id);
        draft.emit(Event::IncidentNoted { incident, text });
    }
    let record = Run::started(&draft.stamp(), &started);
    draft.emit(Event::PlaybookStarted(Box::new(started)));
    let text = format!("{} begins, for {} of {}.", record.headline(), request.id, request.requester);
    board::put(draft, &record, text);
    Ok(id)
}

/// Begins the run; its first step follows at once, in a commit of its own.
fn begin(
    draft: &mut Draft<'_>,
    playbook: &Arc<Playbook>,
    values: Values,
    (change, incident): (Option<ChangeId>, Option<IncidentId>),
    remedy: Option<&CompactString>,
) -> Result<RunId, Reject> {
    let service = placed(draft, playbook, &values, (change, incident))?;
    let team = match (service.as_ref().and_then(|id| draft.org.services.get(id)), incident) {
        (Some(service), _) => service.team.clone(),
        (None, Some(id)) => draft.incident(id).map(|incident| incident.team.clone()).unwrap_or_default(),
        (None, None) => Default::default(),
    };
    let id = RunId(draft.state.meta.runs + 1);
    let playbook = playbook.clone();
    let remedy = remedy.cloned();
    let (request, by) = (None, None);
    let started = PlaybookStarted { run: id, playbook, values, change, request, by, incident, service, team, remedy };
    if let Some(incident) = incident {
        let text = format_compact!("{id} runs {}", started.playbook.id);
        draft.emit(Event::IncidentNoted { incident, text });
    }
    let record = Run::started(&draft.stamp(), &started);
    draft.emit(Event::PlaybookStarted(Box::new(started)));
    let by = match &record.remedy {
        Some(remedy) => format!("the remedy {remedy}"),
        None => draft.actor().to_string(),
    };
    let within = change.map(|change| format!(" in {change}")).unwrap_or_default();
    board::put(draft, &record, format!("{} begins{within}, by {by}.", record.headline()));
    Ok(id)
}

/// The service that a run would be on, where it may begin there now.
fn placed(
    draft: &Draft<'_>,
    playbook: &Playbook,
    values: &Values,
    (change, incident): (Option<ChangeId>, Option<IncidentId>),
) -> Result<Option<ServiceId>, Reject> {
    let of_change = change.and_then(|_| values.get("service")).is_none();
    let own = incident.filter(|_| of_change).and_then(|id| draft.incident(id)).map(|incident| incident.service.clone());
    let only = || match playbook.services.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    let service = service_of(draft.org, values).or(own).or_else(only);
    if !playbook.fits(service.as_ref()) {
        let services = playbook.services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let on = service.map(|service| service.to_string()).unwrap_or_default();
        return Err(Reject::new(
            RejectCode::NotAllowed,
            format!("{} is not for {on}, only for {services}.", playbook.id),
        )
        .hint(format!("See it: /runbook show {}", playbook.id)));
    }
    room(draft, playbook, service.as_ref())?;
    Ok(service)
}

/// Whether a run for an incident could begin now.
///
/// # Errors
/// Why not.
pub(super) fn room_for(
    draft: &Draft<'_>,
    playbook: &Playbook,
    values: &Values,
    incident: Option<IncidentId>,
) -> Result<(), Reject> {
    placed(draft, playbook, values, (None, incident)).map(drop)
}

/// A run that an alert begins by a rule of the organisation.
///
/// # Errors
/// It may not begin now.
pub(super) fn by_remedy(
    draft: &mut Draft<'_>,
    playbook: &Arc<Playbook>,
    values: Values,
    incident: IncidentId,
    remedy: &CompactString,
) -> Result<RunId, Reject> {
    begin(draft, playbook, values, (None, Some(incident)), Some(remedy))
}

/// What would be done, step by step; what is wrong with it as well.
fn dry(draft: &mut Draft<'_>, playbook: &Arc<Playbook>, values: &Values, incident: Option<IncidentId>) -> String {
    let run = Run {
        id: RunId(draft.state.meta.runs + 1),
        playbook: playbook.clone(),
        values: values.clone(),
        by: draft.actor().clone(),
        granted: draft.by.granted,
        granted_at: None,
        started_at: draft.now,
        remedy: None,
        change: None,
        request: None,
        incident,
        service: None,
        team: Default::default(),
        part: Part::Steps,
        at: 0,
        doing: Doing::Over,
        attempt: 0,
        done: Vec::new(),
        ended: None,
        board: Board::default(),
    };
    let all = all_values(&run);
    let mut text = format!("{} would do this; nothing was done.", playbook.id);
    for part in [Part::Steps, Part::Verify, Part::Rollback] {
        for (n, step) in playbook.part(part).iter().enumerate() {
            if n == 0 && part != Part::Steps {
                text.push_str(&format!("\n{part}:"));
            }
            let does = match &step.does {
                Does::Http(_) | Does::Run(_) => {
                    drive::work(step, &all).map_or_else(|why| why.to_string(), |work| work.to_string())
                }
                other => fill(&other.to_string(), &all).to_string(),
            };
            text.push_str(&format!("\n{}. {}: {does}", n + 1, step.id));
        }
    }
    if playbook.kind == Kind::StandardChange
        && let Some(service) = service_of(draft.org, values)
    {
        let asked = ChangeAsked { service: Some(service), ..ChangeAsked::default() };
        if let Ok(verdict) = change::conflict::check(draft, asked) {
            text.push('\n');
            text.push_str(&verdict.text);
        }
    }
    limits::lines(&text, 8_000).unwrap_or_default()
}

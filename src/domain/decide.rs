//! `decide`: from an input to events and an answer. Pure: the same state, organisation, time and input give the same
//! decision. A command is read, typed, authorised on the loaded object, and handed to its practice.

use compact_str::{CompactString, format_compact};

use super::actor::Actor;
use super::alert;
use super::authorise::{authorise_by, word};
use super::change;
use super::clock;
use super::command::spec::Permission;
use super::command::{
    Call, ChangeCommand, Command, Meant, PageTarget, PlaybookCommand, PostmortemCommand, ProblemCommand,
    RequestCommand, account_number, grammar, help, meaning,
};
use super::connect;
use super::contact;
use super::delivery::{Content, Judged, Outcome, Priority};
use super::draft::Draft;
use super::event::Event;
use super::id::{IncidentId, PersonId};
use super::incident::{self, IncidentState, Resolution, life};
use super::input::{Button, Head, Input, InputKind, JudgeButton, Place, Reply, Wakeup, WakeupKind};
use super::oncall;
use super::org::{Org, Policy, Step, Target};
use super::paging::{escalate, page, settle};
use super::playbook;
use super::playbook::question::{RunButton, Which};
use super::postmortem;
use super::problem;
use super::reject::{Reject, RejectCode};
use super::report;
use super::request;
use super::service;
use super::silence;
use super::state::State;
use super::time::Timestamp;

/// What an input leads to. A refusal may come with an event: a refused attempt at a protected action is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What happened; empty when nothing changed.
    pub events: Vec<Event>,
    /// What is answered.
    pub reply: Result<Reply, Reject>,
    /// The commit that a kept answer rests on.
    pub kept: Option<u64>,
}

/// Decides.
pub fn decide(state: &State, org: &Org, now: Timestamp, input: &Input) -> Decision {
    let scope = input.idempotency.as_ref().map(|key| format_compact!("{}\u{1f}{key}", input.by.actor));
    if let Some(kept) = scope.as_ref().and_then(|key| state.answers.get(key)) {
        return Decision { events: Vec::new(), reply: Ok(kept.reply.clone()), kept: Some(kept.seq) };
    }
    let mut draft = Draft::new(state, org, now, &input.by, &input.closed);
    let reply = take(&mut draft, &input.kind).map(|reply| incident::private::guarded(&draft, reply));
    playbook::signal::heard(&mut draft);
    let mut events = draft.into_events();
    match reply {
        Ok(reply) => {
            // A read, and a repeat that changes nothing, write nothing and may as well be answered anew.
            if let (Some(key), false) = (scope, events.is_empty()) {
                events.push(Event::RequestAnswered { key, reply: reply.clone() });
            }
            Decision { events, reply: Ok(reply), kept: None }
        }
        Err(reject) => {
            // A refusal undoes what the draft had; only the record of a refused attempt stays.
            events.retain(|event| matches!(event, Event::AttemptRefused { .. } | Event::CodeRefused) || refuses(event));
            Decision { events, reply: Err(reject), kept: None }
        }
    }
}

/// A wrong code of a second factor is counted.
fn refuses(event: &Event) -> bool {
    let Event::AuthorityChanged(changed) = event else { return false };
    matches!(changed.step, change::authority::Step::FactorRefused { .. })
}

fn take(draft: &mut Draft<'_>, kind: &InputKind) -> Result<Reply, Reject> {
    match kind {
        InputKind::Signal { integration, signal } => alert::intake::receive(draft, integration, signal),
        InputKind::Text { place, text } => {
            let call = grammar::parse(text, &draft.org.lexicon)?;
            take_call(draft, place, &call)
        }
        InputKind::Call { place, call } => take_call(draft, place, call),
        InputKind::Press { button, incident, .. } => press(draft, *button, *incident),
        InputKind::PressJudge { button, on, .. } => judge(draft, *button, *on),
        InputKind::MessageLost { run, message } => {
            playbook::board::lost(draft, *run, message);
            Ok(Reply::default())
        }
        InputKind::PressRun { button, which, .. } => press_run(draft, *button, *which),
        InputKind::WritePostmortem { incident, text, base } => {
            permit(draft, Permission::Respond, "postmortem edit", Some(*incident))?;
            postmortem::life::write(draft, *incident, text, *base)
        }
        InputKind::Gate(asked) => {
            permit(draft, Permission::Respond, "change gate", None)?;
            change::gate::json(draft, asked)
        }
        InputKind::Evidence(change) => {
            permit(draft, Permission::Respond, "change evidence", None)?;
            draft.emit(Event::EvidenceTaken { change: *change });
            Ok(Reply::done(format!("The evidence of {change} was taken.")).about(change))
        }
        InputKind::Wake(wakeup) => {
            wake(draft, *wakeup, None);
            Ok(Reply::default())
        }
        InputKind::Summarise { wakeup, head } => {
            wake(draft, *wakeup, Some(head));
            Ok(Reply::default())
        }
        InputKind::Receipt { delivery, outcome } => {
            settle::settle(draft, delivery, outcome);
            Ok(Reply::default())
        }
        InputKind::Performed { run, attempt, outcome } => {
            playbook::drive::performed(draft, *run, *attempt, outcome);
            Ok(Reply::default())
        }
        InputKind::Arrived(deliveries) => {
            deliveries.iter().for_each(|delivery| settle::settle(draft, delivery, &Outcome::Accepted));
            Ok(Reply::default())
        }
        InputKind::Started { version, at } => {
            clock::started(draft, *at);
            draft.emit(Event::EngineStarted { version: version.clone() });
            playbook::drive::restarted(draft);
            Ok(Reply::default())
        }
        InputKind::ConfigLoaded { hash } => {
            if draft.state.meta.config != *hash {
                draft.emit(Event::ConfigLoaded { hash: hash.clone() });
            }
            report::summary::plan(draft);
            Ok(Reply::default())
        }
        InputKind::ClockStepped { by } => {
            clock::stepped(draft, *by);
            Ok(Reply::default())
        }
        InputKind::TellOperators { text } => {
            tell_operators(draft, text);
            Ok(Reply::default())
        }
        InputKind::AddToken { token, person, sha256 } => add_token(draft, token, person, sha256),
        InputKind::OfferAccount { account, name, sha256 } => connect::offer(draft, account, name, sha256),
        InputKind::ShowCode { sha256 } => connect::own::show(draft, sha256),
        InputKind::ClaimAccount { account, name, sha256 } => connect::own::claim(draft, account, name, sha256),
        InputKind::RevokeToken { token } => revoke_token(draft, token),
        InputKind::EnrolFactor { person, there } => {
            permit(draft, Permission::Administer, "factor add", None)?;
            change::authority::factor::enrol(draft, person, *there)
        }
    }
}

fn take_call(draft: &mut Draft<'_>, place: &Place, call: &Call) -> Result<Reply, Reject> {
    // In an incident's own thread or channel that one is meant.
    let here = draft.state.rooms().find(|incident| incident.is_room(place));
    let incidents = here.map_or_else(|| draft.state.meant_by(draft.person()), |incident| vec![incident.id]);
    let links = &draft.state.meta.accounts.links;
    let named = call.options.iter().map(|(_, value)| account_number(value));
    let linked = named.filter_map(|account| links.get_key_value(account)).map(|(one, who)| (one.clone(), who.clone()));
    let meant = Meant { caller: draft.person().cloned(), incidents, linked: linked.collect() };
    let (command, spec) = meaning::typed(call, draft.org, &meant)?;
    let needed = spec.permission.max(least(&command, draft.person())).max(playbook::start::least(draft, &command));
    for about in incidents_of(&command) {
        permit(draft, needed, &spec.name, about)?;
    }
    let mut reply = run(draft, place, command)?;
    reply.private |= spec.private;
    Ok(reply)
}

/// Approve or Reject: what the command needs that does the same is needed here.
fn judge(draft: &mut Draft<'_>, button: JudgeButton, on: Judged) -> Result<Reply, Reject> {
    const WITHOUT_WORDS: &str = "without a word, by the button";
    let kind = match on {
        Judged::Change(_) => "change",
        Judged::Request(_) => "request",
    };
    let (name, needed) = needed_by(draft.org, &format!("{kind}.{}", button.as_str()));
    permit(draft, needed, name, None)?;
    match (on, button) {
        (Judged::Change(id), JudgeButton::Approve) => change::approve::approve(draft, id),
        (Judged::Change(id), JudgeButton::Reject) => change::approve::reject(draft, id, WITHOUT_WORDS),
        (Judged::Request(id), JudgeButton::Approve) => request::life::approve(draft, id),
        (Judged::Request(id), JudgeButton::Reject) => request::life::reject(draft, id, WITHOUT_WORDS),
    }
}

/// The words for a meaning, and what they need.
fn needed_by<'o>(org: &'o Org, meaning: &str) -> (&'o str, Permission) {
    let spec = org.lexicon.commands.iter().find(|spec| spec.run == meaning);
    spec.map_or(("a button", Permission::Respond), |spec| (spec.name.as_str(), spec.permission))
}

/// A button under what a run asks: what the command needs that does the same is needed here.
fn press_run(draft: &mut Draft<'_>, button: RunButton, which: Which) -> Result<Reply, Reject> {
    let (meaning, command) = button.command(which.run);
    let command = Command::Playbook(command);
    let (name, least) = needed_by(draft.org, meaning);
    permit(draft, least.max(playbook::start::least(draft, &command)), name, None)?;
    playbook::question::press(draft, button, which)
}

/// Authorises on the loaded object; a refused attempt is recorded.
fn permit(
    draft: &mut Draft<'_>,
    permission: Permission,
    command: &str,
    about: Option<IncidentId>,
) -> Result<(), Reject> {
    let on = about.and_then(|id| draft.any(id).ok());
    let refused = match authorise_by(draft.org, (draft.actor(), draft.by.granted), permission, on) {
        Ok(()) => return Ok(()),
        Err(refused) => refused,
    };
    if permission > Permission::Read {
        let incident = about.filter(|id| draft.incident(*id).is_some());
        let (command, permission) = (command.into(), word(permission).into());
        draft.emit(Event::AttemptRefused { command, permission, incident, record: None });
    }
    Err(refused)
}

/// What a command is about: each has to be asked for. One that is about no incident is asked for once.
fn incidents_of(command: &Command) -> Vec<Option<IncidentId>> {
    match command {
        Command::IncidentMerge { incident, into: other } | Command::IncidentLink { incident, to: other, .. } => {
            vec![Some(*incident), Some(*other)]
        }
        _ => vec![incident_of(command)],
    }
}

/// What a command needs beyond what its file says: the same words may show something, or change it.
fn least(command: &Command, asker: Option<&PersonId>) -> Permission {
    match command {
        Command::IncidentTimes { stated: Some(_), .. } => Permission::Respond,
        // For somebody else.
        Command::Connect { person: Some(person), .. } | Command::Disconnect { person: Some(person) }
            if asker != Some(person) =>
        {
            Permission::Administer
        }
        _ => Permission::Read,
    }
}

fn incident_of(command: &Command) -> Option<IncidentId> {
    match command {
        Command::IncidentShow { incident }
        | Command::IncidentAck { incident }
        | Command::IncidentNote { incident, .. }
        | Command::IncidentUpdate { incident, .. }
        | Command::IncidentSeverity { incident, .. }
        | Command::IncidentRole { incident, .. }
        | Command::IncidentEscalate { incident }
        | Command::IncidentMitigate { incident }
        | Command::IncidentResolve { incident, .. }
        | Command::IncidentReopen { incident, .. }
        | Command::IncidentClose { incident, .. }
        | Command::IncidentMerge { incident, .. }
        | Command::IncidentLink { incident, .. }
        | Command::IncidentInvite { incident, .. }
        | Command::IncidentLinkChange { incident, .. }
        | Command::Change(ChangeCommand::Emergency { incident, .. })
        | Command::IncidentTimeline { incident }
        | Command::IncidentPages { incident }
        | Command::IncidentTimes { incident, .. }
        | Command::Problem(ProblemCommand::Link(_, incident))
        | Command::Postmortem(
            PostmortemCommand::Show(incident)
            | PostmortemCommand::Edit { incident, .. }
            | PostmortemCommand::Publish(incident),
        )
        | Command::Snooze { incident, .. } => Some(*incident),
        Command::Page { incident, .. } | Command::Problem(ProblemCommand::Open { incident, .. }) => *incident,
        Command::Playbook(PlaybookCommand::Run(asked)) => asked.incident,
        Command::Request(RequestCommand::New(asked)) => asked.incident,
        Command::IncidentDeclare { .. }
        | Command::IncidentAckAll
        | Command::ServiceShow { .. }
        | Command::ServiceImpact { .. }
        | Command::ServiceStatus { .. }
        | Command::Connect { .. }
        | Command::Disconnect { .. }
        | Command::ContactList
        | Command::ContactTest { .. }
        | Command::IncidentList
        | Command::Change(_)
        | Command::Problem(_)
        | Command::Playbook(_)
        | Command::Request(_)
        | Command::Postmortem(PostmortemCommand::List)
        | Command::OncallWho { .. }
        | Command::OncallNext { .. }
        | Command::AlertList { .. }
        | Command::AlertSilence { .. }
        | Command::AlertSilences
        | Command::AlertUnsilence { .. }
        | Command::ServiceMaintenance { .. }
        | Command::AlertShow { .. }
        | Command::Status
        | Command::ReportDora(_)
        | Command::ReportChanges(_)
        | Command::Whoami
        | Command::Help { .. } => None,
    }
}

fn run(draft: &mut Draft<'_>, place: &Place, command: Command) -> Result<Reply, Reject> {
    use incident::show;
    match command {
        Command::IncidentDeclare { title, service, severity, assessed, private } => {
            let title = &title;
            Ok(declared(
                draft,
                life::Declaration { title, service, team: None, severity, assessed, private, place, policy: None },
            ))
        }
        Command::IncidentList => Ok(Reply::done(show::list(draft.state, draft.org, draft.actor()))),
        Command::IncidentAckAll => life::ack_all(draft),
        Command::IncidentMerge { incident, into } => incident::merge::merge(draft, incident, into),
        Command::IncidentLink { incident, kind, to } => incident::link::link(draft, incident, kind, to),
        Command::IncidentInvite { incident, person } => incident::private::invite(draft, incident, &person),
        Command::ServiceShow { service } => service::show::show(draft, &service),
        Command::ServiceImpact { service } => service::show::impact(draft, &service),
        Command::ServiceStatus { service } => service::show::status(draft, service.as_ref()),
        Command::Connect { code, person } => connect::connect(draft, code.as_deref(), person),
        Command::Disconnect { person } => connect::disconnect(draft, person),
        Command::ContactList => contact::list(draft),
        Command::ContactTest { method } => contact::test(draft, method),
        Command::IncidentShow { incident } => {
            Ok(Reply::done(show::show(draft.any(incident)?, draft.state, draft.org)).about(incident))
        }
        Command::IncidentTimeline { incident } => Ok(Reply::done(show::timeline(draft.any(incident)?)).about(incident)),
        Command::IncidentPages { incident } => Ok(Reply::done(show::pages(draft.any(incident)?)).about(incident)),
        Command::IncidentAck { incident } => life::ack(draft, incident),
        Command::IncidentNote { incident, text } => life::note(draft, incident, &text),
        Command::IncidentUpdate { incident, text } => life::update(draft, incident, &text),
        Command::IncidentSeverity { incident, severity, assessed } => {
            life::severity(draft, incident, severity, assessed)
        }
        Command::IncidentRole { incident, role, person } => {
            let person = person.or_else(|| draft.person().cloned()).ok_or_else(nobody)?;
            life::role(draft, incident, role, &person)
        }
        Command::IncidentEscalate { incident } => life::escalate(draft, incident),
        Command::IncidentMitigate { incident } => life::mitigate(draft, incident),
        Command::IncidentResolve { incident, resolution, text } => {
            life::resolve_by_person(draft, incident, resolution, text.as_deref())
        }
        Command::IncidentReopen { incident, text } => life::reopen(draft, incident, text.as_deref()),
        Command::IncidentClose { incident, resolution, text } => {
            life::close(draft, incident, resolution, text.as_deref())
        }
        Command::Snooze { incident, duration, reminder: true } => incident::remind::snooze(draft, incident, duration),
        Command::Snooze { incident, duration, reminder: false } => life::snooze(draft, incident, duration),
        Command::IncidentTimes { incident, stated: None } => {
            Ok(Reply::done(incident::times::show(draft.any(incident)?)).about(incident))
        }
        Command::IncidentTimes { incident, stated: Some((milestone, at, reason)) } => {
            incident::times::state(draft, incident, milestone, &at, &reason)
        }
        Command::IncidentLinkChange { incident, kind, change } => {
            incident::link::to_change(draft, incident, kind, change)
        }
        Command::Change(command) => change::run(draft, command),
        Command::Playbook(command) => playbook::run(draft, command),
        Command::Problem(command) => problem::run(draft, command),
        Command::Request(command) => request::run(draft, command),
        Command::Postmortem(command) => postmortem::run(draft, command),
        Command::Page { target, text, incident } => {
            page_somebody(draft, place, target, text.as_deref(), incident, false)
        }
        Command::OncallWho { of } => Ok(Reply::done(oncall::show::who(draft.org, of.as_ref(), draft.now)?)),
        Command::OncallNext { of } => Ok(Reply::done(oncall::show::next(draft.org, of.as_ref(), draft.now)?)),
        Command::AlertList { suppressed: true } => Ok(Reply::done(silence::show::suppressed(draft.state))),
        Command::AlertList { suppressed: false } => Ok(Reply::done(alert::show::list(draft.state))),
        Command::AlertSilence { asked } => silence::start::silence(draft, asked),
        Command::AlertSilences => Ok(Reply::done(silence::show::list(draft.state, draft.now))),
        Command::AlertUnsilence { silence } => silence::start::unsilence(draft, silence),
        Command::ServiceMaintenance { service, ends, reason, over } => {
            silence::start::maintenance(draft, &service, ends, reason, over)
        }
        Command::AlertShow { alert } => match draft.state.alert(alert) {
            Some(known) if known.incident.is_none() => Ok(Reply::done(alert::show::show(known)).about(alert)),
            Some(known) => Ok(Reply::done(alert::show::show(known)).about(alert).about(known.incident)),
            None if alert.0 >= 1 && alert.0 <= draft.state.meta.alerts => {
                Err(Reject::new(RejectCode::NotFound, format!("{alert} has recovered."))
                    .hint(format!("Its record: GET /v1/alerts/{alert}. What fires: /alert list")))
            }
            None => {
                Err(Reject::new(RejectCode::NotFound, format!("There is no {alert}.")).hint("What fires: /alert list"))
            }
        },
        Command::ReportChanges(asked) => report::changes::reply(draft, &asked),
        Command::ReportDora(asked) => Ok(report::dora::reply(draft, &asked)),
        Command::Status => Ok(Reply::done(report::status::status(draft.state, draft.org, draft.actor(), draft.now))),
        Command::Whoami => Ok(Reply::done(whoami(draft))),
        Command::Help { about } => {
            let may = |permission| authorise_by(draft.org, (draft.actor(), draft.by.granted), permission, None).is_ok();
            help::help(about.as_deref(), &draft.org.lexicon, &may).map(Reply::done)
        }
    }
}

fn nobody() -> Reject {
    Reject::new(RejectCode::Missing, "Who? Name a person.")
}

fn declared(draft: &mut Draft<'_>, declaration: life::Declaration<'_>) -> Reply {
    let id = life::declare(draft, declaration);
    let told = draft.incident(id).map(|incident| {
        let why = incident.assessed.map(|why| format!("\n{}: {why}.", incident.severity)).unwrap_or_default();
        let who = incident::private::who_sees(draft.org, incident);
        let who = if incident.private { format!("\n{who}") } else { String::new() };
        let paged = incident::show::who_is_paged(incident);
        format!("{} declared.{why}\n{paged}{who}", incident::show::headline(incident))
    });
    Reply::done(format!("{}\nNext: /ack {id} or /incident update {id} \"…\"", told.unwrap_or_default())).about(id)
}

/// `/page`, and a step that pages. `private`: only those see what is opened whom it concerns.
pub(in crate::domain) fn page_somebody(
    draft: &mut Draft<'_>,
    place: &Place,
    target: PageTarget,
    text: Option<&str>,
    incident: Option<IncidentId>,
    private: bool,
) -> Result<Reply, Reject> {
    if let (Some(id), PageTarget::Person(person)) = (incident, &target) {
        return life::page_person(draft, id, person, text);
    }
    if let Some(id) = incident {
        return Err(Reject::new(RejectCode::BadValue, format!("Only a person can be added to {id}."))
            .hint(format!("/page person:NAME incident:{id}, or page the next step: /incident escalate {id}")));
    }
    let asks = draft.actor().to_string();
    let title = text.map_or_else(|| format!("{asks} asks for help"), ToOwned::to_owned);
    let (service, team, policy) = match target {
        PageTarget::Service(service) => (Some(service), None, None),
        PageTarget::Team(team) => {
            let owned =
                draft.org.services.values().find(|service| service.team == team).map(|service| service.id.clone());
            let policy = draft.org.teams.get(&team).and_then(|team| draft.org.policies.get(&team.escalation)).cloned();
            (owned, Some(team), policy)
        }
        PageTarget::Person(person) => (None, None, Some(only(person, &asks))),
    };
    let (severity, assessed) = (None, None);
    let title = &title;
    Ok(declared(draft, life::Declaration { title, service, team, severity, assessed, private, place, policy }))
}

/// A policy that pages one person, twice, before the last resort.
fn only(person: PersonId, asks: &str) -> Policy {
    let step = Step { page: vec![Target::Person(person)], escalate_after: escalate::AD_HOC_WAIT };
    Policy { id: format!("{}{asks}", escalate::AD_HOC).into(), steps: vec![step], repeat: 1, ack_expires: None }
}

fn press(draft: &mut Draft<'_>, button: Button, id: IncidentId) -> Result<Reply, Reject> {
    permit(draft, Permission::Respond, button.as_str(), Some(id))?;
    match button {
        Button::Ack => life::ack(draft, id),
        Button::Cant => life::cant(draft, id),
        Button::HandBack => life::hand_back(draft, id),
        Button::Escalate => life::escalate(draft, id),
        Button::Resolve => life::resolve_by_person(draft, id, Some(Resolution::Fixed), None),
        Button::Problem => problem::life::open(draft, Some(id), None, None),
        Button::Emergency => change::emergency::now(draft, id),
        Button::FalseAlarm => life::resolve_by_person(draft, id, Some(Resolution::FalseAlarm), None),
    }
}

/// A moment has come; one that no longer waits (it was handled, shifted or stopped meanwhile) does nothing.
fn wake(draft: &mut Draft<'_>, wakeup: Wakeup, head: Option<&Head>) {
    if wakeup.due > draft.now || !draft.state.waits_for(&wakeup) {
        return;
    }
    match wakeup.kind {
        WakeupKind::PageRule(id) => page::rule_due(draft, id),
        WakeupKind::Escalation(id) => playbook::remedy::step_due(draft, id),
        WakeupKind::Silence(id) => silence::end::due(draft, id),
        WakeupKind::AckExpiry(id) => life::ack_expired(draft, id),
        WakeupKind::UpdateDue(id) => incident::remind::due(draft, id),
        WakeupKind::Change(id) => change::due::due(draft, id),
        WakeupKind::Freeze(id) => change::freeze::due(draft, id),
        WakeupKind::Playbook(id) => playbook::drive::due(draft, id),
        WakeupKind::Question(id) => change::answer::due(draft, id),
        WakeupKind::Request(id) => request::due::due(draft, id),
        WakeupKind::Close(id) => {
            if draft.incident(id).is_some_and(|incident| incident.state == IncidentState::Resolved) {
                draft.emit(Event::IncidentClosed { incident: id });
            }
        }
        WakeupKind::Summary => report::summary::due(draft, head),
    }
}

fn tell_operators(draft: &mut Draft<'_>, text: &str) {
    for to in escalate::operators(draft.org) {
        draft.owe(None, None, to, Priority::Notice, Content::Notice { text: text.to_owned() });
    }
}

fn add_token(
    draft: &mut Draft<'_>,
    token: &CompactString,
    person: &PersonId,
    sha256: &CompactString,
) -> Result<Reply, Reject> {
    permit(draft, Permission::Administer, "token add", None)?;
    if !draft.org.people.contains_key(person) {
        let known = draft.org.people.keys().map(PersonId::as_str);
        let reject = Reject::new(RejectCode::NotFound, format!("There is no person {person}."));
        return Err(match super::reject::did_you_mean(person.as_str(), known) {
            Some(meant) => reject.hint(format!("Did you mean {meant}?")),
            None => reject.hint("People are the [[person]] tables of the configuration."),
        });
    }
    draft.emit(Event::TokenAdded { token: token.clone(), person: person.clone(), sha256: sha256.clone() });
    Ok(Reply::done(format!("{token} is in force for {person}.")))
}

fn revoke_token(draft: &mut Draft<'_>, which: &CompactString) -> Result<Reply, Reject> {
    permit(draft, Permission::Administer, "token revoke", None)?;
    let named: Vec<CompactString> = draft
        .state
        .tokens
        .iter()
        .filter(|(name, token)| *name == which || token.person.as_str() == which.as_str())
        .map(|(name, _)| name.clone())
        .collect();
    if named.is_empty() {
        return Err(Reject::new(RejectCode::NotFound, format!("There is no token {which}."))
            .hint("See them: opsbell token list"));
    }
    for token in &named {
        draft.emit(Event::TokenRevoked { token: token.clone() });
    }
    Ok(Reply::done(format!("Revoked: {}.", named.join(", "))))
}

fn whoami(draft: &Draft<'_>) -> String {
    if let Actor::Member(name) = draft.actor() {
        return format!(
            "You are {name}, linked to no person of this organisation: you may read and declare.\nFor more, link your account to your [[person]]: /connect"
        );
    }
    let Actor::Person(person) = draft.actor() else { return draft.actor().to_string() };
    let Some(known) = draft.org.people.get(person) else { return format!("You are {person}.") };
    let role = match known.role {
        super::org::Role::Stakeholder => "stakeholder: you may read and declare",
        super::org::Role::Responder => "responder: you may declare, acknowledge, update, escalate and resolve",
        super::org::Role::Admin => "administrator: you may do everything",
    };
    let rules = |high: bool| {
        let rules = draft.org.rules(person, high).iter();
        let words: Vec<String> = rules
            .map(|rule| match rule.after.0 {
                0 => rule.method.to_string(),
                _ => format!("{} after {}", rule.method, rule.after),
            })
            .collect();
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    };
    let duty = oncall::show::duties(draft.org, person, draft.now);
    format!(
        "You are {person} ({role}).\nHigh urgency reaches you by {}; low by {}.\nYour zone is {}; it is <t:{}:f>.\n{duty}",
        rules(true),
        rules(false),
        known.zone.name(),
        draft.now.unix_secs(),
    )
}

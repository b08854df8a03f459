//! How a request begins: by an item of the catalogue, or in words for the team of a service. Whether the person may use the
//! word, and what the item's playbook asks of them, has been asked by then.

use std::sync::Arc;

use compact_str::CompactString;
use sha2::{Digest, Sha256};

use super::{
    MINE_MAX, OPEN_MAX, Ordered, RequestOpened, RequestState, ServiceRequest, TEXT_MAX, TITLE_MAX, carry, show,
};
use crate::domain::actor::Actor;
use crate::domain::authorise::{authorise, word};
use crate::domain::change::life::{post_content, post_to, tell, tell_content};
use crate::domain::change::rules::Group;
use crate::domain::command::RequestAsked;
use crate::domain::delivery::{Content, Judged};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, PersonId, ServiceId, ServiceRequestId, TeamId};
use crate::domain::input::Reply;
use crate::domain::limits;
use crate::domain::org::Org;
use crate::domain::playbook::act;
use crate::domain::playbook::drive::group;
use crate::domain::playbook::spec::{Kind, Playbook};
use crate::domain::playbook::text::{Values, fill};
use crate::domain::playbook::{start, values};
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::time::Span;

/// The items of the catalogue, by name.
pub fn items(org: &Org) -> impl Iterator<Item = &Arc<Playbook>> {
    org.playbooks.values().filter(|playbook| playbook.kind == Kind::Request)
}

/// Hex sha256 of a playbook: what is approved is what is run.
pub(super) fn hash(playbook: &Playbook) -> CompactString {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    // A playbook is plain data, and writing it into memory cannot fail; if it did, nothing would ever equal it.
    let text = serde_json::to_vec(playbook).unwrap_or_default();
    let mut hex = CompactString::default();
    for byte in Sha256::digest(text) {
        hex.push(char::from(HEX[usize::from(byte >> 4)]));
        hex.push(char::from(HEX[usize::from(byte & 15)]));
    }
    hex
}

/// What is said of a request beside what is asked for.
#[derive(Debug, Clone, Default)]
pub struct Aside {
    /// Why, in words.
    pub text: Option<String>,
    /// For whom.
    pub for_whom: Option<PersonId>,
    /// Until when, from now.
    pub due: Option<Span>,
    /// The incident that it came up in.
    pub incident: Option<IncidentId>,
}

/// `/request new`.
pub fn new(draft: &mut Draft<'_>, asked: RequestAsked) -> Result<Reply, Reject> {
    let RequestAsked { item, service, text, mut said, for_whom, due, incident } = asked;
    let Some(item) = item else {
        if let Some((name, _)) = said.first() {
            let message = format!("Only an item takes `{name}`, and none is named.");
            return Err(Reject::new(RejectCode::BadValue, message).hint(format!("Name it: {}", offered(draft.org))));
        }
        return in_words(draft, service, text.as_deref(), Aside { text: None, for_whom, due, incident });
    };
    let playbook = item_of(draft.org, &item)?.clone();
    if let Some(service) = service {
        let takes = playbook.parameters.iter().any(|parameter| parameter.name == "service");
        if takes && !said.iter().any(|(name, _)| name == "service") {
            said.push(("service".into(), service.to_string()));
        } else if !takes && !playbook.services.contains(&service) {
            let message = format!("{} is not about {service}.", playbook.id);
            return Err(Reject::new(RejectCode::BadValue, message).hint("Leave `service` out, or ask in words"));
        }
    }
    let values = match values::read(draft.org, &playbook, &said) {
        Ok(values) => values,
        Err(reject) => return Err(start::refused(draft, &playbook, reject)),
    };
    by_item(draft, &playbook, values, Aside { text, for_whom, due, incident })
}

/// An item by its name; else a refusal that says what there is.
fn item_of<'o>(org: &'o Org, name: &str) -> Result<&'o Arc<Playbook>, Reject> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    match org.playbooks.get(name) {
        Some(playbook) if playbook.kind == Kind::Request => Ok(playbook),
        Some(playbook) => {
            let message = format!("{shown} is a {}, not something to request.", playbook.kind);
            Err(Reject::new(RejectCode::BadValue, message).hint(format!("To run it: /runbook run {}", playbook.id)))
        }
        None => {
            let reject = Reject::new(RejectCode::NotFound, format!("There is no item `{shown}` to request."));
            Err(match did_you_mean(name, items(org).map(|item| item.id.as_str())) {
                Some(near) => reject.hint(format!("Did you mean {near}? All: {}", offered(org))),
                None => reject.hint(format!("There is: {}", offered(org))),
            })
        }
    }
}

/// What can be ordered, in words.
pub(super) fn offered(org: &Org) -> String {
    let names: Vec<String> = items(org).take(20).map(|item| format!("item:{}", item.id)).collect();
    match names.as_slice() {
        [] => "nothing yet; ask in words: /request new service:NAME \"…\"".to_owned(),
        some => some.join(", "),
    }
}

/// Asks for an item: by `/request new`, `/runbook run` and an organisation's own commands.
pub fn by_item(draft: &mut Draft<'_>, playbook: &Arc<Playbook>, values: Values, aside: Aside) -> Result<Reply, Reject> {
    let service = start::service_for(draft.org, playbook, &values)?;
    let item = playbook.item.clone().unwrap_or_default();
    // Who agrees is another person than who asks: that is known of accounts that are linked to one.
    if !item.approvers.is_empty() && draft.person().is_none() {
        let message = format!("{} needs an approval, and this account is linked to no person.", playbook.id);
        return Err(Reject::new(RejectCode::Unlinked, message).hint("Link it: /connect"));
    }
    lasts(draft, playbook, &item.approvers)?;
    let team = item.team.unwrap_or_else(|| team_of(draft.org, service.as_ref()));
    let due = aside.due.or(item.due).map(|span| draft.now.after(span));
    let title = limits::line(&fill(&playbook.summary, &values), TITLE_MAX).unwrap_or_else(|| playbook.id.to_string());
    let ordered = Ordered { playbook: playbook.id.clone(), hash: hash(playbook), values };
    let mut request = open(
        draft,
        RequestOpened {
            request: next(draft)?,
            title: title.into(),
            text: aside.text.as_deref().and_then(|text| limits::lines(text, TEXT_MAX)).map(Into::into),
            service,
            team,
            of: None,
            item: Some(ordered),
            for_whom: recipient(draft, aside.for_whom)?,
            approvers: item.approvers,
            due,
            asked_by: None,
            incident: told_to_all(draft, aside.incident)?,
        },
    );
    if request.awaits_approval() && !show::judged(draft.org, &request) {
        let who = show::approvers(&request);
        let message = format!(
            "{} needs an approval, and of {who} nobody is left who neither asks for it nor gets it.",
            playbook.id
        );
        return Err(Reject::new(RejectCode::Conflict, message)
            .hint("Have somebody else ask for it, or an administrator name somebody else in the item's `approvers`"));
    }
    if request.state == RequestState::Approved {
        let run = carry::begin(draft, &mut request, playbook)?;
        let text = format!(
            "{} is submitted; nobody has to approve it, and {run} fulfils it.\nFollow it: /request show {}",
            request.headline(),
            request.id
        );
        return Ok(about(&request, Reply::done(text).about(request.id).about(run)));
    }
    let told =
        format!("{}\nApprove it: /request approve {id}, or /request reject {id} WHY", asked(&request), id = request.id);
    tell_approvers(draft, &request, &told);
    if !request.approvers.iter().any(|who| group(who) == Some(Group::Team(request.team.clone()))) {
        tell_team(draft, &request, asked(&request));
    }
    let text = format!("{} is submitted.\n{}", request.headline(), show::next(&request));
    Ok(about(&request, Reply::done(text).about(request.id)))
}

/// What is approved later is run as what the requester may do then: a role that their chat grants just now does not count
/// any more, and the order could never be approved.
fn lasts(draft: &mut Draft<'_>, playbook: &Playbook, approvers: &[CompactString]) -> Result<(), Reject> {
    if approvers.is_empty() || authorise(draft.org, draft.actor(), playbook.permission, None).is_ok() {
        return Ok(());
    }
    let needs = word(playbook.permission);
    draft.emit(Event::AttemptRefused {
        command: "request new".into(),
        permission: needs.into(),
        incident: None,
        record: Some(playbook.id.clone()),
    });
    let message = format!(
        "{} takes the permission `{needs}` when it is approved, and you have it only by a role of the chat, which counts only while you ask.",
        playbook.id
    );
    Err(Reject::new(RejectCode::NotAllowed, message).hint(format!(
        "Somebody who has it by the configuration can ask for you: /request new item:{} for:NAME; or have an administrator give it to you there",
        playbook.id
    )))
}

/// Asks the team of a service for something, in words.
fn in_words(
    draft: &mut Draft<'_>,
    service: Option<ServiceId>,
    text: Option<&str>,
    aside: Aside,
) -> Result<Reply, Reject> {
    let Some(text) = text.and_then(|text| limits::lines(text, TEXT_MAX)) else {
        return Err(Reject::new(RejectCode::Missing, "What do you request?").hint(format!(
            "An item: {}\nOr in your own words: /request new service:NAME \"a test account for Noor\"",
            offered(draft.org)
        )));
    };
    if let Some(item) = items(draft.org).find(|item| item.id == text.as_str()) {
        return Err(Reject::new(RejectCode::BadValue, format!("{} is an item of the catalogue.", item.id))
            .hint(format!("Order it: /request new item:{}", item.id)));
    }
    let service = service.unwrap_or_else(|| draft.org.defaults.service.clone());
    let title = limits::line(&text, TITLE_MAX).unwrap_or_default();
    let more = (title != text).then(|| text.into());
    let request = open(
        draft,
        RequestOpened {
            request: next(draft)?,
            title: title.into(),
            text: more,
            team: team_of(draft.org, Some(&service)),
            service: Some(service),
            of: None,
            item: None,
            for_whom: recipient(draft, aside.for_whom)?,
            approvers: Vec::new(),
            due: aside.due.map(|span| draft.now.after(span)),
            asked_by: None,
            incident: told_to_all(draft, aside.incident)?,
        },
    );
    tell_team(draft, &request, format!("{}\nTake it: /request take {}", asked(&request), request.id));
    let text = format!(
        "{} is submitted to team {}.\nFollow it: /request show {}",
        request.headline(),
        request.team,
        request.id
    );
    Ok(about(&request, Reply::done(text).about(request.id)))
}

/// Adds the event that opens a request; gives the record as it will be.
pub(super) fn open(draft: &mut Draft<'_>, opened: RequestOpened) -> ServiceRequest {
    let request = ServiceRequest::opened(&draft.stamp(), &opened);
    draft.emit(Event::RequestOpened(Box::new(opened)));
    request
}

/// The number of the next request, if there may be one more.
pub(super) fn next(draft: &Draft<'_>) -> Result<ServiceRequestId, Reject> {
    let open = draft.state.requests.len();
    if open >= OPEN_MAX {
        return Err(Reject::new(RejectCode::Conflict, format!("{open} requests are open; no more are taken."))
            .hint("See them: /request list"));
    }
    let mine = draft.state.requests.values().filter(|it| it.requester == *draft.actor()).count();
    if mine >= MINE_MAX {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{mine} requests of yours are open; no more are taken."),
        )
        .hint("See them: /request list; what you want no longer: /request cancel REQ-n"));
    }
    Ok(ServiceRequestId(draft.state.meta.requests + 1))
}

/// Somebody else who is to get it.
fn recipient(draft: &Draft<'_>, person: Option<PersonId>) -> Result<Option<PersonId>, Reject> {
    let Some(person) = person.filter(|person| draft.person() != Some(person)) else { return Ok(None) };
    match draft.org.people.get(&person) {
        Some(known) if !known.left => Ok(Some(person)),
        _ => Err(Reject::new(RejectCode::BadValue, format!("{person} is nobody to request something for."))
            .hint("Leave `for` out, or name a person who is here")),
    }
}

/// The incident that a request came up in; everybody reads requests.
fn told_to_all(draft: &Draft<'_>, incident: Option<IncidentId>) -> Result<Option<IncidentId>, Reject> {
    let Some(id) = incident else { return Ok(None) };
    if draft.open(id)?.private {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is private, and everybody reads requests."))
            .hint("Ask in words that tell nothing, and leave the incident out"));
    }
    Ok(Some(id))
}

/// The team that fulfils what is asked of a service.
fn team_of(org: &Org, service: Option<&ServiceId>) -> TeamId {
    let known = service.and_then(|id| org.services.get(id)).or_else(|| org.services.get(&org.defaults.service));
    known.map(|service| service.team.clone()).unwrap_or_default()
}

/// `REQ-1 ledger: Read access to the replica, asked by noor for cleo. Until …. Why: …`.
fn asked(request: &ServiceRequest) -> String {
    let whom = request.for_whom.as_ref().map(|person| format!(" for {person}")).unwrap_or_default();
    let due = request.due.map(|due| format!(", until <t:{}:f>", due.unix_secs())).unwrap_or_default();
    let why = request.text.as_ref().map(|text| format!("\n{text}")).unwrap_or_default();
    format!("{}\nasked by {}{whom}{due}{why}", request.headline(), request.requester)
}

fn about(request: &ServiceRequest, reply: Reply) -> Reply {
    match request.incident {
        Some(incident) => reply.about(incident),
        None => reply,
    }
}

/// Tells the team that fulfils it, in its channel.
pub(super) fn tell_team(draft: &mut Draft<'_>, request: &ServiceRequest, text: String) {
    post_to(draft, &request.team.clone(), text);
}

/// Tells whoever may approve it: people by their ways for what is not urgent, teams in their channels, a role in the
/// channel of the team that fulfils it. Nobody is paged.
pub(super) fn tell_approvers(draft: &mut Draft<'_>, request: &ServiceRequest, text: &str) {
    let mut teams: Vec<TeamId> = Vec::new();
    let asks = Content::Ask { text: text.to_owned(), about: Judged::Request(request.id) };
    for who in request.approvers.iter().filter_map(|who| group(who)) {
        match who {
            Group::Person(person) if !request.is_for(&person) => tell_content(draft, &person, None, asks.clone()),
            Group::Person(_) => {}
            Group::Team(team) if !teams.contains(&team) => teams.push(team),
            Group::Role(_) if !teams.contains(&request.team) => teams.push(request.team.clone()),
            Group::Team(_) | Group::Role(_) => {}
        }
    }
    for team in teams {
        post_content(draft, &team, asks.clone());
    }
}

/// Tells who asked, and who gets it, except whoever does what is told.
pub(super) fn tell_requester(draft: &mut Draft<'_>, request: &ServiceRequest, text: &str) {
    let requester = if let Actor::Person(person) = &request.requester { Some(person.clone()) } else { None };
    let people: Vec<PersonId> = requester.into_iter().chain(request.for_whom.clone()).collect();
    // A step that fails in somebody's name is not their own doing.
    let asks = draft.person().filter(|_| draft.by.via != act::VIA);
    for person in people.iter().filter(|person| asks != Some(person)) {
        tell(draft, person, text.to_owned());
    }
}

//! The life of a postmortem: drafted when a bad incident is over (or asked for), edited as a whole or by section,
//! published. It can be edited as long as anybody likes, also when its incident is closed; what was published has to be
//! published again then. Who may do it has been asked before these functions are called.

use super::section;
use super::{Drafted, Edited, Postmortem, PostmortemState, Published, TEXT_MAX};
use crate::domain::delivery::{Content, Destination, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::IncidentId;
use crate::domain::incident::{Incident, Resolution};
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};

use super::facts::Facts;

/// A post or a reply shows at most so many characters of a text.
const SHOWN_MAX: usize = 6_000;

/// An incident is over: drafts its postmortem where it was bad and real. A draft that nobody has touched is replaced (it
/// was reopened meanwhile); one that somebody has is left alone.
pub fn resolved(draft: &mut Draft<'_>, id: IncidentId) {
    let Some(incident) = draft.incident(id) else { return };
    let real = matches!(incident.resolution, Some(Resolution::Fixed | Resolution::Recovered));
    if !real || !incident.severity.high_urgency() {
        return;
    }
    if incident.postmortem().is_some_and(|known| known.state != PostmortemState::Draft) {
        let text = format!("{id} has a postmortem already, which is left as it is: /postmortem show {id}");
        return post(draft, id, text);
    }
    write_draft(draft, id);
}

/// Drafts, and posts the draft.
fn write_draft(draft: &mut Draft<'_>, id: IncidentId) {
    let Ok(incident) = draft.any(id) else { return };
    let facts = Facts::of(incident, draft.state, draft.org.defaults.zone);
    let rendered = draft.org.postmortems.draft(incident.service.as_str(), incident.severity, &facts);
    let failed =
        rendered.failure.as_ref().map(|why| format!("\n(The template failed, so this is the built-in one: {why})"));
    let told = format!(
        "{id}: postmortem draft.{} Fill it in: /postmortem edit {id} root-cause …\n\n{}",
        failed.unwrap_or_default(),
        shown(&rendered.text, id)
    );
    let closed = draft.carried(id);
    draft.emit(Event::PostmortemDrafted(Box::new(Drafted {
        incident: id,
        template: rendered.template.into(),
        failure: rendered.failure.map(Into::into),
        text: rendered.text,
        closed,
    })));
    post(draft, id, told);
}

/// Posts about an incident that may be closed: a closed one owns no deliveries, so that is a notice.
fn post(draft: &mut Draft<'_>, id: IncidentId, text: String) {
    if draft.state.incidents.contains_key(&id) {
        return draft.post(id, text);
    }
    let Ok(incident) = draft.any(id) else { return };
    if let Some(channel) = draft.channel(incident).cloned() {
        draft.owe(None, None, Destination::Channel(channel), Priority::Post, Content::Post { text });
    }
}

/// A text as far as one message shows it.
fn shown(text: &str, id: IncidentId) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.trim_end().to_owned(),
        Some((at, _)) => format!("{}…\nThe whole text: GET /v1/incidents/{id}/postmortem", &text[..at]),
    }
}

fn none(incident: &Incident) -> Reject {
    let id = incident.id;
    let message = format!("{id} has no postmortem.");
    if incident.state.open() {
        return Reject::new(RejectCode::NotFound, message)
            .hint(format!("It is written when the incident is over: /resolve {id}"));
    }
    Reject::new(RejectCode::NotFound, message).hint(format!("Begin one: /postmortem edit {id}"))
}

/// `/postmortem show`.
pub fn show(incident: &Incident) -> Result<Reply, Reject> {
    let (Some(known), id) = (incident.postmortem(), incident.id) else { return Err(none(incident)) };
    let next = match known.state {
        PostmortemState::Draft => format!("Next: /postmortem edit {id} root-cause …"),
        PostmortemState::Review => format!("Next: /postmortem publish {id}"),
        PostmortemState::Published => "It is published.".to_owned(),
    };
    let head = format!("{id}: postmortem, {}, revision {}.", known.state, known.revision);
    Ok(Reply::done(format!("{head}\n\n{}\n\n{next}", shown(&known.text, id))).about(id))
}

/// `/postmortem list`: those that wait to be published, oldest first.
pub fn list(draft: &Draft<'_>) -> String {
    use std::fmt::Write;
    const LIST_MAX: usize = 20;
    let waiting = &draft.state.waiting_postmortems;
    if waiting.is_empty() {
        return "No postmortem waits to be published.".to_owned();
    }
    let mut text = format!("{} to be published:\n", waiting.len());
    for one in waiting.values().take(LIST_MAX) {
        let (state, since) = (one.state, one.since.unix_secs());
        let _ = writeln!(
            text,
            "{} {} {}: {} · {state} · <t:{since}:R>",
            one.incident, one.severity, one.service, one.title
        );
    }
    if waiting.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more", waiting.len() - LIST_MAX);
    }
    text.push_str("One of them: /postmortem show INC-n");
    text
}

/// `/postmortem edit`: begins one where there is none; replaces a section, or the whole text.
pub fn edit(draft: &mut Draft<'_>, id: IncidentId, part: Option<&str>, text: Option<&str>) -> Result<Reply, Reject> {
    let incident = draft.amendable(id)?;
    let Some(known) = incident.postmortem() else {
        return begin(draft, id, part, text);
    };
    let Some(text) = text else {
        let hint = format!(
            "/postmortem edit {id} root-cause \"…\"; or the whole text as a file: GET and PUT /v1/incidents/{id}/postmortem"
        );
        return Err(Reject::new(RejectCode::Missing, format!("What should stand there? {}", parts(known))).hint(hint));
    };
    let Some(part) = part else {
        return write(draft, id, text, None);
    };
    let Some(found) = section::find(&known.text, part) else {
        let shown: String = part.chars().filter(|c| !c.is_control()).take(40).collect();
        let message = format!("The postmortem of {id} has no section `{shown}`. {}", parts(known));
        return Err(Reject::new(RejectCode::NotFound, message).hint(format!("See it: /postmortem show {id}")));
    };
    let whole = section::replaced(&known.text, &found, text);
    write(draft, id, &whole, None)
}

/// The sections that there are.
fn parts(known: &Postmortem) -> String {
    let names: Vec<String> =
        section::sections(&known.text).iter().take(20).map(|part| section::key(part.heading)).collect();
    if names.is_empty() { "It has no sections.".to_owned() } else { format!("Its sections: {}.", names.join(", ")) }
}

/// There is none yet: a draft is written where the incident is over.
fn begin(draft: &mut Draft<'_>, id: IncidentId, part: Option<&str>, text: Option<&str>) -> Result<Reply, Reject> {
    let incident = draft.amendable(id)?;
    if incident.state.open() {
        return Err(none(incident));
    }
    if let (None, Some(text)) = (part, text) {
        return write(draft, id, text, None);
    }
    write_draft(draft, id);
    match text {
        Some(text) => edit(draft, id, part, Some(text)),
        None => Ok(Reply::done(format!("{id}: the postmortem is begun.\nSee it: /postmortem show {id}")).about(id)),
    }
}

/// Writes the whole text. `base`: the revision it was made from; another one in force is not overwritten.
pub fn write(draft: &mut Draft<'_>, id: IncidentId, text: &str, base: Option<u32>) -> Result<Reply, Reject> {
    let incident = draft.amendable(id)?;
    if incident.state.open() && incident.postmortem().is_none() {
        return Err(none(incident));
    }
    let unwanted = |c: char| c.is_control() && c != '\n' && c != '\t';
    let text: String = text.replace("\r\n", "\n").chars().filter(|c| !unwanted(*c)).collect();
    if text.trim().is_empty() {
        return Err(Reject::new(RejectCode::Missing, "A postmortem cannot be empty.")
            .hint(format!("See it: /postmortem show {id}")));
    }
    if text.len() > TEXT_MAX {
        return Err(Reject::new(RejectCode::BadValue, format!("A postmortem has at most {} KiB.", TEXT_MAX >> 10))
            .hint("Link to the rest."));
    }
    let revision = incident.postmortem().map_or(0, |known| known.revision);
    if base.is_some_and(|base| base != revision) {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("Somebody has changed it: revision {revision} is in force."),
        )
        .hint(format!("Read it, then write again: GET /v1/incidents/{id}/postmortem")));
    }
    if incident.postmortem().is_some_and(|known| known.text == text) {
        return Ok(Reply::done(format!("{id}: the postmortem says that already. Nothing changed.")).about(id));
    }
    let closed = draft.carried(id);
    draft.emit(Event::PostmortemEdited(Box::new(Edited { incident: id, text, closed })));
    let revision = revision + 1;
    Ok(Reply::done(format!(
        "{id}: postmortem written, revision {revision}.\nWhen it is complete: /postmortem publish {id}"
    ))
    .about(id))
}

/// `/postmortem publish`.
pub fn publish(draft: &mut Draft<'_>, id: IncidentId) -> Result<Reply, Reject> {
    let incident = draft.amendable(id)?;
    match incident.postmortem().map(|known| known.state) {
        None => return Err(none(incident)),
        Some(PostmortemState::Published) => {
            return Ok(Reply::done(format!("The postmortem of {id} is published already. Nothing changed.")).about(id));
        }
        Some(PostmortemState::Draft) => {
            return Err(Reject::new(RejectCode::Conflict, format!("Nobody has touched the draft of {id} yet."))
                .hint(format!("First: /postmortem edit {id} root-cause …")));
        }
        Some(PostmortemState::Review) => {}
    }
    let closed = draft.carried(id);
    draft.emit(Event::PostmortemPublished(Box::new(Published { incident: id, closed })));
    let text = format!("{id}: postmortem published by {}. Read it: /postmortem show {id}", draft.actor());
    post(draft, id, text);
    Ok(Reply::done(format!("The postmortem of {id} is published.\nAs a file: GET /v1/incidents/{id}/postmortem"))
        .about(id))
}

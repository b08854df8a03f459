//! `expect request ID STATE [field=VALUE …]`: how it reads, and whether it holds.

use super::check::quoted;
use super::line::Words;
use super::parse::{cut, need, unknown};
use super::run::Miss;
use super::story::Expect;
use super::world::World;
use crate::domain::id::ServiceRequestId;
use crate::domain::request::{RequestState, ServiceRequest};

/// What else a story can ask of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestField {
    /// Its title, whole.
    Title,
    /// Its service.
    Service,
    /// Its team.
    Team,
    /// The item of the catalogue.
    Item,
    /// Who asked.
    Requester,
    /// Who gets it.
    For,
    /// Who approved it.
    Approver,
    /// Who fulfils it.
    Fulfiller,
    /// The run that fulfils it.
    Run,
    /// How it was done, or why not.
    Outcome,
}

impl RequestField {
    /// All fields with their words.
    pub const ALL: [(&'static str, Self); 10] = [
        ("title", Self::Title),
        ("service", Self::Service),
        ("team", Self::Team),
        ("item", Self::Item),
        ("requester", Self::Requester),
        ("for", Self::For),
        ("approver", Self::Approver),
        ("fulfiller", Self::Fulfiller),
        ("run", Self::Run),
        ("outcome", Self::Outcome),
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(word, _)| word)
    }
}

/// Reads what stands behind `expect request`.
pub(super) fn expect(words: &mut Words<'_>) -> Result<Expect, String> {
    const USAGE: &str = "expect request ID STATE [field=VALUE …]";
    let word = need(words, USAGE)?;
    let request =
        word.parse().map_err(|_| format!("`{}` is not a request; write it like REQ-1; usage: {USAGE}", cut(&word)))?;
    let word = need(words, USAGE)?;
    let state = RequestState::ALL
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| unknown("state", &word, &RequestState::ALL.map(RequestState::as_str)))?;
    let mut fields = Vec::new();
    while let Some(word) = words.next()? {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(&word)));
        };
        match RequestField::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, field)) => fields.push((*field, value.to_owned())),
            None => return Err(unknown("field", name, &RequestField::ALL.map(|(known, _)| known))),
        }
    }
    Ok(Expect::Request { request, state, fields })
}

/// Whether a request is as expected.
pub(super) fn check(
    world: &World,
    id: ServiceRequestId,
    state: RequestState,
    fields: &[(RequestField, String)],
) -> Result<(), Miss> {
    let told = |fields: Vec<(RequestField, String)>| -> String {
        fields.iter().map(|(field, value)| format!(" {}={}", field.as_str(), quoted(value))).collect()
    };
    let wanted = format!("request {id} {state}{}", told(fields.to_vec()));
    let Some(request) = world.request(id) else {
        let got = match world.state().meta.requests {
            0 => "no request at all".to_owned(),
            last => format!("requests up to REQ-{last}"),
        };
        return Err(Miss::new(wanted, got));
    };
    let is: Vec<_> = fields.iter().map(|(field, _)| (*field, says(request, *field))).collect();
    if request.state == state && is == fields {
        return Ok(());
    }
    Err(Miss::new(wanted, format!("{}{}", request.state, told(is))))
}

/// What a request says in a field; `none` where it says nothing.
fn says(request: &ServiceRequest, field: RequestField) -> String {
    fn or_none<T: ToString>(said: Option<T>) -> String {
        said.map_or_else(|| "none".to_owned(), |said| said.to_string())
    }
    match field {
        RequestField::Title => request.title.to_string(),
        RequestField::Service => or_none(request.service.as_ref()),
        RequestField::Team => request.team.to_string(),
        RequestField::Item => or_none(request.item.as_ref().map(|item| &item.playbook)),
        RequestField::Requester => request.requester.to_string(),
        RequestField::For => or_none(request.for_whom.as_ref()),
        RequestField::Approver => or_none(request.approval.as_ref().map(|approval| &approval.person)),
        RequestField::Fulfiller => or_none(request.fulfiller.as_ref()),
        RequestField::Run => or_none(request.run),
        RequestField::Outcome => or_none(request.resolution.as_ref()),
    }
}

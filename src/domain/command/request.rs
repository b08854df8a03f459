//! What can be asked about service requests, and the meanings of the words; what they do is decided in
//! `domain/request`.

use compact_str::CompactString;

use super::meaning::{Meaning, Takes, may, meant as meaning, needs};
use super::playbook::pairs;
use super::spec::{OptionKind, OptionSpec, Permission};
use super::typed::Command;
use super::value::{Given, duration, incident, person, service, yes};
use super::word::shown;
use crate::domain::id::{IncidentId, PersonId, ServiceId, ServiceRequestId};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Span;

/// What is asked about requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestCommand {
    /// Ask for something.
    New(Box<RequestAsked>),
    /// Show the open ones.
    List,
    /// Show one.
    Show(ServiceRequestId),
    /// Agree to one.
    Approve(ServiceRequestId),
    /// Refuse one; why.
    Reject(ServiceRequestId, String),
    /// Be the one who does it.
    Take(ServiceRequestId),
    /// It is done; how, if said.
    Fulfil(ServiceRequestId, Option<String>),
    /// Let its item run again; also where something may be done a second time by that.
    Retry(ServiceRequestId, bool),
    /// It is as it was wanted.
    Close(ServiceRequestId),
    /// It is wanted no longer; why, if said.
    Cancel(ServiceRequestId, Option<String>),
}

/// What is said of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestAsked {
    /// The item of the catalogue; need not exist.
    pub item: Option<String>,
    /// The service that it is about.
    pub service: Option<ServiceId>,
    /// What is asked for, in words; why, where an item is named.
    pub text: Option<String>,
    /// What is said for the item's parameters, as said.
    pub said: Vec<(CompactString, String)>,
    /// For whom.
    pub for_whom: Option<PersonId>,
    /// Until when, from now.
    pub due: Option<Span>,
    /// The incident that it came up in.
    pub incident: Option<IncidentId>,
}

const REQUEST: Takes = needs("request", OptionKind::Request);
const TEXT: Takes = needs("text", OptionKind::Text);
const MAYBE_TEXT: Takes = may("text", OptionKind::Text);

/// The words about requests. Who may judge or fulfil one is asked of the request itself.
pub(super) const MEANINGS: &[Meaning] = &[
    meaning(
        "request.new",
        Permission::Declare,
        &[
            MAYBE_TEXT,
            may("item", OptionKind::Item),
            may("service", OptionKind::Service),
            may("with", OptionKind::Text),
            may("for", OptionKind::User),
            may("due", OptionKind::Duration),
            may("incident", OptionKind::Incident),
        ],
        |given| {
            said(RequestCommand::New(Box::new(RequestAsked {
                item: given.text("item")?,
                service: given.read("service", service)?,
                text: given.text("text")?,
                said: given.text("with")?.map_or_else(|| Ok(Vec::new()), |text| pairs(&text))?,
                for_whom: given.read("for", person)?,
                due: given.read("due", duration)?,
                incident: given.read("incident", incident)?,
            })))
        },
    ),
    meaning("request.list", Permission::Read, &[], |_| said(RequestCommand::List)),
    meaning("request.show", Permission::Read, &[REQUEST], |given| said(RequestCommand::Show(which(given)?))),
    meaning("request.approve", Permission::Declare, &[REQUEST], |given| said(RequestCommand::Approve(which(given)?))),
    meaning("request.reject", Permission::Declare, &[REQUEST, TEXT], |given| {
        said(RequestCommand::Reject(which(given)?, given.needed("text")?))
    }),
    meaning("request.take", Permission::Respond, &[REQUEST], |given| said(RequestCommand::Take(which(given)?))),
    meaning("request.fulfil", Permission::Respond, &[REQUEST, MAYBE_TEXT], |given| {
        said(RequestCommand::Fulfil(which(given)?, given.text("text")?))
    }),
    meaning(
        "request.retry",
        Permission::Respond,
        &[REQUEST, may("again", OptionKind::Choice).of(&["yes", "no"])],
        |given| said(RequestCommand::Retry(which(given)?, given.read("again", yes)?.unwrap_or(false))),
    ),
    meaning("request.close", Permission::Declare, &[REQUEST], |given| said(RequestCommand::Close(which(given)?))),
    meaning("request.cancel", Permission::Declare, &[REQUEST, MAYBE_TEXT], |given| {
        said(RequestCommand::Cancel(which(given)?, given.text("text")?))
    }),
];

fn said(command: RequestCommand) -> Result<Command, Reject> {
    Ok(Command::Request(command))
}

fn which(given: &Given<'_>) -> Result<ServiceRequestId, Reject> {
    given.needed_read("request", request)
}

fn request(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<ServiceRequestId, Reject> {
    value.parse().map_err(|_| {
        let message = format!("`{}` is not a request (option `{}`)", shown(value), option.name);
        Reject::new(RejectCode::BadValue, message).hint("write it like REQ-7; `/request list` shows them")
    })
}

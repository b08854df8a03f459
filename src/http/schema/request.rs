//! The shapes of requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Actor, Entry, Time};

/// Where a request stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestState {
    Submitted,
    Approved,
    InFulfilment,
    Fulfilled,
    Closed,
    Rejected,
    Cancelled,
}

/// A request in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RequestSummary {
    #[schema(pattern = "^REQ-[1-9][0-9]*$", example = "REQ-1")]
    pub id: String,
    pub title: String,
    pub service: Option<String>,
    /// Who fulfils it.
    pub team: String,
    /// The item of the catalogue (a playbook); null for what is asked in words.
    pub item: Option<String>,
    pub state: RequestState,
    pub requester: Actor,
    /// Who gets it, where that is somebody else.
    #[serde(rename = "for")]
    pub for_whom: Option<String>,
    /// The person who fulfils it, or did.
    pub fulfiller: Option<String>,
    pub submitted_at: Time,
    /// Until when it is needed.
    pub due: Option<Time>,
    pub fulfilled_at: Option<Time>,
    /// When nothing more was to come.
    pub ended_at: Option<Time>,
    /// How it was done, or why not.
    pub resolution: Option<String>,
}

/// The whole record of a request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Request {
    #[serde(flatten)]
    pub summary: RequestSummary,
    /// The same at length, or why an item is wanted.
    pub text: Option<String>,
    /// What was said for the item's parameters.
    pub values: Option<BTreeMap<String, String>>,
    /// Who may approve it, `team:platform`; empty: nobody has to.
    pub approvers: Vec<String>,
    pub approved_by: Option<String>,
    pub approved_at: Option<Time>,
    /// Whom a playbook's step asks, `person:cleo`.
    pub asked_of: Option<String>,
    /// When it is closed of itself.
    pub closes: Option<Time>,
    /// The run that fulfils it, or did.
    pub run: Option<String>,
    /// The run whose step asks for it.
    pub asked_by_run: Option<String>,
    pub incident: Option<String>,
    /// The changes that its run asked for.
    pub changes: Vec<String>,
    pub timeline: Vec<Entry>,
}

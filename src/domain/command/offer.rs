//! What one person can be offered while typing: gathered from State at one moment, completed anywhere. Drawing it is
//! each face's business.

use std::sync::Arc;

use super::complete::{self, Around, Completion};
use super::help::usage;
use super::spec::{CommandSpec, Lexicon, OptionSpec, Permission};
use crate::domain::actor::Actor;
use crate::domain::authorise::authorise;
use crate::domain::desk::View;
use crate::domain::id::{AlertId, IncidentId, PersonId, ServiceRequestId};
use crate::domain::org::Org;

/// Incidents and alerts that are looked at.
const RECORDS: usize = 200;

/// What can be offered at one moment.
pub struct Offered {
    org: Arc<Org>,
    who: PersonId,
    incidents: Vec<(IncidentId, String)>,
    alerts: Vec<(AlertId, String)>,
    requests: Vec<(ServiceRequestId, String)>,
}

impl Offered {
    /// What a person can mean; their own incidents first.
    pub fn of(view: &View<'_>, who: &PersonId) -> Self {
        let state = view.state;
        let title = |id| state.incidents.get(&id).map(|incident| (id, incident.title.to_string()));
        let mut incidents: Vec<_> = state.meant_by(Some(who)).into_iter().filter_map(title).collect();
        let actor = Actor::Person(who.clone());
        for incident in state.open_for(view.org, &actor).take(RECORDS) {
            if !incidents.iter().any(|(id, _)| *id == incident.id) {
                incidents.push((incident.id, incident.title.to_string()));
            }
        }
        let alerts =
            state.alerts.values().rev().take(RECORDS).map(|alert| (alert.id, alert.name.to_string())).collect();
        let requests = state
            .requests
            .values()
            .rev()
            .take(RECORDS)
            .map(|request| (request.id, request.title.to_string()))
            .collect();
        Self { org: Arc::clone(view.org), who: who.clone(), incidents, alerts, requests }
    }

    /// What the value of one option could be that begins with `partial`, with a description each.
    pub fn values(&self, option: &OptionSpec, partial: &str) -> Vec<(String, String)> {
        let around = self.around(&|_| true);
        complete::values(option, partial, &around)
    }

    /// What could stand at the end of `text`; `own` are the words of a face beside those of the organisation.
    pub fn complete(&self, text: &str, own: &[CommandSpec]) -> Vec<Completion> {
        let lexicon = with_own(&self.org.lexicon, own);
        let actor = Actor::Person(self.who.clone());
        let may = |permission| authorise(&self.org, &actor, permission, None).is_ok();
        complete::complete(text, &lexicon, &self.around(&may))
    }

    fn around<'a>(&'a self, may: &'a dyn Fn(Permission) -> bool) -> Around<'a> {
        let (incidents, alerts) = (&self.incidents, &self.alerts);
        Around { org: &self.org, incidents, alerts, requests: &self.requests, may }
    }
}

/// The words of an organisation and those of a face.
pub fn with_own(lexicon: &Lexicon, own: &[CommandSpec]) -> Lexicon {
    let mut lexicon = lexicon.clone();
    lexicon.commands.extend_from_slice(own);
    lexicon
}

/// The rest of a command's usage, when its words stand there and nothing else yet.
pub fn takes(line: &str, lexicon: &Lexicon) -> Option<String> {
    let words = line.strip_prefix('/')?;
    let name = words.strip_suffix(' ')?;
    let spec = lexicon.commands.iter().find(|spec| spec.name == name)?;
    Some(usage(spec).strip_prefix(&format!("/{name}"))?.trim_start().to_owned())
}

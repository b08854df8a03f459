//! What a caller may see of private incidents; whether somebody may is the domain's `may_see`. Who the caller is, is
//! `auth`'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::auth::{Caller, caller};
use super::error::Failure;
use super::{App, ask};
use crate::domain::actor::{ADMINISTRATOR, Actor};
use crate::domain::id::{IncidentId, PersonId};
use crate::domain::incident::{Incident, private};
use crate::domain::org::Org;
use crate::domain::playbook::Run;
use crate::domain::playbook::person::visible;
use crate::domain::state::State;

/// Who asks, and the organisation that says what they may see.
pub(crate) struct Sight {
    actor: Actor,
    org: Arc<Org>,
}

impl Sight {
    /// The sight of whoever a request's token belongs to.
    pub async fn of(app: &App, headers: &HeaderMap) -> Result<Self, Failure> {
        let actor = Actor::Person(match caller(app, headers).await? {
            Caller::Administrator => ADMINISTRATOR.into(),
            Caller::Person(person) => person,
        });
        let org = ask::look(app, |view| view.org.clone()).await?;
        Ok(Self { actor, org })
    }

    /// Whether an incident may be shown to them.
    pub fn sees(&self, incident: &Incident) -> bool {
        private::may_see(&self.org, &self.actor, incident)
    }

    /// Whether a run may be shown to them: one for a private incident only to its people, and to whoever began it.
    pub fn sees_run(&self, state: &State, run: &Run) -> bool {
        visible(&self.org, state, &self.actor, run)
    }

    /// The same as an answer: 403 that names whom to ask.
    pub fn admitted(&self, incident: &Incident) -> Result<(), Failure> {
        if self.sees(incident) {
            return Ok(());
        }
        Err(Failure::refused(StatusCode::FORBIDDEN, private::hidden(&self.org, incident.id)))
    }

    /// The private incidents that they may not be told of by their ids.
    pub async fn unknown(self, app: &App) -> Result<Hidden, Failure> {
        ask::look(app, move |view| {
            let private = view.state.meta.private.iter().copied();
            Hidden(private.filter(|id| !private::may_know(&self.org, view.state, &self.actor, *id)).collect())
        })
        .await
    }

    /// The private incidents that lines of the journal must not tell them of: all, unless they administer.
    pub fn hidden(&self, state: &State) -> Hidden {
        match self.actor.person() {
            Some(person) => Hidden::from(&self.org, state, person),
            None => Hidden(state.meta.private.clone()),
        }
    }
}

/// Incidents that somebody must not be told of.
pub(crate) struct Hidden(BTreeSet<IncidentId>);

impl Hidden {
    /// What a person must not be told of: all private ones, unless they administer.
    pub fn from(org: &Org, state: &State, person: &PersonId) -> Self {
        Self(if private::administers(org, person) { BTreeSet::new() } else { state.meta.private.clone() })
    }

    /// These.
    #[cfg(test)]
    pub fn of(incidents: impl IntoIterator<Item = IncidentId>) -> Self {
        Self(incidents.into_iter().collect())
    }

    /// Without one of them.
    pub fn but(&mut self, id: IncidentId) {
        self.0.remove(&id);
    }

    /// A record that does not name them: no key and no list has their ids, no text tells them.
    pub fn out_of(&self, mut record: Value) -> Value {
        if !self.0.is_empty() {
            self.take_out(&mut record);
        }
        record
    }

    fn take_out(&self, value: &mut Value) {
        let id = |value: &Value| value.as_str().filter(|text| text.starts_with(IncidentId::PREFIX))?.parse().ok();
        let is = |value: &Value| id(value).is_some_and(|id| self.0.contains(&id));
        match value {
            Value::String(_) if is(value) => *value = Value::Null,
            Value::String(text) => *text = private::unnamed(text, |id| self.0.contains(&id)),
            Value::Array(list) => {
                list.retain(|item| !is(item) && !is(&item["to"]));
                list.iter_mut().for_each(|item| self.take_out(item));
            }
            Value::Object(object) => object.values_mut().for_each(|value| self.take_out(value)),
            _ => {}
        }
    }

    /// Whether a line of the journal names one of them. Whatever is about an incident says its id.
    pub fn in_line(&self, line: &str) -> bool {
        !self.0.is_empty() && private::named(line).any(|(_, id)| self.0.contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_an_incident_only_by_its_whole_number() {
        let hidden = Hidden([IncidentId(1), IncidentId(27)].into());
        for named in [r#"{"incident":"INC-1"}"#, r#"{"page":"INC-27.p3"}"#, r#"{"key":"bas /ack INC-1"}"#, "INC-1"] {
            assert!(hidden.in_line(named), "{named}");
        }
        for other in [r#"{"incident":"INC-12"}"#, r#"{"incident":"INC-2"}"#, "INC-", "INC-x INC", "ALR-1", ""] {
            assert!(!hidden.in_line(other), "{other}");
        }
        assert!(!Hidden(BTreeSet::new()).in_line("INC-1"));
    }
}

//! Stopping the line: `/freeze start` and `/freeze end`, by a person's word, beside the periods that the configuration
//! declares. While it holds nothing on the service, or on what needs it, begins; emergencies do, and say so.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{Change, life, rules};
use crate::domain::actor::Actor;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{FreezeId, ServiceId};
use crate::domain::incident::apply::Stamp;
use crate::domain::input::{Reply, Wakeup, WakeupKind};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::service::tree::{Graph, Way};
use crate::domain::silence::until::Ends;
use crate::domain::state::{RecordKey, State};
use crate::domain::time::Timestamp;

/// Freezes at once.
const FREEZES_MAX: usize = 200;

/// A freeze that a person began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Its number.
    pub id: FreezeId,
    /// Of which service; all where none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// In which environment.
    pub environment: CompactString,
    /// Why.
    pub reason: CompactString,
    /// Who began it.
    pub by: Actor,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when; until somebody ends it where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// A freeze began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeStarted {
    /// Its number.
    pub freeze: FreezeId,
    /// Of which service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// In which environment.
    pub environment: CompactString,
    /// Why.
    pub reason: CompactString,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

impl Freeze {
    /// The moment it waits for.
    pub fn wakeup(&self) -> Option<Wakeup> {
        Some(Wakeup { due: self.ends?, kind: WakeupKind::Freeze(self.id) })
    }

    /// `FRZ-1 (the migration runs)`.
    pub fn name(&self) -> String {
        format!("{} ({})", self.id, self.reason)
    }

    /// The service, or everything; where it is not production, with the environment.
    pub fn what(&self) -> String {
        what(self.service.as_ref(), &self.environment)
    }
}

fn what(service: Option<&ServiceId>, environment: &str) -> String {
    let what = service.map_or("everything", ServiceId::as_str);
    if environment == rules::PRODUCTION { what.to_owned() } else { format!("{what} ({environment})") }
}

/// `/freeze start`.
pub fn start(
    draft: &mut Draft<'_>,
    service: Option<ServiceId>,
    environment: Option<String>,
    reason: String,
    ends: Option<&Ends>,
) -> Result<Reply, Reject> {
    let ends = ends.map(|ends| ends.at(draft.now, draft.org.zone(draft.person()))).transpose()?.map(|(at, _)| at);
    let environment: CompactString =
        environment.map_or_else(|| rules::PRODUCTION.into(), |said| rules::environment(&said));
    if draft.state.freezes.len() >= FREEZES_MAX {
        return Err(Reject::new(RejectCode::Conflict, format!("{FREEZES_MAX} freezes hold; no more are taken."))
            .hint("End one: /freeze end FRZ-n"));
    }
    let same = |it: &&Freeze| it.service == service && it.environment == environment;
    if let Some(known) = draft.state.freezes.values().find(same) {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{} is frozen already: {}.", known.what(), known.name()),
        )
        .hint(format!("To end it: /freeze end {}", known.id)));
    }
    let id = FreezeId(draft.state.meta.freezes + 1);
    let reason: CompactString = reason.split_whitespace().collect::<Vec<_>>().join(" ").into();
    let what = match &service {
        None => what(None, &environment).replacen('e', "E", 1),
        some => what(some.as_ref(), &environment),
    };
    let waiting = waiting(draft, service.as_ref(), &environment);
    let started = FreezeStarted { freeze: id, service: service.clone(), environment, reason: reason.clone(), ends };
    draft.emit(Event::FreezeStarted(Box::new(started)));
    let until =
        ends.map_or_else(|| "until somebody ends it".to_owned(), |at| format!("until <t:{}:f>", at.unix_secs()));
    let text = format!("{what} is frozen {until}: {reason} ({id}, by {}).", draft.actor());
    tell(draft, service.as_ref(), text.clone());
    Ok(Reply::done(format!("{text} {waiting} planned changes wait.\nTo end it: /freeze end {id}")).about(id))
}

/// How many planned changes a freeze holds: of the service, and of what needs it, in its environment.
fn waiting(draft: &Draft<'_>, service: Option<&ServiceId>, environment: &CompactString) -> usize {
    let graph = Graph::new(draft.org);
    let held = service.map(|service| (service, graph.all(service, Way::NeededBy)));
    let planned = draft.state.changes.values().map(|it| &**it).filter(|it| it.state.planned());
    let holds = |it: &&Change| {
        let theirs = &it.content.service;
        it.content.environment == *environment
            && held.as_ref().is_none_or(|(service, others)| *service == theirs || others.contains(theirs))
    };
    planned.filter(holds).count()
}

/// `/freeze end`.
pub fn end(draft: &mut Draft<'_>, freeze: Option<FreezeId>, service: Option<&ServiceId>) -> Result<Reply, Reject> {
    let holding: Vec<&Freeze> = draft.state.freezes.values().collect();
    let found = match (freeze, service) {
        (Some(id), _) => holding.iter().find(|it| it.id == id),
        (None, Some(service)) => {
            let mut its = holding.iter().filter(|it| it.service.as_ref() == Some(service));
            // Of several environments, which one is meant has to be said.
            its.next().filter(|_| its.next().is_none())
        }
        (None, None) if holding.len() == 1 => holding.first(),
        (None, None) => None,
    };
    let Some(found) = found else {
        let names: Vec<String> = holding.iter().map(|it| format!("{} {}", it.id, it.what())).collect();
        let hint = if names.is_empty() {
            "Nothing is frozen by word. What the configuration freezes: /change calendar".to_owned()
        } else {
            format!("Frozen by word: {}. Say which: /freeze end {}", names.join(", "), holding[0].id)
        };
        return Err(Reject::new(RejectCode::NotFound, "There is no such freeze.").hint(hint));
    };
    let (id, what, service) = (found.id, found.what(), found.service.clone());
    draft.emit(Event::FreezeEnded { freeze: id });
    tell(draft, service.as_ref(), format!("{what} is no longer frozen: {id} was ended by {}.", draft.actor()));
    Ok(Reply::done(format!("{id} is over: {what} may be changed again.\nWhat waits: /change list")).about(id))
}

/// Its time is over.
pub fn due(draft: &mut Draft<'_>, id: FreezeId) {
    let Some(freeze) = draft.state.freezes.get(&id) else { return };
    draft.emit(Event::FreezeEnded { freeze: id });
    let text = format!("{} is no longer frozen: {} is over.", freeze.what(), freeze.name());
    tell(draft, freeze.service.as_ref(), text);
}

/// Tells the team of the service; where everything is meant, every team.
fn tell(draft: &mut Draft<'_>, service: Option<&ServiceId>, text: String) {
    let org = draft.org;
    match service {
        Some(service) => {
            if let Some(known) = org.services.get(service) {
                life::post_to(draft, &known.team, text);
            }
        }
        None => org.teams.keys().for_each(|team| life::post_to(draft, team, text.clone())),
    }
}

impl State {
    pub(super) fn apply_freeze(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::FreezeStarted(started) => {
                self.meta.freezes = self.meta.freezes.max(started.freeze.0);
                let freeze = Freeze {
                    id: started.freeze,
                    service: started.service.clone(),
                    environment: started.environment.clone(),
                    reason: started.reason.clone(),
                    by: stamp.by.actor.clone(),
                    started_at: stamp.at,
                    ends: started.ends,
                };
                self.index.wakeups.extend(freeze.wakeup());
                self.dirty.touched.insert(RecordKey::Freeze(freeze.id));
                self.freezes.insert(freeze.id, freeze);
            }
            Event::FreezeEnded { freeze } => {
                if let Some(before) = self.freezes.remove(freeze).and_then(|freeze| freeze.wakeup()) {
                    self.index.wakeups.remove(&before);
                }
                self.dirty.touched.insert(RecordKey::Freeze(*freeze));
            }
            _ => {}
        }
    }
}

//! Models that earn their pre-authorisation (`earn_after` of a model): after so many changes by it that others approved and
//! that went well, one after the other, it needs nobody any more. One incident that such a change is linked to as its
//! cause, or one that failed or was taken back, and it has to be earned anew; that is on the record with who was told.

use compact_str::{CompactString, ToCompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::delegate::emit;
use super::{Authority, Step};
use crate::domain::change::{Change, Outcome, life};
use crate::domain::delivery::{Content, Priority};
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, IncidentId, PersonId};
use crate::domain::org::Org;
use crate::domain::paging::escalate;
use crate::domain::time::Timestamp;

/// How a model has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Changes that went well, one after the other.
    #[serde(default)]
    pub clean: u32,
    /// Whether it is pre-authorised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earned: bool,
    /// When it was last demoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demoted: Option<Demoted>,
}

/// That a model was demoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demoted {
    /// When.
    pub at: Timestamp,
    /// By which change.
    pub change: ChangeId,
    /// Why.
    pub why: CompactString,
}

impl Authority {
    pub(super) fn ran(&mut self, model: &CompactString, clean: u32, earned: bool) {
        let track = self.models.entry(model.clone()).or_default();
        track.clean = clean;
        track.earned |= earned;
    }

    pub(super) fn demoted(&mut self, at: Timestamp, model: &CompactString, change: ChangeId, why: &CompactString) {
        let demoted = Some(Demoted { at, change, why: why.clone() });
        self.models.insert(model.clone(), Track { demoted, ..Track::default() });
    }

    /// Why a model is not pre-authorised now; `None` where it is, or where there is no such model.
    pub fn unearned(&self, org: &Org, model: &str) -> Option<String> {
        let needed = org.changes.models.get(model)?.earn_after?;
        let track = self.models.get(model);
        if track.is_some_and(|track| track.earned) {
            return None;
        }
        let clean = track.map_or(0, |track| track.clean);
        let after = track.and_then(|track| track.demoted.as_ref());
        let after = after.map(|it| format!(" since {} ({})", it.change, it.why)).unwrap_or_default();
        Some(format!("the model {model} is not pre-authorised: {clean} of {needed} clean runs{after}"))
    }

    /// A line for `/status`: the models that have to be earned anew; `None` where there are none.
    pub fn status(&self, org: &Org) -> Option<String> {
        let lost = self.models.iter().filter(|(_, track)| track.demoted.is_some());
        let lost: Vec<String> = lost.filter_map(|(model, _)| self.unearned(org, model)).take(5).collect();
        (!lost.is_empty()).then(|| lost.join("; "))
    }
}

/// The model of a change, where it has to be earned.
fn model<'a>(draft: &Draft<'a>, change: &Change) -> Option<(CompactString, u32, Option<&'a Track>)> {
    let name = change.content.model.clone()?;
    let needed = draft.org.changes.models.get(&name)?.earn_after?;
    let track = draft.state.meta.authority.models.get(&name);
    Some((name, needed, track))
}

/// The record of a change is complete, and it went well: one more for its model.
pub(in crate::domain::change) fn ran(draft: &mut Draft<'_>, change: &Change) {
    let Some((model, needed, track)) = model(draft, change) else { return };
    // What nobody approved shows nothing about what others may stop to look at.
    if change.unapproved.is_some()
        || !change.caused.is_empty()
        || !draft.org.changes.controls(&change.content.environment)
    {
        return;
    }
    let known = track.is_some_and(|track| track.earned);
    let clean = track.map_or(0, |track| track.clean).saturating_add(1);
    let earned = !known && clean >= needed;
    emit(draft, Step::ModelRan { model: model.clone(), change: change.id, clean, earned });
    if earned {
        let text = format!(
            "The model {model} is pre-authorised from now on: {clean} changes by it went well, the last one {}.",
            change.id
        );
        tell(draft, change, text);
    }
}

/// A change did harm: its model is demoted.
pub(in crate::domain::change) fn harmed(draft: &mut Draft<'_>, change: &Change, why: &Harm) {
    let Some((model, needed, track)) = model(draft, change) else { return };
    let Some(track) = track.filter(|track| track.earned || track.clean > 0) else { return };
    let why = match why {
        Harm::Ended(outcome) => format_compact!("{} {outcome}", change.id),
        Harm::Caused(incident) => format_compact!("{} caused {incident}", change.id),
    };
    let lost = if track.earned { "is not pre-authorised any more" } else { "begins to count anew" };
    let text = format!("The model {model} {lost}: {why}. It takes {needed} clean runs that others approve.");
    let told = tell(draft, change, text);
    emit(draft, Step::ModelDemoted { model, change: change.id, why, told });
}

/// What harm.
pub(in crate::domain::change) enum Harm {
    /// It ended so.
    Ended(Outcome),
    /// It caused an incident.
    Caused(IncidentId),
}

/// Tells the team, whoever asked for it and carried it out, and the operators; gives who that was.
fn tell(draft: &mut Draft<'_>, change: &Change, text: String) -> Vec<CompactString> {
    let mut told: Vec<CompactString> = Vec::new();
    life::post(draft, change, text.clone());
    if draft.org.chat_connected && draft.org.teams.get(&change.team).is_some_and(|team| team.channel.is_some()) {
        told.push(format_compact!("team {}", change.team));
    }
    let mut people: Vec<&PersonId> = change.requester.person().into_iter().collect();
    people.extend(&change.content.implementer);
    people.dedup();
    for person in people {
        life::tell(draft, person, text.clone());
        told.push(person.to_compact_string());
    }
    for to in escalate::operators(draft.org) {
        draft.owe(None, None, to, Priority::Notice, Content::Notice { text: text.clone() });
    }
    told.push("the operators".into());
    told
}

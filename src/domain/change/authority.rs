//! Whose word counts beside what the configuration says: who stands in for whom (`delegate`), whose second factor is
//! enrolled (`factor`), which models have earned their pre-authorisation (`earned`), which pull requests were reviewed
//! (`reviewed`). What is kept of it and its events are here; what follows from it for an approval is `approve`.

pub mod delegate;
pub mod earned;
pub mod factor;
pub mod reviewed;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

pub use delegate::Delegation;
pub use earned::Track;
pub use factor::Enrolled;
pub use reviewed::Review;

use crate::domain::event::Event;
use crate::domain::id::{ChangeId, PersonId};
use crate::domain::incident::apply::Stamp;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Who stands in for whom, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<Delegation>,
    /// Second factors; the secrets are elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub factors: BTreeMap<PersonId, Enrolled>,
    /// How models that have to earn it have done.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<CompactString, Track>,
    /// Reviews of pull requests, the latest last; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
}

/// Whose word counts has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityChanged {
    /// What.
    pub step: Step,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Somebody stands in for somebody; one between the same two is replaced.
    Delegated(Delegation),
    /// They do so no longer.
    DelegationEnded {
        /// For whom.
        from: PersonId,
        /// Who.
        to: PersonId,
    },
    /// A person has a second factor; a new one takes the place of the old.
    FactorEnrolled {
        /// Who.
        person: PersonId,
    },
    /// They have none any more.
    FactorRemoved {
        /// Who.
        person: PersonId,
    },
    /// A code was used: it and those before it count no longer.
    FactorUsed {
        /// Whose.
        person: PersonId,
        /// The step of thirty seconds that it was of.
        step: u64,
    },
    /// A code did not count.
    FactorRefused {
        /// Who said it.
        person: PersonId,
    },
    /// A change by a model went well.
    ModelRan {
        /// Which model.
        model: CompactString,
        /// Which change.
        change: ChangeId,
        /// How many went well now, one after the other.
        clean: u32,
        /// Whether it is pre-authorised from now on.
        earned: bool,
    },
    /// A change by a model did harm: it is to earn its pre-authorisation anew.
    ModelDemoted {
        /// Which model.
        model: CompactString,
        /// Which change.
        change: ChangeId,
        /// Why.
        why: CompactString,
        /// Who was told.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        told: Vec<CompactString>,
    },
    /// Somebody agreed to a pull request, or no longer does.
    Reviewed(Review),
    /// A pull request went in: as which commit.
    Merged {
        /// Where: `org/repo`.
        repository: CompactString,
        /// Its number there.
        number: u64,
        /// Its last commit.
        head: CompactString,
        /// The commit that it became.
        sha: CompactString,
    },
}

impl Authority {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Applies an event about it; another one does nothing.
    pub(in crate::domain) fn apply(&mut self, stamp: &Stamp<'_>, event: &Event) {
        let Event::AuthorityChanged(changed) = event else { return };
        match &changed.step {
            Step::Delegated(delegation) => self.delegated(stamp.at, delegation),
            Step::DelegationEnded { from, to } => self.delegations.retain(|it| (&it.from, &it.to) != (from, to)),
            Step::FactorEnrolled { person } => {
                self.factors.insert(person.clone(), Enrolled::new(stamp.at));
            }
            Step::FactorRemoved { person } => {
                self.factors.remove(person);
            }
            Step::FactorUsed { person, step } => {
                if let Some(enrolled) = self.factors.get_mut(person) {
                    enrolled.used(*step);
                }
            }
            Step::FactorRefused { person } => {
                if let Some(enrolled) = self.factors.get_mut(person) {
                    enrolled.refused(stamp.at);
                }
            }
            Step::ModelRan { model, clean, earned, .. } => self.ran(model, *clean, *earned),
            Step::ModelDemoted { model, change, why, .. } => self.demoted(stamp.at, model, *change, why),
            Step::Reviewed(review) => self.reviewed(review),
            Step::Merged { repository, number, head, sha } => self.merged(repository, *number, head, sha),
        }
    }
}

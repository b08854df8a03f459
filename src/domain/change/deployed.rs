//! What is remembered of deployments, `DEP-n`: a small entry for each, its events, and what they do. Commits are
//! remembered likewise, since a deployment often names only a hash and its push came before. Both are bounded; the
//! journal has all. What a deployment leads to is `deployment`, what is counted of it `report::dora`.

#[cfg(test)]
mod tests;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::answer::Asked;
use super::{Change, Outcome};
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, DeploymentId, IntegrationId, PersonId, ServiceId, TeamId};
use crate::domain::incident::apply::Stamp;
use crate::domain::signal::Progress;
use crate::domain::state::{RecordKey, State};
use crate::domain::time::{Span, Timestamp};

/// Deployments are remembered for so long …
pub const KEPT: Span = Span::days(366);
/// … and so many; the oldest are forgotten first.
pub const DEPLOYMENTS_MAX: usize = 5_000;
/// Commits that are remembered; the oldest are forgotten first.
pub const COMMITS_MAX: usize = 5_000;

/// A sender told of a step of a deployment that is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentTold {
    /// Its number.
    pub deployment: DeploymentId,
    /// Who told.
    pub integration: IntegrationId,
    /// How the sender calls it.
    pub key: CompactString,
    /// Of what.
    pub service: ServiceId,
    /// Who owns that.
    pub team: TeamId,
    /// Where to.
    pub environment: CompactString,
    /// What is brought in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<CompactString>,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<CompactString>,
    /// Where that comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<CompactString>,
    /// How far it is now.
    pub progress: Progress,
    /// When the commit was written, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
    /// Who wrote it, where that is a person of the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// The change that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// Whether it went where approval is needed, without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unapproved: bool,
}

/// A deployment, as State remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// Its number.
    pub id: DeploymentId,
    /// Who told of it; none where people carried a change out by word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    /// How the sender calls it.
    #[serde(default, skip_serializing_if = "CompactString::is_empty")]
    pub key: CompactString,
    /// Of what.
    pub service: ServiceId,
    /// Who owned that then.
    pub team: TeamId,
    /// Where to.
    pub environment: CompactString,
    /// What was brought in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<CompactString>,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<CompactString>,
    /// How far it is.
    pub progress: Progress,
    /// When it was heard of first.
    pub told_at: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When its commit was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<Timestamp>,
    /// Its change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// Whether it went without the approval that it needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unapproved: bool,
    /// Whether its change was found to have failed, was taken back, or caused an incident.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub harmed: bool,
    /// What its sender waits to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Box<Asked>>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCommit {
    /// Its whole hash, lower-case hex.
    pub sha: CompactString,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// By whom, where that is a person of the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// From when the first build of it began that went well until the last one was over, as far as is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Took>,
    /// The same of its tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<Took>,
}

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Took {
    /// The beginning.
    pub from: Timestamp,
    /// The end; not before it.
    pub until: Timestamp,
}

/// What begins so long after the others were over is another run, and is not counted with them.
const APART: Span = Span::hours(1);

impl Took {
    /// With another one beside it; as it was, where that is another run.
    fn with(self, other: Self) -> Self {
        if other.from.since(self.until) > APART || self.from.since(other.until) > APART {
            return self;
        }
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
    }
}

impl KnownCommit {
    /// A commit of which only its hash is known.
    pub fn bare(sha: &str) -> Self {
        Self { sha: sha.into(), at: None, author: None, built: None, tested: None }
    }

    /// Adds what was told later; what is known stays.
    pub fn learn(&mut self, more: &Self) {
        self.at = self.at.or(more.at);
        self.author = self.author.clone().or_else(|| more.author.clone());
        let both = |known: Option<Took>, more: Option<Took>| match (known, more) {
            (Some(known), Some(more)) => Some(known.with(more)),
            (known, more) => known.or(more),
        };
        self.built = both(self.built, more.built);
        self.tested = both(self.tested, more.tested);
    }

    /// Whether a hash, whole or in part, means it.
    pub fn is(&self, sha: &str) -> bool {
        !sha.is_empty() && self.sha.starts_with(sha)
    }
}

impl State {
    /// The deployment that a sender calls so.
    pub fn deployed(&self, integration: &IntegrationId, key: &str, environment: &str) -> Option<&Deployed> {
        let it = |it: &&Deployed| {
            it.integration.as_ref() == Some(integration) && it.key == key && it.environment == environment
        };
        self.deployments.values().rev().find(it)
    }

    /// A commit by its hash, whole or in part; the newest where several begin so.
    pub fn commit(&self, sha: &str) -> Option<&KnownCommit> {
        self.commits.values().rev().find(|it| it.is(sha))
    }

    /// Applies an event about deployments or commits; another one does nothing.
    pub(in crate::domain) fn apply_deployment(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::DeploymentTold(told) => self.told(stamp, told),
            Event::CommitsSeen { commits } => commits.iter().for_each(|commit| self.saw(commit)),
            _ => {}
        }
    }

    fn told(&mut self, stamp: &Stamp<'_>, told: &DeploymentTold) {
        let fresh = || Deployed {
            id: told.deployment,
            integration: Some(told.integration.clone()),
            key: told.key.clone(),
            service: told.service.clone(),
            team: told.team.clone(),
            environment: told.environment.clone(),
            version: None,
            sha: None,
            progress: told.progress,
            told_at: stamp.at,
            ended_at: None,
            committed_at: None,
            change: None,
            unapproved: false,
            harmed: false,
            question: None,
        };
        let mut it = self.deployments.remove(&told.deployment).unwrap_or_else(fresh);
        it.progress = told.progress;
        it.version = told.version.clone().or(it.version);
        it.sha = told.sha.clone().or(it.sha);
        it.committed_at = told.committed_at.or(it.committed_at);
        it.change = told.change.or(it.change);
        it.unapproved |= told.unapproved;
        it.ended_at = told.progress.over().then_some(stamp.at);
        let goes_on = told.progress > Progress::Pending;
        self.keep_deployment(stamp, it);
        if goes_on {
            self.overtake_question(told.deployment);
        }
    }

    fn keep_deployment(&mut self, stamp: &Stamp<'_>, it: Deployed) {
        self.meta.deployments = self.meta.deployments.max(it.id.0);
        self.dirty.touched.insert(RecordKey::Deployment(it.id));
        self.deployments.insert(it.id, it);
        while let Some((id, oldest)) = self.deployments.first_key_value() {
            if stamp.at.since(oldest.told_at) <= KEPT && self.deployments.len() <= DEPLOYMENTS_MAX {
                break;
            }
            let id = *id;
            let forgotten = self.deployments.remove(&id);
            self.forget_question(id, forgotten.as_ref().and_then(|it| it.question.as_deref()));
            self.dirty.touched.insert(RecordKey::Deployment(id));
        }
    }

    /// Remembers a commit, or more of one that is known. A deployment of it that was told before learns when it was
    /// written.
    fn saw(&mut self, commit: &KnownCommit) {
        if let Some((n, known)) = self.commits.iter_mut().rev().find(|(_, known)| known.sha == commit.sha) {
            known.learn(commit);
            self.dirty.touched.insert(RecordKey::Commit(*n));
        } else {
            self.meta.commits += 1;
            self.dirty.touched.insert(RecordKey::Commit(self.meta.commits));
            self.commits.insert(self.meta.commits, commit.clone());
        }
        if self.commits.len() > COMMITS_MAX
            && let Some((oldest, _)) = self.commits.pop_first()
        {
            self.dirty.touched.insert(RecordKey::Commit(oldest));
        }
        for it in self.deployments.values_mut() {
            if it.committed_at.is_none() && it.sha.as_deref().is_some_and(|sha| commit.is(sha)) {
                it.committed_at = commit.at;
                self.dirty.touched.insert(RecordKey::Deployment(it.id));
            }
        }
    }

    /// What a change has come to is known of its deployments too. One that people carried out by word, of a version,
    /// is a deployment of which nobody told.
    pub(super) fn mark_deployments(&mut self, stamp: &Stamp<'_>, change: &Change) {
        let (Some(started), Some(outcome)) = (&change.started, change.outcome) else { return };
        let harmed = matches!(outcome, Outcome::Failed | Outcome::RolledBack) || !change.caused.is_empty();
        let mut found = false;
        // One that was only asked for is not how it was carried out.
        let ours = |it: &&mut Deployed| it.change == Some(change.id) && it.progress > Progress::Pending;
        for it in self.deployments.values_mut().filter(ours) {
            found = true;
            if it.harmed != harmed {
                it.harmed = harmed;
                self.dirty.touched.insert(RecordKey::Deployment(it.id));
            }
        }
        if found || change.content.version.is_none() || change.state.over() && change.ended.is_none() {
            return;
        }
        let progress = match outcome {
            Outcome::Successful => Progress::Succeeded,
            Outcome::Failed => Progress::Failed,
            Outcome::RolledBack => Progress::RolledBack,
            Outcome::Cancelled => return,
        };
        let it = Deployed {
            id: DeploymentId(self.meta.deployments + 1),
            integration: None,
            key: CompactString::default(),
            service: change.content.service.clone(),
            team: change.team.clone(),
            environment: change.content.environment.clone(),
            version: change.content.version.clone(),
            sha: None,
            progress,
            told_at: started.at,
            ended_at: change.ended.as_ref().map(|ended| ended.at),
            committed_at: None,
            change: Some(change.id),
            unapproved: false,
            harmed,
            question: None,
        };
        self.keep_deployment(stamp, it);
    }
}

//! What an organisation declares about changes: who approves which, how long things may take, freezes, windows, models
//! of standard changes. Only types and look-ups; filled by `catalog/`.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use super::content::Content;
use super::period::Period;
use super::risk::Level;
use crate::domain::id::{PersonId, ServiceId, TeamId};
use crate::domain::org::{Org, Role, Target};
use crate::domain::time::Span;

/// The environment of what names none.
pub const PRODUCTION: &str = "production";

/// Other words for it; no word is one as well.
pub(super) const ALSO_PRODUCTION: [&str; 4] = ["prod", "prd", "live", ""];

/// An environment as changes compare it, whoever named it: in small letters, by one word for production.
pub fn environment(said: &str) -> CompactString {
    let word = said.trim().to_lowercase();
    if ALSO_PRODUCTION.contains(&word.as_str()) { PRODUCTION.into() } else { word.into() }
}

/// Everything declared about changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How many approvals a normal change needs, by its risk.
    pub approvals: BTreeMap<Level, u8>,
    /// How long an approval may be used.
    pub expires: Span,
    /// Within what time an emergency has to be approved.
    pub emergency: Span,
    /// Within what time a change that is over has to be reviewed.
    pub review: Span,
    /// How long a change takes that does not say.
    pub length: Span,
    /// After what time a change is cancelled that a pipeline asked for and nobody began.
    pub unbegun: Span,
    /// Environments that are known, and where nothing of this counts.
    pub uncontrolled: BTreeSet<CompactString>,
    /// Environments in which approvals, freezes, the fence and suspects count.
    pub controlled: BTreeSet<CompactString>,
    /// Who approves what.
    pub approvers: Vec<ApprovalRule>,
    /// When nothing is changed.
    pub freezes: Vec<Period>,
    /// When something may be changed, where it may not always.
    pub windows: Vec<Period>,
    /// Models of standard changes by name.
    pub models: BTreeMap<CompactString, Model>,
    /// At which risks an approval needs a second factor.
    pub second_factor: Vec<Level>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            approvals: BTreeMap::from([(Level::Low, 1), (Level::Medium, 1), (Level::High, 2)]),
            expires: Span::days(7),
            emergency: Span::days(1),
            review: Span::days(5),
            length: Span::hours(1),
            unbegun: Span::days(7),
            uncontrolled: BTreeSet::new(),
            controlled: BTreeSet::from([PRODUCTION.into()]),
            approvers: Vec::new(),
            freezes: Vec::new(),
            windows: Vec::new(),
            models: BTreeMap::new(),
            second_factor: Vec::new(),
        }
    }
}

/// `[[approval]]`: who approves what. Each one that fits a change has to be met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovalRule {
    /// Its name.
    pub id: CompactString,
    /// For which services; empty: all.
    pub services: Vec<ServiceId>,
    /// For which environments; empty: the controlled ones.
    pub environments: Vec<CompactString>,
    /// For which risks; empty: all.
    pub risks: Vec<Level>,
    /// Who may approve.
    pub approvers: Vec<Group>,
    /// How many of them have to; `None`: as `[change] approvals` says for the risk.
    pub quorum: Option<u8>,
    /// Whether a reviewed pull request counts.
    pub pull_request: bool,
    /// At which risks an approval needs a second factor; `None`: as `[change] second_factor` says.
    pub second_factor: Option<Vec<Level>>,
}

/// Who may approve. Written `person:cleo`, `team:payments`, `role:admin`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// One person.
    Person(PersonId),
    /// Everybody whom the team's escalation policy names, directly or by a schedule.
    Team(TeamId),
    /// Everybody of a role, or a higher one.
    Role(Role),
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(person) => person.fmt(f),
            Self::Team(team) => write!(f, "team {team}"),
            Self::Role(Role::Admin) => f.write_str("an administrator"),
            Self::Role(Role::Responder) => f.write_str("a responder"),
            Self::Role(Role::Stakeholder) => f.write_str("anybody"),
        }
    }
}

/// `[[change-model]]`: a standard change that was approved once. What carries it out is not told here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    /// Its name.
    pub id: CompactString,
    /// What it does.
    pub summary: CompactString,
    /// To which services; empty: all.
    pub services: Vec<ServiceId>,
    /// How.
    pub plan: CompactString,
    /// How it is taken back.
    pub rollback: CompactString,
    /// Alerts that it is expected to cause.
    pub expects: Vec<CompactString>,
    /// How long it takes.
    pub length: Option<Span>,
    /// The riskiest that it is pre-authorised for.
    pub up_to: Level,
    /// After how many clean runs it is pre-authorised; `None`: from the start.
    pub earn_after: Option<u32>,
}

/// So many approvals by so many of these are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The rule that asks for it.
    pub rule: CompactString,
    /// Who may approve.
    pub approvers: Vec<Group>,
    /// How many of them.
    pub quorum: u8,
    /// Whether a reviewed pull request counts.
    pub pull_request: bool,
    /// Whether each needs a second factor.
    pub factor: bool,
}

impl Rules {
    /// Whether what happens in an environment is controlled.
    pub fn controls(&self, environment: &str) -> bool {
        self.controlled.contains(environment)
    }

    /// How long a change takes that does not say: as long as its model's, if it has one.
    pub fn length_of(&self, content: &Content) -> Span {
        let model = content.model.as_ref().and_then(|model| self.models.get(model));
        model.and_then(|model| model.length).unwrap_or(self.length)
    }

    /// How many approvals a risk needs.
    pub fn quorum(&self, risk: Level) -> u8 {
        self.approvals.get(&risk).copied().unwrap_or(1)
    }
}

impl Org {
    /// The approvals that a change needs by the rules in force: one entry for each rule that fits; where none fits, the
    /// team that owns the service, or an administrator.
    pub fn needs(&self, content: &Content) -> Vec<Need> {
        let rules = &self.changes;
        let named = |rule: &ApprovalRule| match rule.environments.as_slice() {
            [] => rules.controls(&content.environment),
            some => some.contains(&content.environment),
        };
        let fits = |rule: &&ApprovalRule| {
            (rule.services.is_empty() || rule.services.contains(&content.service))
                && (rule.risks.is_empty() || rule.risks.contains(&content.risk))
                && named(rule)
        };
        let found: Vec<Need> = rules
            .approvers
            .iter()
            .filter(fits)
            .map(|rule| Need {
                rule: rule.id.clone(),
                approvers: rule.approvers.clone(),
                quorum: rule.quorum.unwrap_or_else(|| rules.quorum(content.risk)),
                pull_request: rule.pull_request,
                factor: rule.second_factor.as_ref().unwrap_or(&rules.second_factor).contains(&content.risk),
            })
            .collect();
        if !found.is_empty() || !rules.controls(&content.environment) {
            return found;
        }
        let owner = self.services.get(&content.service).map(|service| Group::Team(service.team.clone()));
        let approvers = owner.into_iter().chain([Group::Role(Role::Admin)]).collect();
        vec![Need {
            rule: "default".into(),
            approvers,
            quorum: rules.quorum(content.risk),
            pull_request: false,
            factor: rules.second_factor.contains(&content.risk),
        }]
    }

    /// Whether a person belongs to a group now. One who has left belongs to none.
    pub fn belongs(&self, person: &PersonId, group: &Group) -> bool {
        let Some(known) = self.people.get(person).filter(|known| !known.left) else { return false };
        match group {
            Group::Person(named) => named == person,
            Group::Role(role) => known.role >= *role,
            Group::Team(team) => known.role >= Role::Responder && self.in_team(person, team),
        }
    }

    fn in_team(&self, person: &PersonId, team: &TeamId) -> bool {
        let policy = self.teams.get(team).and_then(|team| self.policies.get(&team.escalation));
        let targets = policy.into_iter().flat_map(|policy| policy.steps.iter().flat_map(|step| &step.page));
        targets.into_iter().any(|target| match target {
            Target::Person(named) => named == person,
            // Whoever helps out at the last step of another team's policy does not approve for it.
            Target::Schedule(id) => self.schedules.get(id).is_some_and(|schedule| {
                self.owns(team, id) && schedule.rotations.iter().any(|rotation| rotation.members.contains(person))
            }),
            Target::Channel(_) | Target::Webhook(_) => false,
        })
    }

    /// Whether a schedule is a team's own: the first step of its policy pages it, or no other team's first step does.
    fn owns(&self, team: &TeamId, schedule: &crate::domain::id::ScheduleId) -> bool {
        let first = |id: &TeamId| {
            let policy = self.teams.get(id).and_then(|team| self.policies.get(&team.escalation));
            let step = policy.and_then(|policy| policy.steps.first());
            step.is_some_and(|step| step.page.contains(&Target::Schedule(schedule.clone())))
        };
        first(team) || !self.teams.keys().any(|other| other != team && first(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_by_any_of_its_words_is_one_environment() {
        for said in ["production", " Production ", "prod", "PRD", "live", ""] {
            assert_eq!(environment(said), PRODUCTION, "{said:?}");
        }
        assert_eq!(environment("Staging"), "staging");
    }
}

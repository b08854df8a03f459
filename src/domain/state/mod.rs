//! State: what all commits so far add up to, without closed records. Changed only by `apply`; read by everybody.
//! The derived look-ups (by key, by group, wake-ups, what is owed) are rebuilt from the records and never stored.

mod apply;
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::alert::Alert;
use super::change::authority::Authority;
use super::change::deployed::{Deployed, KnownCommit};
use super::change::{Change, Freeze, Past};
use super::connect::Accounts;
use super::delivery::Delivery;
use super::id::{
    AlertId, ChangeId, DeliveryId, DeploymentId, FreezeId, IncidentId, IntegrationId, PersonId, ProblemId, RunId,
    ServiceId, ServiceRequestId, SilenceId,
};
use super::incident::{Incident, private};
use super::input::{Reply, Wakeup};
use super::org::{Org, Policy};
use super::playbook::Run;
use super::playbook::remedy::Begun;
use super::postmortem::{Amended, Waiting};
use super::problem::{Fingerprint, Problem, Recent};
use super::report::dora::Outage;
use super::report::summary::Book;
use super::request::ServiceRequest;
use super::silence::Silence;
use super::time::Timestamp;

/// What all commits so far add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Numbers and marks that belong to no record.
    pub meta: Meta,
    /// Alerts that fire.
    pub alerts: BTreeMap<AlertId, Box<Alert>>,
    /// Incidents that are not closed.
    pub incidents: BTreeMap<IncidentId, Box<Incident>>,
    /// Deliveries that belong to no incident in State and are still owed.
    pub notices: BTreeMap<DeliveryId, Delivery>,
    /// Answers kept for clients that repeat themselves.
    pub answers: BTreeMap<CompactString, KeptAnswer>,
    /// Personal tokens in force, by their public name.
    pub tokens: BTreeMap<CompactString, Token>,
    /// Silences in force, and the last ones that ended.
    pub silences: BTreeMap<SilenceId, Silence>,
    /// Problems that are not closed.
    pub problems: BTreeMap<ProblemId, Box<Problem>>,
    /// Of which kind the incidents of the last thirty days were; bounded.
    pub recent: BTreeMap<IncidentId, Recent>,
    /// Postmortems that wait to be published; their texts are with their incidents.
    pub waiting_postmortems: BTreeMap<IncidentId, Waiting>,
    /// Requests that are not over.
    pub requests: BTreeMap<ServiceRequestId, Box<ServiceRequest>>,
    /// Changes that are not over.
    pub changes: BTreeMap<ChangeId, Box<Change>>,
    /// Freezes by word that hold.
    pub freezes: BTreeMap<FreezeId, Freeze>,
    /// What was changed in the last days, in short; bounded.
    pub past: BTreeMap<ChangeId, Past>,
    /// Playbooks that are run, and the last runs that are over.
    pub runs: BTreeMap<RunId, Box<Run>>,
    /// Deployments of the last year, in short; bounded.
    pub deployments: BTreeMap<DeploymentId, Deployed>,
    /// Commits that were told of lately, by a running number; bounded.
    pub commits: BTreeMap<u64, KnownCommit>,
    /// Incidents of the last year that are over, in short; bounded.
    pub outages: BTreeMap<IncidentId, Outage>,
    /// Closed records that were changed just now.
    pub(in crate::domain) amended: Amended,
    /// What follows from the records above.
    pub(in crate::domain) index: Index,
    /// The incident that is changed just now; nothing between commits.
    lifted: Option<Box<Incident>>,
    /// Records touched since the runtime last asked; not part of what State says.
    pub(in crate::domain) dirty: Dirty,
}

/// Numbers and marks that belong to no record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The data directory's name in delivery ids.
    pub install: CompactString,
    /// The last commit applied.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// By how many milliseconds the clock may be behind what the journal said at a start.
    #[serde(default, skip_serializing_if = "crate::domain::clock::is_zero")]
    pub behind_ms: i64,
    /// The last incident's number.
    pub incidents: u64,
    /// The last alert's number.
    pub alerts: u64,
    /// The last silence's number.
    #[serde(default)]
    pub silences: u64,
    /// The configuration in force.
    pub config: CompactString,
    /// The last problem's number.
    #[serde(default)]
    pub problems: u64,
    /// The last request's number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// The last change's number.
    #[serde(default)]
    pub changes: u64,
    /// The last freeze's number.
    #[serde(default)]
    pub freezes: u64,
    /// The last run's number.
    #[serde(default)]
    pub runs: u64,
    /// The last deployment's number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deployments: u64,
    /// The last commit's running number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub commits: u64,
    /// When remedies were begun in the last hour.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remedies: Begun,
    /// What is kept for summaries.
    #[serde(default)]
    pub summaries: Book,
    /// Discord accounts that were linked to people.
    #[serde(default, skip_serializing_if = "Accounts::is_empty")]
    pub accounts: Accounts,
    /// Whose word counts for changes, beside what the configuration says.
    #[serde(default, skip_serializing_if = "Authority::is_empty")]
    pub authority: Authority,
    /// Incidents that are private, closed ones too: what is read beside the records must not tell of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub private: BTreeSet<IncidentId>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// An answer kept for a client that repeats itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// When it was given.
    pub at: Timestamp,
    /// What it rests on.
    pub seq: u64,
    /// What it said.
    pub reply: Reply,
}

/// A personal token, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Whose.
    pub person: PersonId,
    /// Hex sha256 of the token.
    pub sha256: CompactString,
    /// Since when.
    pub added_at: Timestamp,
}

/// What follows from the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    pub(in crate::domain) by_key: BTreeMap<(IntegrationId, CompactString), AlertId>,
    /// A reopened incident can stand beside a newer one of its group.
    pub(in crate::domain) groups: BTreeSet<(CompactString, IncidentId)>,
    pub(in crate::domain) alerts_of: BTreeSet<(IncidentId, AlertId)>,
    pub(in crate::domain) suppressed: BTreeSet<(SilenceId, AlertId)>,
    pub(in crate::domain) wakeups: BTreeSet<Wakeup>,
    pub(in crate::domain) owed: BTreeMap<DeliveryId, Option<IncidentId>>,
    /// Incidents with a room.
    pub(in crate::domain) rooms: BTreeSet<IncidentId>,
    /// Recent incidents by their kind.
    pub(in crate::domain) kinds: BTreeSet<(Fingerprint, IncidentId)>,
    /// The unresolved problem of a kind.
    pub(in crate::domain) problem_of: BTreeMap<Fingerprint, ProblemId>,
    /// Changes that are not over, by their service.
    pub(in crate::domain) changes_on: BTreeSet<(ServiceId, ChangeId)>,
    /// Those of them that have their time in the calendar, or are being carried out.
    pub(in crate::domain) timed_changes: BTreeSet<ChangeId>,
    /// Deployments whose code host waits for the gate.
    pub(in crate::domain) questions: BTreeSet<DeploymentId>,
    /// Kept answers by age.
    pub(in crate::domain) answers_by_age: BTreeSet<(Timestamp, CompactString)>,
    /// Equal policies are held once, however many incidents escalate by them.
    pub(in crate::domain) policies: Policies,
}

/// Policies that are held once. Which of those that nothing escalates by are still there is not part of what State says.
#[derive(Debug, Clone, Default)]
pub struct Policies(pub(in crate::domain) BTreeSet<PolicyRef>);

impl PartialEq for Policies {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Policies {}

/// A shared policy, ordered by what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRef(pub(in crate::domain) Arc<Policy>);

impl PartialOrd for PolicyRef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PolicyRef {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { std::cmp::Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKey {
    /// `Meta`.
    Meta,
    /// An alert.
    Alert(AlertId),
    /// An incident.
    Incident(IncidentId),
    /// A notice.
    Notice(DeliveryId),
    /// A kept answer.
    Answer(CompactString),
    /// A token.
    Token(CompactString),
    /// A silence.
    Silence(SilenceId),
    /// A problem.
    Problem(ProblemId),
    /// Of which kind an incident was.
    Recent(IncidentId),
    /// A postmortem that waits.
    Waiting(IncidentId),
    /// A request.
    Request(ServiceRequestId),
    /// A change.
    Change(ChangeId),
    /// A freeze.
    Freeze(FreezeId),
    /// A change that is over, in short.
    Past(ChangeId),
    /// A run of a playbook.
    Run(RunId),
    /// A deployment.
    Deployment(DeploymentId),
    /// A commit, by its running number.
    Commit(u64),
    /// An incident that is over, in short.
    Outage(IncidentId),
}

/// Records touched since the runtime last asked, and those that left State.
#[derive(Debug, Clone, Default)]
pub struct Dirty {
    /// Touched.
    pub touched: BTreeSet<RecordKey>,
    /// Incidents closed since: they are no longer in State, but the records room must get them.
    pub closed_incidents: BTreeMap<IncidentId, Incident>,
    /// Alerts resolved since, likewise.
    pub closed_alerts: BTreeMap<AlertId, Alert>,
    /// Problems closed since, likewise.
    pub closed_problems: BTreeMap<ProblemId, Problem>,
    /// Requests that are over since, likewise.
    pub closed_requests: BTreeMap<ServiceRequestId, ServiceRequest>,
    /// Changes that are over since, likewise.
    pub closed_changes: BTreeMap<ChangeId, Change>,
}

impl PartialEq for Dirty {
    /// What is dirty is not part of what State says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Dirty {}

/// Everything that State keeps, as it comes back from the records room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenRecords {
    /// Numbers and marks.
    pub meta: Meta,
    /// Alerts that fire.
    pub alerts: Vec<Alert>,
    /// Incidents that are not closed.
    pub incidents: Vec<Incident>,
    /// Notices still owed.
    pub notices: Vec<Delivery>,
    /// Kept answers by key.
    pub answers: Vec<(CompactString, KeptAnswer)>,
    /// Tokens by public name.
    pub tokens: Vec<(CompactString, Token)>,
    /// Silences.
    pub silences: Vec<Silence>,
    /// Problems that are not closed.
    pub problems: Vec<Problem>,
    /// Of which kind recent incidents were.
    pub recent: Vec<Recent>,
    /// Postmortems that wait.
    pub waiting: Vec<Waiting>,
    /// Requests that are not over.
    pub requests: Vec<ServiceRequest>,
    /// Changes that are not over.
    pub changes: Vec<Change>,
    /// Freezes by word.
    pub freezes: Vec<Freeze>,
    /// Changes that are over, in short.
    pub past: Vec<Past>,
    /// Runs of playbooks.
    pub runs: Vec<Run>,
    /// Deployments, in short.
    pub deployments: Vec<Deployed>,
    /// Commits with their running numbers.
    pub commits: Vec<(u64, KnownCommit)>,
    /// Incidents that are over, in short.
    pub outages: Vec<Outage>,
}

impl State {
    /// An empty state for a new data directory.
    pub fn new(install: &str) -> Self {
        Self { meta: Meta { install: install.into(), ..Meta::default() }, ..Self::default() }
    }

    /// The next moment that the domain waits for.
    pub fn next_wakeup(&self) -> Option<Wakeup> {
        self.index.wakeups.first().copied()
    }

    /// Every moment that the domain waits for, earliest first.
    pub fn wakeups(&self) -> impl Iterator<Item = &Wakeup> {
        self.index.wakeups.iter()
    }

    /// Whether a moment is still waited for.
    pub fn waits_for(&self, wakeup: &Wakeup) -> bool {
        self.index.wakeups.contains(wakeup)
    }

    /// The alert that fires under a key.
    pub fn firing(&self, integration: &IntegrationId, key: &str) -> Option<&Alert> {
        self.alert(*self.index.by_key.get(&(integration.clone(), key.into()))?)
    }

    /// An alert that fires.
    pub fn alert(&self, id: AlertId) -> Option<&Alert> {
        self.alerts.get(&id).map(|alert| &**alert)
    }

    /// The open incident that alerts of a group join: the newest, where an older one was reopened beside it.
    pub fn grouped(&self, group: &str) -> Option<&Incident> {
        let group = CompactString::from(group);
        let range = (group.clone(), IncidentId(0))..=(group, IncidentId(u64::MAX));
        let (_, newest) = self.index.groups.range(range).next_back()?;
        self.incidents.get(newest).map(|incident| &**incident)
    }

    /// The alerts of an incident that fire.
    pub fn alerts_of(&self, incident: IncidentId) -> impl Iterator<Item = &Alert> {
        let range = (incident, AlertId(0))..=(incident, AlertId(u64::MAX));
        self.index.alerts_of.range(range).filter_map(|(_, alert)| self.alert(*alert))
    }

    /// Everything owed to somebody, oldest first, with its incident.
    pub fn owed(&self) -> impl Iterator<Item = (Option<IncidentId>, &Delivery)> {
        self.index.owed.iter().filter_map(|(id, incident)| Some((*incident, self.delivery(*incident, id)?)))
    }

    /// How many deliveries are owed.
    pub fn owed_count(&self) -> usize {
        self.index.owed.len()
    }

    /// A delivery that is still owed.
    pub fn owed_delivery(&self, id: &DeliveryId) -> Option<(Option<IncidentId>, &Delivery)> {
        let incident = *self.index.owed.get(id)?;
        Some((incident, self.delivery(incident, id)?))
    }

    fn delivery(&self, incident: Option<IncidentId>, id: &DeliveryId) -> Option<&Delivery> {
        match incident {
            Some(incident) => self.incidents.get(&incident)?.delivery(id),
            None => self.notices.get(id),
        }
    }

    /// Open incidents (not yet resolved) that everybody may see, oldest first.
    pub fn open_incidents(&self) -> impl Iterator<Item = &Incident> {
        self.all_open_incidents().filter(|incident| !incident.private)
    }

    /// Open incidents, private ones too: for what pages and watches, and for whoever asks `may_see` of each.
    pub fn all_open_incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|incident| &**incident).filter(|incident| incident.state.open())
    }

    /// The open incidents that somebody may see, oldest first.
    pub fn open_for<'s>(&'s self, org: &'s Org, actor: &'s Actor) -> impl Iterator<Item = &'s Incident> {
        self.all_open_incidents().filter(|incident| private::may_see(org, actor, incident))
    }

    /// Incidents with a room in chat, those that are resolved too.
    pub fn rooms(&self) -> impl Iterator<Item = &Incident> {
        self.index.rooms.iter().filter_map(|id| self.incidents.get(id)).map(|incident| &**incident)
    }

    /// The incidents a person can mean without saying an id: those that page them or that they work on; else the only
    /// open one.
    pub fn meant_by(&self, person: Option<&PersonId>) -> Vec<IncidentId> {
        let own: Vec<IncidentId> = self
            .all_open_incidents()
            .filter(|incident| person.is_some_and(|person| incident.involves(person) || incident.admits(person)))
            .map(|incident| incident.id)
            .take(20)
            .collect();
        if own.is_empty() { self.open_incidents().map(|incident| incident.id).take(20).collect() } else { own }
    }

    /// What has changed since the last call.
    pub fn take_dirty(&mut self) -> Dirty {
        std::mem::take(&mut self.dirty)
    }

    /// An incident that was closed since `take_dirty`.
    pub fn closed_since(&self, id: IncidentId) -> Option<&Incident> {
        self.dirty.closed_incidents.get(&id)
    }

    /// An alert that recovered since `take_dirty`.
    pub fn resolved_since(&self, id: AlertId) -> Option<&Alert> {
        self.dirty.closed_alerts.get(&id)
    }

    /// All problems that were closed since `take_dirty`.
    pub fn closed_problems_since(&self) -> &BTreeMap<ProblemId, Problem> {
        &self.dirty.closed_problems
    }

    /// All requests that ended since `take_dirty`.
    pub fn closed_requests_since(&self) -> &BTreeMap<ServiceRequestId, ServiceRequest> {
        &self.dirty.closed_requests
    }

    /// All changes that ended since `take_dirty`.
    pub fn closed_changes_since(&self) -> &BTreeMap<ChangeId, Change> {
        &self.dirty.closed_changes
    }

    /// All incidents that were closed since `take_dirty`.
    pub fn closed_incidents_since(&self) -> &BTreeMap<IncidentId, Incident> {
        &self.dirty.closed_incidents
    }

    /// All alerts that recovered since `take_dirty`.
    pub fn resolved_alerts_since(&self) -> &BTreeMap<AlertId, Alert> {
        &self.dirty.closed_alerts
    }

    /// How many records have changed since `take_dirty`.
    pub fn dirty_count(&self) -> usize {
        self.dirty.touched.len()
    }

    /// State from its records; look-ups are derived anew.
    pub fn assemble(records: OpenRecords) -> Self {
        let mut state = Self {
            meta: records.meta,
            alerts: records.alerts.into_iter().map(|alert| (alert.id, Box::new(alert))).collect(),
            incidents: BTreeMap::new(),
            notices: records.notices.into_iter().map(|notice| (notice.id.clone(), notice)).collect(),
            answers: records.answers.into_iter().collect(),
            tokens: records.tokens.into_iter().collect(),
            silences: records.silences.into_iter().map(|silence| (silence.id, silence)).collect(),
            problems: records.problems.into_iter().map(|problem| (problem.id, Box::new(problem))).collect(),
            recent: records.recent.into_iter().map(|recent| (recent.incident, recent)).collect(),
            waiting_postmortems: records.waiting.into_iter().map(|waiting| (waiting.incident, waiting)).collect(),
            requests: records.requests.into_iter().map(|request| (request.id, Box::new(request))).collect(),
            changes: records.changes.into_iter().map(|change| (change.id, Box::new(change))).collect(),
            freezes: records.freezes.into_iter().map(|freeze| (freeze.id, freeze)).collect(),
            past: records.past.into_iter().map(|past| (past.change, past)).collect(),
            runs: records.runs.into_iter().map(|run| (run.id, Box::new(run))).collect(),
            deployments: records.deployments.into_iter().map(|it| (it.id, it)).collect(),
            commits: records.commits.into_iter().collect(),
            outages: records.outages.into_iter().map(|it| (it.incident, it)).collect(),
            amended: Amended::default(),
            index: Index::default(),
            lifted: None,
            dirty: Dirty::default(),
        };
        for incident in records.incidents {
            state.insert(incident);
        }
        state.put_back();
        state.index_alerts_and_notices();
        state.index_silences();
        state.index_changes();
        state.index_runs();
        state.index_requests();
        state.index_questions();
        state
    }

    /// The same State as its records.
    pub fn disassemble(&self) -> OpenRecords {
        OpenRecords {
            meta: self.meta.clone(),
            alerts: self.alerts.values().map(|alert| (**alert).clone()).collect(),
            incidents: self.incidents.values().map(|incident| (**incident).clone()).collect(),
            notices: self.notices.values().cloned().collect(),
            answers: self.answers.iter().map(|(key, answer)| (key.clone(), answer.clone())).collect(),
            tokens: self.tokens.iter().map(|(name, token)| (name.clone(), token.clone())).collect(),
            silences: self.silences.values().cloned().collect(),
            problems: self.problems.values().map(|problem| (**problem).clone()).collect(),
            recent: self.recent.values().cloned().collect(),
            waiting: self.waiting_postmortems.values().cloned().collect(),
            requests: self.requests.values().map(|request| (**request).clone()).collect(),
            changes: self.changes.values().map(|change| (**change).clone()).collect(),
            freezes: self.freezes.values().cloned().collect(),
            past: self.past.values().cloned().collect(),
            runs: self.runs.values().map(|run| (**run).clone()).collect(),
            deployments: self.deployments.values().cloned().collect(),
            commits: self.commits.iter().map(|(n, commit)| (*n, commit.clone())).collect(),
            outages: self.outages.values().cloned().collect(),
        }
    }
}

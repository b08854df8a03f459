//! Deployments in: what a code host tells of one makes a change, or gets one on. Where approval is needed and lacking,
//! the change is recorded as unapproved and its team is told at once: what has happened is never left out. The same
//! step told again, and an earlier one told late, do nothing.

use compact_str::{CompactString, format_compact};

use super::authority::reviewed;
use super::content::Content;
use super::deployed::{Deployed, DeploymentTold, KnownCommit, Took};
use super::{Change, ChangeState, Outcome, Step, answer, carry, life, open, rules, step};
use crate::domain::alert::intake::IGNORED;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, DeploymentId, PersonId, ServiceId};
use crate::domain::input::Reply;
use crate::domain::org::{Integration, Org};
use crate::domain::playbook;
use crate::domain::reject::Reject;
use crate::domain::signal::{Deployment, Progress, Signal, Stage};
use crate::domain::time::Timestamp;

/// Characters of a version in a change.
const VERSION_MAX: usize = 100;
/// So much of a commit's hash is shown.
const SHORT: usize = 12;

pub(super) fn ignored(why: impl std::fmt::Display) -> Reply {
    Reply::done(format!("{IGNORED}{why}"))
}

/// What a build, a push or a release leads to: its commits are remembered.
pub fn commits(draft: &mut Draft<'_>, signal: &Signal, why: &str) -> Reply {
    let found = signal.deployment.as_ref().map_or(0, |told| remember(draft, told));
    if let Some((review, repository)) =
        signal.deployment.as_ref().and_then(|told| told.review.as_ref().zip(told.repository.as_deref()))
        && let Some(what) = reviewed::receive(draft, repository, review)
    {
        return Reply::done(what);
    }
    match found {
        0 => ignored(why),
        1 => ignored(format_args!("{why}; 1 commit noted")),
        n => ignored(format_args!("{why}; {n} commits noted")),
    }
}

/// Remembers commits that are new, for lead times and authors, and how long what was told of one took to build and to
/// test; returns how many that are.
fn remember(draft: &mut Draft<'_>, told: &Deployment) -> usize {
    let mut fresh: Vec<KnownCommit> = Vec::new();
    for commit in &told.commits {
        let known = draft.state.commit(&commit.sha).is_some_and(|known| known.at.is_some() || commit.at.is_none());
        if !known && !fresh.iter().any(|it| it.sha == commit.sha) {
            let author = commit.email.as_deref().and_then(|email| person(draft.org, email));
            fresh.push(KnownCommit { at: commit.at, author, ..KnownCommit::bare(&commit.sha) });
        }
    }
    if let Some(took) = ran(draft, told) {
        match fresh.iter_mut().find(|it| it.sha == took.sha) {
            Some(known) => known.learn(&took),
            None => fresh.push(took),
        }
    }
    let count = fresh.len();
    if count > 0 {
        draft.emit(Event::CommitsSeen { commits: fresh });
    }
    count
}

/// What was built and tested of a commit before it was deployed, as far as that is new.
fn ran(draft: &Draft<'_>, told: &Deployment) -> Option<KnownCommit> {
    // One that is cut short could be of several.
    let sha = told.sha.as_deref().filter(|sha| sha.len() >= 40)?;
    let known = draft.state.commits.values().rev().find(|it| it.sha == sha);
    let deployed = |at: Timestamp| {
        let its = |it: &&Deployed| {
            it.progress > Progress::Pending && it.sha.as_deref().is_some_and(|known| sha.starts_with(known))
        };
        draft.state.deployments.values().filter(its).any(|it| it.told_at < at)
    };
    let mut took = KnownCommit::bare(sha);
    for it in told.ran.iter().filter(|it| !deployed(it.from)) {
        let one = Some(Took { from: it.from, until: it.until });
        let more = match it.stage {
            Stage::Build => KnownCommit { built: one, ..KnownCommit::bare(sha) },
            Stage::Test => KnownCommit { tested: one, ..KnownCommit::bare(sha) },
        };
        took.learn(&more);
    }
    let mut all = known.cloned().unwrap_or_else(|| KnownCommit::bare(sha));
    let before = all.clone();
    all.learn(&took);
    (all != before).then_some(took)
}

/// Whose mail address it is.
pub(super) fn person(org: &Org, email: &str) -> Option<PersonId> {
    let mut people = org.people.values();
    people.find(|it| it.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email))).map(|it| it.id.clone())
}

/// The service that a deployment is of: the one that names the repository as its own; one of that name; its sender's;
/// else the default one.
fn service(org: &Org, sender: &Integration, signal: &Signal, told: &Deployment) -> ServiceId {
    let names = [told.repository.as_deref(), signal.service.as_deref()];
    let owner = names.into_iter().flatten().find_map(|name| {
        let owns = |own: &CompactString| own.eq_ignore_ascii_case(name);
        org.services.values().find(|service| service.repositories.iter().any(owns))
    });
    if let Some(service) = owner {
        return service.id.clone();
    }
    let named = names.into_iter().flatten().find_map(|name| org.services.get_key_value(name));
    named.map(|(id, _)| id).or(sender.service.as_ref()).unwrap_or(&org.defaults.service).clone()
}

/// A version, as it is written into a change.
pub(super) fn shown(version: Option<&str>, sha: Option<&str>) -> CompactString {
    let cut = |text: &str, max: usize| text.chars().take(max).collect::<CompactString>();
    match (version, sha) {
        (Some(version), Some(sha)) if version == sha => cut(sha, SHORT),
        (Some(version), _) => cut(version, VERSION_MAX),
        (None, Some(sha)) => cut(sha, SHORT),
        (None, None) => "an unnamed version".into(),
    }
}

/// What is known of the deployment in hand.
struct Case<'a> {
    sender: &'a Integration,
    word: &'a str,
    id: DeploymentId,
    service: ServiceId,
    environment: CompactString,
    version: Option<CompactString>,
    sha: Option<CompactString>,
    author: Option<PersonId>,
    progress: Progress,
}

impl Case<'_> {
    /// Whether a change is about this version: `1.4`, `v1.4`, or the beginning of the commit's hash.
    fn fits(&self, content: &Content) -> bool {
        let Some(wanted) = content.version.as_deref() else { return false };
        let bare = |text: &str| text.strip_prefix(['v', 'V']).unwrap_or(text).to_lowercase();
        let same = self.version.as_deref().is_some_and(|version| bare(version) == bare(wanted));
        let hash = wanted.len() >= 7 && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
        let begins = |sha: &CompactString| {
            let (sha, wanted) = (sha.as_str(), wanted.to_lowercase());
            sha.starts_with(&wanted) || wanted.starts_with(sha)
        };
        content.service == self.service
            && content.environment == self.environment
            && (same || hash && self.sha.as_ref().is_some_and(begins))
    }

    /// That a change of this version is of another commit: what was agreed to is not what is deployed.
    fn moved(&self, change: &Change) -> Option<String> {
        let cut = |text: &str| text.chars().take(SHORT).collect::<String>();
        let told = self.sha.as_deref();
        let known = change.other_commit(told).map(cut)?;
        Some(format!("{} is of the commit {known}, and {} is deployed", change.id, told.map(cut).unwrap_or_default()))
    }

    /// `deployed, told by github: success`.
    fn source(&self) -> CompactString {
        format_compact!("told by {}: {}", self.sender.id, self.word)
    }
}

/// What a deployment's signal leads to.
///
/// # Errors
/// It asks for an answer that is not sent to where it says.
pub fn receive(draft: &mut Draft<'_>, sender: &Integration, signal: &Signal) -> Result<Reply, Reject> {
    let Some(told) = signal.deployment.as_deref() else {
        return Ok(ignored("it does not say what was deployed where: no deployment is recorded"));
    };
    if let (Some(question), Some(base)) = (&told.question, &sender.answers) {
        remember(draft, told);
        return answer::asked(draft, sender, signal, told, (question, base));
    }
    let Some(progress) = told.progress else {
        return Ok(commits(draft, signal, "it tells of no step of a deployment"));
    };
    remember(draft, told);
    Ok(step_of(draft, sender, signal, told, progress))
}

fn step_of(
    draft: &mut Draft<'_>,
    sender: &Integration,
    signal: &Signal,
    told: &Deployment,
    progress: Progress,
) -> Reply {
    let environment = rules::environment(signal.environment.as_deref().unwrap_or_default());
    let known = draft.state.deployed(&sender.id, &signal.key, &environment);
    if let Some(known) = known.filter(|known| known.progress.over() || progress <= known.progress) {
        return ignored(format_args!("{} is {} already", known.id, known.progress.as_str()));
    }
    // What was never let go did not fail: it was stopped.
    let held = known
        .is_some_and(|it| it.progress == Progress::Pending && it.question.as_ref().is_some_and(|it| !it.approved()));
    let progress = match progress {
        Progress::Failed | Progress::RolledBack if held => Progress::Cancelled,
        progress => progress,
    };
    let sha: Option<CompactString> = told.sha.as_deref().map(Into::into);
    let (committed_at, author) = written(draft, told, sha.as_deref());
    let case = Case {
        sender,
        word: &signal.status,
        id: known.map_or(DeploymentId(draft.state.meta.deployments + 1), |known| known.id),
        service: known.map_or_else(|| service(draft.org, sender, signal, told), |known| known.service.clone()),
        environment,
        version: told.version.as_deref().map(Into::into),
        sha,
        author,
        progress,
    };
    let Advance { change, runs, unapproved } = advance(draft, &case, known);
    let team = draft.org.services.get(&case.service).map(|service| service.team.clone()).unwrap_or_default();
    let event = DeploymentTold {
        deployment: case.id,
        integration: sender.id.clone(),
        key: signal.key.as_str().into(),
        service: case.service.clone(),
        team,
        environment: case.environment.clone(),
        version: case.version.clone(),
        sha: case.sha.clone(),
        repository: told.repository.as_deref().map(Into::into),
        progress,
        committed_at,
        author: case.author.clone(),
        change,
        unapproved,
    };
    // Before the change ends: whose deployment that was is known then.
    draft.emit(Event::DeploymentTold(Box::new(event)));
    if let Some(change) = runs.filter(|_| progress.over()) {
        end(draft, &case, &change);
    }
    let reply = Reply::done(format!("{} of {} is {}", case.id, case.service, progress.as_str()));
    match change {
        Some(change) => reply.about(change),
        None => reply,
    }
}

/// A deployment that waits to be let go, as it will be told: the one that is known, or a new one.
pub(super) fn pending(
    draft: &Draft<'_>,
    sender: &Integration,
    signal: &Signal,
    told: &Deployment,
    environment: CompactString,
) -> DeploymentTold {
    let known = draft.state.deployed(&sender.id, &signal.key, &environment);
    let service = known.map_or_else(|| service(draft.org, sender, signal, told), |known| known.service.clone());
    let (committed_at, author) = written(draft, told, told.sha.as_deref());
    DeploymentTold {
        deployment: known.map_or(DeploymentId(draft.state.meta.deployments + 1), |known| known.id),
        integration: sender.id.clone(),
        key: signal.key.as_str().into(),
        team: draft.org.services.get(&service).map(|service| service.team.clone()).unwrap_or_default(),
        service,
        environment,
        version: told.version.as_deref().map(Into::into),
        sha: told.sha.as_deref().map(Into::into),
        repository: told.repository.as_deref().map(Into::into),
        progress: Progress::Pending,
        committed_at,
        author,
        change: known.and_then(|known| known.change),
        unapproved: false,
    }
}

/// When the commit was written, and by whom: as this signal says, or one before it.
fn written(draft: &Draft<'_>, told: &Deployment, sha: Option<&str>) -> (Option<Timestamp>, Option<PersonId>) {
    let Some(sha) = sha else { return (None, None) };
    if let Some(commit) = told.commits.iter().find(|it| it.sha.starts_with(sha)) {
        return (commit.at, commit.email.as_deref().and_then(|email| person(draft.org, email)));
    }
    draft.state.commit(sha).map_or((None, None), |known| (known.at, known.author.clone()))
}

/// The change of a deployment.
#[derive(Default)]
struct Advance {
    /// Which.
    change: Option<ChangeId>,
    /// The same, where it is being carried out.
    runs: Option<Change>,
    /// Whether it began now, without the approval that it needs.
    unapproved: bool,
}

/// Begins the change that belongs to a deployment, or makes one, unless it runs already.
fn advance(draft: &mut Draft<'_>, case: &Case<'_>, known: Option<&Deployed>) -> Advance {
    let begun = known.is_some_and(|known| known.progress == Progress::Started);
    // The gate has begun its change: that is over with it.
    let let_go = known.and_then(|known| known.question.as_ref()).is_some_and(|asked| asked.approved());
    // A request is not yet a deployment; one that was stopped before it began was none.
    if case.progress == Progress::Pending || case.progress == Progress::Cancelled && !begun && !let_go {
        return Advance { change: known.and_then(|known| known.change), ..Advance::default() };
    }
    let state = draft.state;
    let change: Option<Change> = match known.and_then(|known| known.change) {
        // Its own change: where that is over, nothing is left to be done to it.
        Some(id) => match state.changes.get(&id) {
            Some(change) if change.state <= ChangeState::Implementing => Some((**change).clone()),
            _ => return Advance { change: Some(id), ..Advance::default() },
        },
        None => {
            let fitting = state.changes_on(&case.service).filter(|it| it.state <= ChangeState::Implementing);
            // One that runs is meant before one that may begin, and that before one that waits.
            let fitting = fitting.filter(|it| case.fits(&it.content) && case.moved(it).is_none());
            let best = fitting.max_by_key(|it| (it.state, std::cmp::Reverse(it.id)));
            best.cloned()
        }
    };
    let (change, unapproved) = match change {
        Some(change) if change.state == ChangeState::Implementing => {
            // Let go, and begun by another commit since; or by one that its approver wrote.
            let author: Vec<_> = case.author.iter().map(|person| (person, carry::Part::Wrote)).collect();
            let lacks = case.moved(&change).or_else(|| carry::own_work(draft, &change, &author)).filter(|_| !begun);
            match (&lacks, change.commit_news(case.sha.as_deref())) {
                (Some(lacks), _) => tell(draft, case, &change, std::slice::from_ref(lacks), &[]),
                (None, Some(commit)) if !begun => step(draft, change.id, Step::Bound { commit }),
                (None, _) => {}
            }
            (change, lacks.is_some())
        }
        Some(change) => {
            let unapproved = begin(draft, case, &change);
            (change, unapproved)
        }
        None if !draft.org.changes.controls(&case.environment) => return Advance::default(),
        None => match record(draft, case) {
            Some((change, unapproved)) => (change, unapproved),
            None => return Advance { unapproved: true, ..Advance::default() },
        },
    };
    Advance { change: Some(change.id), runs: Some(change), unapproved }
}

/// Begins a change that was planned. What stands against it is told, and does not stop what has begun elsewhere.
fn begin(draft: &mut Draft<'_>, case: &Case<'_>, change: &Change) -> bool {
    let mut lacks: Vec<String> = Vec::new();
    if change.state == ChangeState::Requested {
        lacks.push(format!("its {} is not said", change.content.missing().join(" and ")));
    }
    lacks.extend(case.moved(change));
    // Whoever wrote it does not approve it, also where the change does not say who that is.
    let wrote: Vec<_> =
        case.author.iter().chain(draft.state.wrote(change)).map(|it| (it, carry::Part::Wrote)).collect();
    lacks.extend(carry::unapproved(draft, change, &wrote));
    let untimely = carry::untimely(draft, change);
    let despite = lacks.iter().chain(&untimely).map(CompactString::from).collect();
    step(draft, change.id, Step::Started { despite, commit: case.sha.clone() });
    // What is over already expects nothing more.
    if !case.progress.over() {
        carry::raise_fence(draft, change);
    }
    if lacks.is_empty() && untimely.is_empty() {
        life::post(draft, change, format!("{} begins now, {}.", change.headline(), case.source()));
    } else {
        tell(draft, case, change, &lacks, &untimely);
    }
    !lacks.is_empty()
}

/// Marks what lacks approval, and tells the team at once.
fn tell(draft: &mut Draft<'_>, case: &Case<'_>, change: &Change, lacks: &[String], untimely: &[String]) {
    let mut text = format!("{} is deployed", change.headline());
    if !lacks.is_empty() {
        let why = lacks.join("; ");
        step(draft, change.id, Step::Unapproved { why: why.as_str().into() });
        text = format!("{text} without approval ({}): {why}", case.source());
    } else {
        text = format!("{text} ({})", case.source());
    }
    if !untimely.is_empty() {
        text = format!("{text}. It was not the time for it: {}", untimely.join("; "));
    }
    life::post(draft, change, format!("{text}.\nSee it: /change show {}", change.id));
}

/// Makes a change of what began without one, where changes are controlled. `None`: no more changes are taken; told all
/// the same.
fn record(draft: &mut Draft<'_>, case: &Case<'_>) -> Option<(Change, bool)> {
    let version = shown(case.version.as_deref(), case.sha.as_deref());
    let version = (case.version.is_some() || case.sha.is_some()).then_some(version);
    let content = Content {
        commit: case.sha.clone(),
        author: case.author.clone(),
        ..Content::by_pipeline(case.service.clone(), case.environment.clone(), version)
    };
    let begun = open::Begin {
        state: Some(ChangeState::Implementing),
        why: Some(format_compact!("it was deployed without a change, {}", case.source())),
        ..open::Begin::default()
    };
    let change = match open::begin(draft, content, begun) {
        Ok(change) => change,
        Err(reject) => {
            let team = draft.org.services.get(&case.service).map(|service| service.team.clone()).unwrap_or_default();
            let text = format!("{} is deployed without a change ({}): {reject}", case.service, case.source());
            life::post_to(draft, &team, text);
            return None;
        }
    };
    let mut lacks = carry::unapproved(draft, &change, &[]);
    if !lacks.is_empty() {
        let others = draft.state.changes_on(&case.service).filter(|it| it.state <= ChangeState::Implementing);
        lacks.extend(others.filter(|it| it.id != change.id && case.fits(&it.content)).find_map(|it| case.moved(it)));
    }
    let untimely = carry::untimely(draft, &change);
    if lacks.is_empty() && untimely.is_empty() {
        life::post(draft, &change, format!("{} is deployed, {}.", change.headline(), case.source()));
    } else {
        tell(draft, case, &change, &lacks, &untimely);
    }
    Some((change, !lacks.is_empty()))
}

/// Ends the change, unless another deployment of it still runs and this one went well, or a playbook carries it out,
/// which has more to do.
fn end(draft: &mut Draft<'_>, case: &Case<'_>, change: &Change) {
    if let Some(run) = playbook::person::carrier(draft.state, change.id) {
        if case.progress != Progress::Succeeded {
            let told = case.progress.as_str();
            let text =
                format!("{}: {} is {told}, {}. {} carries it out", change.headline(), case.id, case.source(), run.id);
            life::post(draft, change, format!("{text}: /runbook show {}", run.id));
        }
        return;
    }
    let others = draft
        .state
        .deployments
        .values()
        .any(|it| it.change == Some(change.id) && it.id != case.id && it.progress == Progress::Started);
    let outcome = match case.progress {
        Progress::Succeeded if others => return,
        Progress::Succeeded => Outcome::Successful,
        Progress::RolledBack => Outcome::RolledBack,
        Progress::Failed | Progress::Cancelled | Progress::Pending | Progress::Started => Outcome::Failed,
    };
    carry::finish(draft, change, outcome, Some(&case.source()));
}

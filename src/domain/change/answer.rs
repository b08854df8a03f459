//! Answers that code hosts wait for: a deployment that is held asks the gate, and when that is decided the host is told.
//! A question hangs on its deployment, `DEP-n`; while the gate says wait it stays, and is asked again whenever something
//! happened that may decide it, and every few minutes for what only time decides. The answer is a delivery like any
//! other. What the gate says is `gate`; the calls themselves are made in `notify/`.

mod recall;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::authority::reviewed;
use super::carry::Part;
use super::deployed::{Deployed, DeploymentTold};
use super::gate::{self, Decision, Verdict};
use super::{Change, deployment, life, rules};
use crate::domain::command::GateAsked;
use crate::domain::delivery::{Content, Delivery, Destination, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, DeploymentId, IntegrationId, PersonId};
use crate::domain::incident::apply::Stamp;
use crate::domain::input::{Reply, Wakeup, WakeupKind};
use crate::domain::org::Integration;
use crate::domain::paging::{escalate, look};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::signal::{CodeHost, Deployment, Progress, Question, Signal};
use crate::domain::state::{RecordKey, State};
use crate::domain::time::{Span, Timestamp};

/// A question that waits is asked again after this long, whatever happens.
const AGAIN: Span = Span::mins(10);
/// So many questions wait at once; further ones are refused.
pub const WAITING_MAX: usize = 200;
/// Characters of what is told to a host; GitHub takes 1,024.
const COMMENT_MAX: usize = 900;

/// What a host waits for, as State keeps it with its deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which kind of host.
    pub host: CodeHost,
    /// Where the answer goes, below the host's own address.
    pub path: CompactString,
    /// The environment, as the host writes it.
    pub environment: CompactString,
    /// Who wrote what is brought in: they do not approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// Who set it off: nor do they.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<PersonId>,
    /// When it was asked.
    pub at: Timestamp,
    /// Where it stands.
    pub status: Status,
}

/// Where a question stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The gate says wait.
    Waits {
        /// When it is asked again at the latest.
        again: Timestamp,
        /// Why.
        why: CompactString,
        /// Whether more stands against it than that names.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    },
    /// It is decided, and the host is being told.
    Answered {
        /// Whether it may go.
        approved: bool,
    },
    /// The host took the answer.
    Told {
        /// Whether it may go.
        approved: bool,
    },
    /// The host could not be told.
    Untold {
        /// Whether it may go.
        approved: bool,
        /// Why not.
        reason: CompactString,
    },
    /// The deployment went on, or was stopped, before it was decided here.
    Overtaken,
}

impl Asked {
    /// The moment it waits for.
    fn wakeup(&self, id: DeploymentId) -> Option<Wakeup> {
        match self.status {
            Status::Waits { again, .. } => Some(Wakeup { due: again, kind: WakeupKind::Question(id) }),
            _ => None,
        }
    }

    /// Whether the gate let it go.
    pub fn approved(&self) -> bool {
        matches!(
            self.status,
            Status::Answered { approved: true }
                | Status::Told { approved: true }
                | Status::Untold { approved: true, .. }
        )
    }

    /// Where it stands, in words.
    pub fn shown(&self) -> String {
        let word = |approved: bool| if approved { "approved" } else { "rejected" };
        match &self.status {
            Status::Waits { why, .. } => format!("waits: {why}"),
            Status::Answered { approved } => format!("{}, not told yet", word(*approved)),
            Status::Told { approved } => format!("told: {}", word(*approved)),
            Status::Untold { approved, reason } => format!("{}, but it could not be told: {reason}", word(*approved)),
            Status::Overtaken => "it did not wait for the answer".to_owned(),
        }
    }
}

/// A question of a host went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionMoved {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// How.
    pub step: QuestionStep,
}

/// What happened to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionStep {
    /// It was asked.
    Asked {
        /// By which kind of host.
        host: CodeHost,
        /// Where the answer goes, below the host's own address.
        path: CompactString,
        /// The environment, as the host writes it.
        environment: CompactString,
        /// Who wrote what is brought in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<PersonId>,
        /// Who set it off.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by: Vec<PersonId>,
    },
    /// The gate says wait.
    Waits {
        /// When it is asked again at the latest.
        again: Timestamp,
        /// Why.
        why: CompactString,
        /// Whether more stands against it than that names.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    },
    /// It is decided; the delivery that tells the host stands beside it.
    Answered {
        /// Whether it may go.
        approved: bool,
    },
    /// The host took the answer.
    Told,
    /// The host could not be told.
    Untold {
        /// Why not.
        reason: CompactString,
    },
}

/// What is told to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// To which kind of host.
    pub host: CodeHost,
    /// Where, below the host's own address.
    pub path: CompactString,
    /// The environment, as the host writes it.
    pub environment: CompactString,
    /// Whether it may go.
    pub approved: bool,
    /// Why, in plain text.
    pub comment: String,
}

impl Answer {
    /// In a line: `DEP-1 approved: CHG-1 has begun`.
    pub fn shown(&self) -> String {
        let word = if self.approved { "approved" } else { "rejected" };
        format!("{} {word}: {}", self.deployment, self.comment)
    }
}

fn emit(draft: &mut Draft<'_>, deployment: DeploymentId, step: QuestionStep) {
    draft.emit(Event::DeploymentQuestion(Box::new(QuestionMoved { deployment, step })));
}

/// Where the answer to a question goes, below the host's own address `base`; `None` where that is not the host's place
/// for answers. Whatever the payload says, nothing is sent elsewhere.
pub fn path(question: &Question, base: &str) -> Option<CompactString> {
    let path = match question.host {
        CodeHost::GitHub => question.to.strip_prefix(base)?,
        CodeHost::GitLab => question.to.as_str(),
    };
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let number = |part: &str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|byte| byte.is_ascii_digit());
    let name = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !part.is_empty() && part.len() <= 100 && part.bytes().all(plain) && !part.bytes().all(|byte| byte == b'.')
    };
    let fits = match (question.host, parts.as_slice()) {
        (CodeHost::GitHub, ["repos", owner, repository, "actions", "runs", run, "deployment_protection_rule"]) => {
            name(owner) && name(repository) && number(run)
        }
        (CodeHost::GitLab, ["api", "v4", "projects", project, "deployments", deployment, "approval"]) => {
            number(project) && number(deployment)
        }
        _ => false,
    };
    fits.then(|| path.into())
}

/// A host asks whether a deployment may go.
///
/// # Errors
/// The place for the answer is not the host's; too many wait.
pub(super) fn asked(
    draft: &mut Draft<'_>,
    sender: &Integration,
    signal: &Signal,
    told: &Deployment,
    (question, base): (&Question, &str),
) -> Result<Reply, Reject> {
    let Some(path) = path(question, base) else {
        let record = Some(format_compact!("integration {}", sender.id));
        let (command, permission) = ("deployment callback".into(), "callback".into());
        draft.emit(Event::AttemptRefused { command, permission, incident: None, record });
        return Err(Reject::new(
            RejectCode::NotAllowed,
            format!("the place where the answer is to go is not one of {base}: nothing is sent there"),
        )
        .hint(format!("If it is the right host, say answer_url at [[integration]] {}", sender.id)));
    };
    let environment = rules::environment(signal.environment.as_deref().unwrap_or_default());
    let known = draft.state.deployed(&sender.id, &signal.key, &environment);
    if let Some(known) = known {
        if let Some(before) = &known.question {
            return Ok(deployment::ignored(format_args!("{} was asked about already ({})", known.id, before.shown())));
        }
        if known.progress > Progress::Pending {
            return Ok(deployment::ignored(format_args!("{} is {} already", known.id, known.progress.as_str())));
        }
    }
    if draft.state.questions() >= WAITING_MAX {
        return Err(Reject::new(RejectCode::Conflict, format!("{WAITING_MAX} deployments wait for an answer already"))
            .hint("See them: /change list; send it again when fewer wait"));
    }
    let case = deployment::pending(draft, sender, signal, told, environment);
    let mut by: Vec<PersonId> = Vec::new();
    for person in question.by.iter().filter_map(|account| reviewed::owner(draft.org, question.host, account)) {
        if !by.contains(&person) {
            by.push(person);
        }
    }
    let asked = GateAsked {
        service: case.service.clone(),
        version: deployment::shown(case.version.as_deref(), case.sha.as_deref()).into(),
        environment: Some(case.environment.to_string()),
        author: case.author.clone(),
        by: by.clone(),
        sha: case.sha.clone(),
    };
    let verdict = gate::ask(draft, &asked);
    let (id, author) = (case.deployment, case.author.clone());
    draft.emit(Event::DeploymentTold(Box::new(DeploymentTold { change: verdict.change.or(case.change), ..case })));
    let environment: CompactString = question.environment.as_str().into();
    let at = draft.now;
    let step =
        QuestionStep::Asked { host: question.host, path: path.clone(), environment: environment.clone(), author, by };
    emit(draft, id, step);
    let status = Status::Waits { again: at, why: CompactString::default(), cut: false };
    let asked = Asked { host: question.host, path, environment, author: None, by: Vec::new(), at, status };
    decide(draft, &sender.id, id, &asked, &verdict);
    let reply = Reply::done(format!("{id} asks: {}", verdict.decision.as_str()));
    Ok(match verdict.change {
        Some(change) => reply.about(change),
        None => reply,
    })
}

/// A question is asked again.
pub fn due(draft: &mut Draft<'_>, id: DeploymentId) {
    let Some(deployed) = draft.state.deployments.get(&id) else { return };
    let (Some(asked), Some(integration)) = (&deployed.question, &deployed.integration) else { return };
    let again = GateAsked {
        service: deployed.service.clone(),
        version: deployment::shown(deployed.version.as_deref(), deployed.sha.as_deref()).into(),
        environment: Some(deployed.environment.to_string()),
        author: asked.author.clone(),
        by: asked.by.clone(),
        sha: deployed.sha.clone(),
    };
    let verdict = match deployed.change {
        Some(change) => gate::again(draft, change, &again),
        None => gate::ask(draft, &again),
    };
    if deployed.change.is_none() && verdict.change.is_some() {
        draft.emit(Event::DeploymentTold(Box::new(told_again(deployed, integration, verdict.change))));
    }
    decide(draft, integration, id, asked, &verdict);
}

/// The same step of a deployment with the change that it has by now.
fn told_again(it: &Deployed, integration: &IntegrationId, change: Option<ChangeId>) -> DeploymentTold {
    DeploymentTold {
        deployment: it.id,
        integration: integration.clone(),
        key: it.key.clone(),
        service: it.service.clone(),
        team: it.team.clone(),
        environment: it.environment.clone(),
        version: it.version.clone(),
        sha: it.sha.clone(),
        repository: None,
        progress: it.progress,
        committed_at: it.committed_at,
        author: None,
        change,
        unapproved: it.unapproved,
    }
}

/// What a verdict means for a question: it waits on, or the host is told.
fn decide(draft: &mut Draft<'_>, to: &IntegrationId, id: DeploymentId, asked: &Asked, verdict: &Verdict) {
    let why = verdict.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ");
    let approved = match verdict.decision {
        Decision::Wait => {
            let latest = draft.now.after(AGAIN);
            let change = verdict.change.and_then(|change| draft.state.changes.get(&change));
            let begins = change.and_then(|change| change.window()).map(|window| window.from);
            let again = begins.filter(|from| *from > draft.now).map_or(latest, |from| from.min(latest));
            let cut = verdict.reasons.iter().any(|reason| reason.more) || why.chars().nth(COMMENT_MAX).is_some();
            let why = why.chars().take(COMMENT_MAX).collect();
            return emit(draft, id, QuestionStep::Waits { again, why, cut });
        }
        Decision::Allow => true,
        Decision::Deny => false,
    };
    let change = verdict.change.map(|change| format!("{change}: ")).unwrap_or_default();
    // What the gate adds to its yes (an environment that nobody named) is said where somebody reads it.
    let notes = if why.is_empty() { String::new() } else { format!(" {why}") };
    let said = if approved { format!("{change}it may go.{notes}") } else { format!("{change}{why}") };
    let said = look::times(&said, draft.org.defaults.zone, draft.now);
    let comment = look::line(&said, COMMENT_MAX).into_owned();
    emit(draft, id, QuestionStep::Answered { approved });
    let (host, path, environment) = (asked.host, asked.path.clone(), asked.environment.clone());
    let answer = Answer { deployment: id, host, path, environment, approved, comment };
    draft.owe(None, None, Destination::Host(to.clone()), Priority::Notice, Content::Answer(Box::new(answer)));
}

/// How telling a host ended. Where it cannot be told, the team and the operators are: somebody has to do it there.
pub fn settled(draft: &mut Draft<'_>, delivery: &Delivery, ended: Result<(), &str>) {
    let Some(Content::Answer(answer)) = delivery.content.as_deref() else { return };
    let id = answer.deployment;
    let Err(reason) = ended else { return emit(draft, id, QuestionStep::Told) };
    emit(draft, id, QuestionStep::Untold { reason: reason.into() });
    let word = if answer.approved { "approved" } else { "rejected" };
    let known = draft.state.deployments.get(&id);
    let what = known.map_or_else(
        || id.to_string(),
        |it| match it.change {
            Some(change) => format!("{id} of {} ({change})", it.service),
            None => format!("{id} of {}", it.service),
        },
    );
    let text = format!(
        "{} could not be told that {what} is {word}: {reason}. It waits there for {}: answer it there by hand, and see the integration's answer_token.",
        delivery.to, answer.environment
    );
    if let Some(it) = known {
        life::post_to(draft, &it.team, text.clone());
    }
    for to in escalate::operators(draft.org) {
        draft.owe(None, None, to, Priority::Notice, Content::Notice { text: text.clone() });
    }
}

impl State {
    /// How many questions of hosts wait for the gate.
    pub fn questions(&self) -> usize {
        self.index.questions.len()
    }

    /// Who has a part in what waits for a change, beside what its record says: set it off, or wrote it. What they
    /// approved does not let it go.
    pub(super) fn parted<'a>(&'a self, change: &'a Change) -> Vec<(&'a PersonId, Part)> {
        let waiting = self.index.questions.iter().filter_map(|id| self.deployments.get(id));
        let waiting: Vec<&Deployed> = waiting.filter(|it| it.change == Some(change.id)).collect();
        let asked = waiting.iter().filter_map(|it| it.question.as_deref());
        let told = asked.flat_map(|it| {
            let wrote = it.author.iter().map(|person| (person, Part::Wrote));
            wrote.chain(it.by.iter().map(|person| (person, Part::Begins)))
        });
        let commits = waiting.iter().filter_map(|it| it.sha.as_deref());
        let wrote = commits.filter_map(|sha| self.commit(sha)?.author.as_ref()).chain(self.wrote(change));
        told.chain(wrote.map(|person| (person, Part::Wrote))).collect()
    }

    /// Who wrote the commits that a change's record names, as they were pushed.
    pub(super) fn wrote<'a>(&'a self, change: &'a Change) -> impl Iterator<Item = &'a PersonId> {
        let commits = [change.commit.as_deref(), change.content.known_commit()];
        commits.into_iter().flatten().filter_map(|sha| self.commit(&sha.to_ascii_lowercase())?.author.as_ref())
    }

    /// Applies an event about a question.
    pub(in crate::domain) fn apply_question(&mut self, stamp: &Stamp<'_>, moved: &QuestionMoved) {
        self.alter_question(moved.deployment, |question| match &moved.step {
            QuestionStep::Asked { host, path, environment, author, by } => {
                *question = Some(Box::new(Asked {
                    host: *host,
                    path: path.clone(),
                    environment: environment.clone(),
                    author: author.clone(),
                    by: by.clone(),
                    at: stamp.at,
                    status: Status::Waits { again: stamp.at.after(AGAIN), why: CompactString::default(), cut: false },
                }));
            }
            step => {
                let Some(question) = question else { return };
                let approved = question.approved();
                question.status = match step {
                    QuestionStep::Waits { again, why, cut } => {
                        Status::Waits { again: *again, why: why.clone(), cut: *cut }
                    }
                    QuestionStep::Answered { approved } => Status::Answered { approved: *approved },
                    QuestionStep::Untold { reason } => Status::Untold { approved, reason: reason.clone() },
                    QuestionStep::Told | QuestionStep::Asked { .. } => Status::Told { approved },
                };
            }
        });
    }

    /// A deployment that goes on or ends waits for no answer any more.
    pub(super) fn overtake_question(&mut self, id: DeploymentId) {
        self.alter_question(id, |question| {
            if let Some(question) = question
                && matches!(question.status, Status::Waits { .. })
            {
                question.status = Status::Overtaken;
            }
        });
    }

    fn alter_question(&mut self, id: DeploymentId, alter: impl FnOnce(&mut Option<Box<Asked>>)) {
        let Some(deployed) = self.deployments.get_mut(&id) else { return };
        let waits = |asked: &Option<Box<Asked>>| asked.as_ref().and_then(|asked| asked.wakeup(id));
        let before = waits(&deployed.question);
        alter(&mut deployed.question);
        let after = waits(&deployed.question);
        self.dirty.touched.insert(RecordKey::Deployment(id));
        self.file_question(id, before, after);
    }

    fn file_question(&mut self, id: DeploymentId, before: Option<Wakeup>, after: Option<Wakeup>) {
        before.iter().for_each(|wakeup| _ = self.index.wakeups.remove(wakeup));
        self.index.questions.remove(&id);
        if let Some(wakeup) = after {
            self.index.wakeups.insert(wakeup);
            self.index.questions.insert(id);
        }
    }

    /// A deployment is forgotten, and its question with it.
    pub(super) fn forget_question(&mut self, id: DeploymentId, asked: Option<&Asked>) {
        self.file_question(id, asked.and_then(|asked| asked.wakeup(id)), None);
    }

    /// Derives the look-ups of questions; once, after assembling.
    pub(in crate::domain) fn index_questions(&mut self) {
        let waiting: Vec<(DeploymentId, Wakeup)> =
            self.deployments.values().filter_map(|it| Some((it.id, it.question.as_ref()?.wakeup(it.id)?))).collect();
        for (id, wakeup) in waiting {
            self.file_question(id, None, Some(wakeup));
        }
    }
}

#[cfg(test)]
mod tests;

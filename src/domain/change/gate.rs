//! The gate: what a pipeline is told that asks whether it may deploy now. Decided when it is asked; it opens the change
//! where there is none, and begins it where the answer is yes. The same question again gets the same answer while the
//! change runs.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::carry::Part;
use super::content::{Class, Content, Window};
use super::{Change, ChangeState, Outcome, Step, carry, conflict, open, risk, rules, show, step};
use crate::domain::command::GateAsked;
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, PersonId, ServiceId};
use crate::domain::input::Reply;
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::service::tree::{Graph, Way};

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Go.
    Allow,
    /// Not yet: ask again.
    Wait,
    /// No; asking again does not help.
    Deny,
}

impl Decision {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Wait => "wait",
            Self::Deny => "deny",
        }
    }
}

/// One reason against it, or what has to be known beside a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What kind: `approval`, `freeze`, `incident`, `on-call`, `calendar`, `rejected`, `failed`, `done`, `full`, `commit`,
    /// `environment`; the last two may be notes.
    pub code: CompactString,
    /// In words.
    pub text: String,
    /// Whether waiting helps.
    #[serde(skip)]
    pub waits: bool,
    /// Whether it only has to be known, and stands against nothing.
    #[serde(skip)]
    pub note: bool,
    /// Whether it counts further ones without naming them.
    #[serde(skip)]
    pub more: bool,
}

impl Reason {
    fn wait(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), waits: true, note: false, more: false }
    }

    fn deny(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), waits: false, note: false, more: false }
    }

    fn note(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), waits: true, note: true, more: false }
    }

    /// Further ones that are counted, where there are any.
    fn more(code: &str, count: usize, what: &str) -> Option<Self> {
        (count > 0).then(|| Self { more: true, ..Self::wait(code, format!("and {count} more {what}")) })
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether to go.
    pub decision: Decision,
    /// Everything that stands against it, and notes.
    pub reasons: Vec<Reason>,
    /// The change it is about.
    pub change: Option<ChangeId>,
    /// Where that stands now.
    pub state: Option<ChangeState>,
}

impl Verdict {
    fn of(reasons: Vec<Reason>, change: Option<&Change>, state: Option<ChangeState>) -> Self {
        let mut decision = Decision::Allow;
        for reason in reasons.iter().filter(|reason| !reason.note) {
            decision = decision.max(if reason.waits { Decision::Wait } else { Decision::Deny });
        }
        Self { decision, reasons, change: change.map(|it| it.id), state: state.or(change.map(|it| it.state)) }
    }

    /// As it is told in chat.
    pub fn told(&self) -> Reply {
        let mut text = match (self.decision, self.change) {
            (Decision::Allow, Some(id)) => format!("allow: {id} has begun. When it is over: /change done {id}"),
            (Decision::Allow, None) => "allow".to_owned(),
            (decision, Some(id)) => format!("{}: {id} may not begin now.", decision.as_str()),
            (decision, None) => format!("{}.", decision.as_str()),
        };
        for reason in &self.reasons {
            text.push_str(&format!("\n- {}: {}", reason.code, reason.text));
        }
        let reply = Reply::done(text);
        match self.change {
            Some(id) => reply.about(id),
            None => reply,
        }
    }
}

/// Asks the gate for a program: the verdict as JSON is the text of the answer.
pub fn json(draft: &mut Draft<'_>, asked: &GateAsked) -> Result<Reply, Reject> {
    if !draft.org.services.contains_key(&asked.service) {
        let known = draft.org.services.keys().map(ServiceId::as_str);
        let reject = Reject::new(RejectCode::NotFound, format!("There is no service `{}`.", shown(&asked.service)));
        return Err(match did_you_mean(asked.service.as_str(), known) {
            Some(meant) => reject.hint(format!("Did you mean {meant}?")),
            None => reject.hint("Services are the [[service]] tables of the configuration"),
        });
    }
    if word(&asked.version).is_empty() {
        return Err(Reject::new(RejectCode::Missing, "Which version?").hint("Say what the pipeline brings in"));
    }
    let verdict = ask(draft, asked);
    // Plain data: writing it cannot fail.
    let reply = Reply::done(serde_json::to_string(&verdict).unwrap_or_default());
    Ok(match verdict.change {
        Some(id) => reply.about(id),
        None => reply,
    })
}

/// What is said of a text that is no commit's hash.
pub const NO_COMMIT: &str = "is no commit's hash: 7 to 64 hexadecimal digits";

/// A commit's hash, whole or its beginning, in small letters; `None` where it is none.
pub fn commit(text: &str) -> Option<CompactString> {
    let hash = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hash.then(|| text.to_ascii_lowercase().into())
}

fn shown(service: &ServiceId) -> String {
    service.as_str().chars().take(60).collect()
}

/// Reasons of one kind that are told each; further ones are counted.
const REASONS_MAX: usize = 20;
/// Characters of a version.
const VERSION_MAX: usize = 100;

/// One line of what a program says, not long.
fn word(text: &str) -> CompactString {
    text.trim().chars().filter(|c| !c.is_control()).take(VERSION_MAX).collect()
}

fn by_playbook(org: &Org, change: &Change) -> bool {
    change.content.model.as_ref().is_some_and(|model| org.playbooks.contains_key(model))
}

/// Asks the gate.
pub fn ask(draft: &mut Draft<'_>, asked: &GateAsked) -> Verdict {
    let environment = environment_of(asked);
    // Before anything is opened for it.
    if let Some(reason) = unheard_of(draft.org, &environment).filter(|reason| !reason.note) {
        return Verdict::of(vec![reason], None, None);
    }
    let version = word(&asked.version);
    let same = |service: &_, env: &CompactString, brought: Option<&CompactString>| {
        *service == asked.service && *env == environment && brought == Some(&version)
    };
    let sha = asked.sha.as_deref();
    let parts = parts(draft, asked);
    let author = parts.iter().find(|(_, part)| *part == Part::Wrote).map(|(person, _)| (*person).clone());
    // What was agreed to is one commit: a name or tag that is another one now asks anew. What was refused or went wrong
    // does not come back by that.
    let open = |it: &Change| it.state <= ChangeState::Implementing || it.outcome == Some(Outcome::Successful);
    let moved = |it: &Change| it.other_commit(sha).is_some() && open(it);
    let named = |it: &&Change| same(&it.content.service, &it.content.environment, it.content.version.as_ref());
    let mut all = draft.state.changes_on(&asked.service).rev().filter(named);
    let elsewhere = all.find(|it| moved(it) && it.state <= ChangeState::Implementing).map(|it| moved_on(it, sha));
    let found = draft.state.changes_on(&asked.service).rev().filter(named);
    let found = found
        .filter(|it| !moved(it))
        // A pre-authorised one, and one that a playbook is to carry out, is begun by whoever carries it out; a pipeline
        // of its own needs its own approval.
        .filter(|it| !it.state.planned() || (it.content.class != Class::Standard && !by_playbook(draft.org, it)))
        // What went well may be brought in again after something else was: that is how a later version is taken back.
        .find(|it| it.state != ChangeState::Review || it.outcome != Some(Outcome::Successful) || !overtaken(draft, it));
    // What was refused or went wrong is not begun again by asking again.
    let past = draft.state.past.values().rev();
    let mut past = past.filter(|it| same(&it.service, &it.environment, it.version.as_ref()));
    match (found, past.next()) {
        (Some(change), _) => answer(draft, change, &parts, sha),
        (None, Some(past)) if !matches!(past.outcome, Some(Outcome::Cancelled | Outcome::Successful)) => {
            let (code, what) = match past.outcome {
                None => ("rejected", "was rejected".to_owned()),
                Some(outcome) => ("failed", format!("ended {outcome}")),
            };
            let text = format!("{} {what}; ask for another one: /change new … version:{version}", past.change);
            Verdict { change: Some(past.change), ..Verdict::of(vec![Reason::deny(code, text)], None, None) }
        }
        _ => {
            let content = Content {
                commit: asked.sha.clone(),
                implementer: draft.person().or(asked.by.first()).cloned(),
                author,
                ..Content::by_pipeline(asked.service.clone(), environment, Some(version))
            };
            let lapses = Some(draft.now.after(draft.org.changes.unbegun));
            match open::begin(draft, content, open::Begin { lapses, ..open::Begin::default() }) {
                Ok(change) => {
                    let text = show::asked_for(draft, &change);
                    let text = elsewhere.as_ref().map_or(text.clone(), |why| format!("{text}\n{}.", why.text));
                    super::life::ask(draft, &change, text);
                    let mut verdict = answer(draft, &change, &parts, sha);
                    verdict.reasons.extend(elsewhere);
                    verdict
                }
                Err(reject) => Verdict::of(vec![Reason::wait("full", reject.to_string())], None, None),
            }
        }
    }
}

fn environment_of(asked: &GateAsked) -> CompactString {
    asked.environment.as_deref().map_or_else(|| rules::PRODUCTION.into(), |said| rules::environment(&word(said)))
}

/// That a change of this version is of another commit.
fn moved_on(change: &Change, sha: Option<&str>) -> Reason {
    let cut = |text: &str| text.chars().take(12).collect::<String>();
    let (known, told) = (change.other_commit(sha).map(cut).unwrap_or_default(), sha.map(cut).unwrap_or_default());
    let version = change.content.version.as_deref().unwrap_or_default();
    Reason::note(
        "commit",
        format!("{} is of {version} as the commit {known}; {told} needs its own approval", change.id),
    )
}

/// Asks again about the change that was opened for a question. No other one is opened where that is over.
pub fn again(draft: &mut Draft<'_>, id: ChangeId, asked: &GateAsked) -> Verdict {
    if let Some(change) = draft.state.changes.get(&id) {
        let (sha, version, content) = (asked.sha.as_deref(), word(&asked.version), &change.content);
        // It was edited, or begun for another commit: what others agreed to is not what waits here.
        let elsewhere = content.service != asked.service || content.environment != environment_of(asked);
        let other = elsewhere || content.version != Some(version) || change.other_commit(sha).is_some();
        // Nor is it begun here where it is not a pipeline's to begin.
        let anothers = content.class == Class::Standard || by_playbook(draft.org, change);
        let planned = change.state.planned();
        if (planned || change.state == ChangeState::Implementing) && other || planned && anothers {
            let text = format!("{id} brings something else in now: deploy that, or ask anew by deploying this again");
            return Verdict::of(vec![Reason::deny("commit", text)], Some(change), None);
        }
        return answer(draft, change, &parts(draft, asked), sha);
    }
    let how = draft.state.past.get(&id).map_or("over", |past| past.outcome.map_or("rejected", Outcome::as_str));
    let reasons = vec![Reason::deny("done", format!("{id} is {how}"))];
    Verdict { change: Some(id), ..Verdict::of(reasons, None, None) }
}

/// Whether something else was begun on the same service and environment after a change.
fn overtaken(draft: &Draft<'_>, change: &Change) -> bool {
    let (service, environment) = (&change.content.service, &change.content.environment);
    let later = |id: ChangeId, its: (&ServiceId, &CompactString), begun: bool| {
        id > change.id && its == (service, environment) && begun
    };
    let mut open = draft.state.changes_on(service);
    let mut past = draft.state.past.values();
    open.any(|it| later(it.id, (&it.content.service, &it.content.environment), it.started.is_some()))
        || past.any(|it| later(it.change, (&it.service, &it.environment), it.started.is_some()))
}

/// Who has a part in what is to be brought in: wrote it, as is told and as is known of its commit, or set it off.
fn parts<'a>(draft: &Draft<'a>, asked: &'a GateAsked) -> Vec<(&'a PersonId, Part)> {
    let known = asked.sha.as_deref().and_then(|sha| draft.state.commit(sha)?.author.as_ref());
    let wrote = asked.author.as_ref().into_iter().chain(known).map(|person| (person, Part::Wrote));
    wrote.chain(asked.by.iter().map(|person| (person, Part::Begins))).collect()
}

fn answer(draft: &mut Draft<'_>, change: &Change, parts: &[(&PersonId, Part)], sha: Option<&str>) -> Verdict {
    // Also where the call does not tell the commit that the record knows; and whoever asks sets it off.
    let wrote = draft.state.wrote(change).map(|person| (person, Part::Wrote));
    let asker = draft.person().map(|person| (person, Part::Begins));
    let parts: Vec<_> = parts.iter().copied().chain(wrote).chain(asker).collect();
    match change.state {
        // It was let through before: a second job of the same pipeline asks.
        ChangeState::Implementing => {
            if let Some(why) = carry::own_work(draft, change, &parts) {
                let text = format!("{why}; ask for another one: /change new …");
                return Verdict::of(vec![Reason::deny("approval", text)], Some(change), None);
            }
            // Begun by a word, or by who told no commit: it is used for the first one that is told, and no other.
            if let Some(commit) = change.commit_news(sha) {
                step(draft, change.id, Step::Bound { commit });
            }
            return Verdict::of(Vec::new(), Some(change), None);
        }
        ChangeState::Review | ChangeState::Closed | ChangeState::Rejected => {
            let outcome = change.outcome.map_or(change.state.as_str(), Outcome::as_str);
            let text = format!("{} is over: {outcome}", change.id);
            return Verdict::of(vec![Reason::deny("done", text)], Some(change), None);
        }
        ChangeState::Requested | ChangeState::AwaitingApproval | ChangeState::Scheduled => {}
    }
    let mut reasons: Vec<Reason> = Vec::new();
    let missing = change.content.missing();
    if change.state == ChangeState::Requested && !missing.is_empty() {
        let text = format!("its {} is not said: /change edit {} …", missing.join(" and "), change.id);
        reasons.push(Reason::wait("approval", text));
    }
    let unapproved = carry::unapproved(draft, change, &parts);
    let anew = carry::ask_others(draft, change, &parts, &unapproved);
    reasons.extend(unapproved.into_iter().map(|why| Reason::wait("approval", why)));
    reasons.extend(calendar(draft, change));
    reasons.extend(surroundings(draft, &change.content));
    let stands = reasons.is_empty();
    reasons.extend(unheard_of(draft.org, &change.content.environment));
    if !stands || reasons.iter().any(|reason| !reason.note) {
        return Verdict::of(reasons, Some(change), anew);
    }
    carry::begin(draft, change, sha.map(CompactString::from).as_ref());
    Verdict::of(reasons, Some(change), Some(ChangeState::Implementing))
}

/// That an environment is none of the configuration's: nothing is controlled there. One that reads like a controlled one is
/// refused: it may be a slip of the pen.
fn unheard_of(org: &Org, environment: &CompactString) -> Option<Reason> {
    let rules = &org.changes;
    let periods = rules.freezes.iter().chain(&rules.windows).flat_map(|it| &it.environments);
    let named = rules.approvers.iter().flat_map(|it| &it.environments).chain(periods);
    let mut known = rules.controlled.iter().chain(&rules.uncontrolled).chain(named);
    if known.any(|it| it == environment) {
        return None;
    }
    let text = format!("no configuration names the environment {environment}");
    let controlled = || rules.controlled.iter().map(CompactString::as_str);
    // `prod-eu`, as well as `produktion`.
    let mut parts = environment.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let part = parts.find_map(|part| controlled().find(|it| *it == rules::environment(part).as_str()));
    Some(match did_you_mean(environment, controlled()).or(part) {
        Some(meant) => Reason::deny(
            "environment",
            format!(
                "{text}; did you mean {meant}? If it is another one, whoever configures Opsbell names it in `uncontrolled` \
                 (or `controlled`) of [change]"
            ),
        ),
        None => Reason::note("environment", format!("{text}, so nothing is controlled there")),
    })
}

/// What the calendar says: a freeze stops the line, the rest passes.
fn calendar(draft: &Draft<'_>, change: &Change) -> Vec<Reason> {
    let now = draft.now;
    let planned = change.window();
    let mut reasons = Vec::new();
    if let Some(window) = planned.filter(|window| !window.holds(now)) {
        let (from, until) = (window.from.unix_secs(), window.until.unix_secs());
        let text = format!("it is planned for <t:{from}:f> to <t:{until}:f>");
        reasons.push(if now < window.from { Reason::wait("calendar", text) } else { Reason::deny("calendar", text) });
    }
    let until = planned.filter(|window| window.holds(now)).map(|window| window.until);
    let window = Window { from: now, until: until.unwrap_or(now.after(draft.org.changes.length)) };
    let found = conflict::find(draft.org, draft.state, &change.content, window, Some(change.id), draft.now);
    let (freezes, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it.freeze);
    reasons.extend(freezes.into_iter().map(|it| Reason::deny("freeze", it.why)));
    let more = others.len().saturating_sub(REASONS_MAX);
    reasons.extend(others.into_iter().take(REASONS_MAX).map(|it| Reason::wait("calendar", it.why)));
    reasons.extend(Reason::more("calendar", more, "changes"));
    reasons
}

/// What stands against a change beside its approvals and the calendar: open incidents, nobody on call.
pub fn surroundings(draft: &Draft<'_>, content: &Content) -> Vec<Reason> {
    let (org, state) = (draft.org, draft.state);
    let mut reasons = Vec::new();
    if !org.changes.controls(&content.environment) {
        return reasons;
    }
    let needs = Graph::new(org).all(&content.service, Way::Needs);
    let mut more = 0_usize;
    for incident in state.all_open_incidents().filter(|it| it.severity.pages()) {
        if !(incident.service == content.service || needs.contains(&incident.service)) {
            continue;
        }
        if rules::environment(incident.environment.as_deref().unwrap_or_default()) != content.environment {
            continue;
        }
        if reasons.len() >= REASONS_MAX {
            more += 1;
            continue;
        }
        // That a private one is open stops the line; which, is not told.
        let text = if incident.private {
            "an incident is open on it or on what it needs".to_owned()
        } else {
            format!("{} is open on {}: {}", incident.id, incident.service, incident.title)
        };
        reasons.push(Reason::wait("incident", text));
    }
    reasons.extend(Reason::more("incident", more, "incidents"));
    if !risk::staffed(org, content, draft.now) {
        reasons.push(Reason::wait("on-call", format!("nobody is on call for {}", content.service)));
    }
    reasons
}

//! Carrying a change out: beginning it, the fence that takes in the alerts that it names as expected, its end, and being
//! the cause of an incident. What runs its steps is not here: it says start and end like a person.

use compact_str::{CompactString, format_compact};

use super::authority::earned::{self, Harm};
use super::content::{Class, Content, Window};
use super::{Approval, Change, ChangeState, Outcome, Step, approve, conflict, facts, life, risk, rules, show, step};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, IncidentId, PersonId};
use crate::domain::incident::link::{IncidentLinked, LinkKind};
use crate::domain::input::Reply;
use crate::domain::org::Org;
use crate::domain::playbook::start;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::silence::matcher::{self, Matcher};
use crate::domain::silence::{Silence, end as silence_end, start as silence_start};
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// Incidents that one change is said to have caused, as many as an incident has links.
const LINKS_MAX: usize = 100;
/// The longest that a fence stands: after that what still fires pages, whoever forgot to say that it is over.
const FENCE_MAX: Span = Span::hours(24);

/// Why a change may not be begun now by whoever asks, by what its record says and the organisation in force: its
/// approvals, of which that of the asker and of those with a part in it do not count, at the risk that it has now.
pub fn unapproved(draft: &Draft<'_>, change: &Change, parts: &[(&PersonId, Part)]) -> Vec<String> {
    if change.content.class == Class::Standard {
        return unauthorised(draft, change).into_iter().collect();
    }
    // What others agreed to is what the model said then.
    if let Some(why) = altered(draft, change) {
        return vec![why];
    }
    // What needs nobody at one risk may need somebody at another.
    let risk = risk::assess(draft.org, draft.state, &change.content, draft.now);
    let risen = approve::risen(change, &risk);
    let as_it_is = risen.as_ref().unwrap_or(change);
    if approve::free(draft.org, as_it_is) {
        return Vec::new();
    }
    let but: Vec<&PersonId> = draft.person().into_iter().chain(parts.iter().map(|(person, _)| *person)).collect();
    let scales = approve::Scales::of(draft);
    let lacking = approve::lacking(scales, as_it_is, None, &but);
    let mut why: Vec<String> = lacking.into_iter().map(|lack| format!("it needs {lack}")).collect();
    if !why.is_empty() {
        if risen.is_some() {
            why.push(format!("its risk is {} now: {}", risk.level, show::risk_in_short(&risk)));
        }
        for approval in &change.approvals {
            if but.contains(&&approval.person) && approval.void.is_none() {
                let whose = whose(parts, &approval.person);
                why.push(format!("what {0} approved does not count: {0} {whose}", approval.person));
            } else if let Some(weak) = approve::weakness(scales, change, approval) {
                why.push(format!("what {} approved does not count: {weak}", approval.person));
            }
        }
    }
    why
}

/// The part of somebody in what is to be brought in, beside what its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// They wrote it.
    Wrote,
    /// They set it off.
    Begins,
}

/// Why what a change has begun with is not enough, where it is told only then who wrote what it brings in, or sets it
/// off: one whose own approval was needed.
pub(super) fn own_work(draft: &Draft<'_>, change: &Change, parts: &[(&PersonId, Part)]) -> Option<String> {
    // At the risk that its record says, and at the one that it has now: which of them it began at is not kept.
    let risk = risk::assess(draft.org, draft.state, &change.content, draft.now);
    let risen = approve::risen(change, &risk);
    [Some(change), risen.as_ref()].into_iter().flatten().find_map(|it| own_work_at(draft, it, parts))
}

fn own_work_at(draft: &Draft<'_>, change: &Change, parts: &[(&PersonId, Part)]) -> Option<String> {
    if change.approval_due.is_some() || change.unapproved.is_some() || approve::free(draft.org, change) {
        return None;
    }
    // As they were when it began: in time, and not used yet.
    let used = change.approvals.iter().filter(|it| it.used.is_some() && it.void.is_none());
    let used =
        used.map(|it| Approval { used: None, expires: draft.now.after(draft.org.changes.expires), ..it.clone() });
    let then = Change { approvals: used.collect(), ..change.clone() };
    let scales = approve::Scales::of(draft);
    let lacks = |but: &[&PersonId]| !approve::lacking(scales, &then, None, but).is_empty();
    let but: Vec<&PersonId> = parts.iter().map(|(person, _)| *person).collect();
    if lacks(&[]) || !lacks(&but) {
        return None;
    }
    let own = |it: &&PersonId| {
        then.approvals.iter().any(|given| given.person == **it || given.stands_for.as_ref() == Some(*it))
    };
    let who = but.into_iter().find(own)?;
    Some(format!("what {who} approved does not count: {who} {}", whose(parts, who)))
}

/// Asks other approvers, where enough have approved a change but for what is to bring it in now: one of them wrote that,
/// or sets it off. What they approved stands: something else may bring it in. Tells how the change stands from now on.
pub(super) fn ask_others(
    draft: &mut Draft<'_>,
    change: &Change,
    parts: &[(&PersonId, Part)],
    unapproved: &[String],
) -> Option<ChangeState> {
    let own = |it: &Approval| parts.iter().any(|(who, _)| it.person == **who || it.stands_for.as_ref() == Some(*who));
    let own = change.standing().any(own);
    if change.state != ChangeState::Scheduled || unapproved.is_empty() || !own {
        return None;
    }
    let why = unapproved.join("; ");
    let text = format!(
        "{}: {} asked whether it may begin. For that {why}. To approve it: /change approve {}",
        change.headline(),
        draft.actor(),
        change.id
    );
    step(draft, change.id, Step::AskedAnew { why: why.into() });
    let waits = Change { state: ChangeState::AwaitingApproval, ..change.clone() };
    life::ask(draft, &waits, text);
    Some(waits.state)
}

/// The part of somebody, in words.
fn whose(parts: &[(&PersonId, Part)], who: &PersonId) -> &'static str {
    if parts.contains(&(who, Part::Wrote)) { "wrote it" } else { "begins it" }
}

/// Why the model of a standard change does not authorise it now: it is gone, reads otherwise, or the risk has risen.
fn unauthorised(draft: &Draft<'_>, change: &Change) -> Option<String> {
    let content = &change.content;
    let name = content.model.as_deref().unwrap_or_default();
    if let Some(why) = altered(draft, change) {
        return Some(why);
    }
    if let Some(why) = draft.state.meta.authority.unearned(draft.org, name) {
        return Some(why);
    }
    let model = draft.org.changes.models.get(name)?;
    let risk = risk::assess(draft.org, draft.state, content, draft.now);
    let why = show::risk_in_short(&risk);
    let up_to = model.up_to;
    (risk.level > up_to).then(|| format!("the risk is {} now, and its model goes up to {up_to}: {why}", risk.level))
}

/// Why a change is no longer what its model says, where it has one.
fn altered(draft: &Draft<'_>, change: &Change) -> Option<String> {
    let content = &change.content;
    let name = match (&content.model, content.class) {
        (Some(name), _) => name.as_str(),
        (None, Class::Standard) => "",
        (None, _) => return None,
    };
    let Some(model) = draft.org.changes.models.get(name) else {
        return Some(format!("there is no model {name} any more"));
    };
    let same = content.plan.as_ref() == Some(&model.plan) && content.rollback.as_ref() == Some(&model.rollback);
    if !same || !(model.services.is_empty() || model.services.contains(&content.service)) {
        return Some(format!("the model {name} says something else now"));
    }
    None
}

/// Why the calendar does not let it begin now.
pub fn untimely(draft: &Draft<'_>, change: &Change) -> Vec<String> {
    calendar(draft.state, draft.org, draft.now, change)
}

/// The same, for who only looks.
pub fn calendar(state: &State, org: &Org, now: Timestamp, change: &Change) -> Vec<String> {
    let mut why = Vec::new();
    let planned = change.window();
    if let Some(window) = planned.filter(|window| !window.holds(now)) {
        let (from, until) = (window.from.unix_secs(), window.until.unix_secs());
        why.push(format!("it is planned for <t:{from}:f> to <t:{until}:f>"));
    }
    let length = planned.map_or(org.changes.length_of(&change.content), |window| window.length());
    let until = planned.filter(|window| window.holds(now)).map_or(now.after(length), |window| window.until);
    let window = Window { from: now, until };
    let found = conflict::find(org, state, &change.content, window, Some(change.id), now);
    why.extend(found.into_iter().map(|conflict| conflict.why));
    why
}

/// `/change start`.
pub fn start(draft: &mut Draft<'_>, id: ChangeId) -> Result<Reply, Reject> {
    let change = life::open(draft, id)?;
    match change.state {
        // The rules in force may ask for less than those that it waits by.
        ChangeState::Scheduled | ChangeState::AwaitingApproval => {}
        ChangeState::Implementing => {
            return Ok(Reply::done(format!("{id} has begun already. Nothing changed.")).about(id));
        }
        ChangeState::Requested => {
            let next = show::ahead(change, draft.state, draft.org, draft.now);
            let reject =
                Reject::new(RejectCode::NotAllowed, format!("{id} is {}: it may not begin.", change.state)).hint(next);
            return Err(approve::refused(draft, "change start", id, reject));
        }
        state => {
            return Err(Reject::new(RejectCode::Conflict, format!("{id} is {state}: it cannot begin again."))
                .hint("Ask for another one: /change new …"));
        }
    }
    // Approvals, roles and groups are asked anew: whoever has left since does not count.
    let why = unapproved(draft, change, &draft.state.parted(change));
    if !why.is_empty() {
        let hint = match change.content.class {
            Class::Standard => "Ask for a normal change, which others approve: /change new …".to_owned(),
            _ => format!("It needs {}: /change approve {id}", show::approvers(draft.org, &change.content)),
        };
        let reject = Reject::new(RejectCode::NotAllowed, format!("{id} may not begin: {}.", why.join("; "))).hint(hint);
        return Err(approve::refused(draft, "change start", id, reject));
    }
    let why = untimely(draft, change);
    if !why.is_empty() {
        let own = draft.org.changes.length_of(&change.content);
        let length = change.window().map_or(own, |window| window.length());
        let from = Window { from: draft.now, until: draft.now.after(length) };
        let free = conflict::next_free(draft.org, draft.state, &change.content, from, Some(id), draft.now);
        return Err(Reject::new(RejectCode::Conflict, format!("{id} may not begin now: {}.", why.join("; ")))
            .hint(show::free(free)));
    }
    begin(draft, change, None);
    if let Some(run) = start::begun(draft, change)? {
        return Ok(Reply::done(format!("{id} has begun: {run} carries it out.\nFollow it: /runbook show {run}"))
            .about(id)
            .about(run));
    }
    let fenced = match change.content.expects.len() {
        0 => String::new(),
        _ => format!(" {} page nobody meanwhile; everything else does.", change.content.expects.join(", ")),
    };
    Ok(Reply::done(format!(
        "{id} has begun.{fenced}\nWhen it is over: /change done {id}, /change fail {id} … or /change rollback {id} …"
    ))
    .about(id))
}

/// Begins it: the approvals are used, the fence stands, the team hears of it.
pub(in crate::domain) fn begin(draft: &mut Draft<'_>, change: &Change, commit: Option<&CompactString>) {
    step(draft, change.id, Step::Started { despite: Vec::new(), commit: commit.cloned() });
    raise_fence(draft, change);
    let text = format!("{} begins now, by {}.", change.headline(), draft.actor());
    life::post(draft, change, text);
}

/// The fence: alerts that the change names as expected are held back by a silence of its own until it is over.
pub(super) fn raise_fence(draft: &mut Draft<'_>, change: &Change) {
    let content = &change.content;
    if content.expects.is_empty() || !draft.org.changes.controls(&content.environment) {
        return;
    }
    // What is too much to be expected was refused when it was said; from another release everything pages.
    let Ok(matchers) = matchers(content) else { return };
    let length = draft.org.changes.length_of(content);
    let ends = change.window().map_or(draft.now, |window| window.until).max(draft.now.after(length));
    let ends = ends.min(draft.now.after(FENCE_MAX));
    let reason = format_compact!("expected by {}", change.id);
    silence_start::fence(draft, change.id, matchers, reason, ends);
}

/// What the fence of a content takes in.
///
/// # Errors
/// It names too many alerts.
pub(super) fn matchers(content: &Content) -> Result<Vec<Matcher>, Reject> {
    let names: Vec<CompactString> = content.expects.iter().map(|name| regex::escape(name).into()).collect();
    // Alerts say it in their sender's words.
    let mut environments = vec![regex::escape(&content.environment)];
    if content.environment == rules::PRODUCTION {
        environments.extend(rules::ALSO_PRODUCTION.map(str::to_owned));
    }
    let service = Matcher::is("service", content.service.as_str());
    let environment = matcher::like("environment", &environments.join("|"))?;
    Ok(vec![service, matcher::like("name", &names.join("|"))?, environment])
}

/// The fence of a change, while it stands.
pub fn fence<'a>(draft: &Draft<'a>, id: ChangeId) -> Option<&'a Silence> {
    draft.state.silences.values().find(|silence| silence.change == Some(id) && silence.ended.is_none())
}

/// `/change done`, `fail` and `rollback`.
pub fn end(draft: &mut Draft<'_>, id: ChangeId, outcome: Outcome, text: Option<&str>) -> Result<Reply, Reject> {
    let change = life::any(draft, id)?;
    match change.state {
        ChangeState::Implementing => {}
        ChangeState::Review | ChangeState::Closed if change.outcome == Some(outcome) => {
            return Ok(Reply::done(format!("{id} is over already: {outcome}. Nothing changed.")).about(id));
        }
        ChangeState::Review => {
            let message = format!("{id} is over: {}.", change.outcome.unwrap_or(outcome));
            return Err(Reject::new(RejectCode::Conflict, message)
                .hint(format!("Say it in the review: /change review {id} outcome:{outcome} \"…\"")));
        }
        state => {
            return Err(Reject::new(RejectCode::Conflict, format!("{id} is {state}: it has not begun."))
                .hint(format!("See what comes next: /change show {id}")));
        }
    }
    let (held, review_due) = finish(draft, change, outcome, text);
    let fires = match held {
        0 => String::new(),
        1 => " 1 alert that it expected still fires, and pages now.".to_owned(),
        n => format!(" {n} alerts that it expected still fire, and page now."),
    };
    let next = match review_due {
        None => format!("Its record is complete: /change show {id}"),
        Some(due) => {
            let known = facts::of(draft, change).join("\n");
            let at = due.unix_secs();
            format!(
                "Known of it:\n{known}\nStill to say until <t:{at}:f>, what no machine knows: /change review {id} \"…\""
            )
        }
    };
    Ok(Reply::done(format!("{id} is over: {outcome}.{fires}\n{next}")).about(id))
}

/// Ends it: the fence falls, the team hears of it. Returns how many alerts that it expected still fire, and until when it
/// has to be reviewed; what needs nobody's approval and went without trouble does not.
pub(super) fn finish(
    draft: &mut Draft<'_>,
    change: &Change,
    outcome: Outcome,
    text: Option<&str>,
) -> (usize, Option<Timestamp>) {
    let id = change.id;
    let held = fence(draft, id).map_or(0, |silence| draft.state.suppressed_by(silence.id).count());
    let recorded = change.requester.person().is_none() && approve::free(draft.org, change);
    let light = change.content.class == Class::Standard || recorded;
    let clean = light && outcome == Outcome::Successful && change.caused.is_empty() && held == 0;
    let review_due = (!clean).then(|| draft.now.after(draft.org.changes.review));
    let facts = facts::of(draft, change);
    step(draft, id, Step::Ended { outcome, text: text.map(Into::into), review_due, facts });
    match outcome {
        Outcome::Successful if review_due.is_none() => earned::ran(draft, change),
        Outcome::Failed | Outcome::RolledBack => earned::harmed(draft, change, &Harm::Ended(outcome)),
        _ => {}
    }
    if let Some(silence) = fence(draft, id) {
        silence_end::finish(draft, silence);
    }
    let why = text.map(|text| format!(": {text}")).unwrap_or_default();
    // A code host stands in the text already.
    let by = draft.person().map(|person| format!(", by {person}")).unwrap_or_default();
    life::post(draft, change, format!("{} is over: {outcome}{why}{by}.", change.headline()));
    (held, review_due)
}

/// `/incident link INC-1 caused-by CHG-7`: the change failed, whatever was said of it before.
pub fn caused(draft: &mut Draft<'_>, incident: IncidentId, id: ChangeId) -> Result<Reply, Reject> {
    let record = draft.open(incident)?;
    let change = life::any(draft, id)?;
    if change.started.is_none() {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{id} is {}: it never began, and caused nothing.", change.state),
        )
        .hint(format!("See it: /change show {id}")));
    }
    if change.caused.contains(&incident) {
        return Ok(Reply::done(format!("{incident} is already caused by {id}. Nothing changed."))
            .about(incident)
            .about(id));
    }
    if change.caused.len() >= LINKS_MAX {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} has {LINKS_MAX} incidents already."))
            .hint("Merge those that are one: /incident merge"));
    }
    // Everybody reads changes, and nobody but its people hears of a private incident.
    let private = record.private;
    let link = IncidentLinked { incident, kind: LinkKind::CausedBy, to: format_compact!("{id}") };
    draft.emit(Event::IncidentLinked(Box::new(link)));
    if private {
        return Ok(Reply::done(format!(
            "{incident} is caused by {id}. {id} does not tell of it: {incident} is private."
        ))
        .about(incident)
        .about(id));
    }
    let review_due = draft.now.after(draft.org.changes.review);
    let revived = (!draft.state.changes.contains_key(&id)).then(|| Box::new(change.clone()));
    step(draft, id, Step::Caused { incident, revived, review_due });
    earned::harmed(draft, change, &Harm::Caused(incident));
    let text = format!("{} caused {incident}: it failed.", change.headline());
    life::post(draft, change, text);
    let back = match &change.content.rollback {
        Some(plan) => format!("To take it back: {plan}"),
        None => "How it is taken back is not said.".to_owned(),
    };
    let next = if change.state == ChangeState::Implementing {
        format!("{back}\nThen: /change rollback {id} …")
    } else {
        format!("{back}\nThen: /change review {id} outcome:rolled-back \"…\"")
    };
    Ok(Reply::done(format!("{incident} is caused by {id}, which failed.\n{next}")).about(incident).about(id))
}

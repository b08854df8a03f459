//! How changes read in a reply: short, with the id and the next step.

use std::fmt::Write as _;

use super::approve::{self, Scales};
use super::content::{Class, Content, Window};
use super::{Change, ChangeState, Risk, carry, conflict, stream};
use crate::domain::counted::counted;
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, ServiceId};
use crate::domain::org::Org;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// More lines than this do not fit one message.
const LIST_MAX: usize = 20;
/// Lines of the history that are shown, the last ones.
const HISTORY_TOLD: usize = 15;
/// Facts of its review that are shown.
const FACTS_TOLD: usize = 12;
/// So far ahead the calendar looks.
const CALENDAR: Span = Span::days(14);

/// `CHG-1 payments-api: raise the pool · scheduled · normal, risk medium · <when>`.
fn line(change: &Change) -> String {
    let content = &change.content;
    let when = change.window().map(|it| format!(" · <t:{}:f>, {}", it.from.unix_secs(), it.length()));
    let owes = match (change.approval_due, &change.unapproved) {
        (Some(_), _) => " · approval owed",
        (None, Some(_)) => " · UNAPPROVED",
        (None, None) => "",
    };
    let (state, class, risk) = (change.state, content.class, content.risk);
    format!("{} · {state} · {class}, risk {risk}{}{owes}", change.headline(), when.unwrap_or_default())
}

/// `/change list`: those that run, then those that wait, then those to be reviewed.
pub fn list(state: &State) -> String {
    if state.changes.is_empty() {
        return "No open changes. To ask for one: /change new \"what\" service:… plan:… rollback:…".to_owned();
    }
    let rank = |state: ChangeState| match state {
        ChangeState::Implementing => 0,
        ChangeState::Scheduled => 1,
        ChangeState::AwaitingApproval => 2,
        ChangeState::Requested => 3,
        ChangeState::Review | ChangeState::Closed | ChangeState::Rejected => 4,
    };
    let mut changes: Vec<&Change> = state.changes.values().map(|change| &**change).collect();
    changes.sort_by_key(|it| (rank(it.state), it.window().map_or(it.opened_at, |window| window.from), it.id));
    let mut text = format!("{} open:\n", changes.len());
    for change in changes.iter().take(LIST_MAX) {
        let _ = writeln!(text, "{}", line(change));
    }
    if changes.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/changes has all)", changes.len() - LIST_MAX);
    }
    text.push_str("One of them: /change show CHG-n");
    text
}

/// Who has to approve, in words: `2 of team payments or an administrator`.
pub fn approvers(org: &Org, content: &Content) -> String {
    let needs: Vec<String> = org
        .needs(content)
        .into_iter()
        .filter(|need| need.quorum > 0)
        .map(|need| {
            let groups: Vec<String> = need.approvers.iter().map(ToString::to_string).collect();
            let how = if need.factor { ", with a second factor" } else { "" };
            format!("{} of {}{how}", need.quorum, groups.join(" or "))
        })
        .collect();
    if needs.is_empty() { "nobody's approval".to_owned() } else { format!("the approval of {}", needs.join(", and ")) }
}

/// `payments-api is of tier 1 (3), 2 services need it (1)`.
pub fn risk_in_short(risk: &Risk) -> String {
    let lines = risk.lines.iter().filter(|line| line.points > 0).map(|line| format!("{} (+{})", line.why, line.points));
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { "nothing speaks against it".to_owned() } else { lines.join(", ") }
}

/// The next free slot, in words.
pub fn free(window: Option<Window>) -> String {
    match window {
        Some(window) => {
            format!("Next free: <t:{}:f> to <t:{}:t>", window.from.unix_secs(), window.until.unix_secs())
        }
        None => "Nothing is free in the next 60 days. What stands in the way: /change calendar".to_owned(),
    }
}

/// What comes next.
pub fn next(org: &Org, id: ChangeId, state: ChangeState, content: &Content) -> String {
    match state {
        ChangeState::Requested => {
            let missing = content.missing();
            format!("Still to say: {0}. /change edit {id} {1}:\"…\"", missing.join(" and "), missing.join(":\"…\" "))
        }
        ChangeState::AwaitingApproval => {
            format!("It needs {}, who did not ask for it: /change approve {id}", approvers(org, content))
        }
        ChangeState::Scheduled => format!("It may begin: /change start {id}"),
        ChangeState::Implementing => format!("When it is over: /change done {id}"),
        ChangeState::Review => format!("How did it go? /change review {id} \"…\""),
        ChangeState::Closed | ChangeState::Rejected => "Its record is complete.".to_owned(),
    }
}

/// What comes next for a change as it stands now: what is in its way, too.
pub fn ahead(change: &Change, state: &State, org: &Org, now: Timestamp) -> String {
    let (id, content) = (change.id, &change.content);
    let begun = matches!(change.state, ChangeState::Implementing | ChangeState::Review);
    if begun && change.approval_due.is_some() {
        let needs = approvers(org, content);
        let end = match change.state {
            ChangeState::Implementing => next(org, id, change.state, content),
            _ => format!("Then: /change review {id} \"…\""),
        };
        return format!("It began before it was approved, and needs {needs}: /change approve {id}\n{end}");
    }
    let lacks = approve::lacking(Scales::new(state, org, now), change, None, &[]);
    let waits = match change.state {
        ChangeState::AwaitingApproval => lacks.is_empty(),
        ChangeState::Scheduled => {
            if content.class == Class::Normal && !lacks.is_empty() {
                return format!("It may not begin: it needs {}. /change approve {id}", lacks.join("; "));
            }
            true
        }
        _ => false,
    };
    if !waits {
        return next(org, id, change.state, content);
    }
    let why = carry::calendar(state, org, now, change);
    if why.is_empty() {
        return next(org, id, ChangeState::Scheduled, content);
    }
    let later = change.window().is_some_and(|window| window.from > now);
    if let (true, [_], Some(window)) = (later, why.as_slice(), change.window()) {
        return format!("It may begin <t:{}:f>: /change start {id}", window.from.unix_secs());
    }
    let own = org.changes.length_of(content);
    let length = change.window().map_or(own, |window| window.length());
    let from = Window { from: now, until: now.after(length) };
    let next_free = conflict::next_free(org, state, content, from, Some(id), now);
    format!("It may not begin now: {}.\n{}", why.join("; "), free(next_free))
}

/// What is answered to whoever asked for it.
pub fn opened(draft: &Draft<'_>, change: &Change) -> String {
    let (id, content) = (change.id, &change.content);
    let when = change.window().map(|it| format!(" · <t:{}:f>, {}", it.from.unix_secs(), it.length()));
    let mut text = format!("{}\n{} · {}{}\n", change.headline(), change.state, content.class, when.unwrap_or_default());
    let _ = writeln!(text, "Risk {}: {}.", content.risk, risk_in_short(&change.risk));
    text.push_str(&next(draft.org, id, change.state, content));
    text
}

/// What the team reads when one is asked for.
pub fn asked_for(draft: &Draft<'_>, change: &Change) -> String {
    let next = next(draft.org, change.id, change.state, &change.content);
    format!("{} asked for by {}, risk {}. {next}", change.headline(), draft.actor(), change.content.risk)
}

/// `/change show`.
pub fn show(change: &Change, state: &State, org: &Org, now: Timestamp) -> String {
    let (id, content) = (change.id, &change.content);
    let outcome = change.outcome.map(|outcome| format!(" ({outcome})")).unwrap_or_default();
    let mut text = format!(
        "{}\n{}{outcome} · {} · {} · team {}\n",
        change.headline(),
        change.state,
        content.class,
        content.environment,
        change.team
    );
    let _ = writeln!(text, "asked for <t:{}:f> by {}", change.opened_at.unix_secs(), change.requester);
    let people = [
        ("carried out by", &content.implementer),
        ("written by", &content.author),
        ("answered for by", &change.authoriser),
    ];
    for (what, person) in people {
        if let Some(person) = person {
            let _ = writeln!(text, "{what} {person}");
        }
    }
    if let Some(window) = change.window() {
        let (from, until) = (window.from.unix_secs(), window.until.unix_secs());
        let _ = writeln!(text, "planned <t:{from}:f> to <t:{until}:f>");
    }
    if let Some(at) = change.lapse() {
        let _ = writeln!(text, "cancelled <t:{}:f> unless it has begun", at.unix_secs());
    }
    if let Some(why) = &change.unapproved {
        let _ = writeln!(text, "UNAPPROVED: {why}");
    }
    for (what, done) in [("began", &change.started), ("ended", &change.ended)] {
        if let Some(done) = done {
            let _ = writeln!(text, "{what} <t:{}:f>, by {}", done.at.unix_secs(), done.by);
        }
    }
    let texts = [
        ("version", &content.version),
        ("commit", if change.commit.is_some() { &change.commit } else { &content.commit }),
        ("model", &content.model),
        ("reason", &content.reason),
        ("plan", &content.plan),
        ("test", &content.test),
        ("rollback", &content.rollback),
    ];
    for (what, said) in texts {
        if let Some(said) = said {
            let _ = writeln!(text, "{what}: {said}");
        }
    }
    for (what, list) in [("items", &content.items), ("expects", &content.expects)] {
        if !list.is_empty() {
            let _ = writeln!(text, "{what}: {}", list.join(", "));
        }
    }
    if let Some(line) = stream::line(change, state) {
        let _ = writeln!(text, "value stream: {line}");
    }
    let _ = writeln!(text, "risk {}:", content.risk);
    for line in &change.risk.lines {
        let _ = writeln!(text, "  +{} {}", line.points, line.why);
    }
    approvals(&mut text, change, Scales::new(state, org, now));
    if let Some(why) = content.model.as_deref().and_then(|model| state.meta.authority.unearned(org, model)) {
        let _ = writeln!(text, "{why}");
    }
    for it in state.deployments.values().filter(|it| it.change == Some(id)) {
        if let (Some(integration), Some(asked)) = (&it.integration, &it.question) {
            let _ = writeln!(text, "asked by {integration} ({}); {}", it.id, asked.shown());
        }
    }
    for silence in state.silences.values().filter(|it| it.change == Some(id) && it.ended.is_none()) {
        let held = state.suppressed_by(silence.id).count();
        let _ = writeln!(text, "fence {}: holds back {held} of {}", silence.id, counted(silence.muted_total, "alert"));
    }
    if !change.caused.is_empty() {
        let caused: Vec<String> = change.caused.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "caused {}", caused.join(", "));
    }
    if let Some(owed) = change.overdue(now) {
        let _ = writeln!(text, "OVERDUE: {owed}");
    }
    let _ = writeln!(text, "content {}", change.hash);
    if let Some(review) = &change.review {
        let _ = writeln!(text, "review: {review}");
    }
    for fact in change.facts.iter().take(FACTS_TOLD) {
        let _ = writeln!(text, "  {fact}");
    }
    if change.facts.len() > FACTS_TOLD {
        let _ = writeln!(text, "  … and {} more (GET /v1/changes/{id} has all)", change.facts.len() - FACTS_TOLD);
    }
    let from = change.timeline.len().saturating_sub(HISTORY_TOLD);
    for entry in &change.timeline[from..] {
        let _ = writeln!(text, "<t:{}:f> {}: {}", entry.at.unix_secs(), entry.by, entry.text);
    }
    text.push_str(&ahead(change, state, org, now));
    text
}

fn approvals(text: &mut String, change: &Change, scales: Scales<'_>) {
    let org = scales.org;
    if approve::free(org, change) && change.approvals.is_empty() {
        return;
    }
    let _ = writeln!(text, "needs {}", approvers(org, &change.content));
    for approval in &change.approvals {
        let at = approval.at.unix_secs();
        let weak = match approval.used {
            Some(_) => Some("used".into()),
            None => approve::weakness(scales, change, approval).map(|why| format!("does not count: {why}")),
        };
        let until = weak.unwrap_or_else(|| format!("until <t:{}:f>", approval.expires.unix_secs()));
        let whose = approval.stands_for.as_ref().map(|it| format!(" for {it}")).unwrap_or_default();
        let how = if approval.factor { ", with a second factor" } else { "" };
        let by = approval.review.as_ref().map(|it| format!(" by reviewing {it}")).unwrap_or_default();
        let _ = writeln!(text, "  {} approved{whose}{by} <t:{at}:f>{how} ({until})", approval.person);
    }
    if let Some(due) = change.approval_due {
        let _ = writeln!(text, "  owed until <t:{}:f>", due.unix_secs());
    }
}

/// `/change calendar`: the next two weeks.
pub fn calendar(draft: &Draft<'_>, service: Option<&ServiceId>) -> String {
    let ahead = Window { from: draft.now, until: draft.now.after(CALENDAR) };
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for entry in super::feed::entries(draft.state, draft.org, ahead) {
        let ours = service.is_none_or(|wanted| entry.services.is_empty() || entry.services.contains(wanted));
        if ours && entry.window.meets(&ahead) {
            let from = entry.window.from.unix_secs();
            let until = entry.window.until;
            let until = if until.since(draft.now) > Span::days(3_000) {
                "until somebody ends it".to_owned()
            } else {
                format!("to <t:{}:f>", until.unix_secs())
            };
            lines.push((entry.window.from, format!("<t:{from}:f> {until} · {}", entry.title)));
        }
    }
    if lines.is_empty() {
        return "Nothing is planned or frozen in the next 14 days.\nTo ask whether something may be changed: /change check service:…".to_owned();
    }
    lines.sort();
    let mut text = "The next 14 days:\n".to_owned();
    for (_, line) in lines.iter().take(LIST_MAX) {
        let _ = writeln!(text, "{line}");
    }
    if lines.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more", lines.len() - LIST_MAX);
    }
    text.push_str("As a feed for calendars: GET /v1/calendar.ics");
    text
}

/// One line for `/status`: what runs, what waits, what is frozen, what is owed soon and overdue; `None` where there is
/// nothing.
pub fn status(state: &State, now: Timestamp) -> Option<String> {
    let ids = |wanted: &dyn Fn(&Change) -> bool| -> Vec<String> {
        state.changes.values().filter(|it| wanted(it)).map(|it| it.id.to_string()).collect()
    };
    let short = |ids: &[String]| match ids.len() {
        0..=5 => ids.join(", "),
        n => format!("{} and {} more", ids[..5].join(", "), n - 5),
    };
    let mut parts = Vec::new();
    let mut add = |what: &str, ids: Vec<String>| {
        if !ids.is_empty() {
            parts.push(format!("{} {what} ({})", ids.len(), short(&ids)));
        }
    };
    add("being carried out", ids(&|it| it.state == ChangeState::Implementing));
    let today = Window { from: now, until: now.after(Span::days(1)) };
    add(
        "in the next 24 h",
        ids(&|it| it.state == ChangeState::Scheduled && it.window().is_some_and(|at| at.meets(&today))),
    );
    add("waiting for approval", ids(&|it| it.state == ChangeState::AwaitingApproval));
    let soon = state.changes.values().flat_map(|it| it.owed().map(|(what, due)| (it.id, what, due)));
    let soon = soon.filter(|(_, _, due)| now < *due && *due <= today.until);
    add("owed in the next 24 h", soon.map(|(id, what, _)| format!("{id} {what}")).collect());
    add("OVERDUE", ids(&|it| it.overdue(now).is_some()));
    let frozen: Vec<String> = state.freezes.values().map(|freeze| format!("{} {}", freeze.id, freeze.what())).collect();
    add("frozen", frozen);
    (!parts.is_empty()).then(|| parts.join(" · "))
}

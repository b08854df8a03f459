//! The message of a run: one message that is edited as its steps end. Making it is a delivery with a receipt that says
//! where it is (`show_run`); what it then shows is desired state: `keep` looks at State when something has become durable,
//! and brings Discord there. Edits coalesce (the newest wins) and write nothing into the journal; that somebody deleted the
//! message is told to the domain, which asks for another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::limit::Urgency;
use super::look::{self, Said};
use super::rest::{Call, CallError};
use super::send::{UNKNOWN_CHANNEL, outcome};
use super::{CAPABILITIES, Discord, plain};
use crate::domain::actor::By;
use crate::domain::delivery::{ChannelRef, Content, Grant, Outcome};
use crate::domain::desk::View;
use crate::domain::id::RunId;
use crate::domain::input::{Input, InputKind, Place};
use crate::domain::limits;
use crate::domain::paging::look::POSSIBLE_REPEAT;
use crate::domain::playbook::acts::Act;
use crate::domain::playbook::spec::{Does, Part};
use crate::domain::playbook::{Doing, Ending, Run, StepDone, show};
use crate::domain::time::Span;

/// Changes within this time become one edit.
const COALESCE: Duration = Duration::from_millis(1_500);
/// The wait before what could not be brought there is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// What an edit waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// When a process begins, runs that ended longer ago are left as they are.
const LATELY: Span = Span::secs(3_600);
/// "Unknown Message".
const UNKNOWN_MESSAGE: u64 = 10_008;
/// Characters of a reason that are shown.
const REASON_MAX: usize = 150;
/// Steps that are still to come and are named.
const COMING_MAX: usize = 5;

/// How a run stands, as it is to be seen.
pub fn said(run: &Run) -> Said {
    let change = run.change.map(|change| format!(" in {change}")).unwrap_or_default();
    let incident = run.incident.map(|incident| format!(" for {incident}")).unwrap_or_default();
    let by = match &run.remedy {
        Some(remedy) => format!("the remedy {remedy}"),
        None => run.by.to_string(),
    };
    let since = run.started_at.unix_secs();
    let head = format!(
        "{} **{}**{}\nBegun <t:{since}:T>",
        mark(run),
        plain::line(&run.headline(), 200),
        plain::text(&format!("{change}{incident}, by {by}"))
    );
    let tail = tail(run);
    let room = plain::CONTENT_MAX.saturating_sub(length(&head) + length(&tail) + 40);
    let (mut lines, mut used): (Vec<String>, usize) = (Vec::new(), 0);
    for done in run.done.iter().rev() {
        let line = ended(run, done);
        used += length(&line) + 1;
        if used > room {
            break;
        }
        lines.push(line);
    }
    let before = run.done.len() - lines.len();
    if before > 0 {
        lines.push(format!("… {before} before"));
    }
    lines.push(head);
    lines.reverse();
    lines.push(tail);
    Said { content: look::cut(lines.join("\n")), ..Said::default() }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn mark(run: &Run) -> &'static str {
    match (&run.doing, &run.ended) {
        (_, Some(ended)) => match ended.ending {
            Ending::Done => "✓",
            Ending::Failed | Ending::Cancelled => "✗",
            Ending::RolledBack => "↩",
        },
        (Doing::Asking { .. } | Doing::Unclear { .. }, None) => "❓",
        (_, None) if run.part == Part::Rollback => "↩",
        _ => "▶",
    }
}

/// A step that is over.
fn ended(run: &Run, done: &StepDone) -> String {
    let part = if done.part == Part::Verify { " (verification)" } else { "" };
    let times = if done.attempts > 1 { format!(", {} times", done.attempts) } else { String::new() };
    let (mark, why) = match (&done.failure, done.part) {
        (Some(why), _) => ("✗", limits::line(why, REASON_MAX).map(|why| format!(": {why}")).unwrap_or_default()),
        (None, Part::Rollback) => ("↩", answered(run, done)),
        (None, _) => ("✓", answered(run, done)),
    };
    let at = done.at.unix_secs();
    format!(
        "{mark} {} <t:{at}:T>{}",
        plain::text(&format!("{}{part}", done.step)),
        plain::text(&format!("{why}{times}"))
    )
}

/// What somebody answered; what else a step brought is shown by `/runbook show`.
fn answered(run: &Run, done: &StepDone) -> String {
    let step = run.playbook.part(done.part).iter().find(|step| step.id == done.step);
    let asks = step.is_some_and(|step| matches!(step.does, Does::Ask { .. } | Does::Act(Act::Request { .. })));
    let said = done.output.as_ref().filter(|_| asks).and_then(|said| limits::line(said, REASON_MAX));
    said.map(|said| format!(": {said}")).unwrap_or_default()
}

/// What it does now, what is to come, and what can be said to it.
fn tail(run: &Run) -> String {
    let next = plain::text(&show::next(run));
    if let Some(ended) = &run.ended {
        let why = ended.reason.as_ref().and_then(|why| limits::line(why, 2 * REASON_MAX));
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let at = ended.at.unix_secs();
        return format!("{} <t:{at}:T>{}\nSee it: {next}", plain::text(ended.ending.as_str()), plain::text(&why));
    }
    let mark = if matches!(run.doing, Doing::Asking { .. } | Doing::Unclear { .. }) { "❓" } else { "▶" };
    let now = limits::line(&show::doing(run), 3 * REASON_MAX).unwrap_or_default();
    let coming: Vec<&str> = run.playbook.part(run.part).iter().skip(run.at + 1).map(|step| step.id.as_str()).collect();
    let more = coming.len().saturating_sub(COMING_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let then = match coming.as_slice() {
        [] => String::new(),
        some => {
            let named = some.iter().take(COMING_MAX).copied().collect::<Vec<_>>().join(", ");
            format!("\nThen: {}", plain::text(&format!("{named}{more}")))
        }
    };
    format!("{mark} {}{then}\nNext: {next}", plain::text(&now))
}

/// What is seen of a run that is nobody's secret.
fn shown(view: &View<'_>, run: &Run) -> Option<Said> {
    let private = run.incident.is_some_and(|incident| view.state.meta.private.contains(&incident));
    (!private).then(|| said(run))
}

/// A message as it should be.
struct Wanted {
    id: RunId,
    place: Place,
    seen: Seen,
    said: Said,
}

/// Of what a run was when its message was brought there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    message: String,
    done: usize,
    doing: Doing,
}

impl Wanted {
    fn of(view: &View<'_>, run: &Run, seen: Option<&Seen>) -> Option<Self> {
        let place = (**run.board.place.as_ref()?).clone();
        if place.chat != CAPABILITIES.chat {
            return None;
        }
        let message = place.message.as_ref()?.to_string();
        let now = Seen { message, done: run.done.len(), doing: run.doing.clone() };
        if seen == Some(&now) {
            return None;
        }
        Some(Self { id: run.id, place, seen: now, said: shown(view, run)? })
    }
}

/// A message as it is, as far as this process has seen it.
#[derive(Default)]
struct Kept {
    seen: Option<Seen>,
    body: Value,
}

/// Brings the messages of runs to what State says, for ever.
pub async fn keep(discord: Arc<Discord>, mut durable: watch::Receiver<Option<u64>>) {
    let mut kept: BTreeMap<RunId, Kept> = BTreeMap::new();
    let (mut first, mut all_well) = (true, false);
    loop {
        if !first {
            tokio::select! {
                changed = durable.changed() => if changed.is_err() { return },
                () = sleep(AGAIN), if !all_well => {}
            }
        }
        sleep(COALESCE).await;
        if durable.borrow_and_update().is_none() {
            return;
        }
        let seen: BTreeMap<RunId, Seen> =
            kept.iter().filter_map(|(id, kept)| Some((*id, kept.seen.clone()?))).collect();
        let look = discord.look(move |view: &View<'_>| {
            let lately = |run: &Run| run.ended.as_ref().is_none_or(|it| view.now.since(it.at) <= LATELY);
            let runs = view.state.runs.values().filter(|run| lately(run) || seen.contains_key(&run.id));
            let wanted: Vec<Wanted> = runs.filter_map(|run| Wanted::of(view, run, seen.get(&run.id))).collect();
            let over: Vec<RunId> = seen.keys().filter(|id| !view.state.runs.contains_key(id)).copied().collect();
            (wanted, over)
        });
        let Ok((wanted, over)) = look.get().await else {
            all_well = false;
            continue;
        };
        (first, all_well) = (false, true);
        for id in over {
            kept.remove(&id);
        }
        for message in wanted {
            let held = kept.entry(message.id).or_default();
            match discord.bring_run(&message, held).await {
                Ok(()) => held.seen = Some(message.seen),
                Err(error) => {
                    tracing::debug!(%error, run = %message.id, "a run's message is not yet as it should be");
                    all_well = false;
                }
            }
        }
    }
}

impl Discord {
    /// Makes the message of a run.
    pub(super) async fn show_run(&self, grant: &Grant, channel: &ChannelRef) -> Outcome {
        let hints = self.force().hints();
        let line = look::grant(grant, None, None, &hints);
        let said = match self.run_said(grant).await {
            // Until it is edited, it says that there may be another one.
            Some(said) if grant.possible_repeat => {
                let said = said.worded(&hints);
                Said { content: format!("{} {}", plain::line(POSSIBLE_REPEAT, 40), said.content), ..said }
            }
            Some(said) => said.worded(&hints),
            None => line,
        };
        match self.placed_in(channel, &said, grant).await {
            Ok((_, message)) if message.is_empty() => Outcome::Accepted,
            Ok((id, message)) => Outcome::Placed(Box::new(Place {
                chat: CAPABILITIES.chat.into(),
                channel: id.into(),
                message: Some(message.into()),
                ..Place::default()
            })),
            Err(error) => outcome(Err(error)),
        }
    }

    async fn run_said(&self, grant: &Grant) -> Option<Said> {
        let Content::Progress { run, .. } = grant.content else { return None };
        let look = self.look(move |view| shown(view, view.state.runs.get(&run)?));
        timeout(PATIENCE, look.get()).await.ok()?.ok()?
    }

    /// Brings one message there. What Discord refuses for good is left as it is; an error: it is to be tried again.
    async fn bring_run(&self, wanted: &Wanted, kept: &mut Kept) -> Result<(), CallError> {
        let body = wanted.said.clone().worded(&self.force().hints()).edit();
        let same = kept.seen.as_ref().is_some_and(|seen| seen.message == wanted.seen.message);
        if same && kept.body == body {
            return Ok(());
        }
        let (channel, message) = (wanted.place.channel.as_str(), wanted.seen.message.as_str());
        let path = format!("/channels/{channel}/messages/{message}");
        let call = Call::new("PATCH /channels/{}/messages/{}", path, channel).body(body.clone());
        match self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await {
            Err(error) if matches!(error.code(), Some(UNKNOWN_MESSAGE | UNKNOWN_CHANNEL)) => {
                self.message_lost(wanted.id, message);
            }
            other => super::room::final_or(other)?,
        }
        kept.body = body;
        Ok(())
    }

    /// Somebody deleted it; whether there is another one is decided by the domain.
    fn message_lost(&self, run: RunId, message: &str) {
        let kind = InputKind::MessageLost { run, message: message.into() };
        // Nobody waits for the answer.
        drop(self.submit(Input { by: By::timer("discord"), idempotency: None, kind, closed: Vec::new() }));
    }
}

#[cfg(test)]
mod tests;

//! What a change owes by a time: approvals run out, an emergency has to be approved, what is over has to be reviewed.
//! Each is asked for before its deadline, at it, and each day after it, until it is done.

use compact_str::{CompactString, format_compact};

use super::{AGAIN, Change, ChangeState, Step, life, show, step};
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, PersonId};
use crate::domain::input::{Wakeup, WakeupKind};
use crate::domain::time::Timestamp;

/// The next moment at which a deadline is told, after the last time it was.
fn reminder(since: Timestamp, due: Timestamp, last: Option<Timestamp>) -> Timestamp {
    let before = Timestamp(due.0 - due.since(since).0 / 4);
    match last {
        Some(last) if last >= due => last.after(AGAIN),
        Some(last) if last >= before => due,
        _ => before,
    }
}

impl Change {
    /// The deadlines that it has, each with the moment from which it runs.
    fn deadlines(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let approval = self.approval_due.map(|due| (self.opened_at, due));
        let ended = self.ended.as_ref().map_or(self.opened_at, |ended| ended.at);
        let review = self.review_due.filter(|_| self.state == ChangeState::Review).map(|due| (ended, due));
        [approval, review].into_iter().flatten()
    }

    /// The moment it waits for.
    pub fn wakeup(&self) -> Option<Wakeup> {
        if self.state.over() {
            return None;
        }
        let told = self.deadlines().map(|(since, due)| reminder(since, due, self.reminded_at)).min();
        let runs_out = matches!(self.state, ChangeState::Scheduled | ChangeState::AwaitingApproval);
        let expires = self.standing().map(|approval| approval.expires).filter(|_| runs_out).min();
        let due = [told, expires, self.lapse()].into_iter().flatten().min()?;
        Some(Wakeup { due, kind: WakeupKind::Change(self.id) })
    }

    /// When it is cancelled, if nobody begins it: not before the time for which it is planned is over.
    pub(super) fn lapse(&self) -> Option<Timestamp> {
        let lapses = self.lapses.filter(|_| self.state.planned())?;
        Some(self.window().map_or(lapses, |window| lapses.max(window.until)))
    }

    /// What it owes, and until when.
    pub(super) fn owed(&self) -> impl Iterator<Item = (&'static str, Timestamp)> + use<> {
        let review = self.review_due.filter(|_| self.state == ChangeState::Review);
        [("approval", self.approval_due), ("review", review)].into_iter().filter_map(|(what, due)| Some((what, due?)))
    }

    /// What it owes that should have been done before now, in words.
    pub fn overdue(&self, now: Timestamp) -> Option<String> {
        let late = self.owed().filter(|(_, due)| *due <= now);
        let late: Vec<String> = late.map(|(what, due)| format!("{what} since <t:{}:R>", due.unix_secs())).collect();
        (!late.is_empty()).then(|| late.join(", "))
    }
}

/// A moment of a change has come.
pub fn due(draft: &mut Draft<'_>, id: ChangeId) {
    let Some(change) = draft.state.changes.get(&id) else { return };
    if change.lapse().is_some_and(|at| at <= draft.now) {
        return lapsed(draft, change);
    }
    let expired: Vec<PersonId> =
        change.standing().filter(|it| it.expires <= draft.now).map(|it| it.person.clone()).collect();
    if change.state.planned() && !expired.is_empty() {
        return run_out(draft, change, expired);
    }
    step(draft, id, Step::Reminded);
    for (what, at) in change.owed() {
        let how = match what {
            "approval" => format!("/change approve {id} or /change reject {id} …"),
            _ => format!("/change review {id} \"how it went\""),
        };
        let when = if at <= draft.now { "is overdue since" } else { "is due" };
        let text = format!("{}: its {what} {when} <t:{}:f>. {how}", change.headline(), at.unix_secs());
        life::post(draft, change, text.clone());
        let person = match what {
            "approval" => change.authoriser.as_ref(),
            _ => change.content.implementer.as_ref().or(change.requester.person()),
        };
        if let Some(person) = person {
            life::tell(draft, person, text);
        }
    }
}

/// A pipeline asked for it, and nobody has begun it: it does not stay open for ever.
fn lapsed(draft: &mut Draft<'_>, change: &Change) {
    let reason = format_compact!("nobody began it within {}", draft.now.since(change.opened_at));
    step(draft, change.id, Step::Cancelled { reason: Some(reason.clone()) });
    let text = format!("{} is cancelled: {reason}. Its pipeline may ask again.", change.headline());
    life::post(draft, change, text);
}

/// Approvals have run out; it waits for others where too few are left.
fn run_out(draft: &mut Draft<'_>, change: &Change, people: Vec<PersonId>) {
    let names = people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let reason: CompactString = "it expired".into();
    step(draft, change.id, Step::Voided { people, reason });
    let needs = show::approvers(draft.org, &change.content);
    let text = format!(
        "{}: what {names} approved has expired. It needs {needs}: /change approve {}",
        change.headline(),
        change.id
    );
    life::post(draft, change, text.clone());
    if let Some(person) = change.requester.person() {
        life::tell(draft, person, text);
    }
}

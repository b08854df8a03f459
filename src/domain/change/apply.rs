//! What events do to changes and freezes.

use compact_str::{CompactString, format_compact};

use super::{
    Approval, Change, ChangeApproved, ChangeEdited, ChangeMoved, ChangeOpened, ChangeState, Done, Outcome, Past, Step,
    TIMELINE_MAX,
};
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, ServiceId};
use crate::domain::incident::Entry;
use crate::domain::incident::apply::Stamp;
use crate::domain::input::Wakeup;
use crate::domain::state::{RecordKey, State};

/// Approvals that are kept, the latest; those before no longer count.
const APPROVALS_MAX: usize = 100;
/// People who edited it.
const EDITORS_MAX: usize = 100;

impl Change {
    /// Whether another one could be in its way.
    fn timed(&self) -> bool {
        self.state == ChangeState::Implementing || self.state.planned() && self.window().is_some()
    }

    /// The record that an event begins.
    pub(super) fn opened(stamp: &Stamp<'_>, opened: &ChangeOpened) -> Self {
        let begun = opened.state == ChangeState::Implementing;
        let mut change = Self {
            id: opened.change,
            seq: 0,
            content: opened.content.clone(),
            hash: opened.hash.clone(),
            team: opened.team.clone(),
            state: opened.state,
            outcome: None,
            risk: opened.risk.clone(),
            requester: stamp.by.actor.clone(),
            opened_at: stamp.at,
            editors: Vec::new(),
            approvals: Vec::new(),
            slot: None,
            incident: opened.incident,
            authoriser: opened.authoriser.clone(),
            approval_due: opened.approval_due,
            lapses: opened.lapses,
            review_due: None,
            reminded_at: None,
            started: begun.then(|| done(stamp)),
            commit: None,
            ended: None,
            closed_at: None,
            review: None,
            facts: Vec::new(),
            unapproved: None,
            caused: Vec::new(),
            timeline: Vec::new(),
        };
        let why = opened.why.as_ref().map(|why| format_compact!(": {why}")).unwrap_or_default();
        change.tell(stamp, format_compact!("asked for, {}{why}", opened.content.class));
        change
    }

    fn tell(&mut self, stamp: &Stamp<'_>, text: CompactString) {
        if self.timeline.len() < TIMELINE_MAX {
            self.timeline.push(Entry { at: stamp.at, by: stamp.by.actor.clone(), text });
        }
    }

    fn edited(&mut self, stamp: &Stamp<'_>, edited: &ChangeEdited) {
        for approval in self.approvals.iter_mut().filter(|it| it.void.is_none() && it.hash != edited.hash) {
            approval.void = Some("it was edited after that".into());
        }
        self.content = edited.content.clone();
        self.hash = edited.hash.clone();
        self.state = edited.state;
        self.risk = edited.risk.clone();
        if self.content.window.is_some() {
            self.slot = None;
        }
        if let Some(person) = stamp.by.actor.person()
            && !self.editors.contains(person)
            && self.editors.len() < EDITORS_MAX
        {
            self.editors.push(person.clone());
        }
        self.tell(stamp, format_compact!("edited: {}", edited.what));
    }

    pub(super) fn approved(&mut self, stamp: &Stamp<'_>, approved: &ChangeApproved) {
        if self.approvals.len() >= APPROVALS_MAX {
            self.approvals.remove(0);
        }
        let (person, hash, expires) = (approved.person.clone(), approved.hash.clone(), approved.expires);
        // An emergency has begun before: what approves it is used at once.
        let used = self.approval_due.is_some().then_some(stamp.at);
        let used = used.filter(|_| approved.enough);
        // Whoever approves again, with a second factor or for another rule, has approved once.
        let before = |it: &&mut Approval| it.person == person && it.hash == hash && it.void.is_none();
        for approval in self.approvals.iter_mut().filter(before) {
            approval.void = Some("they approved again".into());
        }
        let told = told(approved);
        self.approvals.push(Approval {
            person,
            hash,
            at: stamp.at,
            expires,
            used,
            void: None,
            stands_for: approved.stands_for.clone(),
            factor: approved.factor,
            review: approved.review.clone(),
        });
        self.tell(stamp, told);
        if !approved.enough {
            return;
        }
        if self.approval_due.take().is_some() {
            self.approvals.iter_mut().filter(|it| it.void.is_none()).for_each(|it| it.used = Some(stamp.at));
        } else if self.state.planned() {
            self.state = ChangeState::Scheduled;
        }
    }

    fn moved(&mut self, stamp: &Stamp<'_>, step: &Step) {
        let text = match step {
            Step::Slotted(window) => {
                self.slot = Some(*window);
                format_compact!("scheduled for <t:{}:f>", window.from.unix_secs())
            }
            Step::Voided { people, reason } => {
                for approval in self.approvals.iter_mut().filter(|it| it.void.is_none() && people.contains(&it.person))
                {
                    approval.void = Some(reason.clone());
                }
                if self.state == ChangeState::Scheduled {
                    self.state = ChangeState::AwaitingApproval;
                }
                let names = people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                format_compact!("the approval of {names} is void: {reason}")
            }
            Step::AskedAnew { why } => {
                self.state = ChangeState::AwaitingApproval;
                format_compact!("others are asked: {why}")
            }
            Step::Started { despite, commit } => {
                self.state = ChangeState::Implementing;
                self.commit.clone_from(commit);
                self.started = Some(done(stamp));
                self.approvals.iter_mut().filter(|it| it.void.is_none()).for_each(|it| it.used = Some(stamp.at));
                match despite.as_slice() {
                    [] => "began".into(),
                    some => format_compact!("began despite: {}", some.join("; ")),
                }
            }
            Step::Bound { commit } => {
                self.commit = Some(commit.clone());
                format_compact!("it is of the commit {}", commit.chars().take(12).collect::<CompactString>())
            }
            Step::Unapproved { why } => {
                self.unapproved = Some(why.clone());
                format_compact!("it is not approved: {why}")
            }
            Step::Ended { outcome, text, review_due, facts } => {
                self.facts.clone_from(facts);
                // What caused an incident stays failed, whatever is said of it afterwards.
                let harmless = self.caused.is_empty() || *outcome != Outcome::Successful;
                self.outcome = Some(if harmless { *outcome } else { Outcome::Failed });
                self.ended = Some(done(stamp));
                self.review_due = *review_due;
                if review_due.is_some() {
                    self.state = ChangeState::Review;
                } else {
                    self.close(stamp);
                }
                text.as_ref().map_or_else(|| format_compact!("{outcome}"), |text| format_compact!("{outcome}: {text}"))
            }
            Step::Reviewed { outcome, text, facts } => {
                if !facts.is_empty() {
                    self.facts.clone_from(facts);
                }
                self.outcome = Some(*outcome);
                self.review = Some(text.clone());
                self.review_due = None;
                self.close(stamp);
                format_compact!("reviewed, {outcome}: {text}")
            }
            Step::Cancelled { reason } => {
                self.outcome = Some(Outcome::Cancelled);
                self.close(stamp);
                reason.as_ref().map_or_else(|| "cancelled".into(), |reason| format_compact!("cancelled: {reason}"))
            }
            Step::Rejected { reason } => {
                if self.state.planned() {
                    self.state = ChangeState::Rejected;
                    self.closed_at = Some(stamp.at);
                } else {
                    self.approval_due = None;
                }
                format_compact!("rejected: {reason}")
            }
            Step::Reminded => {
                self.reminded_at = Some(stamp.at);
                return;
            }
            Step::Caused { incident, review_due, .. } => {
                if !self.caused.contains(incident) {
                    self.caused.push(*incident);
                }
                if self.state != ChangeState::Implementing {
                    if self.outcome == Some(Outcome::Successful) {
                        self.outcome = Some(Outcome::Failed);
                    }
                    self.state = ChangeState::Review;
                    self.review_due = Some(*review_due);
                    self.closed_at = None;
                }
                format_compact!("caused {incident}")
            }
        };
        self.tell(stamp, text);
    }

    fn close(&mut self, stamp: &Stamp<'_>) {
        self.state = ChangeState::Closed;
        self.closed_at = Some(stamp.at);
    }
}

/// `approved for sanne, with a second factor`, `approved by cleo, who reviewed ej/payments#12`.
fn told(approved: &ChangeApproved) -> CompactString {
    if let Some(review) = &approved.review {
        return format_compact!("approved by {}, who reviewed {review}", approved.person);
    }
    let whose = approved.stands_for.as_ref().map(|person| format!(" for {person}")).unwrap_or_default();
    let how = if approved.factor { ", with a second factor" } else { "" };
    format_compact!("approved{whose}{how}")
}

fn done(stamp: &Stamp<'_>) -> Done {
    Done { by: stamp.by.actor.clone(), at: stamp.at }
}

impl State {
    /// Applies an event about changes or freezes; another one does nothing.
    pub(in crate::domain) fn apply_change(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::ChangeOpened(opened) => {
                self.meta.changes = self.meta.changes.max(opened.change.0);
                let change = Change { seq: self.meta.seq, ..Change::opened(stamp, opened) };
                self.place_change(stamp, change, None);
            }
            Event::ChangeEdited(edited) => self.alter(stamp, edited.change, |it| it.edited(stamp, edited)),
            Event::ChangeApproved(approved) => {
                self.alter(stamp, approved.change, |it| it.approved(stamp, approved));
                self.spend_reviews(approved.change);
            }
            Event::ChangeMoved(moved) => {
                let ChangeMoved { change, step } = &**moved;
                if let Step::Caused { revived: Some(record), .. } = step
                    && !self.changes.contains_key(change)
                {
                    self.dirty.closed_changes.remove(change);
                    self.file_change(record);
                    self.changes.insert(*change, record.clone());
                }
                self.alter(stamp, *change, |it| it.moved(stamp, step));
                if let Step::Started { .. } = step {
                    self.spend_reviews(*change);
                }
            }
            Event::FreezeStarted(_) | Event::FreezeEnded { .. } => self.apply_freeze(stamp, event),
            _ => {}
        }
    }

    fn spend_reviews(&mut self, id: ChangeId) {
        if let Some(change) = self.changes.get(&id).filter(|it| !it.state.planned()) {
            self.meta.authority.spend(change);
        }
    }

    fn alter(&mut self, stamp: &Stamp<'_>, id: ChangeId, alter: impl FnOnce(&mut Change)) {
        let Some(mut change) = self.changes.remove(&id) else { return };
        let before = change.wakeup();
        self.unfile_change(&change);
        alter(&mut change);
        self.place_change(stamp, *change, before);
    }

    /// Puts a changed record back, or among the closed ones; `before` is what it waited for.
    fn place_change(&mut self, stamp: &Stamp<'_>, change: Change, before: Option<Wakeup>) {
        if let Some(before) = before {
            self.index.wakeups.remove(&before);
        }
        self.index.wakeups.extend(change.wakeup());
        self.dirty.touched.insert(RecordKey::Change(change.id));
        self.remember_change(stamp, &change);
        self.mark_deployments(stamp, &change);
        if change.state.over() {
            self.dirty.closed_changes.insert(change.id, change);
        } else {
            self.file_change(&change);
            self.changes.insert(change.id, Box::new(change));
        }
    }

    fn file_change(&mut self, change: &Change) {
        self.index.changes_on.insert((change.content.service.clone(), change.id));
        if change.timed() {
            self.index.timed_changes.insert(change.id);
        }
    }

    fn unfile_change(&mut self, change: &Change) {
        self.index.changes_on.remove(&(change.content.service.clone(), change.id));
        self.index.timed_changes.remove(&change.id);
    }

    /// The changes of a service that are not over, oldest first.
    pub fn changes_on(&self, service: &ServiceId) -> impl DoubleEndedIterator<Item = &Change> {
        let range = (service.clone(), ChangeId(0))..=(service.clone(), ChangeId(u64::MAX));
        self.index.changes_on.range(range).filter_map(|(_, id)| self.changes.get(id)).map(|change| &**change)
    }

    /// The changes that have their time in the calendar, or are being carried out, oldest first.
    pub fn timed_changes(&self) -> impl Iterator<Item = &Change> {
        self.index.timed_changes.iter().filter_map(|id| self.changes.get(id)).map(|change| &**change)
    }

    /// Keeps in mind for a while what was carried out or refused: it may have caused what comes.
    fn remember_change(&mut self, stamp: &Stamp<'_>, change: &Change) {
        if change.state.over() {
            self.past.insert(change.id, Past::of(change));
            self.dirty.touched.insert(RecordKey::Past(change.id));
            let over: Vec<ChangeId> =
                self.past.values().filter(|it| it.forgotten(stamp.at)).map(|it| it.change).collect();
            let surplus = self.past.len().saturating_sub(super::suspect::PAST_MAX);
            let oldest: Vec<ChangeId> = self.past.keys().take(surplus).copied().collect();
            for id in over.into_iter().chain(oldest) {
                self.past.remove(&id);
                self.dirty.touched.insert(RecordKey::Past(id));
            }
        } else if self.past.remove(&change.id).is_some() {
            self.dirty.touched.insert(RecordKey::Past(change.id));
        }
    }

    /// Derives the look-ups of changes and freezes; once, after assembling.
    pub(in crate::domain) fn index_changes(&mut self) {
        let changes = self.changes.values();
        self.index.changes_on = changes.clone().map(|it| (it.content.service.clone(), it.id)).collect();
        self.index.timed_changes = changes.filter(|it| it.timed()).map(|it| it.id).collect();
        self.index.wakeups.extend(self.changes.values().filter_map(|change| change.wakeup()));
        self.index.wakeups.extend(self.freezes.values().filter_map(|freeze| freeze.wakeup()));
    }
}

//! Pull requests that were reviewed, as code hosts tell it: where `[[approval]]` says `accept = ["pull-request"]`, whoever
//! agreed to what is brought in has approved the change that brings it in. The reviewer has to be a person who may approve,
//! and another than the author, who has to be known; what was pushed after the review is not agreed to.

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::delegate::emit;
use super::{Authority, Step};
use crate::domain::alert::intake::IGNORED;
use crate::domain::change::approve::{self, Scales};
use crate::domain::change::{Approval, Change, ChangeApproved, ChangeState, Class, Step as Moved, life, show, step};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, PersonId, ServiceId};
use crate::domain::org::Org;
use crate::domain::signal::{CodeHost, GITLAB_ID, ReviewSays, Reviewing};

/// Reviews that are remembered, the latest.
const REVIEWS_MAX: usize = 200;
/// Services and environments that are remembered of one review.
const SPENT_MAX: usize = 50;
/// So much of a hash has to be said.
const HASH_MIN: usize = 12;

/// That somebody agreed to a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Where: `org/repo`.
    pub repository: CompactString,
    /// Its number there.
    pub number: u64,
    /// The commit that was read; lower-case hex.
    pub head: CompactString,
    /// Who agreed.
    pub person: PersonId,
    /// Who wrote it.
    pub author: PersonId,
    /// Whether they still do. One that was taken back is kept for what was begun with it.
    pub stands: bool,
    /// The commit that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<CompactString>,
    /// What was begun with it, the latest last; bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
}

/// A change that was begun with a review: it counts for no other one of that service there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The change.
    pub change: ChangeId,
    /// Of which service.
    pub service: ServiceId,
    /// Where.
    pub environment: CompactString,
}

impl Review {
    /// How an approval names it: `org/repo#7`.
    fn place(&self) -> CompactString {
        format_compact!("{}#{}", self.repository, self.number)
    }

    fn of(&self, repository: &str, number: u64) -> bool {
        self.number == number && self.repository == repository
    }

    /// Whether it is of what a hash, whole or in part, means.
    fn covers(&self, sha: &str) -> bool {
        let same = |known: &str| known.starts_with(sha);
        sha.len() >= HASH_MIN && (same(&self.head) || self.merged.as_deref().is_some_and(same))
    }

    /// Whether it is of what a change brings in, or may be: its commit is not known.
    fn concerns(&self, change: &Change) -> bool {
        let known = change.commit.as_deref().or_else(|| change.content.known_commit());
        known.is_none_or(|sha| self.covers(&sha.to_ascii_lowercase()))
    }
}

impl Authority {
    pub(super) fn reviewed(&mut self, review: &Review) {
        let mut review = review.clone();
        // What the same code was begun with stays so, whoever says once more that it is good.
        let same = |it: &&Review| it.of(&review.repository, review.number) && it.head == review.head;
        review.spent = self.reviews.iter().find(same).map(|it| it.spent.clone()).unwrap_or_default();
        // Who reviews newer code says no more of the older; that stays only for what was begun with it.
        self.reviews.retain_mut(|it| {
            if !it.of(&review.repository, review.number) || it.person != review.person {
                return true;
            }
            it.stands = false;
            it.head != review.head && !it.spent.is_empty()
        });
        if review.stands || !review.spent.is_empty() {
            self.reviews.push(review);
        }
        let surplus = self.reviews.len().saturating_sub(REVIEWS_MAX);
        self.reviews.drain(..surplus);
    }

    /// A change has begun: the reviews that it was approved by are used.
    pub(in crate::domain::change) fn spend(&mut self, change: &Change) {
        let content = &change.content;
        let (service, environment) = (&content.service, &content.environment);
        for approval in change.approvals.iter().filter(|it| it.void.is_none() && it.review.is_some()) {
            // Whoever else reviewed it: the code is begun once.
            let same = |it: &&mut Review| Some(it.place()) == approval.review && it.concerns(change);
            for review in self.reviews.iter_mut().filter(same) {
                review.spent.retain(|it| (&it.service, &it.environment) != (service, environment));
                review.spent.push(Spent {
                    change: change.id,
                    service: service.clone(),
                    environment: environment.clone(),
                });
                let surplus = review.spent.len().saturating_sub(SPENT_MAX);
                review.spent.drain(..surplus);
            }
        }
    }

    /// Whether the code of a change that was reviewed there has begun another change of that service and environment.
    pub(in crate::domain::change) fn spent_for(&self, place: &CompactString, change: &Change) -> bool {
        let here = (&change.content.service, &change.content.environment);
        let same = self.reviews.iter().filter(|it| it.place() == *place && it.concerns(change));
        let mut all = same.flat_map(|it| &it.spent);
        all.any(|it| (&it.service, &it.environment) == here && it.change != change.id)
    }

    pub(super) fn merged(&mut self, repository: &str, number: u64, head: &str, sha: &CompactString) {
        for it in self.reviews.iter_mut().filter(|it| it.of(repository, number) && it.head == head) {
            it.merged = Some(sha.clone());
        }
    }
}

/// Whose account on a code host it is.
pub(in crate::domain::change) fn owner(org: &Org, host: CodeHost, account: &str) -> Option<PersonId> {
    let own = |name: &Option<CompactString>| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(account));
    let mut people = org.people.values().filter(|it| match host {
        CodeHost::GitHub => own(&it.github),
        CodeHost::GitLab => match account.strip_prefix(GITLAB_ID) {
            Some(id) => it.gitlab_id.is_some_and(|own| id.parse() == Ok(own)),
            None => own(&it.gitlab),
        },
    });
    people.next().map(|person| person.id.clone())
}

/// What a review leads to; `None` where it is of no use here.
pub(in crate::domain::change) fn receive(draft: &mut Draft<'_>, repository: &str, told: &Reviewing) -> Option<String> {
    let (org, number) = (draft.org, told.number);
    if !org.changes.approvers.iter().any(|rule| rule.pull_request) {
        return None;
    }
    if let ReviewSays::Merged { sha } = &told.says {
        let known = draft.state.meta.authority.reviews.iter();
        let known = known.filter(|it| it.of(repository, number) && it.head == told.head);
        if !known.clone().any(|it| it.merged.as_deref() != Some(sha.as_str())) {
            return None;
        }
        let (head, sha) = (told.head.as_str().into(), CompactString::from(sha));
        emit(draft, Step::Merged { repository: repository.into(), number, head, sha });
        return Some(format!("{repository}#{number} went in"));
    }
    let person = owner(org, told.host, told.reviewer.as_deref()?)?;
    // Without an author who is known nobody can be another one. A mail address says less: whoever commits chooses it.
    let Some(author) = told.author.as_deref().and_then(|account| owner(org, told.host, account)) else {
        if told.says == ReviewSays::Withdrawn {
            return withdraw(draft, repository, told, &person);
        }
        return Some(format!("{}{}", IGNORED, unknown(draft, repository, told, &person)));
    };
    let by_mail = told.author_email.as_deref().and_then(|mail| super::super::deployment::person(org, mail));
    let review = Review {
        repository: repository.into(),
        number,
        head: told.head.as_str().into(),
        stands: told.says == ReviewSays::Approved && person != author && by_mail.as_ref() != Some(&person),
        person,
        author,
        merged: None,
        spent: Vec::new(),
    };
    let known = &draft.state.meta.authority.reviews;
    let before = known.iter().find(|it| it.stands && it.of(repository, number) && it.person == review.person);
    let same = before.is_some_and(|it| it.head == review.head && review.stands);
    if same || before.is_none() && !review.stands {
        return None;
    }
    emit(draft, Step::Reviewed(review.clone()));
    if !review.stands {
        withdrawn(draft, &review);
        return Some(format!("{} no longer agrees to {repository}#{number}", review.person));
    }
    let text = format!("{} agreed to {repository}#{number}", review.person);
    // What waits for it goes on.
    let waits: Vec<Change> = waiting(draft, |sha| review.covers(sha));
    for mut change in waits {
        count(draft, &mut change, &review);
    }
    Some(text)
}

/// What waits for the approval of a commit.
fn waiting(draft: &Draft<'_>, covers: impl Fn(&str) -> bool) -> Vec<Change> {
    let waits = draft.state.changes.values().filter(|it| it.state == ChangeState::AwaitingApproval);
    let waits = waits.filter(|it| it.editors.is_empty() && brings(it).is_some_and(|sha| covers(&sha)));
    waits.map(|it| (**it).clone()).collect()
}

/// Says why a review counts for nothing whose author is nobody known: to the sender, and where a change waits for it.
fn unknown(draft: &mut Draft<'_>, repository: &str, told: &Reviewing, person: &PersonId) -> String {
    let who = match told.author.as_deref() {
        None => "the author is not told".to_owned(),
        Some(account) => {
            let account: String = account.chars().take(100).collect();
            let key = match (told.host, account.strip_prefix(GITLAB_ID)) {
                (CodeHost::GitHub, _) => format!("`github = \"{account}\"`"),
                (CodeHost::GitLab, Some(id)) => format!("`gitlab_id = {id}`"),
                (CodeHost::GitLab, None) => format!("`gitlab = \"{account}\"`"),
            };
            format!("no [[person]] has {key}, who wrote it")
        }
    };
    let text = format!("{person}'s review of {repository}#{} approves nothing: {who}", told.number);
    for change in waiting(draft, |sha| sha.len() >= HASH_MIN && told.head.starts_with(sha)) {
        life::post(draft, &change, format!("{}: {text}.", change.headline()));
    }
    text
}

/// A review is taken back whose author is nobody known any more.
fn withdraw(draft: &mut Draft<'_>, repository: &str, told: &Reviewing, person: &PersonId) -> Option<String> {
    let known = &draft.state.meta.authority.reviews;
    let before = known.iter().find(|it| it.stands && it.of(repository, told.number) && it.person == *person)?;
    let review = Review { stands: false, ..before.clone() };
    emit(draft, Step::Reviewed(review.clone()));
    withdrawn(draft, &review);
    Some(format!("{person} no longer agrees to {repository}#{}", told.number))
}

/// What was approved by a review that is taken back, and has not begun, is void.
fn withdrawn(draft: &mut Draft<'_>, review: &Review) {
    let place = review.place();
    let by = |it: &&Approval| it.person == review.person && it.review.as_ref() == Some(&place);
    let planned = draft.state.changes.values().filter(|it| it.state.planned());
    let lost: Vec<&Change> = planned.filter(|it| it.standing().any(|it| by(&it))).map(|it| &**it).collect();
    for change in lost {
        let people = vec![review.person.clone()];
        step(draft, change.id, Moved::Voided { people, reason: "the review was taken back".into() });
        let text = format!(
            "{}: {} no longer agrees to {place}. It needs {}: /change approve {}",
            change.headline(),
            review.person,
            show::approvers(draft.org, &change.content),
            change.id
        );
        life::post(draft, change, text);
    }
}

/// The commit that a change brings in. Where it is told, a branch or tag that is named like another one says nothing.
fn brings(change: &Change) -> Option<String> {
    change.content.commit.as_deref().or(change.content.version.as_deref()).map(str::to_lowercase)
}

/// Counts the reviews of what a change brings in, where its rules accept that.
pub(in crate::domain::change) fn agree(draft: &mut Draft<'_>, change: &mut Change) {
    let known = &draft.state.meta.authority.reviews;
    let brought = brings(change);
    let covers = |it: &&Review| brought.as_deref().is_some_and(|sha| it.covers(sha));
    let found: Vec<Review> = known.iter().filter(|it| it.stands).filter(covers).cloned().collect();
    for review in &found {
        count(draft, change, review);
    }
}

/// Counts one review as an approval, if it is one.
fn count(draft: &mut Draft<'_>, change: &mut Change, review: &Review) {
    let (org, now) = (draft.org, draft.now);
    // Whoever read the code has not read a plan that somebody wrote beside it.
    if !change.content.is_only_code() {
        return;
    }
    let begun = change.state == ChangeState::Implementing;
    if change.content.class != Class::Normal || !(change.state == ChangeState::AwaitingApproval || begun) {
        return;
    }
    let person = &review.person;
    // Whoever wrote what it brings in, by the pull request or by its commits.
    let written = draft.state.commits.values().filter(|it| review.covers(&it.sha)).filter_map(|it| it.author.as_ref());
    let own = review.author == *person || written.into_iter().any(|author| author == person);
    let scales = Scales::of(draft);
    let accepts = org
        .needs(&change.content)
        .into_iter()
        .any(|need| need.pull_request && !need.factor && need.approvers.iter().any(|group| org.belongs(person, group)));
    let known = change.standing().any(|it| it.person == *person);
    let place = review.place();
    // It is of that service's code, and counts once for it.
    let service = org.services.get(&change.content.service);
    let elsewhere =
        service.is_some_and(|it| !it.repositories.is_empty() && !it.repositories.contains(&review.repository));
    let spent = draft.state.meta.authority.spent_for(&place, change);
    if elsewhere || spent || own || known || !accepts || approve::objection(scales, change, person).is_some() {
        return;
    }
    let approval = Approval {
        person: person.clone(),
        hash: change.hash.clone(),
        at: now,
        expires: now.after(org.changes.expires),
        review: Some(place.clone()),
        ..Approval::default()
    };
    let enough = approve::lacking(scales, change, Some(&approval), &[]).is_empty();
    let event = ChangeApproved {
        change: change.id,
        person: approval.person,
        hash: approval.hash,
        expires: approval.expires,
        enough,
        stands_for: None,
        factor: false,
        review: Some(place.clone()),
    };
    change.approved(&draft.stamp(), &event);
    draft.emit(Event::ChangeApproved(Box::new(event)));
    let next = if enough { " That is enough." } else { "" };
    let text = format!("{} approved by {person}, who reviewed {place}.{next}", change.headline());
    life::post(draft, change, text);
}

//! Standing in for an approver from one time until another, by `/change delegate`. Whoever stands in approves in their own
//! name *for* the other: both have to be clear of the change, both count as one, it cannot be passed on, and it ends at
//! once when one of them is marked as left.

use serde::{Deserialize, Serialize};

use super::{Authority, AuthorityChanged, Step};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::PersonId;
use crate::domain::input::Reply;
use crate::domain::org::{Org, Role};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::silence::until;
use crate::domain::time::{Span, Timestamp};

/// The longest: whoever is away for longer gives the role to somebody else in the configuration.
const LONGEST: Span = Span::days(90);
/// At most so many people stand in for one.
const EACH_MAX: usize = 5;
/// At most so many in all.
const MAX: usize = 500;

/// Who stands in for whom, from when until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// For whom.
    pub from: PersonId,
    /// Who.
    pub to: PersonId,
    /// The first instant.
    pub starts: Timestamp,
    /// The first instant after it.
    pub ends: Timestamp,
}

impl Delegation {
    fn holds(&self, now: Timestamp) -> bool {
        self.starts <= now && now < self.ends
    }
}

impl Authority {
    /// For whom a person stands in now, in the order in which that was said.
    pub fn stands_in_for<'a>(&'a self, to: &'a PersonId, now: Timestamp) -> impl Iterator<Item = &'a PersonId> {
        self.delegations.iter().filter(move |it| it.to == *to && it.holds(now)).map(|it| &it.from)
    }

    pub(super) fn delegated(&mut self, now: Timestamp, told: &Delegation) {
        let same = |it: &Delegation| (&it.from, &it.to) == (&told.from, &told.to);
        self.delegations.retain(|it| it.ends > now && !same(it));
        self.delegations.push(told.clone());
    }
}

fn here(org: &Org, person: &PersonId) -> bool {
    org.people.get(person).is_some_and(|known| !known.left)
}

/// `/change delegate`: without a person who stands in for whom; `until:now` ends it.
pub fn delegate(
    draft: &mut Draft<'_>,
    to: Option<&PersonId>,
    from: Option<&str>,
    until: Option<&str>,
) -> Result<Reply, Reject> {
    let Some(to) = to else { return Ok(Reply::done(list(draft))) };
    let authority = &draft.state.meta.authority;
    let Some(person) = draft.person().filter(|person| draft.org.people.contains_key(*person)).cloned() else {
        return Err(Reject::new(RejectCode::NotAllowed, "Only a person of this organisation can name a delegate."));
    };
    let says = |text: &str| text.trim().eq_ignore_ascii_case("now");
    let known = authority.delegations.iter().find(|it| it.from == person && it.to == *to && it.ends > draft.now);
    if until.is_some_and(says) {
        if known.is_none() {
            return Ok(Reply::done(format!("{to} does not stand in for you. Nothing changed.")));
        }
        emit(draft, Step::DelegationEnded { from: person.clone(), to: to.clone() });
        return Ok(Reply::done(format!(
            "{to} does not stand in for {person} any more. What they approved for {person} and is not begun counts no longer."
        )));
    }
    let refuse = |message: String, hint: &str| Err(Reject::new(RejectCode::BadValue, message).hint(hint));
    if *to == person {
        return refuse("You cannot stand in for yourself.".into(), "Name somebody else");
    }
    if !here(draft.org, to) {
        return refuse(format!("{to} is nobody here any more."), "Name somebody else");
    }
    if draft.org.people.get(to).is_some_and(|known| known.role < Role::Responder) {
        return refuse(format!("{to} only reads along, and approves nothing."), "Name a responder");
    }
    let zone = draft.org.zone(Some(&person));
    let starts = match from {
        None => draft.now,
        Some(text) if says(text) => draft.now,
        Some(text) => until::read(text.trim(), draft.now, zone)?.max(draft.now),
    };
    let Some(until) = until else {
        return Err(Reject::new(RejectCode::Missing, "Until when?")
            .hint(format!("/change delegate to:{to} until:\"2026-12-28 09:00\"")));
    };
    // `from:18:00 until:09:00` is until the next morning.
    let ends = until::read(until.trim(), starts, zone)?;
    if ends <= starts {
        return refuse(format!("<t:{}:f> is not after its beginning.", ends.unix_secs()), "Say a later end");
    }
    if ends.since(draft.now) > LONGEST {
        let days = LONGEST.0 / 86_400_000;
        return refuse(
            format!("Somebody stands in for at most {days} days."),
            "For longer, name them in [[approval]] of the configuration",
        );
    }
    let others = authority.delegations.iter().filter(|it| it.ends > draft.now && (&it.from, &it.to) != (&person, to));
    let (own, all) = (others.clone().filter(|it| it.from == person).count(), others.count());
    if own >= EACH_MAX || all >= MAX {
        return refuse(
            format!("{own} people stand in for you already."),
            "End one: /change delegate to:NAME until:now",
        );
    }
    let delegation = Delegation { from: person.clone(), to: to.clone(), starts, ends };
    if known == Some(&delegation) {
        return Ok(Reply::done(format!("{to} stands in for you like that already. Nothing changed.")));
    }
    let text = format!(
        "{to} stands in for {person} as an approver from <t:{}:f> until <t:{}:f>.",
        starts.unix_secs(),
        ends.unix_secs()
    );
    emit(draft, Step::Delegated(delegation));
    super::super::life::tell(draft, to, format!("{text}\nWhat neither of you has a part in: /change approve CHG-n"));
    Ok(Reply::done(format!("{text}\nTo end it sooner: /change delegate to:{to} until:now")))
}

pub(super) fn emit(draft: &mut Draft<'_>, step: Step) {
    draft.emit(Event::AuthorityChanged(Box::new(AuthorityChanged { step })));
}

fn list(draft: &Draft<'_>) -> String {
    let all = draft.state.meta.authority.delegations.iter();
    let lines: Vec<String> = all
        .filter(|it| it.ends > draft.now)
        .map(|it| {
            let gone = [&it.from, &it.to].into_iter().find(|person| !here(draft.org, person));
            let gone = gone.map(|person| format!(" · counts for nothing: {person} has left")).unwrap_or_default();
            let (starts, ends) = (it.starts.unix_secs(), it.ends.unix_secs());
            format!("{} for {}: <t:{starts}:f> to <t:{ends}:f>{gone}", it.to, it.from)
        })
        .take(20)
        .collect();
    if lines.is_empty() {
        return "Nobody stands in for an approver. To let somebody: /change delegate to:NAME until:\"2026-12-28 09:00\""
            .to_owned();
    }
    format!("Standing in:\n{}", lines.join("\n"))
}

//! The second factor of an approval: a code that counts once. Whether it is right was found out before, with a secret that
//! is not known here; here it is spent, and wrong ones are counted.

use compact_str::format_compact;
use serde::{Deserialize, Serialize};

use super::Step;
use super::delegate::emit;
use crate::domain::actor::Factor;
use crate::domain::draft::Draft;
use crate::domain::id::PersonId;
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::{Span, Timestamp};

/// After so many wrong codes within `WRONG_FOR` no further one of that person is looked at.
const WRONG_MAX: u8 = 5;
const WRONG_FOR: Span = Span::mins(15);

/// A person's second factor, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Since when.
    pub at: Timestamp,
    /// The last step that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
    /// Wrong codes, since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrong: Option<(u8, Timestamp)>,
}

impl Enrolled {
    pub(super) fn new(at: Timestamp) -> Self {
        Self { at, last: None, wrong: None }
    }

    pub(super) fn used(&mut self, step: u64) {
        self.last = self.last.max(Some(step));
        self.wrong = None;
    }

    pub(super) fn refused(&mut self, at: Timestamp) {
        let (times, since) = self.wrong.filter(|(_, since)| at.since(*since) < WRONG_FOR).unwrap_or((0, at));
        self.wrong = Some((times.saturating_add(1), since));
    }

    /// Until when no code is looked at.
    fn locked(&self, now: Timestamp) -> Option<Timestamp> {
        let (_, since) = self.wrong.filter(|(times, _)| *times >= WRONG_MAX)?;
        Some(since.after(WRONG_FOR)).filter(|until| *until > now)
    }
}

/// Looks at the code that came with what is asked: `false` where none did.
///
/// # Errors
/// It does not count; that is recorded, unless it was not looked at.
pub fn given(draft: &mut Draft<'_>, person: &PersonId) -> Result<Option<u64>, Reject> {
    let Some(factor) = draft.by.factor else { return Ok(None) };
    let Some(enrolled) = draft.state.meta.authority.factors.get(person) else {
        return Err(none(person));
    };
    if let Some(until) = enrolled.locked(draft.now) {
        let message = format!("Too many wrong codes of {person}: none is looked at until <t:{}:t>.", until.unix_secs());
        return Err(Reject::new(RejectCode::NotAllowed, message).hint("Wait; nothing else is held back"));
    }
    let why = match factor {
        Factor::Right { step } if Some(step) > enrolled.last => return Ok(Some(step)),
        Factor::Right { .. } => "That code was used already.",
        Factor::Wrong => "That code is not right.",
        Factor::Unknown => return Err(none(person)),
    };
    emit(draft, Step::FactorRefused { person: person.clone() });
    Err(Reject::new(RejectCode::NotAllowed, why)
        .hint("Say the one that your authenticator shows next; the clock of its device has to be right"))
}

/// The code is used.
pub fn spend(draft: &mut Draft<'_>, person: &PersonId, step: u64) {
    emit(draft, Step::FactorUsed { person: person.clone(), step });
}

/// What is said to whoever has none.
pub fn none(person: &PersonId) -> Reject {
    Reject::new(RejectCode::NotAllowed, format!("{person} has no second factor."))
        .hint(format!("An administrator enrols one: opsbell factor add {person}"))
}

/// A second factor of a person comes into force, or is taken away; the secret was made elsewhere.
pub fn enrol(draft: &mut Draft<'_>, person: &PersonId, there: bool) -> Result<Reply, Reject> {
    if there && draft.org.people.get(person).is_none_or(|known| known.left) {
        return Err(Reject::new(RejectCode::NotFound, format!("There is no person {person}."))
            .hint("People are the [[person]] tables of the configuration."));
    }
    let known = draft.state.meta.authority.factors.contains_key(person);
    if !there && !known {
        return Err(Reject::new(RejectCode::NotFound, format!("{person} has no second factor."))
            .hint("See them: opsbell factor list"));
    }
    let person = person.clone();
    let text = match (there, known) {
        (true, true) => format_compact!("{person} has a new second factor; the old one counts no longer."),
        (true, false) => format_compact!("{person} has a second factor."),
        (false, _) => format_compact!("{person} has no second factor any more."),
    };
    let told = format!("{text} By {}, <t:{}:f>.", draft.actor(), draft.now.unix_secs());
    let owner = person.clone();
    emit(draft, if there { Step::FactorEnrolled { person } } else { Step::FactorRemoved { person } });
    // Whoever did not ask for it has to hear of it.
    super::super::life::tell(draft, &owner, told);
    Ok(Reply::done(text.as_str()))
}

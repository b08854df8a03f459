//! The other way round: a person is shown a code where Opsbell knows them (`opsbell say /connect`, with their own token),
//! and says it in Discord, which links the account that said it. As with the codes that Discord shows, only the hash is
//! kept, a code counts once and for a quarter of an hour, and wrong ones are counted.

use compact_str::{CompactString, ToCompactString};
use serde::{Deserialize, Serialize};

use super::{AccountLinked, CODE_LASTS, NEXT_CODE, OFFERS_MAX, WRONG_MAX, counts, person_of, tell};
use crate::domain::actor::{ADMINISTRATOR, Actor};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::PersonId;
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Timestamp;

/// Letters and digits that nobody mistakes for each other; five bits each.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Random bytes that a code is made of, five bits of each.
pub const CODE_BYTES: usize = 10;

/// A code was shown to a person where Opsbell knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeShown {
    /// To whom.
    pub person: PersonId,
    /// Hex sha256 of the code.
    pub sha256: CompactString,
}

/// A code that waits to be said in Discord.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) sha256: CompactString,
    pub(super) at: Timestamp,
}

/// `K3X9Q-Z2AB7` of random bytes.
pub fn code_of(bytes: [u8; CODE_BYTES]) -> String {
    let letters: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    let (front, back) = letters.split_at(CODE_BYTES / 2);
    format!("{front}-{back}")
}

/// Whether words ask for a code: `/connect` and nothing more.
pub fn asks(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("/connect")
}

/// A code is to be shown to whoever asks, where they are known; by its hash.
pub fn show(draft: &mut Draft<'_>, sha256: &str) -> Result<Reply, Reject> {
    let asker = draft.person().filter(|person| person.as_str() != ADMINISTRATOR).cloned();
    let person = asker.filter(|person| draft.org.people.contains_key(person)).ok_or_else(|| {
        Reject::new(RejectCode::Unlinked, "A code is shown to a person of the organisation, as themselves.")
            .hint("opsbell say /connect with your own token; or say /connect in Discord, and give its code to an administrator")
    })?;
    free(draft, &person)?;
    let accounts = &draft.state.meta.accounts;
    let shown = accounts.shown.get(&person).filter(|shown| draft.now.since(shown.at) < NEXT_CODE);
    let live = accounts.shown.values().filter(|shown| counts(shown.at, draft.now)).count();
    if shown.is_some() || live >= OFFERS_MAX {
        return Err(Reject::new(RejectCode::Conflict, "A code was shown just now.").hint("Another one: in a minute."));
    }
    let until = draft.now.after(CODE_LASTS).unix_secs();
    draft.emit(Event::CodeShown(Box::new(CodeShown { person: person.clone(), sha256: sha256.into() })));
    Ok(Reply::done(format!(
        "Your code: CODE\nIt counts once, until <t:{until}:t>. Say it in Discord, in your guild: /connect code:CODE\nThe account that says it is {person} from then on, so show it to nobody."
    ))
    .private())
}

/// `/connect CODE` in Discord by an account that is nobody's: it becomes whose the code is.
pub fn claim(draft: &mut Draft<'_>, account: &str, name: &str, sha256: &str) -> Result<Reply, Reject> {
    let accounts = &draft.state.meta.accounts;
    if let Some(person) = person_of(draft.org, &accounts.links, account) {
        return Err(Reject::new(RejectCode::Conflict, format!("This account is {person} already."))
            .hint("What you may do: /whoami. To undo a link made by /connect: /disconnect"));
    }
    if !matches!(draft.actor(), Actor::Member(_)) {
        return Err(Reject::new(RejectCode::Unlinked, "A code counts in the organisation's own guild only.")
            .hint("Say it there."));
    }
    let wrong = accounts.wrong.get(&draft.actor().to_compact_string());
    if wrong.is_some_and(|wrong| wrong.times >= WRONG_MAX && counts(wrong.since, draft.now)) {
        return Err(
            Reject::new(RejectCode::NotAllowed, "Too many wrong codes.").hint("Try again in a quarter of an hour.")
        );
    }
    let found = accounts.shown.iter().find(|(_, shown)| shown.sha256 == sha256 && counts(shown.at, draft.now));
    let Some(person) = found.map(|(person, _)| person.clone()) else {
        if accounts.offers.values().any(|offer| offer.sha256 == sha256) {
            return Err(Reject::new(RejectCode::Unlinked, "Opsbell does not know who you are here.").hint(
                "Say this code where it does: opsbell say '/connect CODE'; or have an administrator say: /connect CODE person:YOUR-NAME",
            ));
        }
        draft.emit(Event::CodeRefused);
        return Err(Reject::new(RejectCode::NotFound, "That code counts for nothing (any more).")
            .hint("A new one: opsbell say /connect, as yourself"));
    };
    free(draft, &person)?;
    let linked = AccountLinked { account: account.into(), name: name.into(), person: person.clone() };
    draft.emit(Event::AccountLinked(Box::new(linked)));
    tell(
        draft,
        &format!(
            "{name} is {person} from now on, linked by {person}'s own code. If that is not right: /disconnect {person}"
        ),
    );
    Ok(Reply::done(format!(
        "You are {person} from now on: pages reach you here, and what you say here is {person}'s.\nIf that is not right: /disconnect"
    ))
    .private())
}

/// Refuses to link a person who has an account.
fn free(draft: &Draft<'_>, person: &PersonId) -> Result<(), Reject> {
    if draft.state.meta.accounts.links.values().any(|linked| linked == person) {
        return Err(Reject::new(RejectCode::Conflict, format!("{person} has a linked account already."))
            .hint("First undo that: /disconnect"));
    }
    if draft.org.people.get(person).is_some_and(|known| known.discord.is_some()) {
        return Err(Reject::new(RejectCode::Conflict, format!("The configuration names {person}'s account already."))
            .hint("It counts. To change it: discord = \"USER ID\" in their [[person]]"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::hash_of;
    use super::*;

    #[test]
    fn codes_are_of_plain_letters_and_read_the_same_however_they_are_typed() {
        let code = code_of([0, 1, 2, 3, 4, 251, 252, 253, 254, 255]);
        assert_eq!(code, "ABCDE-56789");
        assert_eq!(hash_of(" abcde 56789 "), hash_of(&code));
        assert_ne!(hash_of(&code_of([0; CODE_BYTES])), hash_of(&code));
    }

    #[test]
    fn only_the_bare_word_asks_for_a_code() {
        for (text, asks) in
            [("/connect", true), (" /Connect ", true), ("/connect ABCDE-FGHJK", false), ("connect", false)]
        {
            assert_eq!(super::asks(text), asks, "{text}");
        }
    }
}

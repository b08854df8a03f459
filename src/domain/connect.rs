//! `/connect`: a Discord account becomes a person's. Discord shows its owner a code; whoever says it where Opsbell knows
//! them already (the terminal, `opsbell say`, another account) links the account to themselves, and an administrator to
//! anybody. The code comes with the input, only its hash is kept, it counts once and for a quarter of an hour. What the
//! configuration says of accounts wins. Whose an account is, is answered here and nowhere else.

pub mod own;

use std::collections::BTreeMap;

use compact_str::{CompactString, ToCompactString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::actor::{ADMINISTRATOR, Actor};
use super::delivery::{Content, Priority};
use super::draft::Draft;
use super::event::Event;
use super::id::PersonId;
use super::incident::{apply::Stamp, private};
use super::input::Reply;
use super::org::Org;
use super::paging::escalate;
use super::reject::{Reject, RejectCode};
use super::time::{Span, Timestamp};

/// How long a code counts.
const CODE_LASTS: Span = Span::mins(15);
/// An account gets another code no sooner than this.
const NEXT_CODE: Span = Span::secs(60);
/// Codes that count at the same time.
const OFFERS_MAX: usize = 100;
/// Wrong codes of one person within `CODE_LASTS`, after which none of theirs is looked at.
const WRONG_MAX: u8 = 5;

/// Whose the linked accounts are, by Discord's id.
pub type Links = BTreeMap<CompactString, PersonId>;

/// What is kept about accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Linked accounts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: Links,
    /// How often links have changed.
    #[serde(default)]
    pub changes: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    offers: BTreeMap<CompactString, Offer>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    wrong: BTreeMap<CompactString, Wrong>,
    /// Codes that people were shown where Opsbell knows them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    shown: BTreeMap<PersonId, own::Shown>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Offer {
    name: CompactString,
    sha256: CompactString,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Wrong {
    times: u8,
    since: Timestamp,
}

/// A code was shown to an account's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOffered {
    /// Discord's id of the account.
    pub account: CompactString,
    /// What it is called there.
    pub name: CompactString,
    /// Hex sha256 of the code.
    pub sha256: CompactString,
}

/// An account is a person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLinked {
    /// Discord's id of the account.
    pub account: CompactString,
    /// What it is called there.
    pub name: CompactString,
    /// Whose it is.
    pub person: PersonId,
}

impl Accounts {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Applies an event about accounts.
    pub(super) fn apply(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::AccountOffered(offered) => {
                self.offers.retain(|_, offer| counts(offer.at, stamp.at));
                let offer = Offer { name: offered.name.clone(), sha256: offered.sha256.clone(), at: stamp.at };
                self.offers.insert(offered.account.clone(), offer);
            }
            Event::AccountLinked(_) | Event::AccountUnlinked { .. } => {
                if let Event::AccountLinked(linked) = event {
                    self.offers.remove(&linked.account);
                    self.shown.remove(&linked.person);
                }
                relink(&mut self.links, event);
                self.changes += 1;
            }
            Event::CodeShown(code) => {
                self.shown.retain(|_, shown| counts(shown.at, stamp.at));
                let shown = own::Shown { sha256: code.sha256.clone(), at: stamp.at };
                self.shown.insert(code.person.clone(), shown);
            }
            Event::CodeRefused => {
                self.wrong.retain(|_, wrong| counts(wrong.since, stamp.at));
                let fresh = Wrong { times: 0, since: stamp.at };
                let wrong = self.wrong.entry(stamp.by.actor.to_compact_string()).or_insert(fresh);
                wrong.times = wrong.times.saturating_add(1);
            }
            _ => {}
        }
    }
}

/// What an event does to the links; nothing, where it is about something else.
pub fn relink(links: &mut Links, event: &Event) {
    match event {
        Event::AccountLinked(linked) => {
            links.retain(|_, person| *person != linked.person);
            links.insert(linked.account.clone(), linked.person.clone());
        }
        Event::AccountUnlinked { person } => links.retain(|_, linked| linked != person),
        _ => {}
    }
}

fn counts(since: Timestamp, now: Timestamp) -> bool {
    now.since(since) < CODE_LASTS
}

/// Whose a Discord account is. The configuration's word wins: for an account that it names, and for a person that it
/// gives an account.
pub fn person_of<'a>(org: &'a Org, links: &Links, account: &str) -> Option<&'a PersonId> {
    let named = org.people.values().find(|person| person.discord.as_deref() == Some(account));
    let linked = || org.people.get(links.get(account)?).filter(|person| person.discord.is_none());
    named.or_else(linked).map(|person| &person.id)
}

/// The Discord account of a person.
pub fn account_of(org: &Org, links: &Links, person: &PersonId) -> Option<String> {
    let known = org.people.get(person)?;
    let linked = || {
        let (account, _) = links.iter().find(|(_, linked)| *linked == person)?;
        Some(account.to_string()).filter(|account| person_of(org, links, account) == Some(person))
    };
    known.discord.clone().or_else(linked)
}

/// The hash by which a code is known, however it was typed: case, blanks and dashes do not matter.
pub fn hash_of(code: &str) -> CompactString {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    Sha256::digest(plain.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A code is to be shown to the owner of an account; by its hash.
pub fn offer(draft: &mut Draft<'_>, account: &str, name: &str, sha256: &str) -> Result<Reply, Reject> {
    let accounts = &draft.state.meta.accounts;
    if let Some(person) = person_of(draft.org, &accounts.links, account) {
        return Err(Reject::new(RejectCode::Conflict, format!("This account is {person} already."))
            .hint("What you may do: /whoami. To undo a link made by /connect: /disconnect"));
    }
    if !matches!(draft.actor(), Actor::Member(_)) {
        return Err(Reject::new(RejectCode::Unlinked, "Only a member of the organisation's own guild gets a code.")
            .hint("Say /connect in that guild."));
    }
    let shown = accounts.offers.get(account).filter(|offer| draft.now.since(offer.at) < NEXT_CODE);
    let live = accounts.offers.values().filter(|offer| counts(offer.at, draft.now)).count();
    if shown.is_some() || live >= OFFERS_MAX {
        return Err(Reject::new(RejectCode::Conflict, "A code was shown just now.").hint("Another one: in a minute."));
    }
    let until = draft.now.after(CODE_LASTS).unix_secs();
    draft.emit(Event::AccountOffered(Box::new(AccountOffered {
        account: account.into(),
        name: name.into(),
        sha256: sha256.into(),
    })));
    Ok(Reply::done(format!(
        "It counts once, until <t:{until}:t>. Say it where Opsbell knows you: opsbell say '/connect CODE'.\nOr give it to an administrator, who says: /connect CODE person:YOUR-NAME"
    ))
    .private())
}

/// `/connect CODE`: the account that the code was shown to is the asker's, or `person`'s. Whether the asker may speak for
/// somebody else has been asked.
pub fn connect(draft: &mut Draft<'_>, code: Option<&str>, person: Option<PersonId>) -> Result<Reply, Reject> {
    let Some(code) = code else {
        return Err(Reject::new(RejectCode::Missing, "A code is shown in Discord, to whoever says /connect there.")
            .hint(
                "Then say it here: /connect CODE. Or the other way round, with your own token: opsbell say /connect",
            ));
    };
    let administers = draft.person().is_some_and(|asker| private::administers(draft.org, asker));
    if person.is_none() && administers {
        return Err(Reject::new(RejectCode::Missing, "Whose account is it? An administrator always says.")
            .hint("/connect CODE person:NAME; your own only if Discord showed the code to you"));
    }
    let person = whose(draft, person)?;
    if draft.state.meta.accounts.links.values().any(|linked| *linked == person) {
        return Err(Reject::new(RejectCode::Conflict, format!("{person} has a linked account already."))
            .hint(format!("First undo that: /disconnect {person}")));
    }
    if draft.org.people.get(&person).is_some_and(|known| known.discord.is_some()) {
        return Err(Reject::new(RejectCode::Conflict, format!("The configuration names {person}'s account already."))
            .hint("It counts. To change it: discord = \"USER ID\" in their [[person]]"));
    }
    let accounts = &draft.state.meta.accounts;
    let wrong = accounts.wrong.get(&draft.actor().to_compact_string());
    if wrong.is_some_and(|wrong| wrong.times >= WRONG_MAX && counts(wrong.since, draft.now)) {
        return Err(
            Reject::new(RejectCode::NotAllowed, "Too many wrong codes.").hint("Try again in a quarter of an hour.")
        );
    }
    let given = hash_of(code);
    let fits = |offer: &Offer| offer.sha256 == given && counts(offer.at, draft.now);
    let Some((account, offer)) = accounts.offers.iter().find(|(_, offer)| fits(offer)) else {
        draft.emit(Event::CodeRefused);
        return Err(Reject::new(RejectCode::NotFound, "That code counts for nothing (any more).")
            .hint("A new one: say /connect in Discord"));
    };
    let linked = AccountLinked { account: account.clone(), name: offer.name.clone(), person: person.clone() };
    let name = offer.name.clone();
    draft.emit(Event::AccountLinked(Box::new(linked)));
    let by = draft.actor().to_string();
    tell(draft, &format!("{name} is {person} from now on, linked by {by}. If that is not right: /disconnect {person}"));
    Ok(Reply::done(format!(
        "{name} is {person} from now on: pages reach {person} there, and what is said there is {person}'s.\nIf that is not right: /disconnect {person}"
    ))
    .private())
}

/// `/disconnect`: the account is nobody's any more.
pub fn disconnect(draft: &mut Draft<'_>, person: Option<PersonId>) -> Result<Reply, Reject> {
    let person = whose(draft, person)?;
    if !draft.state.meta.accounts.links.values().any(|linked| *linked == person) {
        return Err(Reject::new(RejectCode::NotFound, format!("{person} has no account that was linked by /connect."))
            .hint("An account in the configuration is removed there: discord = … in the [[person]]"));
    }
    draft.emit(Event::AccountUnlinked { person: person.clone() });
    let by = draft.actor().to_string();
    tell(
        draft,
        &format!("{person} has no Discord account any more, by the word of {by}. Pages by chat do not reach them."),
    );
    Ok(Reply::done(format!("{person} has no linked account any more. To link one: /connect in Discord")).private())
}

/// Whom it is about: somebody named, or the asker.
fn whose(draft: &Draft<'_>, person: Option<PersonId>) -> Result<PersonId, Reject> {
    let known = |person: &PersonId| draft.org.people.contains_key(person);
    let asker = draft.person().filter(|person| person.as_str() != ADMINISTRATOR);
    person.or_else(|| asker.cloned()).filter(known).ok_or_else(|| {
        Reject::new(RejectCode::Unlinked, "Opsbell does not know who you are here.")
            .hint("Say it in the terminal as yourself, or have an administrator say: /connect CODE person:YOUR-NAME")
    })
}

/// Whoever looks after Opsbell hears of every link.
fn tell(draft: &mut Draft<'_>, text: &str) {
    for to in escalate::operators(draft.org) {
        draft.owe(None, None, to, Priority::Notice, Content::Notice { text: text.to_owned() });
    }
}

//! Accounts and people: who an account is, by the configuration and by the links that `/connect` made, and the code that
//! `/connect` shows. Whose an account is, `connect` of the domain answers; here is only what it is asked with.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::answer::{Asked, Reaction, refusal, unavailable};
use super::look::Said;
use super::wire::User;
use super::{Discord, Force, plain};
use crate::domain::actor::Actor;
use crate::domain::connect::{self, Links, own};
use crate::domain::input::InputKind;

/// Changes within this time are read once.
const COALESCE: Duration = Duration::from_millis(250);

/// Reads the links anew whenever something has become durable, for ever. It asks Discord for nothing, so a Discord that
/// hangs holds it up nowhere.
pub(super) async fn keep(discord: Arc<Discord>, mut durable: watch::Receiver<Option<u64>>) {
    while durable.changed().await.is_ok() {
        sleep(COALESCE).await;
        if durable.borrow_and_update().is_none() {
            return;
        }
        discord.learn_links().await;
    }
}

impl Discord {
    /// Who an account is. Who is nobody of the organisation is a guest of the guild; one of another guild may nothing,
    /// not even read: anybody can invite a public bot.
    pub(super) fn actor(&self, force: &Force, user: &User, guild: Option<&str>) -> Actor {
        let guest = || super::answer::guest(&user.username, &user.id);
        match connect::person_of(&force.org, &force.links, &user.id) {
            Some(person) => Actor::Person(person.clone()),
            None if self.elsewhere(guild) => Actor::Person(guest().as_str().into()),
            None => Actor::Member(guest().into()),
        }
    }

    /// Reads the links anew, where they have changed. Nothing changes when the engine cannot be asked.
    pub(super) async fn learn_links(&self) {
        let known = self.force().changes;
        let look = self.look(move |view| {
            let accounts = &view.state.meta.accounts;
            (accounts.changes != known).then(|| (accounts.changes, accounts.links.clone()))
        });
        if let Ok(Some((changes, links))) = look.get().await {
            let mut force = self.force.write().unwrap_or_else(PoisonError::into_inner);
            (force.changes, force.links) = (changes, Arc::new(links));
        }
    }

    /// The links as the engine knows them; `None`: it cannot be asked.
    pub(super) async fn links(&self) -> Option<Links> {
        self.look(|view| view.state.meta.accounts.links.clone()).get().await.ok()
    }
}

/// `/connect` without a code: one is shown to the account's owner, and to nobody else.
pub(super) fn show_code(asked: Asked) {
    let Some(code) = new_code() else {
        let said = Said::text("⚠ This machine gives no random numbers just now. Try again.").private();
        return asked.answer(true, false, std::future::ready(Reaction::one(said)));
    };
    let Some(user) = asked.interaction.who().cloned() else { return };
    let name = super::answer::guest(&user.username, &user.id);
    let sha256 = connect::hash_of(&code);
    let kind = InputKind::OfferAccount { account: user.id.into(), name: name.into(), sha256 };
    let coming = asked.discord.submit(asked.input(kind));
    asked.answer(true, false, async move {
        let reply = match coming.get().await {
            Ok(answer) => answer.reply,
            Err(why) => return unavailable(&why),
        };
        Reaction::one(match reply {
            Ok(reply) => {
                let content = format!("Your code: **{code}**\n{}", plain::text(&reply.text.replace("CODE", &code)));
                Said { content, private: true, ..Said::default() }
            }
            Err(reject) => refusal(&reject),
        })
    });
}

/// `/connect CODE` by an account that is nobody's: perhaps its owner was shown the code where Opsbell knows them.
pub(super) fn claim(asked: Asked, code: &str) {
    let Some(user) = asked.interaction.who().cloned() else { return };
    let name = super::answer::guest(&user.username, &user.id);
    let sha256 = connect::hash_of(code);
    let kind = InputKind::ClaimAccount { account: user.id.into(), name: name.into(), sha256 };
    let coming = asked.discord.submit(asked.input(kind));
    asked.answer(true, false, async move { super::answer::words_said(coming.get().await, true) });
}

/// Fifty random bits. `None`: the machine has none.
fn new_code() -> Option<String> {
    let mut bytes = [0; own::CODE_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(own::code_of(bytes))
}

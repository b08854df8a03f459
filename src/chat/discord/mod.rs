//! Discord as a chat. Pages and posts go out by REST (`send`), also while the gateway is down; what people do comes in
//! by the gateway (`hear`), goes to the desk in order, and is answered by REST (`answer`). Nothing is decided here.
//!
//! `rest` and `limit` are the calls and how fast they may be, `gateway` the socket, `wire` what comes over it, `look`
//! what is seen, `room` the live message and thread of an incident, `board` the message of a run, `button` what a button carries, `hint` how commands are named in what is said, `plain` inert text, `link` accounts and people, `register` the commands, `place` names and ids.

mod answer;
mod ask;
mod board;
mod button;
mod form;
mod gateway;
mod hear;
mod hint;
pub mod inspect;
mod limit;
mod link;
mod look;
mod pin;
mod place;
pub mod plain;
mod plot;
pub mod register;
mod rest;
mod review;
mod room;
mod send;
mod wire;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use compact_str::CompactString;
use tokio::sync::{mpsc, watch};

use crate::catalog::{Chat, Secret};
use crate::chat::Capabilities;
use crate::domain::connect::Links;
use crate::domain::desk::Desk;
use crate::domain::input::Input;
use crate::domain::org::{Org, Role};

pub use rest::{NoClient, base_of};

/// What Discord can do.
pub const CAPABILITIES: Capabilities = Capabilities {
    chat: "discord",
    edits: true,
    threads: true,
    mentions: true,
    ephemeral: true,
    buttons: true,
    message_max: Some(plain::CONTENT_MAX),
};

/// Interactions that are remembered, so that one that is told twice is answered once.
const SEEN_MAX: usize = 4_096;

/// The first wait before alerts are given again to an engine that could not take them.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The wait before something is begun anew after a fault of ours.
const AFTER_A_FAULT: Duration = Duration::from_secs(5);

/// How the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// It has not been there yet.
    Connecting,
    /// It is there.
    Connected,
    /// It was lost, and is made anew; pages go on.
    Lost,
    /// Discord refuses us until somebody changes something: nothing goes out.
    Refused,
}

impl Stands {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Lost => "lost",
            Self::Refused => "refused",
        }
    }
}

/// What the runtime counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The connection is so from now on.
    Now(Stands),
    /// A message could not be read; an alert in it would be lost.
    Unread,
}

/// Who counts.
pub type Signs = Arc<dyn Fn(Sign) + Send + Sync>;

/// The configuration in force.
#[derive(Clone)]
struct Force {
    org: Arc<Org>,
    settings: Arc<Chat>,
    /// Accounts that `/connect` linked to people, as far as we have heard.
    links: Arc<Links>,
    /// How often these have changed.
    changes: u64,
}

impl Force {
    /// How commands are said here.
    fn hints(&self) -> hint::Hints {
        hint::Hints::of(&self.org.lexicon, &self.settings.command_prefix)
    }

    fn new(org: Arc<Org>, settings: Chat) -> Self {
        Self { org, settings: Arc::new(settings), links: Arc::default(), changes: 0 }
    }
}

/// Discord, connected or about to be.
pub struct Discord {
    rest: rest::Rest,
    token: Secret,
    api_base: Option<String>,
    force: RwLock<Force>,
    known: Mutex<place::Known>,
    seen: Mutex<Seen>,
    desk: OnceLock<Arc<dyn Desk>>,
    install: OnceLock<CompactString>,
    /// What stands in Discord may not be what we want: look at all of it.
    reconcile: tokio::sync::Notify,
    /// The same of the commands.
    commands: tokio::sync::Notify,
    /// The same of the channels' names.
    listing: tokio::sync::Notify,
    /// Messages that were noted by 📌, and the one being noted.
    pins: tokio::sync::Mutex<Seen>,
    stands: Mutex<Stands>,
    signs: OnceLock<Signs>,
    /// Alerts on their way to the engine.
    alerts: OnceLock<mpsc::Sender<Vec<Input>>>,
}

/// What was seen lately.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Whether it was seen.
    fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Whether it is new; it is remembered.
    fn first(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > SEEN_MAX
            && let Some(old) = self.order.pop_front()
        {
            self.ids.remove(&old);
        }
        true
    }
}

impl Discord {
    /// Discord by its settings. Nothing is connected yet.
    ///
    /// # Errors
    /// The token is none, or the machine has no TLS.
    pub fn new(settings: &Chat, token: &Secret, org: Arc<Org>) -> Result<Self, NoClient> {
        Ok(Self {
            rest: rest::Rest::new(settings.api_base.as_deref(), token.expose())?,
            token: token.clone(),
            api_base: settings.api_base.clone(),
            force: RwLock::new(Force::new(org, settings.clone())),
            known: Mutex::default(),
            seen: Mutex::default(),
            desk: OnceLock::new(),
            install: OnceLock::new(),
            reconcile: tokio::sync::Notify::new(),
            commands: tokio::sync::Notify::new(),
            listing: tokio::sync::Notify::new(),
            pins: tokio::sync::Mutex::default(),
            stands: Mutex::new(Stands::Connecting),
            signs: OnceLock::new(),
            alerts: OnceLock::new(),
        })
    }

    /// Whether settings can come into force without another connection.
    pub fn fits(&self, settings: &Chat, token: Option<&Secret>, org: &Org) -> bool {
        let reads = !hear::reads_text(org) || hear::reads_text(&self.force().org);
        reads && settings.api_base == self.api_base && token == Some(&self.token)
    }

    /// Puts another configuration in force.
    pub fn replace(&self, settings: &Chat, org: Arc<Org>) {
        let mut force = self.force.write().unwrap_or_else(PoisonError::into_inner);
        (force.org, force.settings) = (org, Arc::new(settings.clone()));
        drop(force);
        // Perhaps with other words; compared before anything is registered. A session that begins does it by itself.
        if self.standing() == Stands::Connected {
            self.commands.notify_one();
        }
    }

    /// How the connection is.
    pub fn standing(&self) -> Stands {
        *self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stands(&self, now: Stands) {
        *self.stands.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.sign(Sign::Now(now));
    }

    fn sign(&self, sign: Sign) {
        if let Some(signs) = self.signs.get() {
            signs(sign);
        }
    }

    fn force(&self) -> Force {
        self.force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hears what happens there and tells the desk, for ever. `install` (the data directory's name) is for what is
    /// rendered; `durable` tells the last durable commit, `signs` hears what is counted.
    pub async fn connect(
        self: Arc<Self>,
        desk: Arc<dyn Desk>,
        install: CompactString,
        durable: watch::Receiver<Option<u64>>,
        signs: Signs,
    ) {
        let (alerts, queue) = mpsc::channel(ask::ALERTS_MAX);
        if self.desk.set(Arc::clone(&desk)).is_err()
            || self.install.set(install).is_err()
            || self.alerts.set(alerts).is_err()
            || self.signs.set(signs).is_err()
        {
            return tracing::error!("Discord is connected already");
        }
        // Before anybody is heard: who they are.
        self.learn_links().await;
        tokio::spawn(ask::give_alerts(Arc::clone(&desk), queue, FIRST_WAIT));
        let me = || Arc::clone(&self);
        let (links, heard, runs) = (me(), durable.clone(), durable.clone());
        tokio::spawn(
            me().watched("The list of linked accounts", move || link::keep(Arc::clone(&links), heard.clone())),
        );
        let rooms = me();
        tokio::spawn(me().watched("Keeping incidents' rooms", move || {
            room::keep(Arc::clone(&rooms), Arc::clone(&desk), durable.clone())
        }));
        let boards = me();
        let heard = runs;
        tokio::spawn(me().watched("Keeping runs' messages", move || board::keep(Arc::clone(&boards), heard.clone())));
        let commands = me();
        tokio::spawn(me().watched("Keeping the commands", move || Arc::clone(&commands).keep_commands()));
        let listing = me();
        tokio::spawn(me().watched("Keeping the channels' names", move || Arc::clone(&listing).keep_channels()));
        let ears = me();
        me().watched("The connection to Discord", move || {
            let ears = hear::Ears::new(Arc::clone(&ears));
            async move { gateway::run(&ears).await }
        })
        .await;
    }

    /// Does something for ever. What strangers write is read there: a fault of ours must not end it for good.
    async fn watched<F>(self: Arc<Self>, what: &'static str, work: impl Fn() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            match tokio::spawn(work()).await {
                Err(fault) if fault.is_panic() => {
                    self.tell_operators(format!("{what} ended by a fault of Opsbell (see its log), and is begun anew."))
                }
                _ => return,
            }
            tokio::time::sleep(AFTER_A_FAULT).await;
        }
    }

    fn install(&self) -> &str {
        self.install.get().map_or("", CompactString::as_str)
    }
}

/// What a member may do by the roles that they have in the guild.
fn granted(settings: &Chat, roles: &[serde_json::Value]) -> Option<Role> {
    roles.iter().filter_map(|role| settings.roles.get(&wire::value_text(role)).copied()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_twice_is_seen_once_and_memory_is_bounded() {
        let mut seen = Seen::default();
        assert!(seen.first("1"));
        assert!(!seen.first("1"));
        for n in 0..10_000 {
            seen.first(&format!("x{n}"));
        }
        assert_eq!((seen.ids.len(), seen.order.len()), (SEEN_MAX, SEEN_MAX));
        assert!(seen.first("1"), "long ago is forgotten; the engine's own memory lasts 24 h");
    }
}

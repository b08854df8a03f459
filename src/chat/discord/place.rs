//! Names and ids: which channel is meant by a name, which direct message reaches an account. Looked up by REST when it
//! is needed, so that pages go out while the gateway is down; kept until Discord says that it has changed.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::Discord;
use super::limit::Urgency;
use super::rest::{Call, CallError};
use super::wire::{Channel, Guild, Message};

/// Direct messages that are remembered.
const DIRECT_MAX: usize = 10_000;

/// Messages that wait for the names of channels.
const WAITING_MAX: usize = 1_000;

/// What is known of ids.
#[derive(Default)]
pub struct Known {
    /// The bot's application.
    pub application: Option<String>,
    /// The bot's account.
    pub me: Option<String>,
    /// The guilds that the bot is in, as the gateway told.
    pub guilds: Vec<String>,
    /// Channels of the guild by name.
    channels: Option<BTreeMap<String, String>>,
    /// Messages that wait until the names of channels are known; others come behind them.
    waiting: Vec<Message>,
    /// Live messages whose thread could not be made at once, by delivery.
    pub begun: BTreeMap<String, String>,
    /// Direct messages by account.
    direct: BTreeMap<String, String>,
}

impl Known {
    /// Whether a message has to wait for the names of channels; then it is kept.
    pub fn waits(&mut self, message: &Message) -> bool {
        let waits = self.channels.is_none() && self.waiting.len() < WAITING_MAX;
        if waits {
            self.waiting.push(message.clone());
        }
        waits
    }

    /// A channel was deleted, perhaps made anew under the same name: the next post to it looks.
    pub fn forget_channel(&mut self, name: &str) {
        self.channels.iter_mut().for_each(|all| drop(all.remove(name)));
    }
}

/// Why a place has no id.
#[derive(Debug)]
pub enum NoPlace {
    /// Nobody knows it.
    Unknown(String),
    /// It could not be asked for.
    Call(CallError),
}

impl From<CallError> for NoPlace {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// The least time between two listings of the channels.
const BETWEEN_LISTINGS: Duration = Duration::from_secs(2);

impl Discord {
    pub(super) fn with_known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The id of a channel by its name: as the configuration says, else by its name in the guild.
    pub(super) async fn channel_id(&self, name: &str, patience: Duration) -> Result<String, NoPlace> {
        let settings = self.force().settings;
        if let Some(id) = settings.channels.get(name) {
            return Ok(id.clone());
        }
        if name.len() >= 15 && name.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(name.to_owned());
        }
        if let Some(id) = self.with_known(|known| known.channels.as_ref()?.get(name).cloned()) {
            return Ok(id);
        }
        let all = self.channels(patience).await?;
        let found = all.get(name).cloned();
        self.with_known(|known| known.channels = Some(all));
        found.ok_or_else(|| no_channel(name))
    }

    /// Whether something comes from outside the organisation's guild. Without `guild` in the configuration the only
    /// one that the bot is in is it; in several, none is. A direct message comes from nowhere.
    pub(super) fn elsewhere(&self, guild: Option<&str>) -> bool {
        let settings = self.force().settings;
        match (&settings.guild, guild) {
            (_, None) => true,
            (Some(own), Some(guild)) => own != guild,
            (None, Some(guild)) => self.with_known(|known| known.guilds.iter().any(|known| known != guild)),
        }
    }

    /// What the configuration calls a channel, else its name in the guild, else its id.
    pub(super) fn channel_name(&self, id: &str) -> String {
        let settings = self.force().settings;
        if let Some((name, _)) = settings.channels.iter().find(|(_, known)| *known == id) {
            return name.clone();
        }
        let named = |known: &mut Known| {
            let (name, _) = known.channels.as_ref()?.iter().find(|(_, known)| *known == id)?;
            Some(name.clone())
        };
        self.with_known(named).unwrap_or_else(|| id.to_owned())
    }

    /// Takes the channels that the gateway tells of.
    pub(super) fn learn(self: &Arc<Self>, guild: &Guild) {
        if self.force().settings.guild.as_ref().is_some_and(|wanted| *wanted != guild.id) {
            return;
        }
        if self.force().settings.guild.is_none() && self.with_known(|known| known.guilds != [guild.id.clone()]) {
            return self.refresh_channels();
        }
        let channels: Vec<Channel> = read_all(&Value::Array(guild.channels.clone()));
        if channels.is_empty() {
            return self.refresh_channels();
        }
        self.with_known(|known| {
            let all = known.channels.get_or_insert_default();
            for channel in channels {
                if let (Some(name), 0 | 5) = (channel.name, channel.kind) {
                    all.entry(name).or_insert(channel.id);
                }
            }
        });
        self.read_waiting();
    }

    fn read_waiting(&self) {
        for message in self.with_known(|known| std::mem::take(&mut known.waiting)) {
            self.read_alert(&message);
        }
    }

    /// Looks up the names of channels, before somebody needs them.
    pub(super) fn refresh_channels(&self) {
        self.listing.notify_one();
    }

    /// Looks them up whenever that is asked for, for ever. Rooms that are channels make many changes at once: those
    /// that come while it lists, and shortly after it, cost one listing.
    pub(super) async fn keep_channels(self: Arc<Self>) {
        loop {
            self.listing.notified().await;
            let listed = self.channels(Duration::from_secs(30)).await;
            self.with_known(|known| match listed {
                Ok(all) => known.channels = Some(all),
                Err(NoPlace::Unknown(why)) => {
                    tracing::warn!(%why, "Discord's channels have no names for us");
                    known.channels = Some(BTreeMap::new());
                }
                Err(NoPlace::Call(error)) => {
                    tracing::warn!(%error, "Discord's channels could not be listed; they go by their ids");
                    known.channels.get_or_insert_default();
                }
            });
            self.read_waiting();
            tokio::time::sleep(BETWEEN_LISTINGS).await;
        }
    }

    async fn channels(&self, patience: Duration) -> Result<BTreeMap<String, String>, NoPlace> {
        let id = self.own_guild(patience).await?;
        let mut all = BTreeMap::new();
        let call = Call::new("GET /guilds/{}/channels", format!("/guilds/{id}/channels"), &id);
        let listed = self.rest.call(&call.urgency(Urgency::Page, patience)).await?;
        for channel in read_all::<Channel>(&listed) {
            // Only where messages can be posted: text and announcements.
            if let (Some(name), 0 | 5) = (channel.name, channel.kind) {
                all.entry(name).or_insert(channel.id);
            }
        }
        Ok(all)
    }

    /// The organisation's guild: the one that the configuration names, else the only one.
    pub(super) async fn own_guild(&self, patience: Duration) -> Result<String, NoPlace> {
        if let Some(guild) = &self.force().settings.guild {
            return Ok(guild.clone());
        }
        let told: Vec<String> = match self.guilds(patience).await {
            Ok(guilds) => guilds.into_iter().map(|guild| guild.id).collect(),
            // Not every server lists them; the gateway has told.
            Err(error) => match self.with_known(|known| known.guilds.clone()) {
                none if none.is_empty() => return Err(error.into()),
                told => told,
            },
        };
        match told.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(NoPlace::Unknown("the bot is in no guild: open the invite link of docs/discord.md".to_owned())),
            // Anybody can make a guild with a channel of this name and invite the bot.
            all => Err(NoPlace::Unknown(several(all))),
        }
    }

    /// The guilds that the bot is in.
    pub(super) async fn guilds(&self, patience: Duration) -> Result<Vec<Guild>, CallError> {
        let call = Call::new("GET /users/@me/guilds", "/users/@me/guilds".into(), "");
        Ok(read_all(&self.rest.call(&call.urgency(Urgency::Page, patience)).await?))
    }

    /// The direct message with an account.
    pub(super) async fn direct(&self, account: &str, urgency: (Urgency, Duration)) -> Result<String, CallError> {
        if let Some(id) = self.with_known(|known| known.direct.get(account).cloned()) {
            return Ok(id);
        }
        let call = Call::new("POST /users/@me/channels", "/users/@me/channels".into(), "");
        let call = call.body(json!({"recipient_id": account})).urgency(urgency.0, urgency.1).whose(account);
        let made = self.rest.call(&call).await?;
        let channel: Channel = serde_json::from_value(made)
            .map_err(|_| CallError::NoAnswer { reason: "Discord made no direct message".into(), unknown: false })?;
        self.with_known(|known| {
            if known.direct.len() >= DIRECT_MAX {
                known.direct.clear();
            }
            known.direct.insert(account.to_owned(), channel.id.clone());
        });
        Ok(channel.id)
    }

    /// A direct message is no longer what it was.
    pub(super) fn forget_direct(&self, account: &str) {
        self.with_known(|known| known.direct.remove(account));
    }
}

/// What is wrong where the bot is in several guilds and the configuration names none.
pub(super) fn several(guilds: &[String]) -> String {
    let example = guilds.first().map_or("1297…", String::as_str);
    format!(
        "the bot is in {} guilds, so a channel's name says too little: name yours, guild = \"{example}\", in [chat.discord]",
        guilds.len()
    )
}

fn no_channel(name: &str) -> NoPlace {
    let name: String = name.chars().take(60).collect();
    NoPlace::Unknown(format!(
        "Discord has no channel `{name}` that the bot sees; make it, name its id in [chat.discord] channels, or let the bot in"
    ))
}

/// What can be read of a list; the rest is passed over.
pub fn read_all<T: serde::de::DeserializeOwned>(list: &Value) -> Vec<T> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| serde_json::from_value(item.clone()).ok()).collect()
}

//! Looking at Discord from outside, for `opsbell discord check`: whether a page would arrive, and what to do where it
//! would not. Sends nothing that anybody is notified of.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::limit::Urgency;
use super::place::{NoPlace, read_all, several};
use super::rest::{Call, CallError};
use super::wire::{User, value_text};
use super::{Discord, Force, register};
use crate::catalog::Rooms;
use crate::domain::alert::text::SOURCE;
use crate::domain::connect;
use crate::domain::delivery::{ChannelRef, Method};
use crate::domain::org::{Org, Target};

/// "Manage Channels", only where rooms are channels.
const MANAGE_CHANNELS: u64 = 1 << 4;
const PATIENCE: Duration = Duration::from_secs(15);

/// What the bot may do in a channel, and why it has to. The sum stands in docs/discord.md.
pub const PERMISSIONS: [(u64, &str, &str); 8] = [
    (1 << 6, "Add Reactions", "to say that a message was noted in the timeline"),
    (1 << 10, "View Channel", "to see the channel at all"),
    (1 << 11, "Send Messages", "pages whose direct message is refused, and lines about incidents"),
    (1 << 14, "Embed Links", "the coloured part of a page; without it Discord drops it"),
    (1 << 16, "Read Message History", "to change its own messages"),
    (1 << 35, "Create Public Threads", "the thread of an incident; without it all is said in the channel"),
    (1 << 38, "Send Messages in Threads", "lines in that thread; without it they stand in the channel"),
    (1 << 51, "Pin Messages", "to pin the live status message of an open incident"),
];
const ADMINISTRATOR: u64 = 1 << 3;
/// Message Content Intent, allowed (to large bots, to all others).
const CONTENT_FLAGS: u64 = 1 << 18 | 1 << 19;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What.
    pub what: String,
    /// How it stands.
    pub state: Stands,
}

/// How something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// As it should.
    Well(String),
    /// Nothing is lost by it, and it could be better: what to do.
    Note(String),
    /// A page would be lost or late: what to do.
    Lost(String),
}

impl Discord {
    /// Looks at everything that a page needs.
    pub async fn inspect(&self) -> Vec<Looked> {
        let mut all = Vec::new();
        let mut tell = |what: &str, state: Stands| all.push(Looked { what: what.to_owned(), state });
        let me = match self.get("GET /users/@me", "/users/@me").await {
            Ok(me) => serde_json::from_value::<User>(me).unwrap_or_default(),
            Err(CallError::Refused { status: 401, .. }) => {
                let hint = "Discord does not know it. Copy it again from the Bot page of \
                            https://discord.com/developers/applications (Reset Token), whole, into OPSBELL_DISCORD_TOKEN";
                tell("token", Stands::Lost(hint.to_owned()));
                return all;
            }
            Err(error) => {
                let hint = format!("{error}. Check the network, a proxy, and `api_base` where there is one");
                tell("token", Stands::Lost(hint));
                return all;
            }
        };
        tell("token", Stands::Well(format!("the bot is {}", me.username)));
        let force = self.force();
        self.with_known(|known| known.me = Some(me.id.clone()));
        tell("intents", self.intents_stand(&force.org).await);
        let guilds = match self.guilds(PATIENCE).await {
            Ok(guilds) => guilds.into_iter().map(|guild| guild.id).collect::<Vec<_>>(),
            Err(error) => {
                tell("guild", Stands::Lost(error.to_string()));
                return all;
            }
        };
        let guild = match (&force.settings.guild, guilds.as_slice()) {
            (Some(wanted), known) if known.contains(wanted) => wanted.clone(),
            (Some(wanted), _) => {
                let hint =
                    format!("the bot is not in {wanted}: open the invite link of docs/discord.md, or correct `guild`");
                tell("guild", Stands::Lost(hint));
                return all;
            }
            (None, []) => {
                tell("guild", Stands::Lost("the bot is in none: open the invite link of docs/discord.md".to_owned()));
                return all;
            }
            (None, [only]) => only.clone(),
            (None, _) => {
                tell("guild", Stands::Lost(several(&guilds)));
                return all;
            }
        };
        tell("guild", Stands::Well(guild.clone()));
        let mut looked_at = BTreeSet::new();
        for channel in channels(&force.org) {
            let state = self.channel_stands(&guild, &me.id, &channel).await;
            tell(&format!("channel {channel}"), state);
            looked_at.insert(channel.name.to_string());
        }
        // What the configuration names and nothing is told in: alerts may be read there.
        for (name, id) in force.settings.channels.iter().filter(|(name, _)| !looked_at.contains(*name)) {
            let state = self.named_channel_stands(&guild, id).await;
            tell(&format!("channel {name}"), state);
        }
        for channel in read_in(&force.org)
            .into_iter()
            .filter(|name| !looked_at.contains(name.as_str()) && !force.settings.channels.contains_key(name.as_str()))
        {
            let state = match self.channel_id(&channel, PATIENCE).await {
                Ok(id) => self.named_channel_stands(&guild, &id).await,
                Err(NoPlace::Unknown(reason)) => Stands::Lost(format!("{reason}. Alerts posted there are not read")),
                Err(NoPlace::Call(error)) => Stands::Note(error.to_string()),
            };
            tell(&format!("channel {channel}"), state);
        }
        if let Rooms::Channels { category, archive } = &force.settings.rooms {
            for wanted in std::iter::once(category).chain(archive) {
                tell(&format!("category {wanted}"), self.category_stands(&guild, &me.id, wanted).await);
            }
        }
        if !force.settings.roles.is_empty() {
            tell("roles", self.roles_stand(&guild, &force).await);
        }
        tell("commands", self.commands_stand().await);
        for person in force.org.people.values().filter(|person| !person.left) {
            let paged = [true, false].iter().flat_map(|high| force.org.rules(&person.id, *high));
            let by_chat = paged.clone().any(|rule| rule.method == Method::Chat);
            if by_chat {
                let other = paged.clone().any(|rule| rule.method != Method::Chat);
                let account = connect::account_of(&force.org, &force.links, &person.id);
                let state = self.person_stands(&guild, account.as_deref(), other).await;
                tell(&format!("person {}", person.id), state);
            }
        }
        all
    }

    async fn get(&self, template: &'static str, path: &str) -> Result<Value, CallError> {
        let call = Call::new(template, path.to_owned(), "").urgency(Urgency::Page, PATIENCE);
        self.rest.call(&call).await
    }

    async fn intents_stand(&self, org: &Org) -> Stands {
        let reads = org.integrations.values().any(|integration| integration.source == SOURCE);
        if !reads {
            return Stands::Well("no [[text-alert]] is read, so none has to be turned on".to_owned());
        }
        match self.get("GET /applications/@me", "/applications/@me").await {
            Ok(told) if told["flags"].as_u64().is_some_and(|flags| flags & CONTENT_FLAGS != 0) => {
                Stands::Well("Message Content Intent is on".to_owned())
            }
            Ok(_) => Stands::Lost(
                "[[text-alert]] needs Message Content Intent: turn it on on the Bot page of the developer portal"
                    .to_owned(),
            ),
            Err(error) => Stands::Note(format!("it could not be asked: {error}")),
        }
    }

    async fn channel_stands(&self, guild: &str, me: &str, channel: &ChannelRef) -> Stands {
        let id = match self.channel_id(&channel.name, PATIENCE).await {
            Ok(id) => id,
            Err(NoPlace::Unknown(reason)) => return Stands::Lost(reason),
            Err(NoPlace::Call(error)) => return Stands::Lost(error.to_string()),
        };
        match self.permissions(guild, me, &id).await {
            Ok(bits) => {
                let lacks: Vec<&str> =
                    PERMISSIONS.iter().filter(|(bit, ..)| bits & bit == 0).map(|(_, name, _)| *name).collect();
                if lacks.is_empty() {
                    return Stands::Well(id);
                }
                let hint = format!("the bot lacks {}: Edit Channel → Permissions → the bot's role", lacks.join(", "));
                if bits & (1 << 11) == 0 || bits & (1 << 10) == 0 { Stands::Lost(hint) } else { Stands::Note(hint) }
            }
            Err(CallError::Refused { status: 403 | 404, .. }) => Stands::Lost(unseen(&id)),
            Err(error) => Stands::Note(format!("the bot's permissions there could not be read: {error}")),
        }
    }

    /// A channel by its id: whether it is there, in this guild.
    async fn named_channel_stands(&self, guild: &str, id: &str) -> Stands {
        match self.get("GET /channels/{}", &format!("/channels/{id}")).await {
            Ok(told) if told["guild_id"].is_null() || value_text(&told["guild_id"]) == guild => {
                Stands::Well(id.to_owned())
            }
            Ok(_) => Stands::Lost(format!("{id} is in another guild; correct its id in [chat.discord] channels")),
            Err(CallError::Refused { status: 403 | 404, .. }) => Stands::Lost(unseen(id)),
            Err(error) => Stands::Note(format!("it could not be asked: {error}")),
        }
    }

    /// A category in which channels are made; without it the rooms are threads.
    async fn category_stands(&self, guild: &str, me: &str, wanted: &str) -> Stands {
        let id = match self.category(wanted).await {
            Ok(Some(id)) => id,
            Ok(None) => {
                let hint =
                    "there is none that the bot sees; until then rooms are threads. Make it, or correct its name";
                return Stands::Note(hint.to_owned());
            }
            Err(error) => return Stands::Note(format!("it could not be asked: {error}")),
        };
        match self.permissions(guild, me, &id).await {
            Ok(bits) if bits & MANAGE_CHANNELS != 0 => Stands::Well(id),
            Ok(_) => Stands::Note(
                "the bot lacks Manage Channels there; until then rooms are threads. Edit Category → Permissions → the \
                 bot's role"
                    .to_owned(),
            ),
            Err(error) => Stands::Note(format!("the bot's permissions there could not be read: {error}")),
        }
    }

    /// The roles that the configuration grants something to.
    async fn roles_stand(&self, guild: &str, force: &Force) -> Stands {
        let listed = match self.get("GET /guilds/{}/roles", &format!("/guilds/{guild}/roles")).await {
            Ok(listed) => listed,
            Err(error) => return Stands::Note(format!("they could not be read: {error}")),
        };
        let known: BTreeSet<String> =
            listed.as_array().into_iter().flatten().map(|role| value_text(&role["id"])).collect();
        let gone: Vec<&str> =
            force.settings.roles.keys().map(String::as_str).filter(|id| !known.contains(*id)).collect();
        if gone.is_empty() {
            return Stands::Well(format!("{} known", force.settings.roles.len()));
        }
        Stands::Note(format!(
            "the guild has no role {}: nobody is granted anything by it. Right-click the role, Copy Role ID",
            gone.join(", ")
        ))
    }

    /// Whose accounts were linked by `/connect`, told by whoever can read the journal.
    pub fn know_links(&self, links: connect::Links) {
        let mut force = self.force.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        force.links = std::sync::Arc::new(links);
    }

    /// What the bot may do in a channel (Discord's reference, "Permission Hierarchy").
    async fn permissions(&self, guild: &str, me: &str, channel: &str) -> Result<u64, CallError> {
        let bits = |value: &Value| value_text(value).parse::<u64>().unwrap_or(0);
        let member = self.get("GET /guilds/{}/members/{}", &format!("/guilds/{guild}/members/{me}")).await?;
        let mut mine: BTreeSet<String> = member["roles"].as_array().into_iter().flatten().map(value_text).collect();
        // The role of everybody has the guild's own id.
        mine.insert(guild.to_owned());
        let roles = self.get("GET /guilds/{}/roles", &format!("/guilds/{guild}/roles")).await?;
        let own = roles.as_array().into_iter().flatten().filter(|role| mine.contains(&value_text(&role["id"])));
        let mut may = own.fold(0, |sum, role| sum | bits(&role["permissions"]));
        if may & ADMINISTRATOR != 0 {
            return Ok(u64::MAX);
        }
        let told = self.get("GET /channels/{}", &format!("/channels/{channel}")).await?;
        let rules: Vec<&Value> = told["permission_overwrites"].as_array().into_iter().flatten().collect();
        let of = |fits: &dyn Fn(&str) -> bool| {
            let fitting = rules.iter().filter(|rule| fits(&value_text(&rule["id"])));
            fitting.fold((0, 0), |(deny, allow), rule| (deny | bits(&rule["deny"]), allow | bits(&rule["allow"])))
        };
        for (deny, allow) in [of(&|id| id == guild), of(&|id| id != guild && mine.contains(id)), of(&|id| id == me)] {
            may = may & !deny | allow;
        }
        Ok(may)
    }

    async fn commands_stand(&self) -> Stands {
        let force = self.force();
        let problems = register::problems(&force.org.lexicon, &force.settings.command_prefix);
        if let Some(first) = problems.first() {
            return Stands::Note(format!("Discord would refuse them: {first}"));
        }
        let ours = register::commands(&force.org.lexicon, &force.settings.command_prefix);
        match self.registered().await {
            Ok(theirs) if register::same(&ours, &theirs) => Stands::Well(format!("{} registered", ours.len())),
            Ok(_) => Stands::Note("not registered as they are; `opsbell serve` does it when it connects".to_owned()),
            Err(error) => Stands::Note(format!("they could not be read: {error}")),
        }
    }

    async fn person_stands(&self, guild: &str, account: Option<&str>, other: bool) -> Stands {
        // With another method the page still arrives, a moment later.
        let lost = |hint: String| if other { Stands::Note(hint) } else { Stands::Lost(hint) };
        let Some(account) = account else {
            return lost(
                "no account: they say /connect in the guild, or write discord = \"USER ID\" (Developer Mode, Copy User \
                 ID). What /connect has linked stands in the data directory: --data names it"
                    .to_owned(),
            );
        };
        let member = self.get("GET /guilds/{}/members/{}", &format!("/guilds/{guild}/members/{account}")).await;
        if let Err(CallError::Refused { status: 404, .. }) = member {
            return lost("not a member of the guild: a bot cannot write to them. Invite them".to_owned());
        }
        let direct = match self.direct(account, (Urgency::Page, PATIENCE)).await {
            Ok(direct) => direct,
            Err(error) => return lost(format!("no direct message can be opened: {error}")),
        };
        // Shows that somebody types, for some seconds, and notifies nobody; refused where a message would be.
        let call = Call::new("POST /channels/{}/typing", format!("/channels/{direct}/typing"), &direct);
        match self.rest.call(&call.body(json!({})).urgency(Urgency::Page, PATIENCE)).await {
            Ok(_) => Stands::Well("direct messages are open".to_owned()),
            Err(CallError::Refused { status: 403, .. }) => lost(
                "direct messages are closed: in the guild's Privacy Settings turn on Direct Messages. Until then pages \
                 go to the team's channel"
                    .to_owned(),
            ),
            Err(error) => Stands::Note(format!("it could not be tried: {error}")),
        }
    }
}

fn unseen(id: &str) -> String {
    format!(
        "{id} is no channel that the bot sees: correct the id in [chat.discord] channels, or let the bot in (Edit Channel \
         → Permissions → the bot's role → View Channel)"
    )
}

/// Every channel of this chat in which text is read for alerts.
fn read_in(org: &Org) -> BTreeSet<String> {
    let rules = org.integrations.values().filter_map(|integration| integration.mapping.as_ref()?.text.as_ref());
    let all = rules.flat_map(|rule| &rule.channels);
    all.filter(|channel| channel.chat.as_ref().is_none_or(|chat| chat == "discord"))
        .map(|channel| channel.name.to_string())
        .collect()
}

/// Every channel that something is told in.
fn channels(org: &Org) -> BTreeSet<ChannelRef> {
    let steps = org.policies.values().flat_map(|policy| &policy.steps).flat_map(|step| &step.page);
    let paged = steps.filter_map(|target| match target {
        Target::Channel(channel) => Some(org.channel(channel)),
        _ => None,
    });
    let teams = org.teams.values().filter_map(|team| team.channel.clone());
    let summaries = org.summaries.values().map(|summary| org.channel(&summary.channel));
    let all = teams.chain(org.operators.channel.clone()).chain(paged).chain(summaries);
    all.filter(|channel| channel.chat.as_ref().is_none_or(|chat| chat == "discord")).collect()
}

/// What is registered.
impl Discord {
    async fn registered(&self) -> Result<Vec<Value>, CallError> {
        let path = format!("/applications/{}/commands", self.application().await?);
        Ok(read_all(&self.rest.call(&Call::new("GET /applications/{}/commands", path, "")).await?))
    }
}

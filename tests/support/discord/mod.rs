//! A Discord for tests: REST and gateway on 127.0.0.1, with a ledger of its own of what people would have seen. It
//! knows Discord by twilight's types and limits and by Discord's own description, never by serenity. Faults are
//! scripted: the next calls that fit are refused, hang, are dropped after they were taken, …

mod gateway;
mod rest;
mod spec;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::{Ledger, lock};
pub use gateway::Do;

/// The bot's token.
pub const TOKEN: &str = "fake.discord.token";
/// Its application.
pub const APPLICATION: u64 = 700_000_000_000_000_001;
/// Its account.
pub const BOT: u64 = 700_000_000_000_000_002;
/// The guild.
pub const GUILD: u64 = 700_000_000_000_000_003;

/// A channel.
#[derive(Clone)]
pub struct Channel {
    /// Its name; a direct message has none.
    pub name: String,
    /// 0 text, 1 direct, 11 thread.
    pub kind: u64,
    /// Whose direct message it is.
    pub with: Option<u64>,
    /// The channel that a thread is in.
    pub parent: Option<u64>,
    /// An archived thread.
    pub archived: bool,
    /// A locked thread: only moderators write in it.
    pub locked: bool,
    /// Who was let into a thread or channel.
    pub members: Vec<u64>,
    /// What a channel is about.
    pub topic: String,
}

/// A message as people see it now.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its id.
    pub id: u64,
    /// Where.
    pub channel: u64,
    /// What it says.
    pub content: String,
    /// What was sent or last edited.
    pub body: Value,
    /// Who is notified by it: mentioned in the content and allowed.
    pub notified: Vec<u64>,
    /// Only this account sees it.
    pub only: Option<u64>,
}

impl Shown {
    /// The `custom_id` of the button or select with a label (or a placeholder).
    pub fn part(&self, label: &str) -> Option<String> {
        let rows = self.body["components"].as_array()?;
        let parts = rows.iter().flat_map(|row| row["components"].as_array()).flatten();
        let mut fitting = parts.filter(|part| part["label"] == label || part["placeholder"] == label);
        fitting.next()?["custom_id"].as_str().map(str::to_owned)
    }

    /// All labels, links with where they lead.
    pub fn labels(&self) -> Vec<String> {
        let rows = self.body["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        let parts = rows.iter().flat_map(|row| row["components"].as_array()).flatten();
        parts
            .map(|part| {
                let label = part["label"].as_str().or(part["placeholder"].as_str()).unwrap_or_default();
                part["url"].as_str().map_or(label.to_owned(), |url| format!("{label} → {url}"))
            })
            .collect()
    }
}

/// One request, and how it was answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// `/channels/1/messages`.
    pub path: String,
    /// What was sent.
    pub body: Value,
    /// The status; 0: none was told.
    pub status: u16,
    /// When it was answered, or came where it was not.
    pub at: Instant,
}

/// What became visible, in order.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A message appeared.
    Message(Shown),
    /// A message changed.
    Edit(Shown),
    /// A message that was there already under this nonce was sent again.
    Twin(u64),
}

/// An answer to an interaction.
#[derive(Clone, Debug)]
pub struct Callback {
    /// Which interaction.
    pub interaction: u64,
    /// 4 message, 5 put off, 6 put off without a word, 7 change, 8 completions, 9 form.
    pub kind: u64,
    /// What it says.
    pub data: Value,
    /// How long after the dispatch.
    pub took: Duration,
}

/// How a call fails.
#[derive(Clone)]
pub enum Fault {
    /// Answered so, and not done.
    Answer(u16, Value, Vec<(&'static str, String)>),
    /// Done, and then answered so.
    DoneThen(u16),
    /// Never answered, not done.
    Hang,
    /// Done, and the line cut before the answer.
    Dropped,
}

struct Scripted {
    method: &'static str,
    part: String,
    left: usize,
    fault: Fault,
}

/// An interaction that waits for answers.
struct Waiting {
    token: String,
    user: u64,
    channel: u64,
    message: Option<u64>,
    at: Instant,
    answered: bool,
    expired: bool,
    original: Option<u64>,
}

/// Everything that the fake knows.
pub struct World {
    token: String,
    intents: u64,
    channels: BTreeMap<u64, Channel>,
    messages: BTreeMap<u64, Shown>,
    nonces: BTreeMap<(u64, String), u64>,
    closed: BTreeSet<u64>,
    commands: Vec<Value>,
    faults: Vec<Scripted>,
    interactions: BTreeMap<u64, Waiting>,
    /// Starts of calls by bucket, for the limits.
    windows: BTreeMap<String, Vec<Instant>>,
    session: u64,
    seq: u64,
    log: Vec<(u64, String)>,
    socket: Option<UnboundedSender<Do>>,
    refuse_resume: bool,
    next: u64,
    pins: BTreeSet<u64>,
    /// Roles that members have in the guild.
    roles: BTreeMap<u64, Vec<u64>>,
    /// Who wrote a message, where it was not the bot.
    authors: BTreeMap<u64, u64>,
    /// Guilds that the bot is in.
    guilds: Vec<u64>,
    /// What was pressed, chosen and filled in, by `custom_id`.
    used: Vec<String>,
}

impl World {
    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

pub struct Shared {
    world: Mutex<World>,
    /// Every request.
    pub requests: Ledger<Request>,
    /// Everything that people could see.
    pub seen: Ledger<Seen>,
    /// Every answer to an interaction.
    pub callbacks: Ledger<Callback>,
    /// What happened on the gateway.
    pub gateway: Ledger<String>,
    /// What Discord would have refused.
    pub wrong: Ledger<String>,
    /// Heartbeats so far.
    pub heartbeats: AtomicU64,
    /// Heartbeats are not answered.
    pub mute_acks: AtomicBool,
    heartbeat_ms: AtomicU64,
    address: SocketAddr,
}

impl Shared {
    fn gateway_url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

/// A running fake Discord; ends when it is dropped.
pub struct Discord {
    shared: Arc<Shared>,
    _tokio: tokio::runtime::Runtime,
}

impl std::ops::Deref for Discord {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Default for Discord {
    fn default() -> Self {
        Self::start()
    }
}

impl Discord {
    /// A Discord with a guild and these text channels: `payments-ops`, `platform-ops`, `general`.
    pub fn start() -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("tokio");
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let mut world = World {
            token: TOKEN.to_owned(),
            intents: u64::MAX,
            channels: BTreeMap::new(),
            messages: BTreeMap::new(),
            nonces: BTreeMap::new(),
            closed: BTreeSet::new(),
            commands: Vec::new(),
            faults: Vec::new(),
            interactions: BTreeMap::new(),
            windows: BTreeMap::new(),
            session: 0,
            seq: 0,
            log: Vec::new(),
            socket: None,
            refuse_resume: false,
            next: 800_000_000_000_000_000,
            pins: BTreeSet::new(),
            roles: BTreeMap::new(),
            authors: BTreeMap::new(),
            guilds: vec![GUILD],
            used: Vec::new(),
        };
        for name in ["payments-ops", "platform-ops", "general"] {
            let id = world.id();
            world.channels.insert(id, Channel { name: name.to_owned(), ..rest::bare() });
        }
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            requests: Ledger::default(),
            seen: Ledger::default(),
            callbacks: Ledger::default(),
            gateway: Ledger::default(),
            wrong: Ledger::default(),
            heartbeats: AtomicU64::new(0),
            mute_acks: AtomicBool::new(false),
            heartbeat_ms: AtomicU64::new(41_250),
            address,
        });
        let router = rest::router(Arc::clone(&shared));
        tokio.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { shared, _tokio: tokio }
    }

    /// What `api_base` is set to.
    pub fn api_base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Another interval of heartbeats, for connections made from now on.
    pub fn heartbeat_every(&self, ms: u64) {
        self.heartbeat_ms.store(ms, Ordering::SeqCst);
    }

    /// The token of the bot is another from now on.
    pub fn reset_token(&self) {
        lock(&self.world).token = "another.token".to_owned();
    }

    /// Somebody invited the bot into another guild.
    pub fn also_in(&self, guild: u64) {
        lock(&self.world).guilds.push(guild);
    }

    /// Only these intents are allowed.
    pub fn allow_intents(&self, intents: u64) {
        lock(&self.world).intents = intents;
    }

    /// The next `times` calls of `method` whose path contains `part` fail so.
    pub fn fail(&self, method: &'static str, part: &str, times: usize, fault: Fault) {
        lock(&self.world).faults.push(Scripted { method, part: part.to_owned(), left: times, fault });
    }

    /// The same from now on, until all is well again.
    pub fn fail_always(&self, method: &'static str, part: &str, fault: Fault) {
        self.fail(method, part, usize::MAX, fault);
    }

    /// All is well again.
    pub fn mend(&self) {
        lock(&self.world).faults.clear();
    }

    /// Nobody can send direct messages to this account.
    pub fn close_direct(&self, user: u64) {
        lock(&self.world).closed.insert(user);
    }

    /// A channel's id by its name.
    pub fn channel(&self, name: &str) -> u64 {
        let world = lock(&self.world);
        *world.channels.iter().find(|(_, channel)| channel.name == name).expect("a channel").0
    }

    /// Makes a category.
    pub fn make_category(&self, name: &str) -> u64 {
        let mut world = lock(&self.world);
        let id = world.id();
        let channel = Channel { name: name.to_owned(), kind: 4, ..rest::bare() };
        world.channels.insert(id, channel);
        id
    }

    /// Deletes a channel.
    pub fn delete_channel(&self, name: &str) {
        let id = self.channel(name);
        lock(&self.world).channels.remove(&id);
    }

    /// Deletes a channel or a thread by its id.
    pub fn delete_place(&self, id: u64) {
        lock(&self.world).channels.remove(&id);
    }

    /// Locks and archives a thread, as a moderator does.
    pub fn lock_thread(&self, id: u64) {
        let mut world = lock(&self.world);
        let thread = world.channels.get_mut(&id).expect("a thread");
        (thread.archived, thread.locked) = (true, true);
    }

    /// A channel or thread as it is now.
    pub fn place(&self, id: u64) -> Channel {
        lock(&self.world).channels[&id].clone()
    }

    /// The thread that was started from a message.
    pub fn wait_for_thread(&self, message: u64) -> u64 {
        self.requests.wait_until("a thread", |all| {
            let started = format!("/messages/{message}/threads");
            all.iter().any(|one| one.path.ends_with(&started) && one.status == 201)
        });
        message
    }

    /// Deletes a message.
    pub fn delete_message(&self, id: u64) {
        lock(&self.world).messages.remove(&id);
    }

    /// Whether a message is pinned.
    pub fn pinned(&self, id: u64) -> bool {
        lock(&self.world).pins.contains(&id)
    }

    /// What roles a member has from now on.
    pub fn give_roles(&self, user: u64, roles: &[u64]) {
        lock(&self.world).roles.insert(user, roles.to_vec());
    }

    /// The direct message with an account; made when there is none.
    pub fn direct(&self, user: u64) -> u64 {
        let mut world = lock(&self.world);
        rest::direct(&mut world, user)
    }

    /// The commands that are registered.
    pub fn commands(&self) -> Vec<Value> {
        lock(&self.world).commands.clone()
    }

    /// A message as it is now.
    pub fn message(&self, id: u64) -> Shown {
        lock(&self.world).messages[&id].clone()
    }

    /// All messages of a channel as they are now.
    pub fn messages_in(&self, channel: u64) -> Vec<Shown> {
        lock(&self.world).messages.values().filter(|message| message.channel == channel).cloned().collect()
    }

    /// Waits for a message that fits; panics when none comes.
    pub fn wait_for_message(&self, what: &str, fits: impl Fn(&Shown) -> bool) -> Shown {
        let find = |all: &[Seen]| {
            all.iter().find_map(|seen| match seen {
                Seen::Message(shown) if fits(shown) => Some(shown.clone()),
                _ => None,
            })
        };
        let all = self.seen.wait_until(what, |all| find(all).is_some());
        find(&all).expect("it is there")
    }

    /// Waits until the bot has identified or resumed `n` times in all.
    pub fn wait_for_sessions(&self, n: usize) {
        let up = |line: &String| line.starts_with("identified") || line == "resumed";
        self.gateway.wait_until(&format!("{n} sessions"), |all| all.iter().filter(|line| up(line)).count() >= n);
    }

    /// Sends a dispatch; kept for a RESUME.
    pub fn dispatch(&self, name: &str, data: Value) {
        let mut world = lock(&self.world);
        world.seq += 1;
        let seq = world.seq;
        let text = json!({"op": 0, "t": name, "s": seq, "d": data}).to_string();
        world.log.push((seq, text.clone()));
        if let Some(socket) = &world.socket {
            let _ = socket.send(Do::Say(text));
        }
    }

    /// Does something to the connection.
    pub fn to_socket(&self, act: Do) {
        if let Some(socket) = &lock(&self.world).socket {
            let _ = socket.send(act);
        }
    }

    /// Sessions are no longer taken up again.
    pub fn refuse_resume(&self) {
        lock(&self.world).refuse_resume = true;
    }

    /// No interaction so far can be answered any more.
    pub fn expire(&self) {
        lock(&self.world).interactions.values_mut().for_each(|waiting| waiting.expired = true);
    }

    fn interact(&self, user: u64, channel: u64, kind: u64, data: Value, message: Option<&Shown>) -> (u64, Value) {
        let mut world = lock(&self.world);
        world.used.extend(data["custom_id"].as_str().map(str::to_owned));
        let (id, token) = (world.id(), format!("token-{}", world.next));
        let place = world.channels[&channel].clone();
        let account = json!({"id": user.to_string(), "username": format!("user{user}"), "discriminator": "0",
            "avatar": null, "bot": false});
        let mut body = json!({
            "id": id.to_string(), "application_id": APPLICATION.to_string(), "type": kind, "token": token, "version": 1,
            "channel_id": channel.to_string(), "data": data, "locale": "en-GB", "entitlements": [],
            "app_permissions": "0", "attachment_size_limit": 0, "authorizing_integration_owners": {},
            "channel": {"id": channel.to_string(), "type": place.kind},
        });
        if let Some(parent) = place.parent {
            body["channel"]["parent_id"] = json!(parent.to_string());
        }
        if place.kind == 1 {
            body["user"] = account;
            body["context"] = json!(1);
        } else {
            body["guild_id"] = json!(GUILD.to_string());
            body["context"] = json!(0);
            let roles: Vec<String> = world.roles.get(&user).into_iter().flatten().map(u64::to_string).collect();
            body["member"] = json!({"user": account, "roles": roles, "joined_at": "2026-01-01T00:00:00.000000+00:00", "deaf": false,
                "mute": false, "permissions": "0", "flags": 0});
        }
        if let Some(shown) = message {
            body["message"] = message_json(shown);
        }
        let read = serde_json::from_value::<twilight_model::application::interaction::Interaction>(body.clone());
        read.expect("twilight reads our interaction");
        let waiting = Waiting {
            token,
            user,
            channel,
            message: message.map(|shown| shown.id),
            at: Instant::now(),
            answered: false,
            expired: false,
            original: None,
        };
        world.interactions.insert(id, waiting);
        (id, body)
    }

    /// Waits for the answer to an interaction.
    pub fn answer(&self, interaction: u64) -> Callback {
        let fits = |callback: &&Callback| callback.interaction == interaction;
        let all = self.callbacks.wait_until("an answer", |all| all.iter().any(|one| fits(&one)));
        all.iter().find(fits).expect("it is there").clone()
    }

    /// Gives a command, `incident ack`, and waits for its answer.
    pub fn command(&self, user: u64, channel: u64, words: &str, options: &[(&str, &str)]) -> Callback {
        let id = self.say_command(user, channel, words, options);
        self.answer(id)
    }

    /// Gives a command.
    pub fn say_command(&self, user: u64, channel: u64, words: &str, options: &[(&str, &str)]) -> u64 {
        let values: Vec<Value> =
            options.iter().map(|(name, value)| json!({"name": name, "type": 3, "value": value})).collect();
        let (id, body) = self.interact(user, channel, 2, self.command_data(words, values), None);
        self.dispatch("INTERACTION_CREATE", body);
        id
    }

    fn command_data(&self, words: &str, values: Vec<Value>) -> Value {
        let (first, second) = words.split_once(' ').map_or((words, None), |(first, second)| (first, Some(second)));
        // Discord sends only what is registered.
        let known = self.commands();
        let command = known.iter().find(|command| command["name"] == first);
        let command = command.unwrap_or_else(|| panic!("/{first} is not registered"));
        let options = match second {
            Some(second) => {
                let subs = command["options"].as_array().expect("subcommands");
                assert!(subs.iter().any(|sub| sub["name"] == second), "/{words} is not registered");
                vec![json!({"name": second, "type": 1, "options": values})]
            }
            None => values,
        };
        json!({"id": "1", "name": first, "type": 1, "options": options})
    }

    /// Takes a command from the menu of a message, and waits for its answer.
    pub fn on_message(&self, user: u64, message: &Shown, name: &str) -> Callback {
        let known = self.commands();
        assert!(
            known.iter().any(|command| command["name"] == name && command["type"] == 3),
            "{name} is not registered"
        );
        let target = message.id.to_string();
        let mut messages = serde_json::Map::new();
        messages.insert(target.clone(), message_json(message));
        let data = json!({"id": "1", "name": name, "type": 3, "target_id": target, "resolved": {"messages": messages}});
        let (id, body) = self.interact(user, message.channel, 2, data, None);
        self.dispatch("INTERACTION_CREATE", body);
        self.answer(id)
    }

    /// What was pressed, chosen and filled in so far, by `custom_id`.
    pub fn used(&self) -> Vec<String> {
        lock(&self.world).used.clone()
    }

    /// Asks for completions of an option.
    pub fn complete(&self, user: u64, channel: u64, words: &str, option: &str, partial: &str) -> Vec<(String, String)> {
        let value = json!({"name": option, "type": 3, "value": partial, "focused": true});
        let (id, body) = self.interact(user, channel, 4, self.command_data(words, vec![value]), None);
        self.dispatch("INTERACTION_CREATE", body);
        let choices = self.answer(id).data["choices"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        choices.iter().map(|choice| (text(&choice["name"]), text(&choice["value"]))).collect()
    }

    /// Presses the button with a label under a message, and waits for the answer.
    pub fn press(&self, user: u64, message: &Shown, label: &str) -> Callback {
        let id = self.start_press(user, message, label);
        self.answer(id)
    }

    /// Presses, and does not wait.
    pub fn start_press(&self, user: u64, message: &Shown, label: &str) -> u64 {
        let part = message.part(label).unwrap_or_else(|| panic!("no {label:?} in {:?}", message.labels()));
        let (id, body) = self.press_of(user, message, &part, None);
        self.dispatch("INTERACTION_CREATE", body);
        id
    }

    /// Chooses one value of a select, and waits for the answer.
    pub fn choose(&self, user: u64, message: &Shown, placeholder: &str, value: &str) -> Callback {
        let part = message.part(placeholder).unwrap_or_else(|| panic!("no {placeholder:?} in {:?}", message.labels()));
        let (id, body) = self.press_of(user, message, &part, Some(value));
        self.dispatch("INTERACTION_CREATE", body);
        self.answer(id)
    }

    /// A press as it would be dispatched.
    pub fn press_of(&self, user: u64, message: &Shown, custom_id: &str, value: Option<&str>) -> (u64, Value) {
        let data = match value {
            Some(value) => json!({"custom_id": custom_id, "component_type": 3, "values": [value]}),
            None => json!({"custom_id": custom_id, "component_type": 2}),
        };
        self.interact(user, message.channel, 3, data, Some(message))
    }

    /// Fills in the form that an answer opened, and waits for what follows.
    pub fn fill(
        &self,
        user: u64,
        channel: u64,
        form: &Callback,
        fields: &[(&str, &str)],
        on: Option<&Shown>,
    ) -> Callback {
        assert_eq!(form.kind, 9, "{form:?}");
        let rows: Vec<Value> = fields
            .iter()
            .map(|(name, value)| {
                let field = json!({"type": 4, "custom_id": name, "value": value, "id": 1});
                json!({"type": 1, "components": [field], "id": 1})
            })
            .collect();
        let data = json!({"custom_id": form.data["custom_id"], "components": rows});
        let (id, body) = self.interact(user, channel, 5, data, on);
        self.dispatch("INTERACTION_CREATE", body);
        self.answer(id)
    }

    /// The message that answers an interaction, when there is one.
    pub fn answer_shown(&self, interaction: u64) -> Option<Shown> {
        let world = lock(&self.world);
        let id = world.interactions.get(&interaction)?.original?;
        world.messages.get(&id).cloned()
    }

    /// Somebody (a bot or webhook, unless `person`) writes in a channel.
    pub fn write(&self, author: u64, person: bool, channel: u64, content: &str, embeds: Value) -> u64 {
        let mut world = lock(&self.world);
        let id = world.id();
        let (body, place) = (json!({"content": content, "embeds": embeds}), world.channels[&channel].clone());
        let shown = Shown { id, channel, content: content.to_owned(), body, notified: Vec::new(), only: None };
        world.messages.insert(id, shown.clone());
        world.authors.insert(id, author);
        drop(world);
        let mut message = message_json(&shown);
        message["author"] = json!({"id": author.to_string(), "username": format!("user{author}"), "discriminator": "0",
            "avatar": null, "bot": !person});
        if place.kind != 1 {
            message["guild_id"] = json!(GUILD.to_string());
        }
        self.dispatch("MESSAGE_CREATE", message);
        id
    }

    /// Somebody reacts to a message.
    pub fn react(&self, user: u64, message: u64, emoji: &str) {
        let channel = lock(&self.world).messages[&message].channel;
        let account = json!({"id": user.to_string(), "username": format!("user{user}"), "discriminator": "0",
            "avatar": null, "bot": user == BOT});
        let data = json!({
            "user_id": user.to_string(), "channel_id": channel.to_string(), "message_id": message.to_string(),
            "guild_id": GUILD.to_string(), "emoji": {"id": null, "name": emoji}, "burst": false, "type": 0,
            "member": {"user": account, "roles": [], "joined_at": "2026-01-01T00:00:00.000000+00:00", "deaf": false,
                "mute": false, "flags": 0},
        });
        self.dispatch("MESSAGE_REACTION_ADD", data);
    }

    /// Panics when Discord would have refused anything as malformed.
    pub fn nothing_was_wrong(&self) {
        assert_eq!(self.wrong.all(), Vec::<String>::new());
    }
}

fn message_json(shown: &Shown) -> Value {
    let mut embeds = shown.body["embeds"].clone();
    for embed in embeds.as_array_mut().into_iter().flatten() {
        embed["type"] = "rich".into();
    }
    json!({
        "id": shown.id.to_string(), "channel_id": shown.channel.to_string(), "content": shown.content,
        "embeds": if embeds.is_null() { json!([]) } else { embeds },
        "components": if shown.body["components"].is_null() { json!([]) } else { shown.body["components"].clone() },
        "author": {"id": BOT.to_string(), "username": "opsbell", "discriminator": "0", "avatar": null, "bot": true},
        "attachments": [], "mentions": [], "mention_roles": [], "mention_everyone": false, "pinned": false, "tts": false,
        "timestamp": "2026-01-01T00:00:00.000000+00:00", "edited_timestamp": null, "type": 0,
    })
}

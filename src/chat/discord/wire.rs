//! What Discord sends, read leniently: only what Opsbell uses, unknown keys and values pass. Ids are text; a server
//! that writes them as numbers is understood.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// One message of the gateway.
#[derive(Deserialize)]
pub struct Frame<'a> {
    /// What kind.
    pub op: u64,
    /// The number of a dispatch.
    #[serde(default)]
    pub s: Option<u64>,
    /// The name of a dispatch.
    #[serde(default)]
    pub t: Option<String>,
    /// What it says.
    #[serde(borrow, default)]
    pub d: Option<&'a RawValue>,
}

/// HELLO.
#[derive(Deserialize)]
pub struct Hello {
    /// How often to send a heartbeat.
    pub heartbeat_interval: u64,
}

/// READY.
#[derive(Deserialize)]
pub struct Ready {
    /// The bot's account.
    pub user: User,
    /// The bot's application.
    #[serde(default)]
    pub application: Option<Application>,
    /// The guilds that the bot is in.
    #[serde(default)]
    pub guilds: Vec<Guild>,
    /// By which it is resumed.
    pub session_id: String,
    /// Where it is resumed.
    #[serde(default)]
    pub resume_gateway_url: Option<String>,
}

/// An application.
#[derive(Deserialize)]
pub struct Application {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
}

/// An account.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct User {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub username: String,
    /// Whether it is a program.
    #[serde(default)]
    pub bot: bool,
}

/// An account in a guild.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Member {
    /// The account.
    #[serde(default)]
    pub user: Option<User>,
    /// Its roles.
    #[serde(default)]
    pub roles: Vec<Value>,
}

/// A guild, as listed.
#[derive(Debug, Clone, Deserialize)]
pub struct Guild {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Its channels, where the gateway tells of it.
    #[serde(default)]
    pub channels: Vec<Value>,
}

/// A channel, as listed.
#[derive(Debug, Clone, Deserialize)]
pub struct Channel {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Its name; a direct message has none.
    #[serde(default)]
    pub name: Option<String>,
    /// Text, announcements, thread, …
    #[serde(rename = "type", default)]
    pub kind: u64,
    /// The channel that a thread is in.
    #[serde(default, deserialize_with = "maybe_id")]
    pub parent_id: Option<String>,
}

/// An interaction: a command, a button, a form, or a question for completions.
#[derive(Debug, Clone, Deserialize)]
pub struct Interaction {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Whose it is.
    #[serde(deserialize_with = "id")]
    pub application_id: String,
    /// 2 command, 3 component, 4 completion, 5 form.
    #[serde(rename = "type")]
    pub kind: u64,
    /// By which it is answered.
    pub token: String,
    /// Where.
    #[serde(default, deserialize_with = "maybe_id")]
    pub guild_id: Option<String>,
    /// Where.
    #[serde(default, deserialize_with = "maybe_id")]
    pub channel_id: Option<String>,
    /// Where, in more words.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Who, in a guild.
    #[serde(default)]
    pub member: Option<Member>,
    /// Who, in a direct message.
    #[serde(default)]
    pub user: Option<User>,
    /// What.
    #[serde(default)]
    pub data: Data,
    /// The message that a button is under.
    #[serde(default)]
    pub message: Option<Message>,
}

impl Interaction {
    /// Who.
    pub fn who(&self) -> Option<&User> {
        self.member.as_ref().and_then(|member| member.user.as_ref()).or(self.user.as_ref())
    }

    /// Whether others see what is answered openly.
    pub fn in_guild(&self) -> bool {
        self.guild_id.is_some()
    }
}

/// What an interaction is about.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Data {
    /// The command.
    #[serde(default)]
    pub name: String,
    /// What kind of command: 1 by typing, 2 on a user, 3 on a message.
    #[serde(rename = "type", default)]
    pub kind: u64,
    /// Its options.
    #[serde(default)]
    pub options: Vec<CommandOption>,
    /// The button, select or form.
    #[serde(default)]
    pub custom_id: String,
    /// What was selected.
    #[serde(default)]
    pub values: Vec<String>,
    /// The rows of a form.
    #[serde(default)]
    pub components: Vec<Value>,
    /// The message or user that a command is on.
    #[serde(default, deserialize_with = "maybe_id")]
    pub target_id: Option<String>,
    /// What ids stand for.
    #[serde(default)]
    pub resolved: Value,
}

/// An option of a command.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CommandOption {
    /// Its name.
    pub name: String,
    /// 1 and 2: a second word; else a value.
    #[serde(rename = "type", default)]
    pub kind: u64,
    /// Its value.
    #[serde(default)]
    pub value: Value,
    /// What is below a second word.
    #[serde(default)]
    pub options: Vec<CommandOption>,
    /// Whether the cursor is in it.
    #[serde(default)]
    pub focused: bool,
}

/// A message.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Message {
    /// Its id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Where it is.
    #[serde(default, deserialize_with = "maybe_id")]
    pub channel_id: Option<String>,
    /// In which guild.
    #[serde(default, deserialize_with = "maybe_id")]
    pub guild_id: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub author: User,
    /// The application that wrote it.
    #[serde(default, deserialize_with = "maybe_id")]
    pub application_id: Option<String>,
    /// The webhook that wrote it.
    #[serde(default, deserialize_with = "maybe_id")]
    pub webhook_id: Option<String>,
    /// What it says.
    #[serde(default)]
    pub content: String,
    /// More of what it says.
    #[serde(default)]
    pub embeds: Vec<Value>,
}

impl Message {
    /// All that it says, its embeds too, as lines: at most some hundred thousand characters, by Discord's own limits.
    pub fn text(&self) -> String {
        let mut lines = vec![self.content.clone()];
        for embed in &self.embeds {
            lines.extend([&embed["author"]["name"], &embed["title"], &embed["description"]].map(value_text));
            for field in embed["fields"].as_array().into_iter().flatten() {
                lines.push(format!("{}: {}", value_text(&field["name"]), value_text(&field["value"])));
            }
            lines.push(value_text(&embed["footer"]["text"]));
        }
        lines.retain(|line| !line.trim().is_empty());
        lines.join("\n")
    }
}

/// A value as the text that people would write.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(super) fn id<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    maybe_id(d)?.ok_or_else(|| serde::de::Error::custom("no id"))
}

pub(super) fn maybe_id<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let text = value_text(&Value::deserialize(d)?);
    if text.is_empty() {
        return Ok(None);
    }
    // It becomes part of addresses, so it is nothing but digits.
    if text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Some(text));
    }
    Err(serde::de::Error::custom("not an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_digits_whatever_is_written_around_them() {
        let read = |text: &str| serde_json::from_str::<User>(text).map(|user| user.id);
        assert_eq!(read(r#"{"id":"42","username":"bas","new":{}}"#).unwrap(), "42");
        assert_eq!(read(r#"{"id":42}"#).unwrap(), "42");
        for odd in [r#"{"id":"../../users/@me"}"#, r#"{"id":""}"#, r#"{"id":null}"#, "{}", r#"{"id":[1]}"#] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn an_interaction_is_read_with_what_it_has() {
        let read: Interaction = serde_json::from_str(
            r#"{"id":"1","application_id":"2","type":2,"token":"t","guild_id":"3","channel_id":"4",
                "member":{"user":{"id":"5","username":"bas"},"roles":["6"]},"version":1,
                "data":{"id":"7","name":"incident","type":1,"options":[{"name":"ack","type":1,
                    "options":[{"name":"incident","type":3,"value":"INC-1"}]}]}}"#,
        )
        .unwrap();
        assert_eq!(read.who().map(|user| user.id.as_str()), Some("5"));
        assert_eq!(read.data.options[0].options[0].value, "INC-1");
        let least: Interaction =
            serde_json::from_str(r#"{"id":"1","application_id":"2","type":3,"token":"t"}"#).unwrap();
        assert!(least.who().is_none() && !least.in_guild());
    }
}

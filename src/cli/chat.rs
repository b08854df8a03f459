//! `opsbell chat [--as NAME] [--channel NAME]`: the terminal chat, attached to a running server. What is typed goes by
//! `/v1/say`, what others cause comes by `/v1/events`; nothing is decided here.

mod listen;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::client::Client;
use super::{End, Global, NO, UNREACHABLE, USAGE};
use crate::catalog::{process_env, words};
use crate::chat::terminal::{Partner, Terminal, Told, interactive};
use crate::domain::command::complete::Completion;
use crate::domain::command::spec::{CommandSpec, Lexicon};
use crate::domain::id::PersonId;
use crate::domain::reject::{Reject, RejectCode};
use listen::{Begun, Listening};

/// How long the server may take to say who listens.
const GREETING: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// As whom (with the administrator's token of the data directory; a personal token is given by OPSBELL_TOKEN)
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    /// The channel to sit in: what is said goes there, and only what concerns it is shown
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    let token = process_env("OPSBELL_TOKEN").filter(|token| !token.is_empty());
    if token.is_none() && args.person.is_none() {
        let asked = anyhow!("say who you are: --as NAME, or a personal token in OPSBELL_TOKEN");
        return Err(End::Failed(USAGE, asked));
    }
    let client = Client::find(global, token)?;
    let (person, channel) = (args.person.clone(), args.channel.clone());
    let listening = Listening::new(&client, person.as_deref(), channel.as_deref())?;
    let (begin, begun) = crossbeam_channel::bounded(1);
    let (show, shown) = crossbeam_channel::bounded::<Arc<Terminal>>(1);
    // It ends with the process.
    std::thread::Builder::new()
        .name("listen".into())
        .spawn(move || listening.run(&begin, &shown))
        .context("no thread to listen")?;
    let who = match begun.recv_timeout(GREETING) {
        Ok(Begun::As(who)) => who,
        Ok(Begun::Refused(why)) => return Err(End::Failed(NO, anyhow!(why))),
        Ok(Begun::Unreachable(why)) => return Err(End::Failed(UNREACHABLE, anyhow!(why))),
        Err(_) => return Err(End::Failed(UNREACHABLE, anyhow!("the server has not answered in time"))),
    };

    let history = interactive().then(history).flatten();
    let terminal = Terminal::of_process(who.clone(), history, Box::new(())).context("the terminal cannot be opened")?;
    let terminal = Arc::new(terminal);
    if interactive() {
        let place = channel.as_deref().map(|channel| format!(" in {channel}")).unwrap_or_default();
        let hello = format!("You are {who}{place} at {}. /help lists what you can say, /quit ends.", client.base());
        // A closed output ends the conversation below.
        let _ = terminal.print(&hello);
    }
    let _ = show.send(Arc::clone(&terminal));
    let server = Arc::new(Server { client, person, channel });
    terminal.converse_with(server).context("the terminal cannot be read")?;
    Ok(())
}

/// Where lines of earlier conversations are kept: beside the person's other state (XDG Base Directory).
fn history() -> Option<std::path::PathBuf> {
    let set = |name: &str| process_env(name).filter(|value| !value.is_empty()).map(std::path::PathBuf::from);
    let dir = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?.join("opsbell");
    std::fs::create_dir_all(&dir).ok()?;
    Some(dir.join("chat-history"))
}

/// A server, as the other side of a conversation.
struct Server {
    client: Client,
    /// Named to the server beside the administrator's token.
    person: Option<String>,
    channel: Option<String>,
}

/// Why the server does not answer as asked.
fn refused(status: u16, body: &Value) -> Reject {
    let part = |name: &str| body["error"][name].as_str().filter(|text| !text.is_empty());
    let message = part("message").map_or_else(|| format!("refused with HTTP {status}"), str::to_owned);
    let reject = Reject::new(RejectCode::Conflict, message);
    match part("hint") {
        Some(hint) => reject.hint(hint),
        None => reject,
    }
}

/// What stands in a query's value as it is, the rest as `%XX` (RFC 3986, 2.3).
fn in_query(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Partner for Server {
    fn answer(&self, _: &PersonId, line: &str) -> Result<Told, Reject> {
        let mut body = json!({ "text": line });
        for (name, value) in [("as", &self.person), ("channel", &self.channel)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        let answered = self.client.send(reqwest::Method::POST, "/v1/say", Some(&body), None);
        match answered {
            Ok((200, body)) => Ok(Told { ok: true, text: body["text"].as_str().unwrap_or_default().to_owned() }),
            Ok((status, body)) => Err(refused(status, &body)),
            Err(_) => Err(Reject::new(RejectCode::Conflict, "no answer; it may have taken effect all the same")
                .hint("look how things are when the connection is back: /status")),
        }
    }

    fn complete(&self, _: &PersonId, text: &str, _: &[CommandSpec]) -> Vec<Completion> {
        let who = self.person.as_ref().map(|person| format!("&as={}", in_query(person))).unwrap_or_default();
        let path = format!("/v1/complete?text={}{who}", in_query(text));
        let Ok((200, body)) = self.client.send(reqwest::Method::GET, &path, None, None) else { return Vec::new() };
        let word = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let item = |item: &Value| {
            let from = usize::try_from(item["replace_from"].as_u64()?).ok()?;
            // A cut inside a character would be a server's mistake, not a reason to fall over.
            text.is_char_boundary(from).then(|| Completion {
                replace_from: from,
                text: word(item, "text"),
                description: word(item, "description"),
            })
        };
        body["items"].as_array().into_iter().flatten().filter_map(item).collect()
    }

    /// Opsbell's own words; an organisation's own are completed, and have no hint.
    fn lexicon(&self) -> Option<Lexicon> {
        Some(words::builtin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_whole_in_a_query() {
        assert_eq!(in_query("/ack INC-1&as=x é"), "%2Fack%20INC-1%26as%3Dx%20%C3%A9");
        assert_eq!(in_query(""), "");
    }

    #[test]
    fn a_refusal_is_told_with_its_next_step_and_never_empty() {
        let told = refused(422, &json!({"error": {"message": "no", "hint": "try"}}));
        assert_eq!((told.message.as_str(), told.hint.as_deref()), ("no", Some("try")));
        for odd in [Value::Null, json!("x"), json!({"error": {"message": ""}}), json!({"error": []})] {
            assert_eq!(refused(502, &odd).message, "refused with HTTP 502");
        }
    }
}

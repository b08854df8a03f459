//! `opsbell health`: asks the server; 0 when it is ready, 1 when it is not, 3 when nobody answers.

use super::client::Client;
use super::{End, Global, NO, out};

pub fn run(global: &Global) -> Result<(), End> {
    // Health needs no token.
    let client = Client::find(global, Some(String::new()))?;
    let (status, answer) = client.send(reqwest::Method::GET, "/readyz", None, None)?;
    if global.json {
        out(&answer)?;
    }
    if status == 200 {
        if !global.json {
            out("ready")?;
            if let Some(chat) = answer["chat"].as_str() {
                out(chat_line(chat))?;
            }
            if answer["config"] == "not-in-force" {
                out(
                    "the configuration is not in force, the one before it is: the log and the operators' notice say why",
                )?;
            }
        }
        return Ok(());
    }
    if !global.json {
        let why = answer.pointer("/error/message").and_then(|why| why.as_str()).unwrap_or("not ready");
        out(why)?;
    }
    Err(End::Status(NO))
}

fn chat_line(chat: &str) -> String {
    match chat {
        "refused" => "Discord refuses us: `opsbell discord check` says why".to_owned(),
        other => format!("Discord: {other}"),
    }
}

//! `opsbell discord check`: whether a page would arrive in Discord, asked of Discord itself.

use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::{End, Global, NO, USAGE, check, out};
use crate::catalog;
use crate::chat::discord::Discord;
use crate::chat::discord::inspect::{Looked, Stands};

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Ask Discord whether every page would arrive: token, intents, guild, channels, commands, people
    Check,
}

pub fn run(global: &Global, verb: &Verb) -> Result<(), End> {
    let Verb::Check = verb;
    let dir = global.config();
    let loaded = check::load(&dir)?;
    let Some(config) = loaded.config else {
        check::print(&loaded.findings, global.json)?;
        return Err(End::Failed(USAGE, anyhow!("{}: the configuration has errors", dir.display())));
    };
    let Some(settings) = config.chat.get("discord") else {
        return Err(End::Failed(
            USAGE,
            anyhow!("{}: there is no [chat.discord]; docs/discord.md begins with it", dir.display()),
        ));
    };
    let Some(token) = config.secrets.chat.get("discord") else {
        check::print(&catalog::missing_secrets(&config), global.json)?;
        return Err(End::Failed(USAGE, anyhow!("the bot's token is not set")));
    };
    let discord = Discord::new(settings, token, Arc::new(config.org.clone())).context("[chat.discord]")?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().context("tokio")?;
    let all = tokio.block_on(discord.inspect());
    if global.json {
        let items: Vec<serde_json::Value> = all.iter().map(json).collect();
        out(serde_json::json!({"items": items}))?;
    } else {
        for looked in &all {
            out(line(looked))?;
        }
    }
    if all.iter().any(|looked| matches!(looked.state, Stands::Lost(_))) {
        return Err(End::Status(NO));
    }
    Ok(())
}

fn words(state: &Stands) -> (&'static str, &str) {
    match state {
        Stands::Well(text) => ("ok", text),
        Stands::Note(text) => ("note", text),
        Stands::Lost(text) => ("LOST", text),
    }
}

fn line(looked: &Looked) -> String {
    let (word, text) = words(&looked.state);
    format!("{word:<5} {}: {text}", looked.what)
}

fn json(looked: &Looked) -> serde_json::Value {
    let (word, text) = words(&looked.state);
    serde_json::json!({"what": looked.what, "state": word.to_lowercase(), "text": text})
}

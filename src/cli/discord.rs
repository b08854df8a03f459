//! `opsbell discord check`: whether a page would arrive in Discord, asked of Discord itself.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::{End, Global, NO, USAGE, check, out};
use crate::catalog;
use crate::chat::discord::Discord;
use crate::chat::discord::inspect::{Looked, Stands};
use crate::domain::connect::{self, Links};
use crate::domain::event::Event;
use crate::journal::{self, RealDisk};

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
        return Err(End::Failed(
            USAGE,
            anyhow!(
                "the bot's token is not set: export OPSBELL_DISCORD_TOKEN=… (docs/discord.md, step 1), or name its file by token_file"
            ),
        ));
    };
    let discord = Discord::new(settings, token, Arc::new(config.org.clone())).context("[chat.discord]")?;
    let journal = global.data().join("journal");
    if journal.is_dir() {
        let mut links = Linked::default();
        journal::export(&RealDisk, &journal, 1, u64::MAX, &mut links)
            .with_context(|| format!("{}: who is linked cannot be read", journal.display()))?;
        discord.know_links(links.links);
    }
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

/// Reads the lines of a journal for who is linked to which account; needs no lock, so a server may run.
#[derive(Default)]
struct Linked {
    links: Links,
    line: Vec<u8>,
}

impl Linked {
    fn heard(&mut self) {
        let line = std::mem::take(&mut self.line);
        // Most lines are about something else.
        let about = |part: &[u8]| line.windows(part.len()).any(|window| window == part);
        if !about(b"\"account.linked\"") && !about(b"\"account.unlinked\"") {
            return;
        }
        let commit: Value = serde_json::from_slice(&line).unwrap_or_default();
        for event in commit["events"].as_array().into_iter().flatten() {
            if let Ok(event) = serde_json::from_value::<Event>(event.clone()) {
                connect::relink(&mut self.links, &event);
            }
        }
    }
}

impl Write for Linked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            if *byte == b'\n' { self.heard() } else { self.line.push(*byte) }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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

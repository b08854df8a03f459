//! Hearing: what a dispatch of the gateway leads to, and what is put in order when a session begins.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::gateway::{Hears, INTENTS, MESSAGE_CONTENT, NoGateway, WRONG_TOKEN};
use super::limit::Urgency;
use super::place::{read_all, several};
use super::rest::{Call, CallError};
use super::wire::{Application, Guild, Interaction, Message, Ready};
use super::{Discord, Sign, Stands, answer, register};
use crate::domain::actor::By;
use crate::domain::alert::text::{Heard, SOURCE, hear};
use crate::domain::id::RequestId;
use crate::domain::input::{Input, InputKind, Place};
use crate::domain::org::Org;

/// Whether messages of others are read for alerts; Discord tells their words only to who asked for them at the start.
pub(super) fn reads_text(org: &Org) -> bool {
    org.integrations.values().any(|integration| integration.source == SOURCE)
}

/// The ears of Discord.
pub struct Ears(Arc<Discord>);

impl Ears {
    /// Of this one.
    pub fn new(discord: Arc<Discord>) -> Self {
        Self(discord)
    }
}

impl Hears for Ears {
    async fn address(&self) -> Result<String, NoGateway> {
        let call = Call::new("GET /gateway/bot", "/gateway/bot".into(), "");
        let call = call.urgency(Urgency::Page, Duration::from_secs(10));
        let told = match self.0.rest.call(&call).await {
            Ok(told) => told,
            Err(CallError::Refused { status: 401, .. }) => {
                return Err(NoGateway::Hopeless(WRONG_TOKEN.to_owned()));
            }
            Err(error) => return Err(NoGateway::Lost(error.to_string())),
        };
        let limit = &told["session_start_limit"];
        if limit["remaining"].as_u64() == Some(0) {
            let wait = limit["reset_after"].as_u64().unwrap_or(60_000).min(3_600_000);
            tracing::warn!(wait_ms = wait, "Discord allows no further session for now");
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        let url = told["url"].as_str().unwrap_or_default();
        if url.starts_with("ws://") || url.starts_with("wss://") {
            return Ok(url.to_owned());
        }
        Err(NoGateway::Lost("GET /gateway/bot names no gateway".to_owned()))
    }

    fn token(&self) -> String {
        self.0.token.expose().trim().to_owned()
    }

    fn intents(&self) -> u64 {
        if reads_text(&self.0.force().org) { INTENTS | MESSAGE_CONTENT } else { INTENTS }
    }

    fn ready(&self, ready: &Ready) {
        tracing::info!(account = %ready.user.username, "Discord is connected");
        self.0.with_known(|known| {
            known.me = Some(ready.user.id.clone());
            known.guilds = ready.guilds.iter().map(|guild| guild.id.clone()).collect();
            if let Some(application) = &ready.application {
                known.application = Some(application.id.clone());
            }
        });
        self.0.stands(Stands::Connected);
        let guilds = self.0.with_known(|known| known.guilds.clone());
        if self.0.force().settings.guild.is_none() && guilds.len() > 1 {
            self.trouble(&format!("In Discord {}. Until then nothing is said in channels.", several(&guilds)));
        }
        self.0.refresh_channels();
        self.0.reconcile.notify_one();
        self.0.commands.notify_one();
    }

    fn resumed(&self) {
        self.0.stands(Stands::Connected);
        tracing::info!("Discord is connected again");
    }

    fn dispatch(&self, name: &str, data: &str) {
        match name {
            "INTERACTION_CREATE" => match serde_json::from_str::<Interaction>(data) {
                Ok(interaction) => answer::take(&self.0, interaction),
                Err(error) => tracing::warn!(%error, "an interaction cannot be read"),
            },
            "MESSAGE_CREATE" => match serde_json::from_str::<Message>(data) {
                Ok(message) => self.0.read_alert(&message),
                // It may have been an alert.
                Err(error) => {
                    tracing::warn!(%error, "a message in Discord cannot be read; an alert in it would be lost");
                    self.0.sign(Sign::Unread);
                }
            },
            "MESSAGE_REACTION_ADD" => match serde_json::from_str(data) {
                Ok(reaction) => self.0.reacted(reaction),
                Err(error) => tracing::debug!(%error, "a reaction cannot be read"),
            },
            "GUILD_CREATE" => match serde_json::from_str::<Guild>(data) {
                Ok(guild) => self.0.learn(&guild),
                Err(error) => tracing::debug!(%error, "a guild cannot be read"),
            },
            "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "CHANNEL_DELETE" | "GUILD_DELETE" => {
                self.0.refresh_channels();
            }
            _ => {}
        }
    }

    fn lost(&self, why: &str) {
        self.0.stands(Stands::Lost);
        tracing::warn!(%why, "Discord's gateway is lost; pages go on by REST");
    }

    fn refused(&self, why: &str) {
        self.0.stands(Stands::Refused);
        tracing::info!(%why, "Discord refuses us");
    }

    fn trouble(&self, what: &str) {
        self.0.tell_operators(what.to_owned());
    }

    fn chance(&self) -> u64 {
        let mut bytes = [0; 2];
        // Without chance the waits are the same everywhere, which is no failure.
        let _ = getrandom::fill(&mut bytes);
        u64::from(u16::from_le_bytes(bytes)) % 1001
    }
}

impl Discord {
    pub(super) fn tell_operators(&self, text: String) {
        tracing::error!(%text, "Discord");
        let kind = InputKind::TellOperators { text };
        // Nobody waits for the answer.
        drop(self.submit(Input { by: By::timer("discord"), idempotency: None, kind, closed: Vec::new() }));
    }

    /// Alerts that other bots and webhooks post as text. What people write is talk, and our own words never loop.
    pub(super) fn read_alert(&self, message: &Message) {
        let own = self.with_known(|known| {
            known.me.as_ref() == Some(&message.author.id)
                || message.application_id.is_some() && known.application == message.application_id
        });
        if own || !(message.author.bot || message.webhook_id.is_some()) {
            return;
        }
        let Some(channel) = &message.channel_id else { return };
        let own_guild = self.force().settings.guild.clone();
        if own_guild.is_some() && message.guild_id.is_some() && own_guild != message.guild_id {
            return;
        }
        if self.with_known(|known| known.waits(message)) {
            return;
        }
        let name = self.channel_name(channel);
        let place = Place {
            chat: super::CAPABILITIES.chat.into(),
            channel: name.into(),
            message: Some(message.id.as_str().into()),
            ..Place::default()
        };
        // By their ids: a webhook can call itself whatever it likes.
        let authors: Vec<&str> =
            [Some(message.author.id.as_str()), message.webhook_id.as_deref()].into_iter().flatten().collect();
        let (request, org) = (RequestId::from(message.id.as_str()), self.force().org);
        let heard = Heard { place: &place, authors: &authors, request: Some(&request), text: &message.text() };
        let mut inputs = hear(&org, &heard);
        for (n, input) in inputs.iter_mut().enumerate() {
            // Told twice (after a RESUME), it counts once.
            input.idempotency = Some(format!("discord-{}-{n}", message.id).into());
        }
        self.submit_alerts(inputs);
    }

    /// Registers the commands whenever that is asked for, for ever: at each session, and when the configuration changed.
    pub(super) async fn keep_commands(self: Arc<Self>) {
        loop {
            self.commands.notified().await;
            self.bring_commands().await;
        }
    }

    async fn bring_commands(&self) {
        for wait in [1, 5, 30, 0] {
            match self.register_commands().await {
                // What is wrong with the token is told by the connection.
                Ok(()) | Err(CallError::Refused { status: 401, .. }) => return,
                Err(CallError::Refused { status, code, message }) => {
                    return self.tell_operators(format!(
                        "Discord does not take the commands: {message} ({status}, code {code}). `opsbell check` says what it would refuse."
                    ));
                }
                Err(error) => tracing::warn!(%error, "the commands could not be registered"),
            }
            tokio::time::sleep(Duration::from_secs(wait)).await;
        }
        self.tell_operators(
            "Discord's commands could not be registered; buttons work. They are tried again at the next connection."
                .to_owned(),
        );
    }

    /// The bot's application.
    pub(super) async fn application(&self) -> Result<String, CallError> {
        if let Some(id) = self.with_known(|known| known.application.clone()) {
            return Ok(id);
        }
        let call = Call::new("GET /applications/@me", "/applications/@me".into(), "");
        let told = self.rest.call(&call).await.map(serde_json::from_value::<Application>);
        let id = match (told, self.with_known(|known| known.me.clone())) {
            (Ok(Ok(told)), _) => told.id,
            // A bot's account has the id of its application, save for the oldest ones; not every server tells it.
            (Ok(Err(_)) | Err(CallError::Refused { status: 404, .. }), Some(me)) => me,
            (Ok(Err(_)), None) => {
                return Err(CallError::NoAnswer { reason: "Discord names no application".into(), unknown: false });
            }
            (Err(error), _) => return Err(error),
        };
        self.with_known(|known| known.application = Some(id.clone()));
        Ok(id)
    }

    /// Registers the commands where they differ from those that are.
    pub(super) async fn register_commands(&self) -> Result<(), CallError> {
        let force = self.force();
        let ours = register::commands(&force.org.lexicon, &force.settings.command_prefix);
        let path = format!("/applications/{}/commands", self.application().await?);
        let theirs = self.rest.call(&Call::new("GET /applications/{}/commands", path.clone(), "")).await?;
        if register::same(&ours, &read_all::<Value>(&theirs)) {
            return Ok(());
        }
        let call = Call::new("PUT /applications/{}/commands", path, "").body(Value::Array(ours));
        self.rest.call(&call).await?;
        tracing::info!("Discord's commands are registered");
        Ok(())
    }
}

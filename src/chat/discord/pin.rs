//! 📌 under a message in an incident's thread: whoever may note something notes that message in the timeline. Said back
//! by ✅ under it. What is noted, and who may, is decided by the engine.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::limit::Urgency;
use super::rest::{Call, CallError};
use super::wire::{Member, Message, id, maybe_id};
use super::{CAPABILITIES, Discord, Force};
use crate::domain::actor::By;
use crate::domain::command::Call as Words;
use crate::domain::id::IncidentId;
use crate::domain::input::{Answer, Input, InputKind, Place};
use crate::domain::paging::look;

/// What pins.
const PIN: &str = "📌";
/// ✅ as it stands in an address.
const DONE: &str = "%E2%9C%85";
/// The longest note, in characters.
const NOTE_MAX: usize = 1_500;
const PATIENCE: Duration = Duration::from_secs(5);

/// Somebody reacted to a message.
#[derive(Debug, Clone, Deserialize)]
pub struct Reaction {
    #[serde(deserialize_with = "id")]
    channel_id: String,
    #[serde(deserialize_with = "id")]
    message_id: String,
    #[serde(default, deserialize_with = "maybe_id")]
    guild_id: Option<String>,
    #[serde(default)]
    member: Member,
    emoji: Emoji,
}

#[derive(Debug, Clone, Deserialize)]
struct Emoji {
    #[serde(default)]
    name: Option<String>,
}

impl Discord {
    /// Notes the message, when it was pinned by somebody who may.
    pub(super) fn reacted(self: &Arc<Self>, reaction: Reaction) {
        let Some(user) = reaction.member.user.clone().filter(|user| !user.bot) else { return };
        if reaction.emoji.name.as_deref() != Some(PIN) {
            return;
        }
        let force = self.force();
        let actor = self.actor(&force, &user, reaction.guild_id.as_deref());
        let granted = super::granted(&force.settings, &reaction.member.roles);
        // Anybody can react to anything: of those who surely may not, no attempt is recorded.
        if actor.person().is_none() && granted.is_none() {
            return;
        }
        let mut by = By::new(actor, CAPABILITIES.chat);
        by.granted = granted;
        by.request = Some(reaction.message_id.as_str().into());
        let discord = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = discord.pin(&force, by, &reaction).await {
                tracing::warn!(%error, "a pinned message could not be noted");
            }
        });
    }

    async fn pin(&self, force: &Force, by: By, reaction: &Reaction) -> Result<(), CallError> {
        let Reaction { channel_id, message_id, .. } = reaction;
        let place = Place {
            chat: CAPABILITIES.chat.into(),
            space: reaction.guild_id.clone().unwrap_or_default().into(),
            channel: channel_id.as_str().into(),
            thread: Some(channel_id.as_str().into()),
            message: Some(message_id.as_str().into()),
        };
        let here = place.clone();
        let room = self.look(move |view| view.state.rooms().find(|incident| incident.is_room(&here)).map(|it| it.id));
        let Ok(Some(incident)) = room.get().await else { return Ok(()) };
        let path = format!("/channels/{channel_id}/messages/{message_id}");
        let call = Call::new("GET /channels/{}/messages/{}", path.clone(), channel_id);
        let message = self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await?;
        let Ok(message) = serde_json::from_value::<Message>(message) else { return Ok(()) };
        // Pinned by several, it is noted once; where the first may not or could not be heard, the next one counts.
        let mut noted = self.pins.lock().await;
        if noted.has(message_id) {
            return Ok(());
        }
        let kind = InputKind::Call { place, call: note(force, incident, reaction, &message) };
        let idempotency = Some(format!("discord-pin-{message_id}").into());
        match self.submit(Input { by, idempotency, kind, closed: Vec::new() }).get().await {
            Ok(Answer { reply: Ok(_), .. }) => drop(noted.first(message_id)),
            Ok(Answer { reply: Err(refused), .. }) => {
                tracing::info!(%refused, "a pin was refused");
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(%error, "a pin was not taken");
                return Ok(());
            }
        }
        drop(noted);
        let path = format!("{path}/reactions/{DONE}/@me");
        let call = Call::new("PUT /channels/{}/messages/{}/reactions/{}/@me", path, channel_id);
        self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await.map(drop)
    }
}

/// The command that notes a message.
fn note(force: &Force, incident: IncidentId, reaction: &Reaction, message: &Message) -> Words {
    let said = message.text();
    let text = if said.trim().is_empty() {
        // Discord tells people's words only to who asked for them (Message Content Intent).
        let guild = reaction.guild_id.as_deref().unwrap_or("@me");
        format!("https://discord.com/channels/{guild}/{}/{}", reaction.channel_id, reaction.message_id)
    } else {
        said
    };
    let text = look::line(&format!("{}: {text}", message.author.username), NOTE_MAX).into_owned();
    super::answer::words_of(force, "incident.note", vec![("text", text), ("incident", incident.to_string())])
}

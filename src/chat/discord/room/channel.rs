//! A room that is a channel of its own under a category, instead of a thread: making it, letting people in, putting it
//! away and fetching it back. Where it cannot be made, the room is a thread. Nothing is ever deleted here.

use serde_json::{Value, json};

use super::{Card, Kept, PATIENCE, Wanted, final_or};
use crate::catalog::Rooms;
use crate::chat::discord::Discord;
use crate::chat::discord::limit::Urgency;
use crate::chat::discord::place::NoPlace;
use crate::chat::discord::rest::{Call, CallError};
use crate::chat::discord::wire::{Channel, value_text};
use crate::domain::delivery::Grant;
use crate::domain::id::IncidentId;
use crate::domain::paging::look as plain_look;

/// What goes before the name of one that is put away.
const CLOSED: &str = "closed-";
/// The longest name.
const NAME_MAX: usize = 100;
/// Of a topic's 1,024 characters, what the incident's line may have.
const TOPIC_MAX: usize = 800;
/// Channels that hold channels.
const CATEGORY: u64 = 4;
/// View Channel, Send Messages, Read Message History.
const MEMBER: u64 = 1 << 10 | 1 << 11 | 1 << 16;

/// `inc-7-payments-api`: nothing of what strangers wrote.
fn name(incident: Option<IncidentId>, service: &str) -> String {
    let id = incident.map_or_else(|| "incident".to_owned(), |id| id.to_string());
    let all = format!("{id}-{service}").to_ascii_lowercase();
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    all.trim_end_matches('-').chars().map(fits).take(NAME_MAX - CLOSED.len()).collect()
}

/// The category that is meant by an id or a name.
fn category<'a>(listed: &'a [Value], wanted: &str) -> Option<&'a Value> {
    let categories = || listed.iter().filter(|channel| channel["type"] == CATEGORY);
    let named = |channel: &&Value| value_text(&channel["name"]).eq_ignore_ascii_case(wanted);
    categories().find(|channel| value_text(&channel["id"]) == wanted).or_else(|| categories().find(named))
}

impl Discord {
    /// All channels of the organisation's guild, with its id.
    pub(in crate::chat::discord) async fn listed(&self) -> Result<(String, Vec<Value>), CallError> {
        let guild = match self.own_guild(PATIENCE).await {
            Ok(guild) => guild,
            Err(NoPlace::Call(error)) => return Err(error),
            Err(NoPlace::Unknown(message)) => return Err(CallError::Refused { status: 404, code: 0, message }),
        };
        let call = Call::new("GET /guilds/{}/channels", format!("/guilds/{guild}/channels"), &guild);
        let listed = self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await?;
        Ok((guild, listed.as_array().cloned().unwrap_or_default()))
    }

    /// The id of a category by its id or name, as far as the bot sees it.
    pub(in crate::chat::discord) async fn category(&self, wanted: &str) -> Result<Option<String>, CallError> {
        let (_, listed) = self.listed().await?;
        Ok(category(&listed, wanted).map(|found| value_text(&found["id"])))
    }

    /// Makes the channel, or finds the one that an earlier try has made. `live`: channel and id of the live message.
    pub(super) async fn make_channel(
        &self,
        grant: &Grant,
        card: Option<&Card>,
        live: (&str, &str),
        under: &str,
    ) -> Result<String, CallError> {
        let (guild, listed) = self.listed().await?;
        // Names may come again with another data directory; the delivery's id does not.
        let mark = format!("({})", grant.id);
        let made = |channel: &&Value| channel["type"] == 0 && value_text(&channel["topic"]).ends_with(&mark);
        if let Some(made) = listed.iter().find(made) {
            return Ok(value_text(&made["id"]));
        }
        let Some(parent) = category(&listed, under) else {
            let message = format!("there is no category `{under}` that the bot sees");
            return Err(CallError::Refused { status: 404, code: 0, message });
        };
        let line = card.map_or_else(|| "Incident".to_owned(), |card| card.headline.clone());
        let line = plain_look::line(&line, TOPIC_MAX);
        let topic = format!("{line} · https://discord.com/channels/{guild}/{}/{} {mark}", live.0, live.1);
        let body = json!({
            "name": name(grant.incident, card.map_or("", |card| card.service.as_str())),
            "type": 0,
            "topic": topic,
            "parent_id": value_text(&parent["id"]),
        });
        let call = Call::new("POST /guilds/{}/channels", format!("/guilds/{guild}/channels"), &guild);
        let made = self.rest.call(&call.body(body).urgency(Urgency::Other, PATIENCE)).await?;
        match serde_json::from_value::<Channel>(made) {
            Ok(made) => Ok(made.id),
            Err(_) => Err(CallError::NoAnswer { reason: "Discord made no channel".into(), unknown: true }),
        }
    }

    /// Whether a room is a channel of its own. A thread has the id of the message that it was started from; of others it
    /// is asked once.
    pub(super) async fn is_channel(&self, room: &Wanted, kept: &mut Kept) -> Result<bool, CallError> {
        let Some(place) = room.place.thread.as_deref() else { return Ok(false) };
        if room.place.message.as_deref() == Some(place) {
            return Ok(false);
        }
        if let Some(known) = kept.channel {
            return Ok(known);
        }
        let call = Call::new("GET /channels/{}", format!("/channels/{place}"), place);
        let found = match self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await {
            Ok(told) => {
                // Put away before this process began: to be fetched back where the incident goes on.
                if told["name"].as_str().is_some_and(|name| name.starts_with(CLOSED)) {
                    kept.archived = Some(true);
                }
                told["type"] == 0
            }
            Err(error @ CallError::Refused { .. }) => {
                final_or(Err(error))?;
                false
            }
            Err(error) => return Err(error),
        };
        kept.channel = Some(found);
        Ok(found)
    }

    /// Puts the channel of a closed incident away, or fetches it back: another name, and its other category.
    pub(super) async fn put_away(&self, channel: &str, room: &Wanted, away: bool) -> Result<(), CallError> {
        let name = name(Some(room.id), &room.service);
        let mut body = json!({"name": if away { format!("{CLOSED}{name}") } else { name }});
        if let Rooms::Channels { category: under, archive } = &self.force().settings.rooms {
            let wanted = if away { archive.as_deref() } else { Some(under.as_str()) };
            if let Some(wanted) = wanted.filter(|_| archive.is_some())
                && let Some(parent) = self.category(wanted).await?
            {
                body["parent_id"] = json!(parent);
            }
        }
        let call = Call::new("PATCH /channels/{}", format!("/channels/{channel}"), channel);
        final_or(self.rest.call(&call.body(body).urgency(Urgency::Other, PATIENCE)).await)
    }

    /// An account sees the channel, also where its category is hidden; without leave to say so it is left as it is.
    pub(super) async fn admit(&self, channel: &str, account: &str) -> Result<(), CallError> {
        let path = format!("/channels/{channel}/permissions/{account}");
        let call = Call::new("PUT /channels/{}/permissions/{}", path, channel);
        let call = call.body(json!({"type": 1, "allow": MEMBER, "deny": 0}));
        final_or(self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_discord_takes_whatever_a_service_is_called() {
        assert_eq!(name(Some(IncidentId(7)), "payments-api"), "inc-7-payments-api");
        assert_eq!(name(Some(IncidentId(7)), ""), "inc-7");
        assert_eq!(name(None, "Ö @everyone/x"), "incident----everyone-x");
        let long = name(Some(IncidentId(7)), &"x".repeat(300));
        assert!(format!("{CLOSED}{long}").chars().count() <= NAME_MAX);
    }

    #[test]
    fn a_category_is_found_by_id_first_and_a_channel_is_none() {
        let listed = [
            json!({"id": "1", "type": 0, "name": "Incidents"}),
            json!({"id": "2", "type": 4, "name": "incidents"}),
            json!({"id": "3", "type": 4, "name": "2"}),
        ];
        let id = |wanted| category(&listed, wanted).map(|found| value_text(&found["id"]));
        assert_eq!(id("Incidents").as_deref(), Some("2"));
        assert_eq!(id("2").as_deref(), Some("2"));
        assert_eq!(id("1"), None);
    }
}

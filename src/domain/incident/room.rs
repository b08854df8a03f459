//! The room of an incident: a live status message in its team's channel, with a thread for those who work on it. Which
//! incidents have one, and what is said where, is decided here; the chat makes it, and its receipt says where it is. A
//! chat without threads says the line that asked for the room, and all goes on in the channel. What the live message
//! shows follows from State and is the chat's work.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::apply::Stamp;
use super::record::Incident;
use crate::domain::delivery::{ChannelRef, Content, Delivery, Destination, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, IncidentId};
use crate::domain::input::Place;

/// More rooms than this are not open at once: in a storm of alerts a thread for each would bury them all.
pub const ROOMS_MAX: usize = 50;

/// Where an incident is worked on in chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The channel, the live message and the thread; `None` until the chat has made them (or for good, where it has no
    /// rooms). Without `thread` all is said in the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Incident {
    /// Whether it is worth a room: somebody declared it, or it is bad. A private one has none: others would read along.
    fn deserves_room(&self) -> bool {
        let declared = self.place.is_some();
        !self.private && self.state.open() && (declared || self.severity.high_urgency())
    }

    /// Its thread, as a channel that lines can be sent to.
    pub fn thread(&self) -> Option<ChannelRef> {
        let place = self.room.as_ref()?.place.as_ref()?;
        Some(ChannelRef { chat: Some(place.chat.clone()), name: place.thread.clone()? })
    }

    /// Whether something was said in its thread, or in the channel that it has instead.
    pub fn is_room(&self, place: &Place) -> bool {
        let room = self.room.as_ref().and_then(|room| room.place.as_ref());
        let here = place.thread.as_ref().unwrap_or(&place.channel);
        room.is_some_and(|room| room.chat == place.chat && room.thread.as_ref() == Some(here))
    }

    /// A room was asked for.
    pub(super) fn room_owed(&mut self, content: &Content) {
        if matches!(content, Content::Room { .. }) {
            self.room = Some(Box::default());
        }
    }

    /// The chat has made the room.
    pub(super) fn room_made(&mut self, place: Option<&Place>) {
        if let (Some(room), Some(place)) = (&mut self.room, place) {
            room.place = Some(place.clone());
        }
    }

    /// A delivery will never arrive; when it asked for the room, there is none, and the next line asks again.
    pub(super) fn room_failed(&mut self, delivery: &DeliveryId) {
        let asked = |kept: &Delivery| matches!(kept.content.as_deref(), Some(Content::Room { .. }));
        if self.delivery(delivery).is_some_and(asked) {
            self.room = None;
        }
    }

    /// The thread is gone: from now on all is said in the channel.
    pub(super) fn room_lost(&mut self, stamp: &Stamp<'_>, reason: &CompactString) {
        if let Some(place) = self.room.as_mut().and_then(|room| room.place.as_mut()) {
            place.thread = None;
            self.say(stamp, compact_str::format_compact!("its thread cannot be used any more: {reason}"));
        }
    }
}

/// Says a line about an incident: in its thread, where it has one, else in the team's channel. `everywhere`: in both.
/// The first line about an incident that deserves a room asks for it.
pub fn say(draft: &mut Draft<'_>, id: IncidentId, content: Content, everywhere: bool) {
    let Some(incident) = draft.incident(id) else { return };
    let channel = draft.channel(incident).cloned();
    let thread = incident.thread().filter(|_| draft.org.chat_connected);
    let asks = incident.room.is_none() && incident.deserves_room() && draft.state.rooms().count() < ROOMS_MAX;
    let only_there = thread.is_some() && !everywhere;
    if let Some(channel) = channel.filter(|_| !only_there) {
        let owe = |draft: &mut Draft<'_>, content| {
            draft.owe(Some(id), None, Destination::Channel(channel.clone()), Priority::Post, content);
        };
        match &content {
            Content::Post { text } if asks => owe(draft, Content::Room { text: text.clone() }),
            // What is more than a line is said beside the room that it asks for.
            Content::Question { .. } | Content::Progress { .. } if asks => {
                let about = draft.incident(id).map(super::show::headline).unwrap_or_default();
                owe(draft, Content::Room { text: about });
                owe(draft, content.clone());
            }
            _ => owe(draft, content.clone()),
        }
    }
    if let Some(thread) = thread {
        draft.owe(Some(id), None, Destination::Channel(thread), Priority::Post, content);
    }
}

/// A line will never arrive in the thread that it was for: it is said in the channel, unless it was said there too.
pub fn fall_back(draft: &mut Draft<'_>, id: Option<IncidentId>, delivery: &Delivery, reason: &CompactString) {
    let Some(incident) = id.and_then(|id| draft.incident(id)) else { return };
    let Destination::Channel(to) = &delivery.to else { return };
    // Only its thread is a channel other than its team's; it may have been given up by the line before this one.
    let lost = incident.room.as_ref().is_some_and(|room| room.place.is_some());
    if !lost || draft.channel(incident) == Some(to) {
        return;
    }
    let known = incident.thread().as_ref() == Some(to);
    let twin = |other: &Delivery| {
        let channel = matches!(other.to, Destination::Channel(_)) && other.to != delivery.to;
        other.id.seq == delivery.id.seq && channel
    };
    let (id, told) = (incident.id, incident.deliveries.iter().any(twin));
    if known {
        draft.emit(Event::RoomLost { incident: id, reason: reason.clone() });
    }
    if let (Some(content @ (Content::Post { .. } | Content::Question { .. } | Content::Progress { .. })), false) =
        (delivery.content.as_deref(), told)
    {
        say(draft, id, content.clone(), false);
    }
}

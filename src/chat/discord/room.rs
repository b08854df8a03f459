//! Rooms: an incident's live status message in its team's channel, with a thread started from it (or, where the
//! configuration says so, a channel of its own: `channel`). Making one is a delivery with a receipt that says where it is (`open_room`). What it then shows, who is in it, whether it is pinned
//! or archived is desired state: `keep` looks at State when something has become durable, and brings Discord there.
//! Edits coalesce (the newest wins), write nothing into the journal, and are made anew after an outage. Which incidents
//! have a room, and what is said in it, is the domain's business.

mod channel;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use super::limit::Urgency;
use super::look::{self, Card, Said};
use super::place::NoPlace;
use super::rest::{Call, CallError};
use super::send::{UNKNOWN_CHANNEL, outcome, urgency_of};
use super::wire::Channel;
use super::{CAPABILITIES, Discord};
use crate::catalog::Rooms;
use crate::domain::connect;
use crate::domain::delivery::{ChannelRef, Grant, Outcome};
use crate::domain::desk::{Desk, RecordList, RecordQuery, View};
use crate::domain::id::{IncidentId, PersonId};
use crate::domain::incident::{Incident, IncidentState, Severity};
use crate::domain::input::Place;
use crate::domain::org::Org;
use crate::domain::paging::look as plain_look;
use crate::domain::time::Span;

/// Changes within this time become one edit.
const COALESCE: Duration = Duration::from_millis(1_500);
/// The wait before what could not be brought there is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// What an edit waits for its turn before the next room has its own.
const PATIENCE: Duration = Duration::from_secs(2);
/// A closed incident's room is put in order when a process begins, if it was closed within this time.
const LATELY: Span = Span::secs(3_600);
/// Minutes without a word after which Discord archives a thread by itself: a week, its longest.
const ARCHIVE_AFTER_MINS: u32 = 10_080;
/// "A thread has already been created for this message".
const HAS_THREAD: u64 = 160_004;
/// Tries to make a thread; after so many the room goes without.
const THREAD_TRIES: u16 = 5;
/// Rooms that are remembered beside those that are open.
const KEPT_MAX: usize = 1_000;
/// Messages without their thread that are remembered.
const BEGUN_MAX: usize = 1_000;

impl Discord {
    /// Makes a room: the live message, and a thread started from it. Without leave for threads it is the message alone.
    pub(super) async fn open_room(&self, grant: &Grant, channel: &ChannelRef) -> Outcome {
        if let Some(chat) = channel.chat.as_ref().filter(|chat| *chat != CAPABILITIES.chat) {
            let reason = format!("channel {channel} is on {chat}, which is not connected");
            return Outcome::Permanent { reason };
        }
        let rooms = self.force().settings.rooms.clone();
        if rooms == Rooms::Off {
            // The line that asked for it is said like any other.
            let said = look::grant(grant, None, None, &self.force().hints());
            return outcome(self.to_channel(channel, &said, grant).await);
        }
        let id = match self.channel_id(&channel.name, urgency_of(grant).1).await {
            Ok(id) => id,
            Err(error) => return outcome(Err(error)),
        };
        let key = grant.id.to_string();
        let begun = self.with_known(|known| known.begun.get(&key).cloned());
        let card = self.card_of(grant).await;
        let message = match begun {
            Some(message) => message,
            None => {
                let line = || look::grant(grant, None, None, &self.force().hints());
                let said = card.as_ref().map_or_else(line, |card| card.live_said(None));
                match self.post(&id, &said, grant).await {
                    Ok(message) => message,
                    Err(error) => {
                        if error.code() == Some(UNKNOWN_CHANNEL) {
                            self.with_known(|known| known.forget_channel(&channel.name));
                        }
                        return outcome(Err(NoPlace::Call(error)));
                    }
                }
            }
        };
        let mut place = Place {
            chat: CAPABILITIES.chat.into(),
            channel: id.as_str().into(),
            message: Some(message.as_str().into()).filter(|message: &compact_str::CompactString| !message.is_empty()),
            ..Place::default()
        };
        let mut made = match &rooms {
            Rooms::Channels { category, .. } => {
                self.make_channel(grant, card.as_ref(), (&id, &message), category).await
            }
            _ => self.make_thread(&id, &message, card.as_ref()).await,
        };
        if let (Rooms::Channels { .. }, Err(error @ CallError::Refused { .. })) = (&rooms, &made) {
            tracing::warn!(%error, "a room has no channel of its own; `opsbell discord check` says what the bot lacks");
            made = self.make_thread(&id, &message, card.as_ref()).await;
        }
        match made {
            Ok(thread) => place.thread = Some(thread.as_str().into()),
            Err(error @ CallError::Refused { .. }) => {
                tracing::warn!(%error, "a room has no thread; `opsbell discord check` says what the bot lacks");
            }
            Err(error) if grant.attempt < THREAD_TRIES => {
                self.with_known(|known| {
                    if known.begun.len() >= BEGUN_MAX {
                        known.begun.clear();
                    }
                    known.begun.insert(key, message);
                });
                return outcome(Err(NoPlace::Call(error)));
            }
            Err(error) => tracing::warn!(%error, "a room goes without its thread"),
        }
        self.with_known(|known| known.begun.remove(&key));
        Outcome::Placed(Box::new(place))
    }

    async fn card_of(&self, grant: &Grant) -> Option<Card> {
        let id = grant.incident?;
        let card = self.look(move |view| {
            let incident = view.state.incidents.get(&id).filter(|incident| !incident.private)?;
            Some(Card::of(incident, view.org, &view.state.meta.install))
        });
        timeout(PATIENCE, card.get()).await.ok()?.ok()?
    }

    async fn make_thread(&self, channel: &str, message: &str, card: Option<&Card>) -> Result<String, CallError> {
        let name = card.map_or_else(|| "Incident".to_owned(), |card| card.headline.clone());
        let body = json!({
            "name": plain_look::line(&name, 100).chars().take(100).collect::<String>(),
            "auto_archive_duration": ARCHIVE_AFTER_MINS,
        });
        let path = format!("/channels/{channel}/messages/{message}/threads");
        let call = Call::new("POST /channels/{}/messages/{}/threads", path, channel);
        let call = call.body(body).urgency(Urgency::Other, PATIENCE);
        match self.rest.call(&call).await {
            Ok(thread) => Ok(serde_json::from_value::<Channel>(thread).map_or_else(|_| message.to_owned(), |it| it.id)),
            // A thread has the id of the message that it was started from.
            Err(error) if error.code() == Some(HAS_THREAD) => Ok(message.to_owned()),
            Err(error) => Err(error),
        }
    }
}

/// A room as it should be.
struct Wanted {
    id: IncidentId,
    place: Place,
    /// Differs whenever something happened to the incident.
    mark: usize,
    body: Value,
    state: IncidentState,
    severity: Severity,
    service: String,
    people: Vec<PersonId>,
}

impl Wanted {
    /// Of an incident whose room stands, unless nothing has happened since `seen`.
    fn of(incident: &Incident, org: &Org, install: &str, seen: Option<usize>) -> Option<Self> {
        let place = incident.room.as_ref()?.place.clone().filter(|place| place.chat == CAPABILITIES.chat)?;
        // Whatever is seen of an incident writes a line into its timeline.
        let mark = incident.timeline.len() + usize::try_from(incident.timeline_folded).unwrap_or(0);
        if incident.private || seen == Some(mark) {
            return None;
        }
        let said: Said = Card::of(incident, org, install).live_said(None);
        let opened_by = incident.opened_by.person().into_iter();
        Some(Self {
            id: incident.id,
            place,
            mark,
            body: said.edit(),
            state: incident.state,
            severity: incident.severity,
            service: incident.service.to_string(),
            people: opened_by.chain(&incident.roles.responders).cloned().collect(),
        })
    }
}

/// A room as it is, as far as this process has seen it.
#[derive(Default)]
struct Kept {
    /// Of what the incident was when all was brought there.
    mark: Option<usize>,
    shown: Value,
    inside: BTreeSet<PersonId>,
    pinned: Option<bool>,
    archived: Option<bool>,
    /// Whether it is a channel of its own, where that had to be asked.
    channel: Option<bool>,
}

/// Brings rooms to what State says, for ever.
pub async fn keep(discord: Arc<Discord>, desk: Arc<dyn Desk>, mut durable: watch::Receiver<Option<u64>>) {
    let mut kept: BTreeMap<IncidentId, Kept> = BTreeMap::new();
    let (mut first, mut all_well) = (true, false);
    loop {
        if !first {
            tokio::select! {
                changed = durable.changed() => if changed.is_err() { return },
                () = discord.reconcile.notified() => kept.values_mut().for_each(|kept| kept.mark = None),
                () = sleep(AGAIN), if !all_well => {}
            }
        }
        sleep(COALESCE).await;
        if durable.borrow_and_update().is_none() {
            return;
        }
        let wanted = wanted(&discord, &*desk, &kept, first).await;
        all_well = wanted.is_some();
        first &= !all_well;
        for room in wanted.into_iter().flatten() {
            let held = kept.entry(room.id).or_default();
            match discord.bring(&room, held).await {
                Ok(()) => held.mark = Some(room.mark),
                Err(error) => {
                    tracing::debug!(%error, incident = %room.id, "a room is not yet as it should be");
                    all_well = false;
                }
            }
        }
        if kept.len() > KEPT_MAX {
            kept.retain(|_, kept| kept.archived != Some(true));
        }
    }
}

/// Rooms to which something has happened: those of State, of incidents that were closed meanwhile, and, when a process
/// begins, of those closed lately. `None`: the engine cannot be asked just now.
async fn wanted(
    discord: &Discord,
    desk: &dyn Desk,
    kept: &BTreeMap<IncidentId, Kept>,
    first: bool,
) -> Option<Vec<Wanted>> {
    let seen: BTreeMap<IncidentId, Option<usize>> = kept.iter().map(|(id, kept)| (*id, kept.mark)).collect();
    // One that is archived is left alone, unless it is reopened.
    let over: BTreeSet<IncidentId> =
        kept.iter().filter(|(_, kept)| kept.archived == Some(true)).map(|(id, _)| *id).collect();
    let look = discord.look(move |view: &View<'_>| {
        let mark = |incident: &Incident| seen.get(&incident.id).copied().flatten();
        let of = |incident| Wanted::of(incident, view.org, &view.state.meta.install, mark(incident));
        let wanted: Vec<Wanted> = view.state.rooms().filter_map(of).collect();
        let closed: Vec<IncidentId> =
            seen.keys().filter(|id| !over.contains(id) && !view.state.incidents.contains_key(id)).copied().collect();
        (wanted, closed, view.now, Arc::clone(view.org), view.state.meta.install.clone())
    });
    let (mut wanted, closed, now, org, install) = look.get().await.ok()?;
    let mut records = Vec::new();
    for id in closed {
        records.extend(list(desk, RecordQuery::Incident(id)).await?);
    }
    if first {
        let lately = |incident: &Incident| incident.closed_at.is_some_and(|at| now.since(at) <= LATELY);
        let listed = list(desk, RecordQuery::Incidents { below: None, limit: 200 }).await?;
        records.extend(listed.into_iter().filter(lately));
    }
    let of = |incident: &Incident| {
        let seen = kept.get(&incident.id).and_then(|kept| kept.mark);
        Wanted::of(incident, &org, &install, seen)
    };
    wanted.extend(records.iter().filter_map(of));
    Some(wanted)
}

pub(super) async fn list(desk: &dyn Desk, query: RecordQuery) -> Option<Vec<Incident>> {
    let (tell, told) = oneshot::channel();
    desk.list(
        query,
        Box::new(move |listed| {
            let _ = tell.send(listed);
        }),
    );
    match told.await {
        Ok(Ok(RecordList::Incidents(incidents))) => Some(incidents),
        _ => None,
    }
}

impl Discord {
    /// Brings one room there. What Discord refuses for good is left as it is; an error: it is to be tried again.
    async fn bring(&self, room: &Wanted, kept: &mut Kept) -> Result<(), CallError> {
        let channel = room.place.channel.as_str();
        let Some(message) = room.place.message.as_deref() else { return Ok(()) };
        let open = room.state.open();
        let own = self.is_channel(room, kept).await?;
        if let Some(thread) = room.place.thread.as_deref() {
            // Before anything is said to it: what is archived takes no members.
            if room.state != IncidentState::Closed && kept.archived == Some(true) {
                if own { self.put_away(thread, room, false).await } else { self.archive(thread, false).await }?;
                kept.archived = Some(false);
            }
            self.let_in(thread, own, room, kept).await?;
        }
        if kept.shown != room.body {
            let path = format!("/channels/{channel}/messages/{message}");
            let call = Call::new("PATCH /channels/{}/messages/{}", path, channel).body(room.body.clone());
            // Deleted by somebody: the incident goes on without it.
            final_or(self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await)?;
            kept.shown = room.body.clone();
        }
        if kept.pinned != Some(open) && (open || kept.pinned == Some(true) || room.state == IncidentState::Closed) {
            let path = format!("/channels/{channel}/messages/pins/{message}");
            let template =
                if open { "PUT /channels/{}/messages/pins/{}" } else { "DELETE /channels/{}/messages/pins/{}" };
            final_or(self.rest.call(&Call::new(template, path, channel).urgency(Urgency::Other, PATIENCE)).await)?;
            kept.pinned = Some(open);
        }
        if room.state == IncidentState::Closed && kept.archived != Some(true) {
            if let Some(thread) = room.place.thread.as_deref() {
                if own { self.put_away(thread, room, true).await } else { self.archive(thread, true).await }?;
            }
            kept.archived = Some(true);
        }
        Ok(())
    }

    /// Whoever takes part comes into the room, and who wants to know of such incidents.
    async fn let_in(&self, thread: &str, own: bool, room: &Wanted, kept: &mut Kept) -> Result<(), CallError> {
        let settings = self.force().settings;
        let concerned = settings.stakeholders.iter().filter(|one| one.wants(&room.service, room.severity));
        for person in room.people.iter().chain(concerned.map(|one| &one.person)) {
            let Some(account) = self.account(person).filter(|_| !kept.inside.contains(person)) else { continue };
            if own {
                self.admit(thread, &account).await?;
                kept.inside.insert(person.clone());
                continue;
            }
            let path = format!("/channels/{thread}/thread-members/{account}");
            let call = Call::new("PUT /channels/{}/thread-members/{}", path, thread);
            final_or(self.rest.call(&call.urgency(Urgency::Other, PATIENCE)).await)?;
            kept.inside.insert(person.clone());
        }
        Ok(())
    }

    async fn archive(&self, thread: &str, archived: bool) -> Result<(), CallError> {
        let call = Call::new("PATCH /channels/{}", format!("/channels/{thread}"), thread);
        let call = call.body(json!({"archived": archived})).urgency(Urgency::Other, PATIENCE);
        final_or(self.rest.call(&call).await)
    }

    /// The account of a person.
    pub(super) fn account(&self, person: &PersonId) -> Option<String> {
        let force = self.force();
        connect::account_of(&force.org, &force.links, person)
    }
}

/// Takes a refusal as the last word: deleted, locked, not allowed. While Discord recovers it forbids and forgets what is
/// allowed and there, without a number of its own.
pub(super) fn final_or(called: Result<Value, CallError>) -> Result<(), CallError> {
    match called {
        Ok(_) => Ok(()),
        Err(CallError::Refused { status: 403 | 404, code: 0, message }) => {
            Err(CallError::Refused { status: 403, code: 0, message })
        }
        Err(error @ CallError::Refused { .. }) => {
            tracing::info!(%error, "Discord leaves it as it is");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

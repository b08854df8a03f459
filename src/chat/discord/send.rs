//! Sending: a grant becomes a message. A page goes to the person's direct messages with a mention, and when these are
//! closed to the team's channel at once. The delivery's id is the nonce, so that a second try within Discord's window
//! is the same message. What Discord does not take is said again in plain text. When to try again is not decided here.

use std::time::Duration;

use super::limit::Urgency;
use super::look::{self, Said};
use super::place::NoPlace;
use super::rest::{Call, CallError};
use super::wire::Message;
use super::{Discord, plain};
use crate::domain::connect::{self, Links};
use crate::domain::delivery::{ChannelRef, Content, Destination, Grant, Method, Outcome, PageContent, Priority};
use crate::domain::desk::{Sender, Sending};
use crate::domain::incident::private::masked;
use crate::domain::org::Org;
use crate::domain::time::Span;

/// How long a page waits for its turn before it gives its place to others, and for all else.
const PAGE_PATIENCE: Duration = Duration::from_secs(1);
const OTHER_PATIENCE: Duration = Duration::from_secs(2);

/// "Cannot send messages to this user".
const DIRECT_CLOSED: u64 = 50_007;
/// "Unknown channel".
pub(super) const UNKNOWN_CHANNEL: u64 = 10_003;

impl Sender for Discord {
    fn send<'a>(&'a self, grant: &'a Grant, org: &'a Org) -> Sending<'a> {
        Box::pin(async move {
            match &grant.to {
                Destination::Person { person, method: Method::Chat } => {
                    let mut account = connect::account_of(org, &Links::new(), person);
                    if account.is_none() && org.people.contains_key(person) {
                        // Perhaps by /connect, even just now: the engine knows.
                        let Some(links) = self.links().await else {
                            let reason = "whose account is whose is not known yet".to_owned();
                            return Outcome::Retryable { reason, after: None, unknown: false };
                        };
                        account = connect::account_of(org, &links, person);
                    }
                    let Some(account) = account else {
                        let reason = format!(
                            "{person} has no Discord account here; link it: /connect there, or discord = \"USER ID\""
                        );
                        return Outcome::Permanent { reason };
                    };
                    self.to_person(grant, org, &account).await
                }
                Destination::Channel(channel) if matches!(grant.content, Content::Room { .. }) => {
                    self.open_room(grant, channel).await
                }
                Destination::Channel(channel) if matches!(grant.content, Content::Progress { .. }) => {
                    self.show_run(grant, channel).await
                }
                Destination::Channel(channel) => {
                    let said = look::grant(grant, None, runbook_of(grant, org), &self.force().hints());
                    outcome(self.to_channel(channel, &said, grant).await)
                }
                to => Outcome::Permanent { reason: format!("{to} is not reached by Discord") },
            }
        })
    }
}

pub(super) fn urgency_of(grant: &Grant) -> (Urgency, Duration) {
    match grant.content {
        Content::Page(_) if grant.priority == Priority::CriticalPage => (Urgency::Critical, PAGE_PATIENCE),
        Content::Page(_) | Content::Notice { .. } => (Urgency::Page, PAGE_PATIENCE),
        // Told to whoever has to answer.
        Content::Question { .. } | Content::Ask { .. } if grant.priority == Priority::Notice => {
            (Urgency::Page, PAGE_PATIENCE)
        }
        _ => (Urgency::Other, OTHER_PATIENCE),
    }
}

fn runbook_of<'o>(grant: &Grant, org: &'o Org) -> Option<&'o str> {
    match &grant.content {
        Content::Page(page) => look::runbook(org, page.service.as_str()),
        _ => None,
    }
}

/// The channel of the team whose service a page is about, else that of the operators.
fn team_channel<'o>(grant: &Grant, org: &'o Org) -> Option<&'o ChannelRef> {
    let team = match &grant.content {
        Content::Page(page) => org.services.get(&page.service).and_then(|service| org.teams.get(&service.team)),
        _ => None,
    };
    team.and_then(|team| team.channel.as_ref()).or(org.operators.channel.as_ref())
}

/// A page for one person as a team may read it: that somebody is needed, not why.
fn others(grant: &Grant) -> Grant {
    let content = match &grant.content {
        Content::Page(page) => {
            let reason = "its person cannot be reached by direct message".into();
            Content::Page(PageContent { reason, ..masked(page.clone()) })
        }
        other => other.clone(),
    };
    Grant { content, ..grant.clone() }
}

impl Discord {
    async fn to_person(&self, grant: &Grant, org: &Org, account: &str) -> Outcome {
        let hints = self.force().hints();
        let said = look::grant(grant, account.parse().ok(), runbook_of(grant, org), &hints);
        let sent = match self.direct(account, urgency_of(grant)).await {
            Ok(channel) => self.post(&channel, &said, grant).await.map(drop),
            Err(error) => Err(error),
        };
        let error = match sent {
            Ok(()) => return Outcome::Accepted,
            Err(error) => error,
        };
        if error.code() == Some(UNKNOWN_CHANNEL) {
            self.forget_direct(account);
        }
        // Closed direct messages, or an account that shares no guild: where the team reads, somebody sees it.
        let closed = error.code() == Some(DIRECT_CLOSED) || matches!(error.refused(), Some(400 | 403 | 404));
        let Some(channel) = team_channel(grant, org).filter(|_| closed && matches!(grant.content, Content::Page(_)))
        else {
            return outcome(Err(error.into()));
        };
        // What was for one person is read by a team here, which may not see a private incident.
        let (masked, said) = if self.is_private(grant).await {
            let masked = others(grant);
            let said = look::grant(&masked, account.parse().ok(), runbook_of(&masked, org), &hints);
            (masked, said)
        } else {
            (grant.clone(), said)
        };
        match self.to_channel(channel, &said, &masked).await {
            Ok(()) => Outcome::Accepted,
            Err(NoPlace::Unknown(reason)) => Outcome::Permanent { reason: format!("{error}; {reason}") },
            Err(other) => outcome(Err(other)),
        }
    }

    /// Whether a message is about a private incident, or that cannot be told.
    async fn is_private(&self, grant: &Grant) -> bool {
        let Some(incident) = grant.incident else { return false };
        self.look(move |view| view.state.meta.private.contains(&incident)).get().await.unwrap_or(true)
    }

    pub(super) async fn to_channel(&self, channel: &ChannelRef, said: &Said, grant: &Grant) -> Result<(), NoPlace> {
        self.placed_in(channel, said, grant).await.map(drop)
    }

    /// Posts in a channel; gives the ids of the channel and of the message.
    pub(super) async fn placed_in(
        &self,
        channel: &ChannelRef,
        said: &Said,
        grant: &Grant,
    ) -> Result<(String, String), NoPlace> {
        if let Some(chat) = channel.chat.as_ref().filter(|chat| *chat != "discord") {
            return Err(NoPlace::Unknown(format!("channel {channel} is on {chat}, which is not connected")));
        }
        let id = self.channel_id(&channel.name, urgency_of(grant).1).await?;
        let sent = self.post(&id, said, grant).await;
        if sent.as_ref().err().and_then(CallError::code) == Some(UNKNOWN_CHANNEL) {
            // Deleted, perhaps made anew under the same name: the next try looks.
            self.with_known(|known| known.forget_channel(&channel.name));
        }
        let message = sent?;
        Ok((id, message))
    }

    /// Posts one message and gives its id; what Discord calls malformed is said again in plain text.
    pub(super) async fn post(&self, channel: &str, said: &Said, grant: &Grant) -> Result<String, CallError> {
        let nonce = grant.id.to_string();
        match self.post_once(channel, said, grant, &nonce).await {
            Err(CallError::Refused { status: 400, code, .. }) if code != DIRECT_CLOSED => {
                let bare = Said { content: short(&said.content), ..said.bare() };
                self.post_once(channel, &bare, grant, &nonce).await
            }
            sent => sent,
        }
    }

    async fn post_once(&self, channel: &str, said: &Said, grant: &Grant, nonce: &str) -> Result<String, CallError> {
        let (urgency, patience) = urgency_of(grant);
        let call = Call::new("POST /channels/{}/messages", format!("/channels/{channel}/messages"), channel);
        let call = call.body(said.message(nonce)).urgency(urgency, patience);
        let message = self.rest.call(&call).await?;
        Ok(serde_json::from_value::<Message>(message).map(|message| message.id).unwrap_or_default())
    }
}

/// The first lines that surely fit.
fn short(content: &str) -> String {
    content.chars().take(plain::CONTENT_MAX / 2).collect()
}

/// What a failed call means for a delivery.
pub(super) fn outcome(sent: Result<(), NoPlace>) -> Outcome {
    let error = match sent {
        Ok(()) => return Outcome::Accepted,
        Err(NoPlace::Unknown(reason)) => return Outcome::Permanent { reason },
        Err(NoPlace::Call(error)) => error,
    };
    let reason = error.to_string();
    match error {
        CallError::Busy { after } => {
            let after = Span(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
            Outcome::Later { reason, after }
        }
        CallError::NoAnswer { unknown, .. } => Outcome::Retryable { reason, after: None, unknown },
        CallError::Failing { .. } => Outcome::Retryable { reason, after: None, unknown: true },
        // While Discord recovers it forbids and forgets what is allowed and there; only its own numbers are final.
        CallError::Refused { status: 403 | 404, code: 0, .. } => {
            Outcome::Retryable { reason, after: None, unknown: false }
        }
        CallError::Refused { status: 401, .. } => {
            Outcome::Permanent { reason: "Discord does not know the token; check OPSBELL_DISCORD_TOKEN".to_owned() }
        }
        CallError::Refused { .. } => Outcome::Permanent { reason },
    }
}

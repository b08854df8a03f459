//! A delivery: one thing owed to one destination, until its receipt says how it ended. What is sent, to whom and why
//! is decided here; addresses and looks belong to the adapters.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::change::answer::Answer;
use super::event::{DeliveryOwed, Event};
use super::id::{
    ChangeId, DeliveryId, IncidentId, IntegrationId, NotAnId, PageId, PersonId, RunId, ServiceId, ServiceRequestId,
    WebhookId,
};
use super::incident::Severity;
use super::input::Place;
use super::playbook::question::Asked;
use super::time::{Span, Timestamp};

/// A way to reach a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A direct message in chat.
    Chat,
    /// A mail.
    Email,
    /// The person's own webhook.
    Webhook,
    /// A text message.
    Sms,
    /// A phone call.
    Voice,
    /// A push message.
    Push,
}

impl Method {
    /// All methods, for messages and completion.
    pub const ALL: [Self; 6] = [Self::Chat, Self::Email, Self::Webhook, Self::Sms, Self::Voice, Self::Push];

    /// The word, as in configuration and stories.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Sms => "sms",
            Self::Voice => "voice",
            Self::Push => "push",
        }
    }

    /// The method a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A channel by name, `discord:payments-ops`; without a chat it is on whatever chat is connected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct ChannelRef {
    /// The platform, if named.
    pub chat: Option<CompactString>,
    /// The channel's name there.
    pub name: CompactString,
}

/// The chat platforms that a channel can be on.
pub const CHATS: [&str; 5] = ["terminal", "discord", "slack", "mattermost", "matrix"];

impl ChannelRef {
    /// Reads `discord:payments-ops`, `channel:ops` and `ops`.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((chat, name)) if CHATS.contains(&chat) => Self { chat: Some(chat.into()), name: name.into() },
            Some(("channel", name)) => Self { chat: None, name: name.into() },
            _ => Self { chat: None, name: text.into() },
        }
    }
}

impl fmt::Display for ChannelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chat {
            Some(chat) => write!(f, "{chat}:{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl From<ChannelRef> for String {
    fn from(channel: ChannelRef) -> Self {
        channel.to_string()
    }
}

impl From<String> for ChannelRef {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

/// Where a delivery goes; the address is looked up when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// A person by one of their methods.
    Person {
        /// Who.
        person: PersonId,
        /// How.
        method: Method,
    },
    /// A chat channel.
    Channel(ChannelRef),
    /// An outgoing webhook.
    Webhook(WebhookId),
    /// The code host of an integration, which waits for an answer.
    Host(IntegrationId),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { person, method } => write!(f, "{person} via {method}"),
            Self::Channel(channel) => write!(f, "channel {channel}"),
            Self::Webhook(id) => write!(f, "webhook {id}"),
            Self::Host(id) => write!(f, "code host {id}"),
        }
    }
}

/// What is told. It comes whole from the event that owes it, so that a resend differs only by `attempt` and
/// `possible_repeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Wakes somebody.
    Page(PageContent),
    /// Told in a channel; wakes nobody.
    Post {
        /// What is said, in plain text with `<t:SECS:R>` times.
        text: String,
    },
    /// Asks for an incident's room: a live status message with a thread. Where the chat has none, a line like any other.
    Room {
        /// What is said where there is no room.
        text: String,
    },
    /// Asks whoever may approve a change or a request; where the chat has buttons, with them.
    Ask {
        /// What is said.
        text: String,
        /// About what; in the journal `"change":"CHG-7"` or `"request":"REQ-7"`.
        #[serde(flatten)]
        about: Judged,
    },
    /// Asks what a run of a playbook has come to; where the chat has buttons, with them.
    Question {
        /// What is said.
        text: String,
        /// Which question, and what can be answered.
        asked: Asked,
    },
    /// How a run stands, in one message that a chat which can edit keeps up to date. Where it cannot, a line like any
    /// other.
    Progress {
        /// What is said where nothing is edited.
        text: String,
        /// Which run.
        run: RunId,
    },
    /// Told to the operators or to a person about Opsbell itself.
    Notice {
        /// What is said.
        text: String,
    },
    /// Tells a code host whether a deployment may go.
    Answer(Box<Answer>),
}

/// What waits for somebody to agree to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// A change.
    Change(ChangeId),
    /// A request.
    Request(ServiceRequestId),
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(id) => id.fmt(f),
            Self::Request(id) => id.fmt(f),
        }
    }
}

impl FromStr for Judged {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let change = text.parse().map(Self::Change);
        change.or_else(|_| text.parse().map(Self::Request))
    }
}

/// What a page says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageContent {
    /// What broke.
    pub title: CompactString,
    /// How bad.
    pub severity: Severity,
    /// What it is about.
    pub service: ServiceId,
    /// Whether the signal named no known service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unrouted: bool,
    /// Why this destination: `on call for payments-primary, step 1 of payments`.
    pub reason: CompactString,
    /// Who is paged next unless somebody acknowledges, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextPaged>,
    /// The known error that it is an instance of, with what helps: `PRB-1: restart the consumer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_error: Option<CompactString>,
    /// What was changed lately and may have caused it, the likeliest: `CHG-1 ledger: raise the pool (it runs)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect: Option<CompactString>,
}

/// Who is paged next, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextPaged {
    /// `cleo`, or several names, or `the last resort`.
    pub who: CompactString,
    /// When.
    pub at: Timestamp,
}

/// How urgent a delivery is; a lane takes the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// A page of a sev1–sev2 incident.
    CriticalPage,
    /// Any other page.
    Page,
    /// To the operators.
    Notice,
    /// A post in a channel.
    Post,
}

/// One thing owed to one destination. Lives in its incident (or in the notices) with its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its idempotency key everywhere.
    pub id: DeliveryId,
    /// The page it is part of, by number within the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Where it goes.
    pub to: Destination,
    /// How urgent it is.
    pub priority: Priority,
    /// When it was owed.
    pub owed_at: Timestamp,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// What it says; dropped once it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Box<Content>>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryStatus {
    /// To be sent; after `attempts` that did not succeed, not before `not_before`.
    Owed {
        /// Attempts that ended without success.
        attempts: u16,
        /// Earliest start of the next attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// An earlier attempt may have arrived.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unknown: bool,
        /// Why the last attempt did not succeed, without addresses or secrets.
        #[serde(default, skip_serializing_if = "CompactString::is_empty")]
        trouble: CompactString,
    },
    /// The provider took it.
    Accepted {
        /// When.
        at: Timestamp,
    },
    /// It will not be tried again.
    Failed {
        /// When.
        at: Timestamp,
        /// Why, without addresses or secrets.
        reason: CompactString,
    },
    /// No longer wanted before it was sent.
    Cancelled {
        /// When.
        at: Timestamp,
        /// Why: `acknowledged by bas`.
        reason: CompactString,
    },
}

/// Whom pages have reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Nobody.
    #[default]
    Nobody,
    /// Channels only: a line there wakes nobody.
    Channel,
    /// A person, or what stands behind a webhook.
    Somebody,
}

impl Delivery {
    /// The delivery that an event owes.
    pub fn owed_by(at: Timestamp, owed: &DeliveryOwed) -> Self {
        Self {
            id: owed.delivery.clone(),
            page: owed.page,
            to: owed.to.clone(),
            priority: owed.priority,
            owed_at: at,
            status: DeliveryStatus::Owed {
                attempts: 0,
                not_before: None,
                unknown: false,
                trouble: CompactString::default(),
            },
            content: Some(Box::new(owed.content.clone())),
        }
    }

    /// An attempt did not succeed, and another will be made.
    pub fn retried(&mut self, event: &Event) {
        if let Event::DeliveryRetried { attempts, not_before, unknown, reason, .. } = event {
            self.status = DeliveryStatus::Owed {
                attempts: *attempts,
                not_before: Some(*not_before),
                unknown: *unknown,
                trouble: reason.clone(),
            };
        }
    }

    /// Ends it; what it said is no longer kept.
    pub fn settle(&mut self, status: DeliveryStatus) {
        self.status = status;
        self.content = None;
    }

    /// Shifts the wait for its next attempt.
    pub fn shift(&mut self, by: Span) {
        let DeliveryStatus::Owed { not_before, .. } = &mut self.status else { return };
        self.owed_at = self.owed_at.after(by);
        if let Some(at) = not_before {
            *at = at.after(by);
        }
    }

    /// The wait before its next attempt, after `attempts` that failed; `None` when it is not tried again. A code host is
    /// tried for a day: nothing else is done about what waits there.
    pub fn retry_wait(&self, attempts: u16, asked: Option<Span>) -> Option<Span> {
        let patient = matches!(self.to, Destination::Host(_)) && attempts < HOST_ATTEMPTS;
        retry_wait(attempts, asked).or(patient.then_some(LONGEST_WAIT))
    }

    /// Whether it wakes somebody (or is meant to).
    pub fn is_page(&self) -> bool {
        matches!(self.priority, Priority::CriticalPage | Priority::Page)
    }

    /// Whom it has reached.
    pub fn reached(&self) -> Reached {
        match (&self.status, &self.to) {
            (DeliveryStatus::Accepted { .. }, Destination::Channel(_)) if self.is_page() => Reached::Channel,
            (DeliveryStatus::Accepted { .. }, _) if self.is_page() => Reached::Somebody,
            _ => Reached::Nobody,
        }
    }

    /// Whether it is still to be sent.
    pub fn owed(&self) -> bool {
        matches!(self.status, DeliveryStatus::Owed { .. })
    }
}

/// What an adapter gets when the engine grants a start: everything but addresses and looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The idempotency key.
    pub id: DeliveryId,
    /// Where it goes.
    pub to: Destination,
    /// How urgent it is.
    pub priority: Priority,
    /// The incident it is about.
    pub incident: Option<IncidentId>,
    /// The page it is part of.
    pub page: Option<PageId>,
    /// What it says.
    pub content: Content,
    /// 1 for the first attempt.
    pub attempt: u16,
    /// An earlier attempt may have arrived; the message says so.
    pub possible_repeat: bool,
    /// When it was first owed.
    pub owed_at: Timestamp,
}

/// How an attempt ended, as an adapter tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Accepted,
    /// The room that was asked for stands there.
    Placed(Box<Place>),
    /// It was not tried: the way is full until then (a provider's limits). It counts as no attempt.
    Later {
        /// What it waits for, without addresses or secrets.
        reason: String,
        /// How long.
        after: Span,
    },
    /// It may work later.
    Retryable {
        /// What went wrong, without addresses or secrets.
        reason: String,
        /// The provider's own wish (`Retry-After`).
        after: Option<Span>,
        /// Whether the attempt may have arrived all the same (a timeout after sending).
        unknown: bool,
    },
    /// It will never work.
    Permanent {
        /// What is wrong, without addresses or secrets.
        reason: String,
    },
}

/// How often a delivery is tried, with the waits between the attempts: about five minutes in all, after which the
/// next rule of the person has long started.
const RETRY_WAITS: [Span; 7] =
    [Span::secs(1), Span::secs(2), Span::secs(5), Span::secs(15), Span::secs(30), Span::secs(60), Span::secs(180)];

/// Attempts to tell a code host: those of the table, then one every ten minutes for a day.
const HOST_ATTEMPTS: u16 = 8 + 144;

/// A message that has not gone out, nor can within this time of being owed, does not hold up the person's next rule.
pub const SEND_DEADLINE: Span = Span::secs(45);

/// A line in a channel that is older than this is no news any more: after an outage it is left out.
pub const STALE_AFTER: Span = Span::mins(10);

/// The longest wait a provider may ask for.
const LONGEST_WAIT: Span = Span::mins(10);

/// The wait of a delivery that was not tried for want of room, `waited` after it was owed; `None` when it has waited so
/// long already that it counts as an attempt that failed.
pub fn room_wait(waited: Span, asked: Span) -> Option<Span> {
    (waited < LONGEST_WAIT).then(|| Span(asked.0.clamp(Span::secs(1).0, LONGEST_WAIT.0)))
}

/// The wait before the next attempt, after `attempts` that failed; `None` when it is not tried again.
/// `asked` is the provider's own wish and is honoured up to ten minutes.
pub fn retry_wait(attempts: u16, asked: Option<Span>) -> Option<Span> {
    let wait = *RETRY_WAITS.get(usize::from(attempts).checked_sub(1)?)?;
    Some(asked.map_or(wait, |asked| wait.max(asked.min(LONGEST_WAIT))))
}

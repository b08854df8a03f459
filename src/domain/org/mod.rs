//! What an organisation declares: teams, people, schedules, escalation policies, services, integrations. Only types
//! and look-ups; filled by `catalog/`, never from here. It holds no secret: a secret is a name here, its value
//! stays with the adapter that needs it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::alert::text::TextRule;
use super::change::rules::Rules;
use super::command::spec::Lexicon;
use super::delivery::{ChannelRef, Method};
use super::id::{IntegrationId, PersonId, PolicyId, ScheduleId, ServiceId, TeamId, WebhookId};
use super::incident::Severity;
use super::incident::assess::Matrix;
use super::playbook::remedy::Remedy;
use super::playbook::{Allowed, Playbook};
use super::postmortem::template::Templates;
use super::report::cron::Cron;
use super::report::summary;
use super::signal::AlertSeverity;
use super::time::Span;

/// A whole organisation, checked: every name that one table mentions exists in another.
#[derive(Debug, Clone)]
pub struct Org {
    /// Hex sha256 of the configuration's files; names the copy in `DATA/config/`.
    pub hash: String,
    /// Teams by name.
    pub teams: BTreeMap<TeamId, Team>,
    /// People by name.
    pub people: BTreeMap<PersonId, Person>,
    /// Schedules by name.
    pub schedules: BTreeMap<ScheduleId, Schedule>,
    /// Escalation policies by name.
    pub policies: BTreeMap<PolicyId, Policy>,
    /// Services by name.
    pub services: BTreeMap<ServiceId, Service>,
    /// Senders of signals by name.
    pub integrations: BTreeMap<IntegrationId, Integration>,
    /// Outgoing webhooks by name.
    pub webhooks: BTreeMap<WebhookId, Webhook>,
    /// Posts at set times by name.
    pub summaries: BTreeMap<CompactString, Summary>,
    /// What is declared about changes.
    pub changes: Rules,
    /// Playbooks by name.
    pub playbooks: BTreeMap<CompactString, Arc<Playbook>>,
    /// What their steps may reach.
    pub allowed: Allowed,
    /// What alerts begin by themselves, by name.
    pub remedies: BTreeMap<CompactString, Remedy>,
    /// Who looks after Opsbell itself.
    pub operators: Operators,
    /// What holds where nothing nearer is said.
    pub defaults: Defaults,
    /// The words people can say.
    pub lexicon: Lexicon,
    /// The templates of postmortems.
    pub postmortems: Templates,
    /// The templates of summaries.
    pub summary_templates: summary::template::Templates,
    /// Hosts that links may point to; a link elsewhere is shown as inert text.
    pub link_hosts: Vec<String>,
    /// Whether a chat is connected. Not declared: the runtime says so. Without one nothing is posted in channels.
    pub chat_connected: bool,
}

impl Default for Org {
    fn default() -> Self {
        Self {
            hash: String::new(),
            teams: BTreeMap::new(),
            people: BTreeMap::new(),
            schedules: BTreeMap::new(),
            policies: BTreeMap::new(),
            services: BTreeMap::new(),
            integrations: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            summaries: BTreeMap::new(),
            changes: Rules::default(),
            playbooks: BTreeMap::new(),
            allowed: Allowed::default(),
            remedies: BTreeMap::new(),
            operators: Operators::default(),
            defaults: Defaults::default(),
            lexicon: Lexicon::default(),
            postmortems: Templates::default(),
            summary_templates: summary::template::Templates::default(),
            link_hosts: Vec::new(),
            chat_connected: true,
        }
    }
}

/// A team: owns services, is paged by its escalation policy, reads its channel.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its name.
    pub id: TeamId,
    /// Its channel, if any.
    pub channel: Option<ChannelRef>,
    /// What `/page team:…` and alerts of its services run.
    pub escalation: PolicyId,
}

/// What a person may do. One function authorises with it (`domain/authorise.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads, and declares incidents.
    Stakeholder,
    /// And acknowledges, updates, escalates, resolves.
    #[default]
    Responder,
    /// And administers tokens and configuration.
    Admin,
}

/// A person. Addresses (e-mail, chat accounts) are here for the adapters; they never enter an event.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name.
    pub id: PersonId,
    /// Mail address.
    pub email: Option<String>,
    /// Discord user id.
    pub discord: Option<String>,
    /// Account on GitHub.
    pub github: Option<compact_str::CompactString>,
    /// Account on GitLab.
    pub gitlab: Option<compact_str::CompactString>,
    /// Its number there.
    pub gitlab_id: Option<u32>,
    /// The webhook that the method `webhook` posts to.
    pub webhook: Option<WebhookId>,
    /// The zone in which times are shown to them.
    pub zone: Tz,
    /// What they may do.
    pub role: Role,
    /// Whether they have left: then nothing at all.
    pub left: bool,
    /// Rules for high urgency, in order of their delay; `None` = the organisation's default.
    pub notify_high: Option<Vec<NotifyRule>>,
    /// Rules for low urgency.
    pub notify_low: Option<Vec<NotifyRule>>,
}

/// `sms after 3m`: one way to reach a person, some time after the page began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyRule {
    /// The contact method.
    pub method: Method,
    /// Time since the page began.
    pub after: Span,
}

/// A schedule: layers of rotations in one zone. Each instant has exactly one holder per layer, or a gap.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name.
    pub id: ScheduleId,
    /// The zone its hand-offs are told in.
    pub zone: Tz,
    /// One holder each, all on call together.
    pub rotations: Vec<Rotation>,
}

/// One layer: people take turns, handing off at a wall-clock time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// How long a turn is.
    pub every: Every,
    /// The weekday of the hand-off; only for turns of whole weeks.
    pub handoff_day: Option<Weekday>,
    /// The wall-clock time of the hand-off.
    pub handoff_time: NaiveTime,
    /// The first turn starts at the first hand-off on or after this date.
    pub start: NaiveDate,
    /// Who takes turns, in order; not empty.
    pub members: Vec<PersonId>,
}

/// The length of a turn, in civil units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// `n` hours of wall-clock time.
    Hours(u32),
    /// `n` civil days.
    Days(u32),
    /// `n` civil weeks.
    Weeks(u32),
}

/// An escalation policy as declared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub id: PolicyId,
    /// Steps in order; step 0 fires at once.
    pub steps: Vec<Step>,
    /// How many times all steps are run again after the first time, 0–5.
    pub repeat: u8,
    /// An acknowledgement older than this starts the escalation over.
    pub ack_expires: Option<Span>,
}

/// One step: its targets are paged together, independently of each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// Who is paged.
    pub page: Vec<Target>,
    /// The wait after this step.
    pub escalate_after: Span,
}

/// Whom a step pages. Written `person:bas`, `schedule:payments-primary`, `channel:payments`, `webhook:pager`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Target {
    /// One person.
    Person(PersonId),
    /// Whoever holds the schedule when the step fires.
    Schedule(ScheduleId),
    /// A chat channel.
    Channel(ChannelRef),
    /// An outgoing webhook.
    Webhook(WebhookId),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Schedule(id) => write!(f, "schedule:{id}"),
            Self::Channel(channel) => write!(f, "channel:{channel}"),
            Self::Webhook(id) => write!(f, "webhook:{id}"),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for Target {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("person", id)) => Ok(Self::Person(id.into())),
            Some(("schedule", id)) => Ok(Self::Schedule(id.into())),
            Some(("channel", name)) => Ok(Self::Channel(ChannelRef::parse(name))),
            Some(("webhook", id)) => Ok(Self::Webhook(id.into())),
            _ => Err(format!("`{text}` is not a target; write person:…, schedule:…, channel:… or webhook:…")),
        }
    }
}

/// A service that can break.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub id: ServiceId,
    /// Who owns it.
    pub team: TeamId,
    /// What it needs.
    pub depends_on: Vec<ServiceId>,
    /// How much depends on it working: 1 (most) to 4.
    pub tier: u8,
    /// A link for whoever is paged.
    pub runbook: Option<String>,
    /// What it is built from, as code hosts name it: `org/repo`.
    pub repositories: Vec<CompactString>,
}

/// A sender of signals.
#[derive(Debug, Clone)]
pub struct Integration {
    /// Its name.
    pub id: IntegrationId,
    /// Which parser reads it: `alertmanager`, `generic`, …
    pub source: CompactString,
    /// Where its signals go when they name no service of their own.
    pub service: Option<ServiceId>,
    /// The labels (beside service and environment) that group alerts into one incident; `["alertname"]` by default.
    pub group_by: Vec<CompactString>,
    /// Whether its acknowledgements stop an escalation.
    pub may_acknowledge: bool,
    /// How a `generic` body is read: field → JSONPath, and severity words.
    pub mapping: Option<Mapping>,
    /// The address of its code host's API, without a last `/`, where deployments that it holds are answered.
    pub answers: Option<CompactString>,
}

/// How a `generic` body is read (RFC 9535 JSONPath expressions, checked by `catalog/`), or a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The list of alerts in the body; `None`: the body is one alert (or an array of them).
    pub items: Option<String>,
    /// What is wrong, in a few words. Default `$.summary`.
    pub summary: Option<String>,
    /// The service. Default `$.service`.
    pub service: Option<String>,
    /// The severity word. Default `$.severity`.
    pub severity: Option<String>,
    /// Words of this sender and what they mean, looked up in lower case before the general table.
    pub severities: BTreeMap<String, AlertSeverity>,
    /// The dedup key. Default `$.key`.
    pub key: Option<String>,
    /// The state. Default `$.status`.
    pub status: Option<String>,
    /// Words of the state that mean recovered (lower case). Default `resolved`, `ok`, `closed`, `recovered`.
    pub resolved: Vec<String>,
    /// How text is read, for the source `text`: a `[[text-alert]]`. Of the rest only `severities` and `resolved` count.
    pub text: Option<TextRule>,
}

/// An outgoing webhook: Standard Webhooks, signed when `signed`.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its name.
    pub id: WebhookId,
    /// Where it posts.
    pub url: String,
    /// Whether a signing secret is configured.
    pub signed: bool,
}

/// A post at set times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Where it is posted.
    pub channel: ChannelRef,
    /// When.
    pub cron: Cron,
    /// In whose wall-clock time.
    pub zone: Tz,
    /// Whether nothing is posted when there is nothing to say.
    pub quiet_when_empty: bool,
    /// The name of its template.
    pub template: CompactString,
    /// The team that it is about; `None`: all.
    pub team: Option<TeamId>,
    /// Who gets it by mail as well.
    pub mail_to: Vec<PersonId>,
}

/// Who looks after Opsbell itself, and how they are told.
#[derive(Debug, Clone, Default)]
pub struct Operators {
    /// People told by every method they have.
    pub people: Vec<PersonId>,
    /// Webhooks told.
    pub webhooks: Vec<WebhookId>,
    /// A channel told.
    pub channel: Option<ChannelRef>,
}

/// What holds where nothing nearer is said.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Where signals go that name no known service; marked `[unrouted]`.
    pub service: ServiceId,
    /// Run when a policy is exhausted.
    pub fallback: Option<PolicyId>,
    /// The severity of an alert that says none that is known.
    pub severity: AlertSeverity,
    /// Rules for high urgency.
    pub notify_high: Vec<NotifyRule>,
    /// Rules for low urgency.
    pub notify_low: Vec<NotifyRule>,
    /// A resolved incident is closed after this time.
    pub close_after: Span,
    /// The zone of texts without a reader.
    pub zone: Tz,
    /// How long an incident that somebody has may go without an update before one is asked for.
    pub update_every: BTreeMap<Severity, Span>,
    /// The severity for each impact and urgency; `[severity]`.
    pub matrix: Matrix,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            service: ServiceId::default(),
            fallback: None,
            severity: AlertSeverity::High,
            notify_high: vec![NotifyRule { method: Method::Chat, after: Span::ZERO }],
            notify_low: vec![NotifyRule { method: Method::Chat, after: Span::ZERO }],
            close_after: Span::days(3),
            zone: Tz::UTC,
            update_every: BTreeMap::new(),
            matrix: Matrix::default(),
        }
    }
}

impl Org {
    /// The rules by which a person is reached; `high` urgency or low.
    pub fn rules(&self, person: &PersonId, high: bool) -> &[NotifyRule] {
        let own =
            self.people.get(person).and_then(|p| if high { p.notify_high.as_ref() } else { p.notify_low.as_ref() });
        match (own, high) {
            (Some(rules), _) => rules,
            (None, true) => &self.defaults.notify_high,
            (None, false) => &self.defaults.notify_low,
        }
    }

    /// The channel that a target or a summary means by a name: a team's channel where a team is called so, else
    /// the channel itself.
    pub fn channel(&self, named: &ChannelRef) -> ChannelRef {
        match self.teams.get(named.name.as_str()).and_then(|team| team.channel.clone()) {
            Some(channel) if named.chat.is_none() => channel,
            _ => named.clone(),
        }
    }

    /// The zone in which a person reads times.
    pub fn zone(&self, person: Option<&PersonId>) -> Tz {
        person.and_then(|id| self.people.get(id)).map_or(self.defaults.zone, |person| person.zone)
    }
}

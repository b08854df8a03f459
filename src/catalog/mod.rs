//! Catalogue: fills the domain's `org` types from an organisation's files: load, check (all findings at once), reload.
//! It decides nothing.

pub mod finding;
pub mod import;
pub mod reload;
pub mod secret;
pub mod words;

mod changes;
mod check;
mod draft;
mod example;
mod files;
mod foreign;
mod init;
mod load;
pub mod playbooks;
mod read;
mod remedies;
mod rooms;
mod senders;
mod settings;
mod tables;
mod templates;
mod text_alert;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use compact_str::CompactString;

pub use example::example;
pub use files::Unreadable;
use finding::Spot;
pub use finding::{Finding, Form, Severity, render};
pub use init::{NotWritten, write_new};
pub use load::{load_copy, load_dir, load_files};
pub use secret::{NotASecret, Secret, Secrets, process_env, signing_key};
pub use settings::stays_here;

use crate::domain::id::{PersonId, ScheduleId, ServiceId};
use crate::domain::incident;
use crate::domain::oncall::{next_shift, shift_at};
use crate::domain::org::{Org, Role};
use crate::domain::time::{Span, Timestamp};

/// The sources that are built; an integration names one of them.
pub const SOURCES: [&str; 12] = [
    "alertmanager",
    "aws-deploy",
    "buildkite",
    "circleci",
    "flux",
    "generic",
    "github",
    "gitlab",
    "grafana",
    "opsgenie",
    "pagerduty",
    "text",
];

/// What came of reading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; `None` when a finding is an error.
    pub config: Option<Config>,
    /// All that is wrong or odd, by file and line.
    pub findings: Vec<Finding>,
}

impl Loaded {
    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }
}

/// A configuration without errors.
#[derive(Debug, Clone)]
pub struct Config {
    /// The organisation.
    pub org: Org,
    /// The secrets that could be read.
    pub secrets: Secrets,
    /// `[server]`
    pub server: Server,
    /// `[chat.*]` by platform.
    pub chat: BTreeMap<CompactString, Chat>,
    /// `[mail]`, if any.
    pub mail: Option<Mail>,
    /// The files as they were read, path in the directory and text, by path; for the copy in `DATA/config/`. They hold
    /// the names of secrets only.
    pub files: Vec<(String, String)>,
    rotations: BTreeMap<ScheduleId, Vec<Spot>>,
    not_built: Vec<Finding>,
    unread: Vec<Finding>,
    unusable_secrets: Vec<Finding>,
}

/// The rotations that have not begun at an instant: until then they have no holder, and wake nobody.
pub fn gaps_at(config: &Config, at: Timestamp) -> Vec<Finding> {
    let mut gaps = Vec::new();
    for (id, spots) in &config.rotations {
        let Some(schedule) = config.org.schedules.get(id) else { continue };
        for (rotation, spot) in schedule.rotations.iter().zip(spots) {
            if shift_at(rotation, schedule.zone, at).is_some() {
                continue;
            }
            let begins = next_shift(rotation, schedule.zone, at).map(|shift| shift.from.local(schedule.zone));
            let message = match begins {
                Some(wall) => {
                    format!(
                        "nobody holds this rotation of `{id}` before {} {}",
                        wall.format("%Y-%m-%d %H:%M"),
                        schedule.zone
                    )
                }
                None => format!("nobody holds this rotation of `{id}`"),
            };
            gaps.push(Finding::warning(spot, message).hint("choose an earlier start"));
        }
    }
    gaps
}

/// Secrets that could be read and cannot be used: a key of several integrations, by whatever name it is read, as one could
/// speak as the other; a signing secret that is none. Errors; what asks nobody for them, as a rehearsal, does without.
pub fn unusable_secrets(config: &Config) -> Vec<Finding> {
    config.unusable_secrets.clone()
}

/// All that keeps a configuration without errors from being served.
pub fn unservable(config: &Config) -> Vec<Finding> {
    not_built(config).into_iter().chain(missing_secrets(config)).chain(unusable_secrets(config)).collect()
}

/// What a configuration names that this release cannot do; `serve` refuses it, a rehearsal simulates it.
pub fn not_built(config: &Config) -> Vec<Finding> {
    config.not_built.clone()
}

/// The secrets that are named and could not be read; `serve` refuses to start without them.
pub fn missing_secrets(config: &Config) -> Vec<Finding> {
    config.unread.clone()
}

/// The environment variables that a directory's configuration takes secrets from, set or not, in order of their names.
pub fn secrets_named(dir: &std::path::Path) -> Vec<String> {
    let named = std::cell::RefCell::new(std::collections::BTreeSet::new());
    // Whatever is wrong with it, `check` says.
    let _ = load_dir(dir, &|name| {
        named.borrow_mut().insert(name.to_owned());
        None
    });
    named.into_inner().into_iter().collect()
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Where to listen, unless the command line says otherwise.
    pub listen: Option<SocketAddr>,
    /// How often the watchdog of `[operators]` hears that all is well.
    pub heartbeat_every: Span,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: None, heartbeat_every: Span::mins(1) }
    }
}

/// `[chat.discord]` and its like.
#[derive(Debug, Clone, Default)]
pub struct Chat {
    /// Where its API is, for a compatible server.
    pub api_base: Option<String>,
    /// The guild, by its id; `None`: the one that the bot is in.
    pub guild: Option<String>,
    /// Channels by the name that the configuration calls them, to their ids. Others are looked up by their name.
    pub channels: BTreeMap<String, String>,
    /// What members with a role of the guild may do, by the role's id.
    pub roles: BTreeMap<String, Role>,
    /// What goes before the name of every command.
    pub command_prefix: String,
    /// What an incident is worked on in.
    pub rooms: Rooms,
    /// Who is let into rooms without taking part.
    pub stakeholders: Vec<Stakeholder>,
}

/// What an incident is worked on in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rooms {
    /// A thread started from its live message.
    #[default]
    Threads,
    /// A channel of its own.
    Channels {
        /// Under which category, by id or name.
        category: String,
        /// Where it goes when the incident is closed, by id or name; `None`: it stays where it is.
        archive: Option<String>,
    },
    /// Nothing: every line stands in the team's channel.
    Off,
}

/// Somebody who wants to know of incidents: `dewi for payments-api from sev2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stakeholder {
    /// Who.
    pub person: PersonId,
    /// Of which service; `None`: of any.
    pub service: Option<ServiceId>,
    /// How bad it has to be.
    pub from: incident::Severity,
}

impl Stakeholder {
    /// Whether they want to know of an incident.
    pub fn wants(&self, service: &str, severity: incident::Severity) -> bool {
        severity <= self.from && self.service.as_ref().is_none_or(|wanted| wanted.as_str() == service)
    }
}

/// `[mail]`: through which server mail goes out.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: Tls,
    /// The sender, perhaps with a name before it.
    pub from: String,
    /// Who logs in, if anybody; the password is in `Secrets::mail_password`.
    pub username: Option<String>,
}

/// How a connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Upgraded by STARTTLS, which is required; port 587.
    StartTls,
    /// From the first byte; port 465.
    Tls,
    /// Not at all; port 25, for a relay on the same machine.
    None,
}

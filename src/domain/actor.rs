//! Who did it, and by what way. Identity comes only from a verified envelope (a token, a chat platform's own
//! signed event, an integration's key), never from what a text says.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::id::{IntegrationId, PersonId, RequestId};
use super::org::Role;

/// Who acts. Written into the journal as one key: `{"person":"bas"}`, `{"integration":"prometheus"}`, `{"timer":"escalation"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// A person of the organisation.
    Person(PersonId),
    /// A sender of signals.
    Integration(IntegrationId),
    /// A member of a chat who is nobody of the organisation (yet), by platform and account name: `discord:dewi`.
    Member(CompactString),
    /// Opsbell itself; says which part (`escalation`, `lane`, `clock`, …).
    Timer(CompactString),
}

/// The person behind the administrator's token; no person of a configuration may be called so.
pub const ADMINISTRATOR: &str = "administrator";

impl Actor {
    /// Opsbell itself, by the name of the part that acts.
    pub fn timer(part: &str) -> Self {
        Self::Timer(part.into())
    }

    /// The person, if it is one.
    pub fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Person(person) => Some(person),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    /// `bas`, `integration:prometheus`, `opsbell`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => person.fmt(f),
            Self::Integration(id) => write!(f, "integration:{id}"),
            Self::Member(name) => f.write_str(name),
            Self::Timer(_) => f.write_str("opsbell"),
        }
    }
}

/// The envelope of an input, as it stands in the journal: `{"person":"bas","via":"terminal","request":"…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Who.
    #[serde(flatten)]
    pub actor: Actor,
    /// By what way: `terminal`, `api`, `alertmanager`, `engine`, …
    pub via: CompactString,
    /// The request that caused it, shared by all commits of one body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// What a chat's own roles let the person do beside what the organisation says of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Role>,
    /// What became of the code of a second factor that came with it; none came where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Factor>,
}

/// What became of a code, by the runtime, which knows the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    /// It is right.
    Right {
        /// The step of thirty seconds that it is of; each counts once.
        step: u64,
    },
    /// It is not.
    Wrong,
    /// The person has no secret.
    Unknown,
}

impl By {
    /// An envelope without a request id.
    pub fn new(actor: Actor, via: &str) -> Self {
        Self { actor, via: via.into(), request: None, granted: None, factor: None }
    }

    /// Opsbell itself.
    pub fn timer(part: &str) -> Self {
        Self::new(Actor::timer(part), "engine")
    }
}

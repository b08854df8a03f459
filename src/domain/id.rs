//! Names and numbers of things. Names (`PersonId`, `ServiceId`, …) are what an organisation writes in its
//! configuration; numbers (`INC-7`) are given by Opsbell in order of the journal. No look-ups live here.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! name {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
        #[serde(transparent)]
        pub struct $id(pub CompactString);

        impl $id {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $id {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $id {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::borrow::Borrow<str> for $id {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A person of the organisation, `bas`.
    PersonId
);
name!(
    /// A team, `payments`.
    TeamId
);
name!(
    /// A service, `payments-api`.
    ServiceId
);
name!(
    /// An on-call schedule, `payments-primary`.
    ScheduleId
);
name!(
    /// An escalation policy, `payments`.
    PolicyId
);
name!(
    /// A sender of signals, `prometheus`.
    IntegrationId
);
name!(
    /// An outgoing webhook, `pager`.
    WebhookId
);
name!(
    /// One request from outside; all commits that it caused carry it.
    RequestId
);

macro_rules! number {
    ($(#[$doc:meta])* $id:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $id(pub u64);

        impl $id {
            /// What stands before the number.
            pub const PREFIX: &'static str = $prefix;
        }
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
        impl FromStr for $id {
            type Err = NotAnId;
            /// Reads `INC-7`, in any case, and the bare number.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let digits = match text.get(..$prefix.len()) {
                    Some(head) if head.eq_ignore_ascii_case($prefix) => &text[$prefix.len()..],
                    _ => text,
                };
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(NotAnId);
                }
                digits.parse().map($id).map_err(|_| NotAnId)
            }
        }
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

number!(
    /// An incident, `INC-7`.
    IncidentId,
    "INC-"
);
number!(
    /// An alert, `ALR-7`.
    AlertId,
    "ALR-"
);
number!(
    /// A problem, `PRB-7`.
    ProblemId,
    "PRB-"
);

number!(
    /// A service request, `REQ-7`. (`RequestId` is one request from outside.)
    ServiceRequestId,
    "REQ-"
);

number!(
    /// A change, `CHG-7`.
    ChangeId,
    "CHG-"
);

number!(
    /// A freeze by word, `FRZ-7`.
    FreezeId,
    "FRZ-"
);

number!(
    /// A run of a playbook, `RUN-7`.
    RunId,
    "RUN-"
);

number!(
    /// A deployment, `DEP-7`.
    DeploymentId,
    "DEP-"
);

number!(
    /// A silence, `SIL-7`.
    SilenceId,
    "SIL-"
);

impl IncidentId {
    /// Stands where an alert has no incident: it was suppressed before it opened or joined one.
    pub const NONE: Self = Self(0);

    /// Whether it names no incident.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl Default for IncidentId {
    fn default() -> Self {
        Self::NONE
    }
}

/// The text is not an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

/// One page: the n-th of its incident, written `INC-7.p2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    /// The incident it is about.
    pub incident: IncidentId,
    /// Its number within the incident, from 1.
    pub n: u32,
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.p{}", self.incident, self.n)
    }
}

impl FromStr for PageId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (incident, n) = text.split_once(".p").ok_or(NotAnId)?;
        Ok(Self { incident: incident.parse()?, n: n.parse().map_err(|_| NotAnId)? })
    }
}

impl Serialize for PageId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PageId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The idempotency key of one delivery: `<install>-<seq base36>.<n>`, at most 25 characters (Discord's limit for
/// a nonce). `install` is up to 8 characters of `[a-z0-9]`, `seq` the commit that owes it, `n` its place in that commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeliveryId {
    /// The data directory it comes from.
    pub install: CompactString,
    /// The commit that owes it.
    pub seq: u64,
    /// Its place within the commit.
    pub n: u16,
}

impl PartialOrd for DeliveryId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DeliveryId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.seq, self.n, &self.install).cmp(&(other.seq, other.n, &other.install))
    }
}

const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0u8; 13];
        let mut at = digits.len();
        let mut rest = self.seq;
        loop {
            at -= 1;
            digits[at] = BASE36[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        let seq = std::str::from_utf8(&digits[at..]).unwrap_or("?");
        write!(f, "{}-{}.{}", self.install, seq, self.n)
    }
}

impl FromStr for DeliveryId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (install, rest) = text.split_once('-').ok_or(NotAnId)?;
        let (seq, n) = rest.split_once('.').ok_or(NotAnId)?;
        Ok(Self {
            install: install.into(),
            seq: u64::from_str_radix(seq, 36).map_err(|_| NotAnId)?,
            n: n.parse().map_err(|_| NotAnId)?,
        })
    }
}

impl Serialize for DeliveryId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeliveryId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_what_they_write() {
        assert_eq!("inc-7".parse::<IncidentId>(), Ok(IncidentId(7)));
        assert_eq!("7".parse::<IncidentId>(), Ok(IncidentId(7)));
        assert_eq!("INC-".parse::<IncidentId>(), Err(NotAnId));
        assert_eq!("INC--7".parse::<IncidentId>(), Err(NotAnId));
        assert_eq!("INC-99999999999999999999999".parse::<IncidentId>(), Err(NotAnId));
        let page = PageId { incident: IncidentId(7), n: 2 };
        assert_eq!(page.to_string().parse(), Ok(page));
        let id = DeliveryId { install: "k3x9qz".into(), seq: 36 * 36 + 11, n: 4 };
        assert_eq!(id.to_string(), "k3x9qz-10b.4");
        assert_eq!(id.to_string().parse(), Ok(id));
        let longest = DeliveryId { install: "k3x9qz".into(), seq: 1 << 53, n: 999 };
        assert!(longest.to_string().len() <= 25);
    }
}

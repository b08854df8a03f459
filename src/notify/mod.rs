//! Notify: one file per pager channel, and what each can do. A sender tries once and says how that ended; when to try
//! again is the domain's table, in which order the runtime's lanes. Looks come from `domain/paging/look`, addresses
//! from the organisation at the moment of sending. Chat is not here: `chat/` brings its own senders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::delivery::{Destination, Grant, Method, Outcome};
use crate::domain::desk::{Sender, Sending};
use crate::domain::org::Org;
use crate::domain::time::Span;

pub mod email;
pub mod heartbeat;
pub mod host;
pub mod webhook;

/// The client of all that posts to somebody's server. It talks to them directly: redirects, and proxies named by the
/// environment, would show a body or a token to another one.
fn client(timeouts: Timeouts) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("opsbell/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        // Whether and when to try again is the domain's to say.
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        // Below the five seconds after which common receivers close an idle connection: a rare message does not meet a
        // connection that is just being closed, a burst still shares its connections.
        .pool_idle_timeout(Duration::from_secs(4))
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .build()
}

/// What a way to reach a person can do, built or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Which.
    pub method: Method,
    /// Whether this release can send by it; `serve` refuses a configuration that names one it cannot.
    pub built: bool,
    /// What a person needs for it, in words of the configuration.
    pub needs: &'static str,
    /// Where a receiver finds the delivery's id, by which repeats are told apart.
    pub id_in: &'static str,
}

/// The registry: one line per channel.
pub const CHANNELS: [Capabilities; 6] = [
    Capabilities { method: Method::Chat, built: true, needs: "a connected chat", id_in: "the message's nonce" },
    Capabilities { method: Method::Email, built: true, needs: "`email` and [mail]", id_in: "the header Message-ID" },
    Capabilities { method: Method::Webhook, built: true, needs: "`webhook`", id_in: "the header webhook-id" },
    Capabilities { method: Method::Sms, built: false, needs: "a phone number", id_in: "the text" },
    Capabilities { method: Method::Voice, built: false, needs: "a phone number", id_in: "the call's reference" },
    Capabilities { method: Method::Push, built: false, needs: "the app", id_in: "the notification's tag" },
];

/// What a method can do.
pub fn capabilities(method: Method) -> Capabilities {
    let known = CHANNELS.iter().find(|channel| channel.method == method);
    known.copied().unwrap_or(Capabilities { method, built: false, needs: "", id_in: "" })
}

/// The channel by which a destination is reached; a code host is reached by none.
pub fn method_of(to: &Destination) -> Option<Method> {
    match to {
        Destination::Person { method, .. } => Some(*method),
        Destination::Channel(_) => Some(Method::Chat),
        Destination::Webhook(_) => Some(Method::Webhook),
        Destination::Host(_) => None,
    }
}

/// The senders in use, one per method; itself a sender for every destination.
#[derive(Clone, Default)]
pub struct Notifiers {
    senders: BTreeMap<Method, Arc<dyn Sender>>,
    hosts: Option<Arc<dyn Sender>>,
}

impl Notifiers {
    /// The same with a sender for a method; it replaces an earlier one.
    #[must_use]
    pub fn with(mut self, method: Method, sender: Arc<dyn Sender>) -> Self {
        self.senders.insert(method, sender);
        self
    }

    /// The same with a sender that answers code hosts.
    #[must_use]
    pub fn with_hosts(mut self, hosts: Arc<dyn Sender>) -> Self {
        self.hosts = Some(hosts);
        self
    }

    /// Whether there is a sender for a method.
    pub fn has(&self, method: Method) -> bool {
        self.senders.contains_key(&method)
    }

    /// The sender that reaches a destination.
    pub fn sender(&self, to: &Destination) -> Option<&Arc<dyn Sender>> {
        match method_of(to) {
            Some(method) => self.senders.get(&method),
            None => self.hosts.as_ref(),
        }
    }
}

impl Sender for Notifiers {
    fn send<'a>(&'a self, grant: &'a Grant, org: &'a Org) -> Sending<'a> {
        match self.sender(&grant.to) {
            Some(sender) => sender.send(grant, org),
            None => {
                let Some(method) = method_of(&grant.to) else {
                    let reason = "from here no code host is answered".to_owned();
                    return Box::pin(std::future::ready(Outcome::Permanent { reason }));
                };
                let why = if capabilities(method).built { "not configured" } else { "not built yet" };
                let reason = format!("{method} is {why}; choose another method for {}", grant.to);
                Box::pin(std::future::ready(Outcome::Permanent { reason }))
            }
        }
    }
}

/// How long a try may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect: Duration,
    /// In all.
    pub total: Duration,
}

impl Timeouts {
    /// For posts.
    pub const WEBHOOK: Self = Self { connect: Duration::from_secs(3), total: Duration::from_secs(10) };
    /// For mails: mail servers hold strangers in front of the door for a while.
    pub const EMAIL: Self = Self { connect: Duration::from_secs(5), total: Duration::from_secs(30) };

    /// The longest that a try may take, with the parting.
    pub fn longest(self) -> Duration {
        self.total + self.parting()
    }

    /// How long to part politely after the outcome is known.
    fn parting(self) -> Duration {
        self.total.min(Duration::from_secs(1))
    }
}

/// What an HTTP status means for a delivery (RFC 9110 §15, RFC 6585, RFC 8470). Redirects are not followed: what is
/// signed for one address is not shown to another. `retry_after` is the receiver's own wish.
///
/// After 408, 425 and 429 nothing was taken. A 5xx may come from a gateway whose server took it, so the next attempt
/// is marked as a possible repeat.
pub fn outcome_of(status: u16, retry_after: Option<Span>) -> Outcome {
    let hint = match status {
        200..=299 => return Outcome::Accepted,
        408 | 425 | 429 | 500..=599 => {
            let reason = format!("the receiver answered {status}");
            return Outcome::Retryable { reason, after: retry_after, unknown: status >= 500 };
        }
        300..=399 => "redirects are not followed, configure the final address",
        401 | 403 => "check the address and its secret",
        404 | 405 => "check the address",
        410 => "the address was given up, configure another",
        413 => "it takes no message of this size",
        _ => "it does not take this message",
    };
    Outcome::Permanent { reason: format!("the receiver answered {status}: {hint}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{ChannelRef, Content, Priority};
    use crate::domain::id::DeliveryId;
    use crate::domain::time::Timestamp;

    /// Every status that means something of its own, and the edges of every range.
    #[test]
    fn each_status_has_its_outcome() {
        const ACCEPTED: &[u16] = &[200, 201, 202, 204, 207, 299];
        const LATER: &[u16] = &[408, 425, 429];
        const LATER_MAYBE_TAKEN: &[u16] = &[500, 501, 502, 503, 504, 507, 520, 524, 599];
        const NEVER: &[u16] = &[
            0,
            100,
            101,
            103,
            199,
            300,
            301,
            302,
            303,
            304,
            307,
            308,
            399,
            400,
            401,
            402,
            403,
            404,
            405,
            406,
            407,
            409,
            410,
            411,
            412,
            413,
            414,
            415,
            417,
            418,
            421,
            422,
            423,
            424,
            426,
            428,
            431,
            451,
            499,
            600,
            999,
            u16::MAX,
        ];
        let wish = Some(Span::secs(7));
        for &status in ACCEPTED {
            assert_eq!(outcome_of(status, wish), Outcome::Accepted, "{status}");
        }
        for (statuses, taken) in [(LATER, false), (LATER_MAYBE_TAKEN, true)] {
            for &status in statuses {
                for asked in [None, wish] {
                    let expected = Outcome::Retryable {
                        reason: format!("the receiver answered {status}"),
                        after: asked,
                        unknown: taken,
                    };
                    assert_eq!(outcome_of(status, asked), expected, "{status}");
                }
            }
        }
        for &status in NEVER {
            let Outcome::Permanent { reason } = outcome_of(status, wish) else { panic!("{status} is not permanent") };
            assert!(reason.starts_with(&format!("the receiver answered {status}: ")), "{reason}");
        }
    }

    #[test]
    fn every_method_has_its_line() {
        for method in Method::ALL {
            assert_eq!(CHANNELS.iter().filter(|channel| channel.method == method).count(), 1, "{method}");
            assert_eq!(capabilities(method).method, method);
        }
    }

    #[tokio::test]
    async fn a_destination_without_a_sender_fails_for_good_and_says_why() {
        let mut grant = Grant {
            id: DeliveryId { install: "k3x9qz".into(), seq: 1, n: 0 },
            to: Destination::Person { person: "bas".into(), method: Method::Sms },
            priority: Priority::Page,
            incident: None,
            page: None,
            content: Content::Post { text: String::new() },
            attempt: 1,
            possible_repeat: false,
            owed_at: Timestamp(0),
        };
        let (none, org) = (Notifiers::default(), Org::default());
        let said = none.send(&grant, &org).await;
        let reason = "sms is not built yet; choose another method for bas via sms".to_owned();
        assert_eq!(said, Outcome::Permanent { reason });
        grant.to = Destination::Channel(ChannelRef::parse("ops"));
        let said = none.send(&grant, &org).await;
        let reason = "chat is not configured; choose another method for channel ops".to_owned();
        assert_eq!(said, Outcome::Permanent { reason });
    }
}

//! The webhook: posts a delivery as JSON, signed by the rules of Standard Webhooks (<https://www.standardwebhooks.com>).
//! Where it posts stands in the organisation; the signing secrets are given to this room alone.
//!
//! ```json
//! {"type":"page","id":"k3x9qz-1.0","incident":"INC-1","page":"INC-1.p1","title":"replication lag 900s",
//!  "person":"bas","severity":"sev1","service":"payments-api","reason":"on call for payments-primary, step 1 of payments",
//!  "next":{"who":"cleo","at":"2026-12-25T02:05:00.000Z"},"text":"🔴 SEV1 …","attempt":1,"possible_repeat":false,
//!  "owed_at":"2026-12-25T02:00:00.000Z","unrouted":false}
//! ```
//!
//! Every key is always there. `type` is `page`, `post` or `notice`; what a post or a notice does not have (`title`,
//! `severity`, `service`, `reason`, `next`) is `null`. The header `webhook-id` is `id`, the same for every attempt:
//! a receiver that has seen it has seen the message.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Tz;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use sha2::Sha256;

use super::{Timeouts, client, outcome_of};
use crate::catalog::{NotASecret, signing_key};
use crate::domain::delivery::{Content, Destination, Grant, Method, NextPaged, Outcome};
use crate::domain::desk::{Sender, Sending};
use crate::domain::id::{DeliveryId, IncidentId, PageId, WebhookId};
use crate::domain::incident::Severity;
use crate::domain::org::{Org, Webhook};
use crate::domain::paging::look::{line, text};
use crate::domain::time::{Span, Timestamp};

/// Tells the time; the runtime's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The most that is taken of an answer's body. It says nothing that is needed; it is read so that the connection can
/// serve the next post.
const ANSWER_MAX: usize = 4096;

/// Addresses that are kept read.
const ADDRESSES_MAX: usize = 1000;

/// Said of an address that nothing can be posted to.
const NOT_AN_ADDRESS: &str = "its url is not a usable http or https address; correct it in the configuration";

/// The longest wish that is understood in `Retry-After`; the domain honours less.
const LONGEST_WISH: Span = Span::days(1);

/// A signing secret.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// Reads it as `signing_key` does.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        // HMAC takes keys of any length.
        Hmac::new_from_slice(&signing_key(text)?).map(Self).map_err(|_| NotASecret::Empty)
    }

    /// The value of `webhook-signature` for a body: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
    pub fn sign(&self, id: &str, timestamp_secs: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(id.as_bytes());
        mac.update(format!(".{timestamp_secs}.").as_bytes());
        mac.update(body);
        let mut signature = String::with_capacity(48);
        signature.push_str("v1,");
        STANDARD.encode_string(mac.finalize().into_bytes(), &mut signature);
        signature
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why webhooks cannot be sent at all.
#[derive(Debug, thiserror::Error)]
#[error("webhooks cannot be sent: the HTTP client does not start ({0}); check this machine's TLS certificates")]
pub struct CannotStart(#[source] pub(super) reqwest::Error);

/// Sends to all webhooks, over connections that are kept.
#[derive(Clone)]
pub struct Webhooks {
    client: reqwest::Client,
    secrets: Arc<BTreeMap<WebhookId, Secret>>,
    /// Addresses that were read before: reading one costs more than the rest of the request's head.
    addresses: Arc<Mutex<BTreeMap<String, reqwest::Url>>>,
    clock: Clock,
    timeouts: Timeouts,
}

impl Webhooks {
    /// A sender with the signing secrets of all webhooks that are `signed`. It talks to receivers directly: proxies
    /// named by the environment are not used.
    pub fn new(secrets: BTreeMap<WebhookId, Secret>, clock: Clock, timeouts: Timeouts) -> Result<Self, CannotStart> {
        let client = client(timeouts).map_err(CannotStart)?;
        let addresses = Arc::default();
        Ok(Self { client, secrets: Arc::new(secrets), addresses, clock, timeouts })
    }

    /// The same over the same connections with other secrets, for a changed configuration.
    #[must_use]
    pub fn with_secrets(&self, secrets: BTreeMap<WebhookId, Secret>) -> Self {
        Self { secrets: Arc::new(secrets), ..self.clone() }
    }

    async fn try_once(&self, grant: &Grant, org: &Org) -> Outcome {
        let (hook, zone) = match find(grant, org) {
            Ok(found) => found,
            Err(reason) => return Outcome::Permanent { reason },
        };
        let body = match serde_json::to_vec(&Body::of(grant, zone)) {
            Ok(body) => body,
            Err(error) => return Outcome::Permanent { reason: format!("the message cannot be written: {error}") },
        };
        let id = grant.id.to_string();
        let timestamp_secs = (self.clock)().unix_secs();
        let Some(address) = self.address(&hook.url) else {
            return Outcome::Permanent { reason: NOT_AN_ADDRESS.to_owned() };
        };
        let mut request = self
            .client
            .post(address)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("webhook-id", id.as_str())
            .header("webhook-timestamp", HeaderValue::from(timestamp_secs));
        if hook.signed {
            let Some(secret) = self.secrets.get(&hook.id) else {
                let reason = format!("the signing secret of webhook {} is not loaded; check its secret", hook.id);
                return Outcome::Permanent { reason };
            };
            request = request.header("webhook-signature", secret.sign(&id, timestamp_secs, &body));
        }
        match request.body(body).send().await {
            Ok(response) => {
                let outcome = outcome_of(response.status().as_u16(), self.wish(&response));
                // The outcome stands; what the receiver still says may not hold it up.
                let _ = tokio::time::timeout(self.timeouts.parting(), drain(response)).await;
                outcome
            }
            Err(error) => outcome_of_error(&error),
        }
    }

    fn address(&self, url: &str) -> Option<reqwest::Url> {
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = known.get(url) {
            return Some(address.clone());
        }
        let address = reqwest::Url::parse(url).ok()?;
        // Those of older configurations go when there are many.
        if known.len() >= ADDRESSES_MAX {
            known.clear();
        }
        known.insert(url.to_owned(), address.clone());
        Some(address)
    }

    /// What `Retry-After` asks for: seconds, or a date (RFC 9110 §10.2.3).
    fn wish(&self, response: &reqwest::Response) -> Option<Span> {
        let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
        retry_after(text, || (self.clock)())
    }
}

impl Sender for Webhooks {
    fn send<'a>(&'a self, grant: &'a Grant, org: &'a Org) -> Sending<'a> {
        Box::pin(self.try_once(grant, org))
    }
}

/// The webhook that a grant goes to and the zone its times are told in, or why there is none.
fn find<'a>(grant: &Grant, org: &'a Org) -> Result<(&'a Webhook, Tz), String> {
    let (id, zone) = match &grant.to {
        Destination::Webhook(id) => (id, org.defaults.zone),
        Destination::Person { person: name, method: Method::Webhook } => {
            let person = org.people.get(name).ok_or_else(|| format!("{name} is no longer configured"))?;
            let hook =
                person.webhook.as_ref().ok_or_else(|| format!("the webhook of {name} is no longer configured"))?;
            (hook, person.zone)
        }
        to => return Err(format!("{to} is not reached by webhook")),
    };
    let hook = org.webhooks.get(id).ok_or_else(|| format!("webhook {id} is no longer configured"))?;
    Ok((hook, zone))
}

/// The body of a post; borrows all it can.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a DeliveryId,
    incident: Option<IncidentId>,
    page: Option<PageId>,
    person: Option<&'a str>,
    title: Option<Cow<'a, str>>,
    severity: Option<Severity>,
    service: Option<&'a str>,
    reason: Option<Cow<'a, str>>,
    next: Option<&'a NextPaged>,
    text: String,
    attempt: u16,
    possible_repeat: bool,
    owed_at: Timestamp,
    unrouted: bool,
}

/// The longest title or reason in a body, in characters.
const PART_MAX: usize = 1000;

impl<'a> Body<'a> {
    fn of(grant: &'a Grant, zone: Tz) -> Self {
        let (kind, page) = match &grant.content {
            Content::Page(page) => ("page", Some(page)),
            Content::Post { .. }
            | Content::Room { .. }
            | Content::Ask { .. }
            | Content::Question { .. }
            | Content::Progress { .. } => ("post", None),
            Content::Notice { .. } | Content::Answer(_) => ("notice", None),
        };
        Self {
            kind,
            id: &grant.id,
            incident: grant.incident,
            page: grant.page,
            person: match &grant.to {
                Destination::Person { person, .. } => Some(person.as_str()),
                Destination::Channel(_) | Destination::Webhook(_) | Destination::Host(_) => None,
            },
            title: page.map(|page| line(&page.title, PART_MAX)),
            severity: page.map(|page| page.severity),
            service: page.map(|page| page.service.as_str()),
            reason: page.map(|page| line(&page.reason, PART_MAX)),
            next: page.and_then(|page| page.next.as_ref()),
            text: text(grant, zone),
            attempt: grant.attempt,
            possible_repeat: grant.possible_repeat,
            owed_at: grant.owed_at,
            unrouted: page.is_some_and(|page| page.unrouted),
        }
    }
}

/// Takes what is left of an answer, up to `ANSWER_MAX`; beyond that the connection is given up.
pub(super) async fn drain(mut response: reqwest::Response) {
    if response.content_length().is_some_and(|length| length > ANSWER_MAX as u64) {
        return;
    }
    let mut left = ANSWER_MAX;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Reads `Retry-After`: seconds (also with a fraction, as some write it) or a date, from which `now` is taken off.
pub(super) fn retry_after(text: &str, now: impl FnOnce() -> Timestamp) -> Option<Span> {
    let text = text.trim();
    let wish = if text.starts_with(|c: char| c.is_ascii_digit()) {
        let secs: f64 = text.parse().ok()?;
        // `as` saturates.
        Span((secs * 1000.0).ceil() as i64)
    } else {
        let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        Timestamp(date.timestamp_millis()).since(now())
    };
    Some(wish.clamp(Span::ZERO, LONGEST_WISH))
}

/// How a try without an answer ended. The words are our own: those of the libraries show addresses.
pub(super) fn outcome_of_error(error: &reqwest::Error) -> Outcome {
    if error.is_builder() {
        return Outcome::Permanent { reason: NOT_AN_ADDRESS.to_owned() };
    }
    // Once there was a connection the post may have been read, whatever became of the answer.
    let unknown = !error.is_connect();
    let mut cause = error.source();
    let mut io = None;
    let mut deepest = String::new();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<std::io::Error>() {
            io = Some(error.kind());
        }
        deepest = inner.to_string();
        cause = inner.source();
    }
    let what = match (unknown, error.is_timeout(), io) {
        (false, true, _) => "no connection in time".to_owned(),
        (true, true, _) => "no answer in time".to_owned(),
        (false, ..) if error.is_dns() => "its name does not resolve".to_owned(),
        (false, ..) if deepest.contains("certificate") => "its TLS certificate is not accepted".to_owned(),
        (false, _, Some(kind)) if kind != std::io::ErrorKind::Other => format!("no connection: {kind}"),
        (false, ..) => "no connection".to_owned(),
        (true, _, Some(kind)) if kind != std::io::ErrorKind::Other => format!("no answer: {kind}"),
        (true, ..) => "no answer: the connection ended".to_owned(),
    };
    Outcome::Retryable { reason: what, after: None, unknown }
}

#[cfg(test)]
mod tests;

//! Who asks: an integration by its key, the administrator by the token in DATA, a person by a personal token. Only
//! digests are kept, and compared in constant time. What a person may do is decided in the domain.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use compact_str::CompactString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::App;
use super::ask;
use super::error::Failure;
use super::limit::Bucket;
use super::signature::Signing;
use crate::domain::id::{IntegrationId, PersonId};
use crate::domain::org::{Mapping, Org};

/// A secret, of which only the sha256 is kept.
#[derive(Clone, Copy)]
pub struct Secret([u8; 32]);

impl Secret {
    /// The secret whose clear text is given.
    pub fn of(clear: &[u8]) -> Self {
        Self(Sha256::digest(clear).into())
    }

    /// Whether both come from the same clear text; takes the same time whatever the answer is.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// The digest as 64 hex digits, as State keeps it for personal tokens.
    pub fn hex(&self) -> CompactString {
        use fmt::Write;
        let mut hex = CompactString::with_capacity(64);
        for byte in self.0 {
            // Writing into a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One integration's key, with what reading its payloads needs.
pub(crate) struct Key {
    pub integration: IntegrationId,
    pub source: CompactString,
    pub mapping: Option<Mapping>,
    pub bucket: Arc<Bucket>,
    secret: Secret,
    /// What the sender signs bodies with, where it does.
    signing: Option<Signing>,
}

/// The keys in force.
#[derive(Default)]
pub struct Keys {
    ring: RwLock<Arc<Vec<Arc<Key>>>>,
}

/// Whose key was shown.
pub(crate) enum Shown {
    /// One for this source.
    Ours(Arc<Key>),
    /// One for another source.
    Other(CompactString),
    /// Nobody's.
    Unknown,
}

impl Keys {
    /// No keys: every signal is refused until `replace`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a configuration's keys into force, at once and together. `secrets` are clear texts by integration; an
    /// integration without one, or with an empty one, cannot send. Rates in use go on.
    pub fn replace(&self, org: &Org, secrets: impl IntoIterator<Item = (IntegrationId, Vec<u8>)>) {
        let before = self.ring();
        let keys = secrets.into_iter().filter(|(_, clear)| !clear.is_empty()).filter_map(|(integration, clear)| {
            let declared = org.integrations.get(&integration)?;
            let known = before.iter().find(|key| key.integration == integration);
            Some(Arc::new(Key {
                source: declared.source.clone(),
                mapping: declared.mapping.clone(),
                bucket: known.map(|key| key.bucket.clone()).unwrap_or_default(),
                secret: Secret::of(&clear),
                signing: Signing::of(&clear).filter(|_| declared.source == "github"),
                integration,
            }))
        });
        let ring = Arc::new(keys.collect());
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    /// Whose key this is. Compares with every key, whichever matches first.
    pub(crate) fn shown(&self, source: &str, clear: &[u8]) -> Shown {
        let (secret, ring) = (Secret::of(clear), self.ring());
        let (mut ours, mut other) = (None, None);
        for key in ring.iter() {
            let found = if key.source == source { &mut ours } else { &mut other };
            if key.secret.is(&secret) {
                *found = Some(key);
            }
        }
        match (ours, other) {
            (Some(key), _) => Shown::Ours(key.clone()),
            (None, Some(key)) => Shown::Other(key.source.clone()),
            (None, None) => Shown::Unknown,
        }
    }

    /// Whose key signed a body. Tries every key, whichever fits first.
    pub(crate) fn signed(&self, source: &str, body: &[u8], tag: &[u8; 32]) -> Option<Arc<Key>> {
        let mut found = None;
        for key in self.ring().iter().filter(|key| key.source == source) {
            if key.signing.as_ref().is_some_and(|signing| signing.signs(body, tag)) {
                found = Some(key.clone());
            }
        }
        found
    }

    fn ring(&self) -> Arc<Vec<Arc<Key>>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ring().iter().map(|key| &key.integration)).finish()
    }
}

/// The token of `Authorization: Bearer TOKEN`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    authorization(headers, b"bearer ")
}

/// The key of `Authorization: GenieKey KEY`, as Opsgenie's senders show theirs.
pub(crate) fn genie_key(headers: &HeaderMap) -> Option<&[u8]> {
    authorization(headers, b"geniekey ")
}

fn authorization<'a>(headers: &'a HeaderMap, wanted: &[u8]) -> Option<&'a [u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(wanted.len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(wanted) && !token.is_empty()).then_some(token)
}

/// Who speaks through the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Administrator,
    Person(PersonId),
}

/// What a personal token begins with.
pub(crate) const TOKEN_PREFIX: &str = "obt_";

pub(crate) fn unauthorized(message: &'static str) -> Failure {
    // Nothing of the body has been read; a client that goes on sending it would be read as a new request.
    Failure::new(StatusCode::UNAUTHORIZED, "unauthorized", message).close()
}

/// Who asks, by the administrator's or a personal token; looked at before any body.
pub(crate) async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Failure> {
    let Some(token) = bearer(headers) else {
        return Err(unauthorized("this path needs a token")
            .hint("send `Authorization: Bearer TOKEN`; `opsbell token add PERSON` makes one, DATA/admin.token is the administrator's"));
    };
    let secret = Secret::of(token);
    if secret.is(&app.http.admin) {
        return Ok(Caller::Administrator);
    }
    let unknown = || {
        unauthorized("this token is not known or was revoked")
            .hint("`opsbell token list` shows those in force, `opsbell token add PERSON` makes one")
    };
    if !token.starts_with(TOKEN_PREFIX.as_bytes()) {
        return Err(unknown());
    }
    let hex = secret.hex();
    let person = ask::peek(app, &app.strangers, app.http.limits.answer_timeout, move |view| {
        let token = view.state.tokens.values().find(|token| token.sha256 == hex)?;
        let here = view.org.people.get(&token.person).is_some_and(|person| !person.left);
        Some((token.person.clone(), here))
    })
    .await?;
    match person {
        Some((person, true)) => Ok(Caller::Person(person)),
        Some((person, false)) => {
            Err(unauthorized("the person of this token has left, or is no longer in the configuration")
                .hint(format!("put `{person}` back, or revoke the token")))
        }
        None => Err(unknown()),
    }
}

/// Only the administrator may go on.
pub(crate) async fn administrator(app: &App, headers: &HeaderMap) -> Result<(), Failure> {
    match caller(app, headers).await? {
        Caller::Administrator => Ok(()),
        Caller::Person(_) => {
            Err(Failure::new(StatusCode::FORBIDDEN, "forbidden", "only the administrator's token may do this")
                .hint("it is in DATA/admin.token")
                .close())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_secret_shows_nothing_and_compares_by_digest() {
        let secret = Secret::of(b"hunter2");
        assert_eq!(format!("{secret:?}"), "Secret");
        assert!(secret.is(&Secret::of(b"hunter2")));
        assert!(!secret.is(&Secret::of(b"hunter3")) && !secret.is(&Secret::of(b"")));
        assert_eq!(Secret::of(b"").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_bearer_is_read_in_any_case_and_nothing_else_is() {
        let read = |value: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            bearer(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(read(b"Bearer k1"), Some(b"k1".to_vec()));
        assert_eq!(read(b"bEARER  k1 "), Some(b"k1".to_vec()));
        for wrong in [&b"Bearer"[..], b"Bearer ", b"Basic azE=", b"", b"k1", b"Bear\xffr k1"] {
            assert_eq!(read(wrong), None);
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}

//! Code hosts that show their key in a way of their own: GitHub signs the body (`X-Hub-Signature-256`), GitLab sends
//! a token (`X-Gitlab-Token`). Either is the integration's key. Anything but exactly one value is refused.

use axum::extract::Request;
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, HeaderName};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;

use super::auth::{Key, unauthorized};
use super::body::{self, Held};
use super::error::Failure;
use super::{App, ingest};

const GITHUB: HeaderName = HeaderName::from_static("x-hub-signature-256");
const GITHUB_EVENT: HeaderName = HeaderName::from_static("x-github-event");
const GITLAB: HeaderName = HeaderName::from_static("x-gitlab-token");

/// What GitHub's source reads; the fields of the body tell which it is.
const GITHUB_EVENTS: [&[u8]; 7] = [
    b"deployment",
    b"deployment_status",
    b"deployment_protection_rule",
    b"workflow_run",
    b"workflow_job",
    b"push",
    b"release",
];

/// A key for signing, of which the clear text is not kept.
#[derive(Clone)]
pub(crate) struct Signing(Hmac<Sha256>);

impl Signing {
    /// The key that GitHub signs with.
    pub fn of(clear: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(clear).ok().map(Self)
    }

    /// Whether a tag is that of a body; takes the same time whatever the answer is.
    pub fn signs(&self, body: &[u8], tag: &[u8; 32]) -> bool {
        let mut mac = self.0.clone();
        mac.update(body);
        mac.verify_slice(tag).is_ok()
    }
}

/// The only value of a header; `None` where it is not sent.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h [u8]>, Failure> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(unauthorized("the header that shows the key is sent twice").hint("send it once"));
    }
    Ok(first.map(|value| value.as_bytes().trim_ascii()))
}

/// The token that GitLab sends.
pub(crate) fn gitlab<'h>(source: &str, headers: &'h HeaderMap) -> Result<Option<&'h [u8]>, Failure> {
    if source != "gitlab" {
        return Ok(None);
    }
    Ok(only(headers, &GITLAB)?.filter(|token| !token.is_empty()))
}

/// The tag with which GitHub signed the body; `None` where it signed nothing.
pub(crate) fn github(source: &str, headers: &HeaderMap) -> Result<Option<[u8; 32]>, Failure> {
    if source != "github" {
        return Ok(None);
    }
    let Some(value) = only(headers, &GITHUB)? else { return Ok(None) };
    let tag = value.strip_prefix(b"sha256=").and_then(unhex);
    let wrong = || unauthorized("X-Hub-Signature-256 is not sha256= and 64 hex digits");
    tag.map(Some).ok_or_else(wrong)
}

fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in tag.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(tag)
}

/// Whether GitHub says that this is an event which is not read.
pub(crate) fn unread(source: &str, headers: &HeaderMap) -> bool {
    let event = headers.get(GITHUB_EVENT).filter(|_| source == "github");
    event.is_some_and(|event| !GITHUB_EVENTS.contains(&event.as_bytes()))
}

/// Reads the body of a sender who signs it, and finds whose key signed it. Nothing of it is parsed before that.
pub(crate) async fn signed<'a>(
    app: &'a App,
    source: &str,
    tag: &[u8; 32],
    request: Request,
) -> Result<(Arc<Key>, Held<'a>), Failure> {
    // The signature is over the bytes as they were sent.
    let packed = request.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii());
    if packed.is_some_and(|encoding| !matches!(encoding, b"" | b"identity")) {
        return Err(unauthorized("a signed body has to be sent unpacked").hint("leave Content-Encoding out"));
    }
    let held = body::read_unknown(app, request, app.http.limits.ingest_bytes).await?;
    let Some(key) = app.http.keys.signed(source, &held.bytes, tag) else {
        return Err(unauthorized("the signature fits no integration's key")
            .hint("the webhook's secret has to be the value that key_env (or key_file) of the [[integration]] names"));
    };
    ingest::spend(app, &key)?;
    Ok((key, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_vector_of_githubs_documentation_verifies_and_nothing_near_it_does() {
        let vector = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let tag = unhex(vector.as_bytes()).expect("hex");
        let key = Signing::of(b"It's a Secret to Everybody").expect("a key");
        assert!(key.signs(b"Hello, World!", &tag));
        assert!(!key.signs(b"Hello, World", &tag) && !key.signs(b"", &tag));
        assert!(!Signing::of(b"It's a Secret to Everybod").expect("a key").signs(b"Hello, World!", &tag));
        let mut other = tag;
        other[31] ^= 1;
        assert!(!key.signs(b"Hello, World!", &other));
        assert_eq!(unhex(vector.to_uppercase().as_bytes()), Some(tag));
        for wrong in ["", &vector[1..], &format!("{vector}0"), &vector.replace('7', "g"), &"é".repeat(32)] {
            assert_eq!(unhex(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_header_counts_only_where_it_stands_once() {
        let with = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| {
                headers.append(GITHUB, HeaderValue::from_static(value));
                headers.append(GITLAB, HeaderValue::from_static(value));
            });
            headers
        };
        assert!(matches!(github("github", &with(&[])), Ok(None)));
        assert!(matches!(github("generic", &with(&["x", "y"])), Ok(None)));
        assert!(github("github", &with(&["sha1=00"])).is_err());
        assert!(github("github", &with(&[""])).is_err());
        assert!(matches!(gitlab("gitlab", &with(&["k1"])), Ok(Some(b"k1"))));
        assert!(matches!(gitlab("gitlab", &with(&[""])), Ok(None)));
        for twice in [&["k1", "k1"][..], &["", "k1"]] {
            assert!(gitlab("gitlab", &with(twice)).is_err() && github("github", &with(twice)).is_err());
        }
    }
}

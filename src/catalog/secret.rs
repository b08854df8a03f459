//! Secrets: the values of `*_env` and `*_file` keys. The one room that reads the environment (clap aside). A value is
//! never printed, logged or stored; the rest of Opsbell knows a secret by the name of what it opens.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::domain::id::{IntegrationId, WebhookId};

/// One secret value. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value, without the line end that files and shells leave; `None` when nothing is left.
    pub fn new(value: &str) -> Option<Self> {
        let value = value.trim_end_matches(['\r', '\n']);
        (!value.is_empty()).then(|| Self(value.to_owned()))
    }

    /// Why it could be guessed, in words that give nothing of it away; `None` for one that looks random.
    pub fn weakness(&self) -> Option<&'static str> {
        const SHORTEST: usize = 16;
        const DIFFERENT_LEAST: usize = 7;
        let characters: Vec<char> = self.0.chars().collect();
        let different: std::collections::BTreeSet<char> = characters.iter().copied().collect();
        // `0123456789abcdef`: each character is the one after the last.
        let steps = characters.windows(2).filter(|pair| u32::from(pair[1]).abs_diff(u32::from(pair[0])) == 1).count();
        if characters.len() < SHORTEST {
            Some("it has fewer than 16 characters")
        } else if different.len() < DIFFERENT_LEAST {
            Some("it has very few different characters")
        } else if steps * 2 > characters.len() {
            Some("its characters follow one another")
        } else {
            None
        }
    }

    /// The value, for the adapter that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Why a text is not a signing secret. Does not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASecret {
    /// There is nothing.
    #[error("the signing secret is empty")]
    Empty,
    /// What follows `whsec_` cannot be read.
    #[error("what follows `whsec_` in the signing secret is not base64; copy it again, whole")]
    NotBase64,
}

/// The key of a signing secret: of `whsec_<base64>`, with or without padding, what is encoded; without that prefix the
/// text's own bytes. Source: <https://www.standardwebhooks.com>.
///
/// # Errors
/// There is no key in it.
pub fn signing_key(text: &str) -> Result<Cow<'_, [u8]>, NotASecret> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text = text.trim();
    let key = match text.strip_prefix("whsec_") {
        Some(encoded) => Cow::Owned(LENIENT.decode(encoded).map_err(|_| NotASecret::NotBase64)?),
        None => Cow::Borrowed(text.as_bytes()),
    };
    if key.is_empty() { Err(NotASecret::Empty) } else { Ok(key) }
}

/// All secrets of a configuration that could be read.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The key with which an integration's sender proves itself.
    pub ingest: BTreeMap<IntegrationId, Secret>,
    /// The token with which the code host of an integration is answered.
    pub answers: BTreeMap<IntegrationId, Secret>,
    /// With which posts to a webhook are signed.
    pub signing: BTreeMap<WebhookId, Secret>,
    /// The password of the mail server.
    pub mail_password: Option<Secret>,
    /// Where Opsbell's own heartbeat goes: whoever has the address can silence the watchdog.
    pub heartbeat: Option<Secret>,
    /// The token for a host that steps ask, by the host.
    pub hosts: BTreeMap<String, Secret>,
    /// The token of a chat platform, by its name (`discord`).
    pub chat: BTreeMap<String, Secret>,
}

/// Reads the process's own environment; for the argument `env` of the loaders. A value that is no Unicode counts
/// as not set.
#[expect(clippy::disallowed_methods, reason = "this is the one room")]
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_could_be_guessed_is_noticed() {
        let weak = |value: &str| Secret::new(value).expect("not empty").weakness().is_some();
        for value in [
            "s",
            "secret",
            "fifteen-letters",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "abababababababababab",
            "1234567890123456",
            "abcdefghijklmnopqrstuvwxyz",
        ] {
            assert!(weak(value), "{value}");
        }
        for value in ["f3a91c0b77d24e58", "correct horse battery staple", "Zm9vYmFyYmF6cXV4MTIzNDU"] {
            assert!(!weak(value), "{value}");
        }
    }
}

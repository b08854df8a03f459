//! The heartbeat that goes out: one GET of a watchdog's address, which raises its own alarm when none comes. The address
//! is a secret (whoever has it can silence the watchdog): it stands in no message. When one is due is not known here.

use super::{Timeouts, client};

/// Sends heartbeats.
#[derive(Debug, Clone)]
pub struct Heartbeats {
    http: reqwest::Client,
}

impl Heartbeats {
    /// The usual timeouts; no redirects, no proxies of the environment.
    ///
    /// # Errors
    /// The TLS library cannot be used.
    pub fn new() -> Result<Self, reqwest::Error> {
        client(Timeouts::WEBHOOK).map(|http| Self { http })
    }

    /// Sends one.
    ///
    /// # Errors
    /// Why it did not arrive, without the address.
    pub async fn beat(&self, url: &str) -> Result<(), String> {
        match self.http.get(url).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the watchdog answered HTTP {}", answer.status().as_u16())),
            Err(error) if error.is_builder() => Err("its address is not a URL".to_owned()),
            Err(error) if error.is_timeout() => Err("the watchdog did not answer in time".to_owned()),
            Err(_) => Err("the watchdog cannot be reached".to_owned()),
        }
    }
}

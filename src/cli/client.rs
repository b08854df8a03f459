//! The client side of verbs that talk to a running server: where it is, whose token, one request.

use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::Value;

use super::placed::Placed;
use super::{End, Global, NO, UNREACHABLE, USAGE};
use crate::runtime::data;

/// A request takes no longer.
const DEADLINE: Duration = Duration::from_secs(15);

/// A server, as the administrator of its data directory sees it.
pub struct Client {
    base: String,
    token: String,
    placed: Placed,
    http: reqwest::Client,
    tokio: tokio::runtime::Runtime,
}

/// The server may well run on another data directory than the one that was looked into.
fn elsewhere(global: &Global, error: anyhow::Error) -> anyhow::Error {
    let how = match global.data {
        Some(_) => "is that its data directory? say another with --data DIR or OPSBELL_DATA",
        None => "this is the default data directory; say the server's own with --data DIR or OPSBELL_DATA",
    };
    anyhow!("{error:#}\n{how}, or the address with --listen")
}

impl Client {
    /// Finds the server: by `--listen`, else by `server.json` of the data directory. `token` where one is given.
    pub fn find(global: &Global, token: Option<String>) -> Result<Self, End> {
        let dir = global.data();
        let base = match &global.listen {
            Some(address) => address.base(),
            None => {
                let found = data::server_of(&dir);
                let found = found.map_err(|error| End::Failed(UNREACHABLE, elsewhere(global, error)))?;
                format!("http://{}", found.address)
            }
        };
        let token = match token {
            Some(token) => token,
            None => data::admin_token_of(&dir).map_err(|error| elsewhere(global, error))?,
        };
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let http = reqwest::Client::builder().timeout(DEADLINE).no_proxy().build().context("no HTTP client")?;
        Ok(Self { base, token, placed: Placed::of(global), http, tokio })
    }

    /// Where it is, `http://127.0.0.1:8080`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whose words count here.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// One request; a refusal is said and ends with 1, a mistake in the call with 2, no answer with 3.
    pub fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Value, End> {
        self.taken(self.send(method, path, body, None)?)
    }

    /// The same by POST, with an `Idempotency-Key`.
    pub fn ask_with_key(&self, path: &str, body: &Value, key: Option<&str>) -> Result<Value, End> {
        self.taken(self.send(reqwest::Method::POST, path, Some(body), key)?)
    }

    fn taken(&self, (status, value): (u16, Value)) -> Result<Value, End> {
        if status < 400 {
            return Ok(value);
        }
        let error = value.get("error");
        let part = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str).unwrap_or_default();
        eprintln!(
            "{}",
            if part("message").is_empty() { format!("refused with HTTP {status}") } else { part("message").to_owned() }
        );
        if !part("hint").is_empty() {
            eprintln!("{}", self.placed.hint(part("hint")));
        }
        // What names its place in the call is a mistake in the call; a server (or one before it) that fails has answered
        // nothing.
        let misused = matches!(status, 400 | 404 | 422) && !part("path").is_empty();
        Err(End::Status(match status {
            _ if misused => USAGE,
            408 | 500.. => UNREACHABLE,
            _ => NO,
        }))
    }

    /// One request and its status.
    pub fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<(u16, Value), End> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answered = self.tokio.block_on(async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        });
        let (status, bytes) = answered.map_err(|error| {
            let hint = "is the server running? start it with `opsbell serve`, or name it with --listen";
            End::Failed(
                UNREACHABLE,
                anyhow!(error.without_url()).context(format!("no answer from {}; {hint}", self.base)),
            )
        })?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }
}

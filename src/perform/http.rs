//! Asks a server, once: an allowed host at a checked address, without redirects or proxies, within a timeout, and no more
//! than a bounded part of the answer is read.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json_path::JsonPath;

use super::address::is_public;
use super::{Performer, READ_MAX, failed};
use crate::domain::playbook::spec::{Expected, Host, Http};
use crate::domain::playbook::{Allowed, Performed};

/// Making the connection takes no longer than this.
const CONNECT: Duration = Duration::from_secs(10);

impl Performer {
    pub(super) async fn http(&self, asked: &Http, allowed: &Allowed, timeout: Duration) -> Performed {
        match tokio::time::timeout(timeout, self.ask(asked, allowed, timeout)).await {
            Ok(performed) => performed,
            Err(_) => Performed::Unknown { reason: format!("no answer within {} s", timeout.as_secs()) },
        }
    }

    async fn ask(&self, asked: &Http, allowed: &Allowed, timeout: Duration) -> Performed {
        let Ok(url) = Url::parse(&asked.url) else { return failed("its address cannot be read") };
        let entry = match entry(&url, allowed) {
            Ok(entry) => entry,
            Err(why) => return failed(why),
        };
        let addresses = match self.addresses(&url, entry).await {
            Ok(addresses) => addresses,
            Err(why) => return failed(why),
        };
        let request = match self.request(&url, asked, entry, &addresses, timeout) {
            Ok(request) => request,
            Err(why) => return failed(why),
        };
        let response = match request.send().await {
            Ok(response) => response,
            // Nothing was asked before there was a connection.
            Err(error) if error.is_connect() || error.is_builder() => return failed(told(error)),
            Err(error) => return Performed::Unknown { reason: told(error) },
        };
        judge(asked, response).await
    }

    /// The addresses of the host, all of them checked. The connection goes to these and to no other: what the name means
    /// a moment later does not matter.
    async fn addresses(&self, url: &Url, entry: &Host) -> Result<Vec<SocketAddr>, String> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("its address has no host".to_owned());
        };
        // Not even a name is looked up elsewhere.
        let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if self.here && !near {
            return Err(format!("{host} is not on this machine, and nothing leaves it in a demo"));
        }
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => match tokio::net::lookup_host((host, port)).await {
                Ok(found) => found.collect(),
                Err(_) => return Err(format!("{host} has no address")),
            },
        };
        if addresses.is_empty() {
            return Err(format!("{host} has no address"));
        }
        if !entry.private && !addresses.iter().all(|address| is_public(address.ip())) {
            return Err(format!(
                "{host} is at a private address; if it may be, say private = true at its [[http-host]]"
            ));
        }
        Ok(addresses)
    }

    fn request(
        &self,
        url: &Url,
        asked: &Http,
        entry: &Host,
        addresses: &[SocketAddr],
        timeout: Duration,
    ) -> Result<reqwest::RequestBuilder, String> {
        let method = asked.method.parse().map_err(|_| "its method cannot be read".to_owned())?;
        let client = reqwest::Client::builder()
            .user_agent(concat!("opsbell/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT.min(timeout))
            .resolve_to_addrs(url.host_str().unwrap_or_default(), addresses)
            .build()
            .map_err(|error| format!("the HTTP client does not start: {}", told(error)))?;
        let mut request = client.request(method, url.clone()).header(ACCEPT, "application/json, */*;q=0.5");
        if let Some(json) = &asked.json {
            request = request.header(CONTENT_TYPE, "application/json").body(json.to_string());
        }
        if let Some(token) = self.tokens.get(entry.host.as_str()) {
            let (name, value) = match &entry.header {
                Some(name) => {
                    (name.parse().map_err(|_| "its token's header cannot be read")?, token.expose().to_owned())
                }
                None => (AUTHORIZATION, format!("Bearer {}", token.expose())),
            };
            let name: HeaderName = name;
            let mut value = HeaderValue::from_str(&value).map_err(|_| "its token cannot stand in a header")?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        Ok(request)
    }
}

/// The entry that allows a URL, by the organisation in force.
fn entry<'a>(url: &Url, allowed: &'a Allowed) -> Result<&'a Host, String> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err("its address has no host".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its address names a user; tokens belong to the [[http-host]]".to_owned());
    }
    let usual = url.port().is_none();
    let Some(entry) = allowed.hosts.iter().find(|entry| entry.is(host, port, usual)) else {
        return Err(format!("{host} is no host that steps may ask"));
    };
    match url.scheme() {
        "https" => Ok(entry),
        "http" if entry.private => Ok(entry),
        _ => Err(format!("{host} would be asked without TLS")),
    }
}

/// What went wrong, without the address: a query may hold what nobody should read.
fn told(error: reqwest::Error) -> String {
    use std::error::Error as _;
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let error = error.without_url();
    let mut cause = error.source();
    while let Some(next) = cause.and_then(|cause| cause.source()) {
        cause = Some(next);
    }
    cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}

/// Whether an answer is what is expected.
async fn judge(asked: &Http, mut response: reqwest::Response) -> Performed {
    let status = response.status();
    let mut body: Vec<u8> = Vec::new();
    let mut whole = true;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = READ_MAX - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    whole = false;
                    break;
                }
            }
            Ok(None) => break,
            // It has answered: what it began to do is done or not by its status.
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    let output = String::from_utf8_lossy(&body).into_owned();
    let code = status.as_u16();
    let failed = |reason: String| Performed::Failed { reason, output: output.clone() };
    let fits = asked.status.map_or(status.is_success(), |wanted| wanted == code);
    if !fits {
        let wanted = asked.status.map(|wanted| format!(", and {wanted} was expected")).unwrap_or_default();
        let redirects = if status.is_redirection() { "; redirects are not followed" } else { "" };
        return failed(format!("it answered {code}{wanted}{redirects}"));
    }
    match &asked.expect {
        Some(_) if !whole => failed(format!("its answer is longer than {} KiB, or broke off", READ_MAX / 1024)),
        Some(expected) => match wrong(expected, &body) {
            Some(why) => failed(why),
            None => Performed::Done { output },
        },
        None => Performed::Done { output },
    }
}

/// Why a body is not what is expected.
fn wrong(expected: &Expected, body: &[u8]) -> Option<String> {
    let path = &expected.path;
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else {
        return Some("its answer is not JSON".to_owned());
    };
    let Ok(query) = JsonPath::parse(path) else { return Some(format!("{path} is no JSONPath")) };
    match query.query(&json).exactly_one() {
        Ok(found) if *found == expected.is => None,
        Ok(found) => {
            let found: String = found.to_string().chars().take(100).collect();
            Some(format!("{path} is {found}, and {} was expected", expected.is))
        }
        Err(_) => Some(format!("its answer does not have one {path}")),
    }
}

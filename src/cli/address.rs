//! `--listen`: where a server listens, or where one is found: `127.0.0.1:8080`, `opsbell.ej.example:8080`,
//! `https://opsbell.ej.example`.

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::anyhow;

/// What was given with `--listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and port: a server listens there, or is found there.
    Socket(SocketAddr),
    /// An http or https address without a last `/`: a server is found there.
    Url(String),
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(socket) = text.parse() {
            return Ok(Self::Socket(socket));
        }
        let wrong = || anyhow!("write it like 127.0.0.1:8080, or (where the server is) https://opsbell.example");
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let parsed = reqwest::Url::parse(&url).map_err(|_| wrong())?;
        let told = text.contains("://") || parsed.port().is_some();
        let plain = parsed.query().is_none() && parsed.fragment().is_none();
        let nobody = parsed.username().is_empty() && parsed.password().is_none();
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() || !told || !plain || !nobody {
            return Err(wrong());
        }
        Ok(Self::Url(url.trim_end_matches('/').to_owned()))
    }
}

impl Address {
    /// Where a server listens.
    ///
    /// # Errors
    /// It is where one is found.
    pub fn socket(&self) -> anyhow::Result<SocketAddr> {
        match self {
            Self::Socket(socket) => Ok(*socket),
            Self::Url(url) => Err(anyhow!("a server listens on an address and port, like 0.0.0.0:8080, not on {url}")),
        }
    }

    /// What a client puts before its paths.
    pub fn base(&self) -> String {
        match self {
            Self::Socket(socket) => format!("http://{socket}"),
            Self::Url(url) => url.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_its_address_its_name_or_its_url() {
        let base = |text: &str| text.parse::<Address>().ok().map(|address| address.base());
        for (text, expected) in [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("[::1]:8080", Some("http://[::1]:8080")),
            ("opsbell.ej.example:8080", Some("http://opsbell.ej.example:8080")),
            ("http://opsbell.ej.example:8080", Some("http://opsbell.ej.example:8080")),
            ("https://opsbell.ej.example/", Some("https://opsbell.ej.example")),
            ("https://ej.example/ops", Some("https://ej.example/ops")),
            ("opsbell.ej.example", None),
            ("8080", None),
            ("", None),
            ("ftp://opsbell.ej.example", None),
            ("https://bas:secret@opsbell.ej.example", None),
            ("https://opsbell.ej.example/?x=1", None),
        ] {
            assert_eq!(base(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_an_address_and_port_is_listened_on() {
        let socket = |text: &str| text.parse::<Address>().expect(text).socket();
        assert_eq!(socket("0.0.0.0:80").expect("it is one"), "0.0.0.0:80".parse().expect("an address"));
        assert!(socket("https://opsbell.ej.example").is_err());
    }
}

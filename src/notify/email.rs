//! Mail: one connection and one message per delivery, over SMTP. The address comes from the organisation when it is
//! sent; the server and its password are given to this room alone. Every mail carries the delivery's id as its
//! `Message-ID` and refers to its incident, so that a repeat is one message and an incident one thread.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, transport::smtp};
use tokio::time::timeout;

use super::Timeouts;
use crate::catalog::stays_here;
use crate::domain::delivery::{Content, Destination, Grant, Method, Outcome};
use crate::domain::desk::{Sender, Sending};
use crate::domain::org::Org;
use crate::domain::paging::look::look;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailTls {
    /// Not at all.
    None,
    /// Begins in the clear and turns to TLS before anything is said (port 587); a server that cannot is refused.
    #[default]
    StartTls,
    /// From the first byte (port 465).
    Tls,
}

impl MailTls {
    /// Reads `none`, `starttls` and `tls`.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "starttls" => Self::StartTls,
            "tls" => Self::Tls,
            _ => return None,
        })
    }
}

/// The mail server, and in whose name is written.
#[derive(Clone)]
pub struct MailConfig {
    /// Its name; with TLS that of its certificate.
    pub host: String,
    /// Its port: 587, 465 or 25.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// The sender, `opsbell@ej.example` or `Opsbell <opsbell@ej.example>`.
    pub from: String,
    /// Who logs in, if anybody has to.
    pub username: Option<String>,
    /// By what password.
    pub password: Option<String>,
}

impl std::fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Why mail cannot be sent with this configuration. Shows no address and no password.
#[derive(Debug, thiserror::Error)]
pub enum MailMisconfigured {
    /// The sender is none.
    #[error("the sender of mails is not a mail address; write it like `Opsbell <opsbell@ej.example>`")]
    From,
    /// One without the other.
    #[error("mail needs both a username and a password, or neither")]
    HalfLogin,
    /// The password would be readable on the way.
    #[error("the mail password would be sent in the clear; use tls = \"starttls\" or \"tls\"")]
    ClearPassword,
    /// TLS does not start.
    #[error("TLS for mail does not start ({0}); check the server's name and this machine's certificates")]
    Tls(#[source] smtp::Error),
}

/// Sends mails to people.
pub struct Mails {
    host: String,
    port: u16,
    /// Parameters, and whether TLS begins with STARTTLS.
    tls: Option<(TlsParameters, bool)>,
    from: Mailbox,
    login: Option<Credentials>,
    hello: ClientId,
    timeouts: Timeouts,
}

impl Mails {
    /// A sender for a mail server.
    pub fn new(config: MailConfig, timeouts: Timeouts) -> Result<Self, MailMisconfigured> {
        let from: Mailbox = config.from.parse().map_err(|_| MailMisconfigured::From)?;
        if !AsRef::<str>::as_ref(&from.email).is_ascii() {
            return Err(MailMisconfigured::From);
        }
        let login = match (config.username, config.password) {
            (Some(username), Some(password)) => Some(Credentials::new(username, password)),
            (None, None) => None,
            _ => return Err(MailMisconfigured::HalfLogin),
        };
        if login.is_some() && config.tls == MailTls::None && !stays_here(&config.host) {
            return Err(MailMisconfigured::ClearPassword);
        }
        let tls = match config.tls {
            MailTls::None => None,
            kind => {
                let parameters = TlsParameters::new(config.host.clone()).map_err(MailMisconfigured::Tls)?;
                Some((parameters, kind == MailTls::StartTls))
            }
        };
        let hello = ClientId::default();
        Ok(Self { host: config.host, port: config.port, tls, from, login, hello, timeouts })
    }

    async fn try_once(&self, grant: &Grant, org: &Org) -> Outcome {
        let message = match self.message(grant, org) {
            Ok(message) => message,
            Err(reason) => return Outcome::Permanent { reason },
        };
        // Up to the end of the envelope nothing can have arrived; from the first byte of the message on it may have.
        let half = self.timeouts.total / 2;
        let mut connection = match timeout(half, self.envelope(&message)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return outcome_of(&error, false),
            Err(_) => return late(false),
        };
        match timeout(self.timeouts.total - half, connection.message(&message.formatted())).await {
            Ok(Ok(_)) => {
                let _ = timeout(self.timeouts.parting(), connection.quit()).await;
                Outcome::Accepted
            }
            Ok(Err(error)) => outcome_of(&error, true),
            Err(_) => late(true),
        }
    }

    /// Connects and goes as far as the server's leave to send the message.
    async fn envelope(&self, message: &Message) -> Result<AsyncSmtpConnection, smtp::Error> {
        let wrapped = match &self.tls {
            Some((parameters, false)) => Some(parameters.clone()),
            _ => None,
        };
        let server = (self.host.as_str(), self.port);
        let within = Some(self.timeouts.connect.max(Duration::from_millis(1)));
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, within, &self.hello, wrapped, None).await?;
        if let Some((parameters, true)) = &self.tls {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        let envelope = message.envelope();
        connection.command(Mail::new(envelope.from().cloned(), Vec::new())).await?;
        for to in envelope.to() {
            connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
        }
        connection.command(Data).await?;
        Ok(connection)
    }

    /// The mail: the same for every attempt, but for what `attempt` and `possible_repeat` change in its look.
    fn message(&self, grant: &Grant, org: &Org) -> Result<Message, String> {
        let Destination::Person { person: name, method: Method::Email } = &grant.to else {
            return Err(format!("{} is not reached by mail", grant.to));
        };
        let person = org.people.get(name).ok_or_else(|| format!("{name} is no longer configured"))?;
        let address =
            person.email.as_deref().ok_or_else(|| format!("the mail address of {name} is no longer configured"))?;
        // Only ASCII: an address beyond it needs SMTPUTF8, which few servers speak.
        let to = address.parse::<Address>().ok().filter(|_| address.is_ascii());
        let to = to.ok_or_else(|| {
            format!("the mail address of {name} cannot be written to; correct it in the configuration")
        })?;
        let look = look(grant, person.zone);
        let owed_at =
            SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(grant.owed_at.0).unwrap_or(0).min(LATEST_MS));
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&look.subject)
            .date(owed_at)
            .message_id(Some(format!("<{}@opsbell.{}>", grant.id, self.from.email.domain())))
            // Keeps answering machines silent (RFC 3834).
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if let Some(incident) = grant.incident {
            let thread = format!("<{incident}@{}>", grant.id.install);
            message = message.in_reply_to(thread.clone()).references(thread);
        }
        if matches!(&grant.content, Content::Page(page) if page.severity.high_urgency()) {
            message = message.raw_header(header("Importance", "high"));
        }
        message
            .header(ContentType::TEXT_PLAIN)
            .body(look.text())
            .map_err(|error| format!("the mail to {name} cannot be written: {error}"))
    }
}

/// The end of the year 9998, beyond which mail has no dates.
const LATEST_MS: u64 = 253_370_764_800_000;

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

impl Sender for Mails {
    fn send<'a>(&'a self, grant: &'a Grant, org: &'a Org) -> Sending<'a> {
        Box::pin(self.try_once(grant, org))
    }
}

fn late(unknown: bool) -> Outcome {
    let what = if unknown { "did not confirm the message in time" } else { "did not take the message in time" };
    Outcome::Retryable { reason: format!("the mail server {what}"), after: None, unknown }
}

/// What an SMTP reply or a failure means (RFC 5321 §4.2.1): 4xx later, 5xx never, no reply at all later, and
/// perhaps taken once the message was under way. The server's own words are left out: they repeat addresses.
fn outcome_of(error: &smtp::Error, message_sent: bool) -> Outcome {
    let later = |what: String, unknown| Outcome::Retryable { reason: what, after: None, unknown };
    let code = error.status().map_or_else(String::new, |code| format!(" ({code})"));
    if error.is_permanent() {
        return Outcome::Permanent { reason: format!("the mail server refused it{code}") };
    }
    if error.is_transient() {
        return later(format!("the mail server put it off{code}"), false);
    }
    if error.is_client() && !message_sent {
        // No common way to log in, or no STARTTLS.
        let reason = format!("the mail server cannot do what is configured: {}", client_words(error));
        return Outcome::Permanent { reason };
    }
    if error.is_tls() {
        return later("TLS to the mail server failed; check its name and certificate".to_owned(), message_sent);
    }
    if error.is_timeout() {
        return late(message_sent);
    }
    let what = match (message_sent, error.is_response()) {
        (true, _) => "the connection to the mail server ended before it confirmed the message",
        (false, true) => "the mail server ended the connection, or does not speak SMTP",
        (false, false) => "no connection to the mail server",
    };
    later(what.to_owned(), message_sent)
}

/// The library's own words for what it cannot do; they are constants and hold no address.
fn client_words(error: &smtp::Error) -> String {
    std::error::Error::source(error).map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MailConfig {
        MailConfig {
            host: "mail.ej.example".into(),
            port: 587,
            tls: MailTls::StartTls,
            from: "Opsbell <opsbell@ej.example>".into(),
            username: Some("opsbell".into()),
            password: Some("hunter2".into()),
        }
    }

    #[test]
    fn a_wrong_configuration_is_refused_without_showing_it() {
        let refused = |config| match Mails::new(config, Timeouts::EMAIL) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(refused(config()), "taken");
        assert_eq!(refused(MailConfig { username: None, password: None, tls: MailTls::None, ..config() }), "taken");
        for from in ["", "opsbell", "a@b\r\nBcc: c@d", "<>", "é@ej.example"] {
            assert!(refused(MailConfig { from: from.into(), ..config() }).contains("not a mail address"), "{from}");
        }
        assert!(refused(MailConfig { password: None, ..config() }).contains("both a username and a password"));
        assert!(refused(MailConfig { tls: MailTls::None, ..config() }).contains("in the clear"));
        let shown = format!("{:?}", config());
        assert!(!shown.contains("hunter2") && !shown.contains("opsbell@"), "{shown}");
    }

    #[test]
    fn the_ways_of_protection_have_words() {
        assert_eq!(MailTls::from_word("none"), Some(MailTls::None));
        assert_eq!(MailTls::from_word("starttls"), Some(MailTls::StartTls));
        assert_eq!(MailTls::from_word("tls"), Some(MailTls::Tls));
        assert_eq!(MailTls::from_word("ssl"), None);
    }
}

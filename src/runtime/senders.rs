//! What sends, made as a configuration names it: Discord, webhooks, code hosts, mail. When it sends is the lanes' matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::clock::Clock;
use crate::catalog::{Config, Tls};
use crate::chat::discord::Discord;
use crate::domain::delivery::Method;
use crate::notify::{Notifiers, Timeouts, email, host, webhook};

/// Discord, as the configuration names it.
pub(super) fn discord_of(config: &Config) -> Result<Option<Arc<Discord>>> {
    let Some(settings) = config.chat.get("discord") else { return Ok(None) };
    let Some(token) = config.secrets.chat.get("discord") else { return Ok(None) };
    let discord = Discord::new(settings, token, Arc::new(config.org.clone())).context("[chat.discord]")?;
    Ok(Some(Arc::new(discord)))
}

/// Adds what sends by a configuration's webhooks, code hosts and mail server.
pub(super) fn senders(own: Notifiers, config: &Config, clock: &Arc<dyn Clock>) -> Result<Notifiers> {
    let mut secrets = BTreeMap::new();
    for (id, secret) in &config.secrets.signing {
        let parsed = webhook::Secret::parse(secret.expose());
        secrets.insert(id.clone(), parsed.with_context(|| format!("the signing secret of webhook {id}"))?);
    }
    let clock = Arc::clone(clock);
    let now: webhook::Clock = Arc::new(move || clock.now());
    let hosts = host::Hosts::new(config.secrets.answers.clone(), Arc::clone(&now), Timeouts::WEBHOOK)?;
    let webhooks = webhook::Webhooks::new(secrets, now, Timeouts::WEBHOOK)?;
    let senders = own.with(Method::Webhook, Arc::new(webhooks)).with_hosts(Arc::new(hosts));
    let Some(mail) = &config.mail else { return Ok(senders) };
    let tls = match mail.tls {
        Tls::StartTls => email::MailTls::StartTls,
        Tls::Tls => email::MailTls::Tls,
        Tls::None => email::MailTls::None,
    };
    let mail = email::MailConfig {
        host: mail.host.clone(),
        port: mail.port,
        tls,
        from: mail.from.clone(),
        username: mail.username.clone(),
        password: config.secrets.mail_password.as_ref().map(|secret| secret.expose().to_owned()),
    };
    let mails = email::Mails::new(mail, Timeouts::EMAIL).context("[mail]")?;
    Ok(senders.with(Method::Email, Arc::new(mails)))
}

/// Whether all that a configuration sends by can be made: what a start would find out when it is too late for another one.
///
/// # Errors
/// What cannot be made, and why.
pub fn try_senders(config: &Config, clock: &Arc<dyn Clock>) -> Result<()> {
    discord_of(config)?;
    senders(Notifiers::default(), config, clock).map(drop)
}

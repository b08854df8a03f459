//! The meanings of the words about silences; what they do is decided in `domain/silence`.

use super::typed::Command;
use super::value::{Given, choice, duration, service};
use super::word::shown;
use crate::domain::id::SilenceId;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::silence::matcher::{self, Matcher};
use crate::domain::silence::start::Asked;
use crate::domain::silence::until::Ends;

pub(super) fn asked(given: &Given<'_>) -> Result<Command, Reject> {
    let mut matchers = match given.text("matchers")? {
        Some(text) => matcher::parse(&text)?,
        None => Vec::new(),
    };
    if let Some(service) = given.read("service", service)? {
        matchers.push(Matcher::is("service", service.as_str()));
    }
    if let Some(key) = given.text("key")? {
        matchers.push(Matcher::is("key", &key));
    }
    let preview = given.read("preview", choice)?.is_some_and(|word| word == "yes");
    Ok(Command::AlertSilence { asked: Asked { matchers, ends: ends(given)?, reason: given.text("reason")?, preview } })
}

pub(super) fn alerts(given: &Given<'_>) -> Result<Command, Reject> {
    Ok(Command::AlertList { suppressed: given.read("which", choice)?.is_some_and(|word| word == "suppressed") })
}

pub(super) fn unsilence(given: &Given<'_>) -> Result<Command, Reject> {
    let text = given.needed("silence")?;
    let silence: SilenceId = text.parse().map_err(|_| {
        Reject::new(RejectCode::BadValue, format!("`{}` is not a silence", shown(&text)))
            .hint("write it like SIL-7; `/alert silences` shows them")
    })?;
    Ok(Command::AlertUnsilence { silence })
}

pub(super) fn maintenance(given: &Given<'_>) -> Result<Command, Reject> {
    Ok(Command::ServiceMaintenance {
        service: given.needed_read("service", service)?,
        ends: ends(given)?,
        reason: given.text("reason")?,
        over: given.read("end", choice)?.is_some(),
    })
}

pub(super) fn ends(given: &Given<'_>) -> Result<Option<Ends>, Reject> {
    match (given.read("for", duration)?, given.text("until")?) {
        (Some(_), Some(_)) => {
            Err(Reject::new(RejectCode::BadValue, "for:… and until:… are both given").hint("say one of them"))
        }
        (Some(span), None) => Ok(Some(Ends::For(span))),
        (None, until) => Ok(until.map(Ends::Until)),
    }
}

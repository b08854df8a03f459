//! What the values of a configuration mean: zones, spans of time, hand-offs, rules, targets, addresses. Each function
//! takes a text and answers its meaning, or what is wrong with it and what to write instead.

use std::str::FromStr;

use chrono::{Datelike, NaiveDate, NaiveTime, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::domain::delivery::{CHATS, ChannelRef, Method};
use crate::domain::org::{Every, NotifyRule, Role, Target};
use crate::domain::reject::did_you_mean;
use crate::domain::report::cron::Cron;
use crate::domain::signal::AlertSeverity;
use crate::domain::time::Span;

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Wrong {
    /// Says what is wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// And what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.hint = (!hint.is_empty()).then_some(hint);
        self
    }
}

/// The known word that a misspelled one means, if any; a text that is long is no misspelled word.
pub fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 80 { None } else { did_you_mean(word, known) }
}

/// A text as it is shown in a message: one line, not long, no phone number and no mail address.
pub fn cut(text: &str) -> String {
    if is_phone(text) {
        return "+…".to_owned();
    }
    if text.contains('@') && text.contains('.') {
        return "…@…".to_owned();
    }
    let mut shown: String = text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

/// One word of a fixed set.
pub fn choice<T: Copy>(word: &str, what: &str, known: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let hint = match meant(word, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write one of {}", names.join(", ")),
    };
    Err(Wrong::new(format!("unknown {what} `{}`", cut(word))).hint(hint))
}

/// The name of a thing: small letters, digits, `_` and `-`, at most 63.
pub fn id(text: &str) -> Result<(), Wrong> {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    if first && rest && text.len() <= 63 {
        return Ok(());
    }
    let why = "a name has 1 to 63 small letters, digits, `-` or `_`, and begins with a letter or digit";
    let mut meant: String = text
        .to_lowercase()
        .chars()
        .take(63)
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .collect();
    meant = meant.trim_matches(['-', '_']).to_owned();
    let hint = if meant.is_empty() { why.to_owned() } else { format!("{why}: `{meant}`") };
    Err(Wrong::new(format!("`{}` is not a name", cut(text))).hint(hint))
}

/// A time zone by its IANA name.
pub fn zone(text: &str) -> Result<Tz, Wrong> {
    Tz::from_str(text).map_err(|_| {
        // An offset or a city alone is what people write first.
        let by_city = || {
            let wanted = cut(text).replace(' ', "_").to_lowercase();
            TZ_VARIANTS
                .iter()
                .map(|zone| zone.name())
                .find(|name| name.rsplit('/').next().is_some_and(|city| city.to_lowercase() == wanted))
        };
        let near = || meant(text, TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint = match by_city().or_else(near) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write an IANA name, such as Europe/Amsterdam or UTC".to_owned(),
        };
        Wrong::new(format!("unknown time zone `{}`", cut(text))).hint(hint)
    })
}

/// A span of time.
pub fn span(text: &str) -> Result<Span, Wrong> {
    Span::from_str(text).map_err(|_| {
        Wrong::new(format!("`{}` is not a duration", cut(text))).hint("write it like 30s, 5m, 1h30m or 2d")
    })
}

/// A span of time of at least one second.
pub fn wait(text: &str) -> Result<Span, Wrong> {
    match span(text)? {
        wait if wait < Span::secs(1) => Err(Wrong::new(format!("`{}` is too short", cut(text))).hint("at least 1s")),
        wait => Ok(wait),
    }
}

/// A civil date between 1970 and 2099.
pub fn date(text: &str) -> Result<NaiveDate, Wrong> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) if (1970..2100).contains(&date.year()) => Ok(date),
        Ok(_) => Err(Wrong::new(format!("`{}` is out of range", cut(text))).hint("between 1970 and 2099")),
        Err(_) => Err(Wrong::new(format!("`{}` is not a date", cut(text))).hint("write it like 2026-12-07")),
    }
}

/// A small whole number, in the digits that TOML leaves.
pub fn number(digits: &str, radix: u32) -> Option<u32> {
    u32::from_str_radix(digits, radix).ok()
}

/// The length of a turn: `1 week`, `2 days`, `12 hours`.
pub fn every(text: &str) -> Result<Every, Wrong> {
    let wrong = || Wrong::new(format!("`{}` is not the length of a turn", cut(text)));
    let hint = "write it like 1 week, 2 weeks, 1 day or 12 hours";
    let text_ = text.trim();
    let instead = match text_.to_ascii_lowercase().as_str() {
        "weekly" | "week" => Some("1 week"),
        "daily" | "day" => Some("1 day"),
        "hourly" | "hour" => Some("1 hour"),
        "biweekly" | "fortnight" | "fortnightly" => Some("2 weeks"),
        "monthly" | "month" | "1 month" => Some("4 weeks"),
        _ => None,
    };
    if let Some(instead) = instead {
        return Err(wrong().hint(format!("write `{instead}`")));
    }
    let digits = text_.bytes().take_while(u8::is_ascii_digit).count();
    let count: u32 = text_[..digits].parse().map_err(|_| wrong().hint(hint))?;
    let (every, most) = match text_[digits..].trim_start() {
        "week" | "weeks" | "w" => (Every::Weeks(count), 104),
        "day" | "days" | "d" => (Every::Days(count), 366),
        "hour" | "hours" | "h" => (Every::Hours(count), 366 * 24),
        _ => return Err(wrong().hint(hint)),
    };
    if count == 0 || count > most {
        return Err(wrong().hint(format!("from 1 to {most}")));
    }
    Ok(every)
}

/// When a turn is handed off: `Mon 09:00` for turns of weeks, `09:00` for turns of days and hours.
pub fn handoff(text: &str, every: Every) -> Result<(Option<Weekday>, NaiveTime), Wrong> {
    let weeks = matches!(every, Every::Weeks(_));
    let example = if weeks { "Mon 09:00" } else { "09:00" };
    let wrong = |message: String| Wrong::new(message).hint(format!("write it like `{example}`"));
    let (day, time) = match text.trim().split_once(char::is_whitespace) {
        Some((day, time)) => (Some(day), time.trim_start()),
        None => (None, text.trim()),
    };
    let clock = || {
        // `%H` takes one digit too; what people read later has two.
        let shape = time.len() == 5 && time.is_ascii();
        shape.then(|| NaiveTime::parse_from_str(time, "%H:%M").ok()).flatten()
    };
    let clock = clock().ok_or_else(|| wrong(format!("`{}` is not a hand-off", cut(text))))?;
    match (day, weeks) {
        (None, true) => Err(wrong(format!("`{}` names no weekday, and a turn of weeks needs one", cut(text)))),
        (Some(_), false) => Err(wrong(format!("`{}` names a weekday, but a turn is shorter than a week", cut(text)))),
        (None, false) => Ok((None, clock)),
        (Some(day), true) => match Weekday::from_str(day) {
            Ok(day) => Ok((Some(day), clock)),
            Err(_) => Err(wrong(format!("`{}` is not a weekday", cut(day)))),
        },
    }
}

/// One way to reach a person: `chat`, `sms after 3m`.
pub fn rule(text: &str) -> Result<NotifyRule, Wrong> {
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or_default();
    let known = Method::ALL.map(|method| (method.as_str(), method));
    let method = match word {
        "call" | "phone" | "phonecall" | "phone_call" => {
            return Err(Wrong::new(format!("unknown method `{word}`")).hint("a phone call is called `voice`"));
        }
        "text" | "message" => return Err(Wrong::new(format!("unknown method `{word}`")).hint("did you mean `sms`?")),
        "mail" | "e-mail" => return Err(Wrong::new(format!("unknown method `{word}`")).hint("did you mean `email`?")),
        "slack" | "discord" | "teams" => {
            return Err(Wrong::new(format!("unknown method `{word}`")).hint("a direct message is called `chat`"));
        }
        word => choice(word, "method", &known)?,
    };
    let rest: Vec<&str> = words.collect();
    match rest.split_first() {
        None => Ok(NotifyRule { method, after: Span::ZERO }),
        Some((&"after", wait)) if !wait.is_empty() => Ok(NotifyRule { method, after: span(&wait.join(" "))? }),
        Some(_) => Err(Wrong::new(format!("`{}` is not a rule", cut(text)))
            .hint(format!("write `{method}` or `{method} after 3m`"))),
    }
}

/// What a person may do.
pub fn role(text: &str) -> Result<Role, Wrong> {
    choice(text, "role", &[("stakeholder", Role::Stakeholder), ("responder", Role::Responder), ("admin", Role::Admin)])
}

/// The severity of an alert.
pub fn severity(text: &str) -> Result<AlertSeverity, Wrong> {
    use AlertSeverity::{Critical, High, Info, Warning};
    choice(text, "severity", &[("critical", Critical), ("high", High), ("warning", Warning), ("info", Info)])
}

/// A channel: `discord:payments-ops`, `channel:ops` or `ops`.
pub fn channel(text: &str) -> Result<ChannelRef, Wrong> {
    let channel = ChannelRef::parse(text.strip_prefix("channel:").unwrap_or(text));
    if let Some((chat, _)) = channel.name.split_once(':') {
        let hint = match meant(chat, CHATS) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write one of {}", CHATS.join(", ")),
        };
        return Err(Wrong::new(format!("unknown chat platform `{}`", cut(chat))).hint(hint));
    }
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '@' | '<' | '>' | '`');
    if channel.name.is_empty() || channel.name.chars().count() > 100 || channel.name.contains(odd) {
        return Err(Wrong::new(format!("`{}` is not the name of a channel", cut(text)))
            .hint("write it like discord:payments-ops or payments-ops"));
    }
    Ok(channel)
}

/// Whom a step pages.
pub fn target(text: &str) -> Result<Target, Wrong> {
    let example = "write person:…, schedule:…, channel:… or webhook:…";
    let wrong = || Wrong::new(format!("`{}` is not a target", cut(text)));
    let Some((kind, name)) = text.split_once(':') else {
        return Err(wrong().hint(example));
    };
    let kind = match kind {
        "user" => return Err(wrong().hint(format!("write `person:{}`", cut(name)))),
        "rotation" | "rota" | "layer" => return Err(wrong().hint(format!("write `schedule:{}`", cut(name)))),
        "team" => return Err(wrong().hint("a team is no target; page its schedule, or its channel by channel:NAME")),
        kind => choice(kind, "kind of target", &[("person", 0), ("schedule", 1), ("channel", 2), ("webhook", 3)])?,
    };
    Ok(match kind {
        0 => Target::Person(name.into()),
        1 => Target::Schedule(name.into()),
        2 => Target::Channel(channel(name)?),
        _ => Target::Webhook(name.into()),
    })
}

/// A mail address, perhaps with a name before it. The message never repeats it.
pub fn email(text: &str) -> Result<String, Wrong> {
    let wrong = || Wrong::new("this is not a mail address").hint("write it like bas@ej.example");
    let address = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((_, address)) => address,
        None => text,
    };
    let (local, host) = address.rsplit_once('@').ok_or_else(wrong)?;
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '@');
    let fits = !local.is_empty() && !host.is_empty() && text.len() <= 320 && !text.contains(char::is_control);
    if !fits || local.contains(odd) || host.contains(odd) || host.starts_with('.') || host.ends_with('.') {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

/// The host and what stands before it (`user@`), of an http(s) address.
pub fn url(text: &str) -> Result<&str, Wrong> {
    let wrong = |message: &str| Wrong::new(message).hint("write it like https://wiki.ej.example/payments");
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let rest = if lower.starts_with("https://") {
        &text[8..]
    } else if lower.starts_with("http://") {
        &text[7..]
    } else {
        return Err(wrong("this is not an http or https address"));
    };
    if text.len() > 2000 || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(wrong("this is not an http or https address"));
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Wrong::new("a secret never stands in the configuration: this address holds a name or password")
            .hint("leave out what stands before the @"));
    }
    let host = match authority.rsplit_once(':') {
        // `[::1]` has colons of its own.
        Some((host, port)) if !port.contains(']') => {
            if port.parse::<u16>().is_err() {
                return Err(wrong("this address has no valid port"));
            }
            host
        }
        _ => authority,
    };
    if host.is_empty() { Err(wrong("this address names no host")) } else { Ok(host) }
}

/// Whether a key is one under which people write secrets.
pub fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let last = name.rsplit('_').next().unwrap_or_default();
    matches!(
        last,
        "key" | "apikey" | "token" | "password" | "passwd" | "secret" | "passphrase" | "credential" | "credentials"
    )
}

/// Whether a text is a phone number as people write it: `+31612345678`, `tel:+31 6 1234 5678`.
pub fn is_phone(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let Some(rest) = text.strip_prefix('+').or_else(|| text.strip_prefix("00")) else { return false };
    rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '/'))
        && (6..=17).contains(&rest.bytes().filter(u8::is_ascii_digit).count())
}

/// A cron expression of five fields that fires some day.
pub fn cron(text: &str) -> Result<Cron, Wrong> {
    Cron::parse(text).map_err(|wrong| {
        // Like `cut`, but a whole expression is longer than a word.
        let shown = if is_phone(text) || text.contains('@') {
            "this is not a cron expression".to_owned()
        } else {
            wrong.message.chars().take(300).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        };
        Wrong::new(shown).hint(wrong.hint)
    })
}

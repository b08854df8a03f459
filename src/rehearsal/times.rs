//! Times in texts: `<t:SECS:STYLE>` as a face would render it, and the times of a transcript.

use chrono_tz::Tz;

use crate::domain::time::{LATEST, Timestamp};

/// The text with its times written out in a zone: `t` 09:00, `T` 09:00:30, `f` 25 Dec 2026 09:00, `R` in 5m.
pub(super) fn rendered(text: &str, zone: Tz, now: Timestamp) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<t:") {
        out.push_str(&rest[..at]);
        let (end, shown) = match rest[at..].find('>').map(|end| at + end) {
            Some(end) => (end + 1, time(&rest[at + 3..end], zone, now)),
            None => (at, None),
        };
        match shown {
            Some(shown) => {
                out.push_str(&shown);
                rest = &rest[end..];
            }
            None => {
                out.push_str("<t:");
                rest = &rest[at + 3..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn time(inner: &str, zone: Tz, now: Timestamp) -> Option<String> {
    let (secs, style) = inner.split_once(':').unwrap_or((inner, "f"));
    let at = Timestamp(secs.parse::<i64>().ok()?.checked_mul(1000)?);
    if !(Timestamp(0)..=LATEST).contains(&at) {
        return None;
    }
    let local = at.local(zone);
    Some(match style {
        "t" => local.format("%H:%M").to_string(),
        "T" => local.format("%H:%M:%S").to_string(),
        "f" => local.format("%-d %b %Y %H:%M").to_string(),
        // Whole seconds, because the text has no finer ones.
        "R" => match Timestamp(now.unix_secs() * 1000) {
            now if at > now => format!("in {}", at.since(now)),
            now if at < now => format!("{} ago", now.since(at)),
            _ => "just now".to_owned(),
        },
        _ => return None,
    })
}

/// `Fri 25 Dec 03:05:00`.
pub(super) fn clock(at: Timestamp, zone: Tz) -> String {
    at.local(zone).format("%a %-d %b %H:%M:%S").to_string()
}

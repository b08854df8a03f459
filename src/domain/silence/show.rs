//! How silences read in replies, posts and lists. Nothing suppressed is invisible: `/status` counts it, `/alert list
//! suppressed` names it.

use std::fmt::Write as _;

use super::matcher::{self, Matcher};
use super::{Silence, SilenceStarted};
use crate::domain::alert::{self, Alert};
use crate::domain::counted::counted;
use crate::domain::draft::Draft;
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// Lines of alerts in a reply, and of a list.
const ALERTS_SHOWN: usize = 5;
const LIST_MAX: usize = 20;

fn lines(text: &mut String, alerts: &[&Alert]) {
    for alert in alerts.iter().take(ALERTS_SHOWN) {
        let _ = writeln!(text, "{}", alert::show::line(alert));
    }
    if alerts.len() > ALERTS_SHOWN {
        let _ = writeln!(text, "… and {} more", alerts.len() - ALERTS_SHOWN);
    }
}

/// What a silence would mute.
pub fn preview(matchers: &[Matcher], muted: &[&Alert]) -> String {
    let what = matcher::join(matchers);
    let mut text = match muted.len() {
        0 => format!("Nothing that fires matches {what}; nothing is silenced yet.\n"),
        n => format!("{what} would mute {} now; nothing is silenced yet:\n", counted(n, "alert")),
    };
    lines(&mut text, muted);
    text.push_str("To do it: the same with for:2h reason:\"why\" instead of preview:yes");
    text
}

/// The answer to whoever began one.
pub fn started(draft: &Draft<'_>, silence: &SilenceStarted, muted: &[&Alert]) -> String {
    let (id, ends) = (silence.silence, silence.ends.unix_secs());
    let what = super::what(&silence.matchers, silence.maintenance);
    let verb = if silence.maintenance { "maintenance of" } else { "mutes" };
    let length = silence.ends.since(draft.now);
    let mut text = format!("{id}: {verb} {what} until <t:{ends}:f> ({length}): {}\n", silence.reason);
    match muted.len() {
        0 => text.push_str("Nothing that fires now matches.\n"),
        n => {
            let verb = if n == 1 { "is" } else { "are" };
            let _ = writeln!(text, "{} {verb} muted now:", counted(n, "alert"));
            lines(&mut text, muted);
        }
    }
    if !silence.holds.is_empty() {
        let held: Vec<String> = silence.holds.iter().take(ALERTS_SHOWN).map(ToString::to_string).collect();
        let more = if silence.holds.len() > ALERTS_SHOWN { " and more" } else { "" };
        let verb = if silence.holds.len() == 1 { "pages" } else { "page" };
        let _ = writeln!(text, "{}{more} {verb} nobody until then.", held.join(", "));
    }
    let _ = write!(text, "What still fires then pages. To end it sooner: /alert unsilence {id}");
    text
}

/// What the team's channel is told when one begins.
pub fn posted(draft: &Draft<'_>, silence: &SilenceStarted, muted: usize) -> String {
    let what = super::what(&silence.matchers, silence.maintenance);
    let ends = silence.ends.unix_secs();
    let verb = if silence.maintenance { "began the maintenance of" } else { "silenced" };
    let now = if muted == 0 { String::new() } else { format!(" Muted now: {}.", counted(muted, "alert")) };
    format!("{}: {} {verb} {what} until <t:{ends}:f>: {}.{now}", silence.silence, draft.actor(), silence.reason)
}

/// How many alerts a silence mutes that still fire, in words; and the first few.
fn still(draft: &Draft<'_>, silence: &Silence) -> Option<String> {
    let muted: Vec<&Alert> = draft.state.suppressed_by(silence.id).collect();
    if muted.is_empty() {
        return None;
    }
    let ids: Vec<String> = muted.iter().take(ALERTS_SHOWN).map(|alert| alert.id.to_string()).collect();
    let more = if muted.len() > ALERTS_SHOWN { ", …" } else { "" };
    Some(format!("{} ({}{more})", counted(muted.len(), "alert"), ids.join(", ")))
}

/// The notice before the end.
pub fn ends_soon(draft: &Draft<'_>, silence: &Silence) -> String {
    let fires = still(draft, silence).map_or_else(
        || "Nothing that it mutes fires.".to_owned(),
        |some| format!("Still firing: {some}; what fires then pages."),
    );
    format!(
        "{} on {} by {} ends <t:{}:R>: {}. {fires} Longer: begin another. Sooner: /alert unsilence {}",
        silence.name(),
        silence.what(),
        silence.by,
        silence.ends.unix_secs(),
        silence.reason,
        silence.id
    )
}

/// The notice at the end.
pub fn ended(draft: &Draft<'_>, silence: &Silence) -> String {
    let by = draft.person().map(|person| format!(", ended by {person}")).unwrap_or_default();
    let fires = still(draft, silence).map_or_else(
        || "Nothing that it muted still fires.".to_owned(),
        |some| format!("Still firing, and paging unless silenced otherwise: {some}."),
    );
    format!("{} on {} is over{by}. {fires}", silence.name(), silence.what())
}

/// `/alert silences`: those in force, then those that ended lately.
pub fn list(state: &State, now: Timestamp) -> String {
    let (running, over): (Vec<&Silence>, Vec<&Silence>) =
        state.silences.values().rev().partition(|silence| silence.ended.is_none());
    let mut text = String::new();
    match running.len() {
        0 => text.push_str("Nothing is silenced.\n"),
        n => {
            let _ = writeln!(text, "{} in force:", counted(n, "silence"));
        }
    }
    for silence in running.iter().take(LIST_MAX) {
        let _ = writeln!(text, "{}", line(state, silence));
    }
    if running.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/silences has all)", running.len() - LIST_MAX);
    }
    let lately: Vec<&&Silence> =
        over.iter().filter(|it| now.since(it.ends).0 < 86_400_000).take(ALERTS_SHOWN).collect();
    if !lately.is_empty() {
        text.push_str("Over:\n");
        for silence in lately {
            let _ = writeln!(text, "{}", line(state, silence));
        }
    }
    text.push_str(if running.is_empty() {
        "To silence something: /alert silence service:NAME for:2h reason:\"why\""
    } else {
        "What they hold back: /alert list suppressed · To end one: /alert unsilence SIL-n"
    });
    text
}

fn line(state: &State, silence: &Silence) -> String {
    let when = match &silence.ended {
        Some(ended) => {
            format!("ended <t:{}:R>, held back {}", ended.at.unix_secs(), counted(silence.muted_total, "alert"))
        }
        None => {
            let muted = state.suppressed_by(silence.id).count();
            format!("until <t:{}:f>, mutes {}", silence.ends.unix_secs(), counted(muted, "alert"))
        }
    };
    format!("{} {} by {}: {} · {when}", silence.name(), silence.what(), silence.by, silence.reason)
}

/// `/alert list suppressed`.
pub fn suppressed(state: &State) -> String {
    let total = state.suppressed_count();
    if total == 0 {
        return "No alert is suppressed.\nWhat is silenced: /alert silences".to_owned();
    }
    let verb = if total == 1 { "fires" } else { "fire" };
    let mut text = format!(
        "{} {verb} and {} nobody:\n",
        counted(total, "suppressed alert"),
        if total == 1 { "pages" } else { "page" }
    );
    for alert in state.suppressed().take(LIST_MAX) {
        let why =
            alert.suppressed.as_ref().map(|why| format!(" · {}: {}", why.silence, why.reason)).unwrap_or_default();
        let _ = writeln!(text, "{}{why}", alert::show::line(alert));
    }
    if total > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/alerts has all)", total - LIST_MAX);
    }
    text.push_str("What holds them back: /alert silences");
    text
}

/// The line of `/status`; none where nothing is silenced.
pub fn status(state: &State, now: Timestamp) -> Option<String> {
    let silences = state.silences.values().filter(|silence| silence.in_force(now)).count();
    let alerts = state.suppressed_count();
    match (alerts, silences) {
        (0, 0) => None,
        (0, n) => Some(format!("{} in force, nothing suppressed: /alert silences", counted(n, "silence"))),
        (alerts, n) => {
            let by = if n == 0 { String::new() } else { format!(" by {}", counted(n, "silence")) };
            Some(format!("{} suppressed{by}: /alert list suppressed", counted(alerts, "alert")))
        }
    }
}

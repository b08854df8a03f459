//! The configuration directory: it is read again when it changes and on SIGHUP. What cannot be taken keeps the one
//! before it in force, is told to the operators, and is tried again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::house::Wiring;
use super::watch::tell_operators;
use crate::catalog::{self, Severity, process_env};
use crate::http::Tally;

/// How often the configuration's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What is not in force, or cannot be read, is tried again after so many looks (a minute): a secret may be there by then.
const AGAIN: u32 = 30;

/// A configuration that a start could not take, so that the one before it is served.
pub struct Refused {
    /// The hash of what stands in its directory; `None`: it cannot be read.
    pub hash: Option<String>,
    /// What the operators are told.
    pub told: String,
}

/// What is told of a configuration that is not taken, by what is wrong with it.
pub fn not_in_force(wrong: &[String]) -> String {
    let first = wrong.first().map_or("it cannot be served", String::as_str);
    let more = if wrong.len() > 1 { format!(" (and {} more)", wrong.len() - 1) } else { String::new() };
    format!("The configuration is not in force, the one before it is: {first}{more}. Next: `opsbell check`")
}

/// Begins to hear SIGHUP; to be called where tokio runs.
pub fn hangups() -> Option<Signal> {
    match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be heard; the configuration is still looked at");
            None
        }
    }
}

/// Watches a directory; `looks` knows what of it is in force.
pub async fn watch(dir: PathBuf, mut looks: Looks, mut hangup: Option<Signal>, wiring: Arc<Wiring>, tally: Tally) {
    loop {
        let asked = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let asked = tokio::select! {
            _ = asked => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let (look, wires, mut after) = (dir.clone(), Arc::clone(&wiring), looks.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let now = catalog::reload::hash_dir(&look).ok();
            let told = after.due(now.as_deref(), asked).then(|| after.tried(read(&look, &wires))).flatten();
            (after, told)
        });
        let Ok((after, told)) = looked.await else { continue };
        looks = after;
        tally.config_in_force(looks.told.is_none());
        if let Some(text) = told {
            tell_operators(&wiring.engine, "config", text);
        }
    }
}

/// Reads a directory and puts it in force; else what is wrong with it.
fn read(dir: &Path, wiring: &Wiring) -> Option<Vec<String>> {
    let wrong = match catalog::load_dir(dir, &process_env) {
        Ok(loaded) => {
            let errors = loaded.findings.iter().filter(|finding| finding.severity == Severity::Error);
            let wrong = errors.map(catalog::Finding::brief).collect();
            match loaded.config {
                Some(config) => match wiring.replace(config) {
                    Ok(()) => {
                        tracing::info!("the configuration is in force");
                        return None;
                    }
                    Err(refused) => refused,
                },
                None => wrong,
            }
        }
        Err(error) => vec![error.to_string()],
    };
    let first = wrong.first().cloned().unwrap_or_default();
    tracing::error!(findings = wrong.len(), %first, "the configuration is not taken; the one before it stays");
    Some(wrong)
}

/// What the looks at a directory have found so far.
#[derive(Debug, Clone)]
pub struct Looks {
    /// The hash of what was tried last; `None`: it could not be read.
    tried: Option<String>,
    /// What the operators know to be wrong.
    told: Option<String>,
    /// Looks in vain since then.
    since: u32,
}

impl Looks {
    /// Begins with the hash of what is in force, or with what is not.
    pub fn new(in_force: String, refused: Option<Refused>) -> Self {
        match refused {
            Some(refused) => Self { tried: refused.hash, told: Some(refused.told), since: 0 },
            None => Self { tried: Some(in_force), told: None, since: 0 },
        }
    }

    /// Whether it is tried after this look, which found this hash; `None`: it cannot be read, as for a moment while an
    /// editor saves.
    fn due(&mut self, now: Option<&str>, asked: bool) -> bool {
        let vain = now.is_none() || self.told.is_some();
        self.since = if vain { self.since.saturating_add(1) } else { 0 };
        let due = asked || self.since >= AGAIN || (now.is_some() && now != self.tried.as_deref());
        if due {
            self.since = 0;
            self.tried = now.map(str::to_owned);
        }
        due
    }

    /// What the operators are told after it was tried: what is wrong once, and when it is over.
    fn tried(&mut self, wrong: Option<Vec<String>>) -> Option<String> {
        let wrong = wrong.as_deref().map(not_in_force);
        let before = std::mem::replace(&mut self.told, wrong.clone());
        match wrong {
            Some(text) => (before.as_ref() != Some(&text)).then_some(text),
            None => before.map(|_| "The configuration is in force.".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Option<Vec<String>> {
        Some(vec![text.to_owned()])
    }

    #[test]
    fn what_changes_is_tried_once_and_told_once() {
        let mut looks = Looks::new("a".into(), None);
        assert!(!looks.due(Some("a"), false));
        assert!(looks.due(Some("b"), false));
        assert!(looks.tried(wrong("x")).is_some_and(|text| text.contains("is: x. Next")));
        assert!(!looks.due(Some("b"), false));
        assert!(looks.due(Some("b"), true), "by SIGHUP");
        assert_eq!(looks.tried(wrong("x")), None);
        assert!(looks.due(Some("c"), false));
        assert!(looks.tried(wrong("y")).is_some());
        assert!(looks.due(Some("a"), false));
        assert_eq!(looks.tried(None).as_deref(), Some("The configuration is in force."));
        assert!(looks.due(Some("d"), false));
        assert_eq!(looks.tried(None), None, "nothing was wrong");
    }

    #[test]
    fn what_is_not_in_force_is_tried_again_as_a_secret_may_be_there_by_then() {
        let told = not_in_force(&["key: no such file".to_owned()]);
        let mut looks = Looks::new("old".into(), Some(Refused { hash: Some("new".into()), told }));
        assert_eq!((1..=60).filter(|_| looks.due(Some("new"), false)).count(), 2);
        assert_eq!(looks.tried(wrong("key: no such file")), None, "known from the start");
        assert!(looks.tried(None).is_some());
        assert!((1..=60).all(|_| !looks.due(Some("new"), false)));
    }

    #[test]
    fn a_directory_that_is_gone_is_told_after_a_minute_and_taken_as_soon_as_it_is_back() {
        let mut looks = Looks::new("a".into(), None);
        assert!((1..30).all(|_| !looks.due(None, false)));
        assert!(!looks.due(Some("a"), false), "it was only being saved");
        assert!((1..30).all(|_| !looks.due(None, false)) && looks.due(None, false));
        assert!(looks.tried(wrong("there is no directory")).is_some());
        assert!(looks.due(Some("a"), false));
        assert!(looks.tried(None).is_some());
    }
}

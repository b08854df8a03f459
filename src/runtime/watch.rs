//! Watches: the configuration directory (on change and on SIGHUP) and the auditor. Each is a small task; what it finds
//! goes to the engine, and what is wrong to the operators.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::handle::{Handle, Tell};
use super::house::Wiring;
use crate::catalog::{self, Severity, process_env};
use crate::domain::actor::By;
use crate::domain::desk::Desk;
use crate::domain::input::{Input, InputKind};
use crate::domain::paging::audit;

/// How often the configuration's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the auditor looks.
const AUDIT_EVERY: Duration = Duration::from_secs(30);
/// The same finding is told again after so many looks (ten minutes).
const AUDIT_AGAIN: u32 = 20;

/// Tells the operators.
pub fn tell_operators(engine: &Handle, part: &str, text: String) {
    engine.tell(Tell::Input(Box::new(Input {
        by: By::timer(part),
        idempotency: None,
        kind: InputKind::TellOperators { text },
        closed: Vec::new(),
    })));
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

/// Reloads the configuration when it changes (`hash` is the one in force) or when SIGHUP comes. An invalid one keeps
/// the old in force and is told to the operators, once for each change.
pub async fn configuration(dir: PathBuf, hash: String, mut hangup: Option<Signal>, wiring: Arc<Wiring>) {
    let mut seen = Some(hash);
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
        let (look, wiring) = (dir.clone(), Arc::clone(&wiring));
        let before = seen.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let now = catalog::reload::hash_dir(&look).ok();
            // A directory that cannot be read just now (an editor saving) is looked at again.
            if asked || (now.is_some() && now != before) {
                reload(&look, &wiring);
            }
            now.or(before)
        });
        if let Ok(now) = looked.await {
            seen = now;
        }
    }
}

fn reload(dir: &std::path::Path, wiring: &Wiring) {
    let trouble = match catalog::load_dir(dir, &process_env) {
        Ok(loaded) => {
            let wrong = loaded.findings.iter().filter(|finding| finding.severity == Severity::Error);
            let wrong: Vec<String> = wrong.map(catalog::Finding::brief).collect();
            match loaded.config {
                Some(config) => match wiring.replace(config) {
                    Ok(()) => return tracing::info!("the configuration is in force"),
                    Err(refused) => refused,
                },
                None => wrong,
            }
        }
        Err(error) => vec![error.to_string()],
    };
    let first = trouble.first().cloned().unwrap_or_default();
    tracing::error!(findings = trouble.len(), %first, "the changed configuration is not taken; the old one stays");
    let more =
        if trouble.len() > 1 { format!(" (and {} more: opsbell check)", trouble.len() - 1) } else { String::new() };
    let text = format!("The changed configuration is not in force, the old one is: {first}{more}");
    tell_operators(&wiring.engine, "config", text);
}

/// The auditor: looks for anything overdue, independently of the timers.
pub async fn auditor(engine: Handle) {
    let mut told: Option<(Vec<String>, u32)> = None;
    loop {
        tokio::time::sleep(AUDIT_EVERY).await;
        let (tell, heard) = tokio::sync::oneshot::channel();
        let asked = engine.view(Box::new(move |view| {
            let found = audit::overdue(view.state, view.now, 5);
            Box::new(move |_| {
                let _ = tell.send(found);
            })
        }));
        let found = match asked {
            Ok(()) => match tokio::time::timeout(AUDIT_EVERY, heard).await {
                Ok(found) => found.unwrap_or_default(),
                Err(_) => vec![format!("the engine or its disk has not answered for {} s", AUDIT_EVERY.as_secs())],
            },
            Err(error) => vec![format!("the engine does not take a look: {error}")],
        };
        if found.is_empty() {
            told = None;
            continue;
        }
        // What is overdue grows older; it is the same finding as long as as much of it is there.
        let again = told.as_ref().is_none_or(|(before, looks)| before.len() != found.len() || *looks >= AUDIT_AGAIN);
        if again {
            tracing::error!(?found, "something is overdue");
            tell_operators(&engine, "auditor", format!("Overdue: {}", found.join("; ")));
            told = Some((found, 0));
        } else if let Some((_, looks)) = &mut told {
            *looks += 1;
        }
    }
}

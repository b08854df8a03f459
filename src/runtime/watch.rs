//! The auditor: a small task that looks for what is overdue. What it finds goes to the operators; so does what other
//! tasks of the runtime find wrong.

use std::sync::Arc;
use std::time::Duration;

use super::handle::{Handle, Tell};
use super::house::Wiring;
use crate::domain::actor::By;
use crate::domain::desk::Desk;
use crate::domain::input::{Input, InputKind};
use crate::domain::paging::audit;
use crate::domain::time::Span;
use crate::http::Tally;
use crate::notify::heartbeat::Heartbeats;

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

/// The auditor: looks for anything overdue, independently of the timers. While it finds nothing, the watchdog outside
/// hears of it.
pub async fn auditor(wiring: Arc<Wiring>, tally: Tally) {
    let mut told: Option<(Vec<String>, u32)> = None;
    let mut pulse = Pulse::default();
    let beats = Heartbeats::new();
    loop {
        measure(&wiring, &tally);
        tokio::time::sleep(AUDIT_EVERY).await;
        let Looked { found, at, trouble } = look(&wiring.engine).await;
        if let Some(at) = at {
            tally.audited(at, found.len());
        }
        if let Some((address, every)) = wiring.watchdog()
            && pulse.due(every, found.is_empty() && !trouble)
        {
            let beat = match &beats {
                Ok(beats) => beats.beat(address.expose()).await,
                Err(_) => Err("the TLS library cannot be used".to_owned()),
            };
            if let Err(reason) = beat {
                tracing::warn!(%reason, "the heartbeat did not arrive");
            }
        }
        if found.is_empty() {
            told = None;
            continue;
        }
        // What is overdue grows older; it is the same finding as long as as much of it is there.
        let again = told.as_ref().is_none_or(|(before, looks)| before.len() != found.len() || *looks >= AUDIT_AGAIN);
        if again {
            tracing::error!(?found, "something is overdue");
            tell_operators(&wiring.engine, "auditor", format!("Overdue: {}", found.join("; ")));
            told = Some((found, 0));
        } else if let Some((_, looks)) = &mut told {
            *looks += 1;
        }
    }
}

/// What the auditor saw.
struct Looked {
    /// What is overdue.
    found: Vec<String>,
    /// When the engine said so, in Unix seconds; `None` where it did not answer.
    at: Option<i64>,
    /// Whether the engine is in trouble, of which it tells the operators itself.
    trouble: bool,
}

async fn look(engine: &Handle) -> Looked {
    let (tell, heard) = tokio::sync::oneshot::channel();
    let asked = engine.view(Box::new(move |view| {
        let found = audit::overdue(view.state, view.now, 5);
        let looked = Looked { found, at: Some(view.now.unix_secs()), trouble: view.trouble.is_some() };
        Box::new(move |_| {
            let _ = tell.send(looked);
        })
    }));
    let silent = |why: String| Looked { found: vec![why], at: None, trouble: true };
    match asked {
        Ok(()) => match tokio::time::timeout(AUDIT_EVERY, heard).await {
            Ok(Ok(looked)) => looked,
            // It is ending.
            Ok(Err(_)) => Looked { found: Vec::new(), at: None, trouble: true },
            Err(_) => silent(format!("the engine or its disk has not answered for {} s", AUDIT_EVERY.as_secs())),
        },
        Err(error) => silent(format!("the engine does not take a look: {error}")),
    }
}

/// Measures the journal's files. Nobody waits for it: the disk may hang.
fn measure(wiring: &Wiring, tally: &Tally) {
    let (dir, tally) = (wiring.data().join("journal"), tally.clone());
    tokio::task::spawn_blocking(move || {
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        tally.journal(files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum());
    });
}

/// When a heartbeat is due, counted in looks of the auditor.
#[derive(Debug, Default)]
struct Pulse {
    /// Looks since the last one; `None` before the first.
    since: Option<u64>,
}

impl Pulse {
    /// Whether one is to be sent after this look. What is not sent because something is wrong is due at once when all
    /// is well again.
    fn due(&mut self, every: Span, content: bool) -> bool {
        let looks = u64::try_from(every.0).unwrap_or(0).div_ceil(u64::try_from(AUDIT_EVERY.as_millis()).unwrap_or(1));
        let since = self.since.map(|since| since.saturating_add(1));
        let due = content && since.is_none_or(|since| since >= looks);
        self.since = if due { Some(0) } else { since };
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_sent_as_often_as_it_is_wanted_and_only_when_all_is_well() {
        let mut pulse = Pulse::default();
        let minute = Span::mins(1);
        let sent: Vec<bool> = [true, true, true, false, false, true, true].map(|well| pulse.due(minute, well)).into();
        assert_eq!(sent, [true, false, true, false, false, true, false]);
        let mut pulse = Pulse::default();
        assert!(!pulse.due(minute, false), "not before it was ever well");
        assert!((0..5).all(|_| pulse.due(Span::secs(1), true)), "no more often than the auditor looks");
    }
}

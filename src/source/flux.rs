//! Flux: the events of its notification controller (<https://fluxcd.io/flux/components/notification/events/>), as its
//! `generic` provider posts them. What a Kustomization or a HelmRelease tells is of a deployment; what a source tells
//! (a repository was fetched) is of a build.

use serde_json::Value;

use super::deploy::{at, id, name, object, sha, signal, time, word};
use super::{Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{AlertSeverity, Deployment, Progress, SignalKind};

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    object(&body, "send the event as Flux's `generic` provider posts it")?;
    let it = at(&body, &["involvedObject"]);
    let own = name(at(it, &["name"])).ok_or_else(|| Unreadable {
        path: Some("$.involvedObject.name".to_owned()),
        message: "the event does not say what it is about (`involvedObject.name`)".to_owned(),
        hint: "send the event as Flux's `generic` provider posts it".to_owned(),
    })?;
    let service = match name(at(it, &["namespace"])) {
        Some(space) => limits::line(&format!("{space}/{own}"), limits::NAME_CHARS),
        None => Some(own),
    };
    let revision = revision(&body).unwrap_or_default();
    // Older releases leave the uid out.
    let uid = id(&body, &["involvedObject", "uid"]).ok().or_else(|| service.clone()).unwrap_or_default();
    let key = format!("{uid}/{revision}");
    let reason = word(at(&body, &["reason"]));
    let bad = at(&body, &["severity"]).as_str() == Some("error");
    let deploys = matches!(at(it, &["kind"]).as_str(), Some("Kustomization" | "HelmRelease"));
    // `main@sha1:731f…`, `main/731f…`, `6.5.0`: the commit stands last; a chart has a version.
    let last = revision.rsplit(['/', ':', '@']).next().unwrap_or_default();
    let hash = sha(&Value::from(last)).filter(|hash| hash.len() >= 40);
    let told = Deployment {
        progress: deploys.then(|| progress(reason.as_deref().unwrap_or_default(), bad)).flatten(),
        version: hash.clone().or_else(|| limits::line(last, limits::NAME_CHARS)),
        sha: hash,
        repository: service.clone(),
        ..Deployment::default()
    };
    let kind = if deploys { SignalKind::Deploy } else { SignalKind::Ci };
    let mut signal = signal(kind, service, None, reason, key, told);
    signal.severity_word = word(at(&body, &["severity"])).filter(|_| bad);
    signal.severity = signal.severity_word.as_deref().and_then(AlertSeverity::from_word);
    signal.summary = at(&body, &["message"]).as_str().and_then(|text| limits::lines(text, limits::SUMMARY_CHARS));
    signal.environment = ["environment", "env"].iter().find_map(|name| word(at(&body, &["metadata", name])));
    signal.started_at = time(at(&body, &["timestamp"]));
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

/// What was applied: the metadata name it after the controller, `kustomize.toolkit.fluxcd.io/revision`.
fn revision(body: &Value) -> Option<String> {
    let told = at(body, &["metadata"]).as_object()?;
    let (_, value) = told.iter().find(|(name, _)| *name == "revision" || name.ends_with("/revision"))?;
    name(value)
}

/// How far a reason says it is; `None` for reasons that tell of no step of a deployment.
fn progress(reason: &str, bad: bool) -> Option<Progress> {
    match reason {
        "RollbackSucceeded" | "UninstallSucceeded" => Some(Progress::RolledBack),
        _ if bad => Some(Progress::Failed),
        "Progressing" | "ProgressingWithRetry" => Some(Progress::Started),
        "DependencyNotReady" => Some(Progress::Pending),
        "ReconciliationSucceeded" | "InstallSucceeded" | "UpgradeSucceeded" => Some(Progress::Succeeded),
        _ => None,
    }
}

//! AWS: the events of CodeDeploy, CodePipeline and CodeBuild as EventBridge sends them, plain or wrapped by SNS.
//! A deployment in CodeDeploy and a deploy action in CodePipeline are deployments; a stage of a pipeline tells that one
//! is under way, or failed; builds and whole pipelines are builds.

use serde_json::Value;

use super::deploy::{at, id, name, nothing, object, sha, signal, time, version, word};
use super::{Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{Deployment, Progress, Signal, SignalKind};

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    object(&body, "send the event as EventBridge writes it")?;
    // SNS puts the event as text into a message of its own.
    let inner = at(&body, &["Message"]).as_str().map(|text| body::parse::<Value>(text.as_bytes())).transpose()?;
    let event = inner.as_ref().unwrap_or(&body);
    let told = at(event, &["detail-type"]).as_str().unwrap_or_default();
    let signal = match at(event, &["source"]).as_str() {
        Some("aws.codedeploy") => deploy(event)?,
        Some("aws.codepipeline") if told.contains("Action") => action(event)?,
        Some("aws.codepipeline") if told.contains("Stage") => stage(event)?,
        Some("aws.codepipeline") => built(event, &["detail", "execution-id"], "pipeline", "state")?,
        Some("aws.codebuild") => built(event, &["detail", "build-id"], "project-name", "build-status")?,
        Some(_) => nothing(None, word(at(event, &["detail-type"]))),
        None => {
            return Err(Unreadable {
                path: Some("$.source".to_owned()),
                message: "the event does not say which service it comes from (`source`)".to_owned(),
                hint: "send the event as EventBridge writes it, of CodeDeploy, CodePipeline or CodeBuild".to_owned(),
            });
        }
    };
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

/// A deployment group is to CodeDeploy what an environment is to others.
fn deploy(event: &Value) -> Result<Signal, Unreadable> {
    let key = id(event, &["detail", "deploymentId"])?;
    let state = word(at(event, &["detail", "state"]));
    let progress = match state.as_deref() {
        Some("CREATED" | "QUEUED") => Some(Progress::Pending),
        Some("START" | "IN_PROGRESS" | "READY") => Some(Progress::Started),
        Some("SUCCESS" | "SUCCEEDED") => Some(Progress::Succeeded),
        Some("FAILURE" | "FAILED") => Some(Progress::Failed),
        Some("STOP" | "STOPPED") => Some(Progress::Cancelled),
        _ => None,
    };
    let service = name(at(event, &["detail", "application"]));
    let told = Deployment { progress, repository: service.clone(), ..Deployment::default() };
    let mut signal = signal(SignalKind::Deploy, service, None, state, key, told);
    signal.environment = word(at(event, &["detail", "deploymentGroup"]));
    signal.started_at = time(at(event, &["time"]));
    Ok(signal)
}

fn progress_of(state: Option<&str>) -> Option<Progress> {
    match state {
        Some("STARTED" | "RESUMED") => Some(Progress::Started),
        Some("SUCCEEDED") => Some(Progress::Succeeded),
        Some("FAILED") => Some(Progress::Failed),
        Some("CANCELED" | "STOPPED" | "SUPERSEDED" | "ABANDONED") => Some(Progress::Cancelled),
        _ => None,
    }
}

/// An action that deploys is a deployment to its stage; any other one is a build.
fn action(event: &Value) -> Result<Signal, Unreadable> {
    let key = id(event, &["detail", "execution-id"])?;
    let (stage, action) = (name(at(event, &["detail", "stage"])), name(at(event, &["detail", "action"])));
    let called = match (&stage, &action) {
        (Some(stage), Some(action)) => limits::line(&format!("{stage} / {action}"), limits::NAME_CHARS),
        _ => stage.or(action),
    };
    let state = word(at(event, &["detail", "state"]));
    let deploys = at(event, &["detail", "type", "category"]).as_str() == Some("Deploy");
    let pipeline = name(at(event, &["detail", "pipeline"]));
    let told = Deployment {
        progress: progress_of(state.as_deref()).filter(|_| deploys),
        repository: pipeline.clone(),
        ..Deployment::default()
    };
    let kind = if deploys { SignalKind::Deploy } else { SignalKind::Ci };
    let mut signal = signal(kind, pipeline, called, state, key, told);
    signal.environment = word(at(event, &["detail", "stage"]));
    signal.started_at = time(at(event, &["time"]));
    Ok(signal)
}

/// A stage that succeeded does not say that something was deployed: its actions do.
fn stage(event: &Value) -> Result<Signal, Unreadable> {
    let key = id(event, &["detail", "execution-id"])?;
    let state = word(at(event, &["detail", "state"]));
    let progress = progress_of(state.as_deref()).filter(|progress| *progress != Progress::Succeeded);
    let pipeline = name(at(event, &["detail", "pipeline"]));
    let told = Deployment { progress, repository: pipeline.clone(), ..Deployment::default() };
    let mut signal = signal(SignalKind::Deploy, pipeline, name(at(event, &["detail", "stage"])), state, key, told);
    signal.environment = word(at(event, &["detail", "stage"]));
    signal.started_at = time(at(event, &["time"]));
    Ok(signal)
}

fn built(event: &Value, key: &[&str], name_of: &str, state_of: &str) -> Result<Signal, Unreadable> {
    let key = id(event, key)?;
    let service = name(at(event, &["detail", name_of]));
    let source = at(event, &["detail", "additional-information", "source-version"]);
    let hash = sha(source);
    let told = Deployment {
        version: version(name(source), &Value::Null, hash.as_ref()),
        sha: hash,
        repository: service.clone(),
        ..Deployment::default()
    };
    Ok(signal(SignalKind::Ci, service, None, word(at(event, &["detail", state_of])), key, told))
}

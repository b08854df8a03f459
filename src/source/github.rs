//! GitHub's webhooks (<https://docs.github.com/en/webhooks/webhook-events-and-payloads>): deployments and their
//! statuses, questions of protection rules, workflow runs and jobs, pushes and releases, told apart by their fields. Other events ask for nothing.
//! What comes from the same deployment has the same key, `deployment 145988746`; the state of the status decides, as
//! `action` is always `created`.

use serde_json::Value;

use super::deploy::{
    at, commit, commits, id, name, nothing, object, ran, reference, sha, signal, stage, time, version, word,
};
use super::{NAMELESS, Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{CodeHost, Deployment, Progress, Question, ReviewSays, Reviewing, Signal, SignalKind};

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    object(&body, "set the webhook's content type to application/json")?;
    let has = |name: &str| body.get(name).is_some_and(Value::is_object);
    let signal = if body.get("deployment_callback_url").is_some_and(Value::is_string) {
        question(&body)?
    } else if has("approver") || has("requester") {
        // A review of a protection rule comes beside its run.
        nothing(repository(&body), word(at(&body, &["action"])))
    } else if has("deployment_status") {
        deployment(&body, at(&body, &["deployment_status"]))?
    } else if has("deployment") {
        deployment(&body, &Value::Null)?
    } else if has("workflow_job") {
        job(&body)?
    } else if has("workflow_run") {
        run(&body)?
    } else if has("pull_request") {
        pull_request(&body)
    } else if has("release") {
        release(&body)?
    } else if body.get("ref").is_some_and(Value::is_string) && body.get("after").is_some() {
        push(&body)
    } else {
        nothing(repository(&body), word(at(&body, &["action"])))
    };
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

fn repository(body: &Value) -> Option<String> {
    name(at(body, &["repository", "full_name"]))
}

fn link(value: &Value) -> Option<String> {
    value.as_str().and_then(limits::link)
}

/// `deployment` and `deployment_status`.
fn deployment(body: &Value, status: &Value) -> Result<Signal, Unreadable> {
    let it = at(body, &["deployment"]);
    let key = format!("deployment {}", id(body, &["deployment", "id"])?);
    let word_of = word(at(status, &["state"])).or_else(|| word(at(body, &["action"])));
    let progress = match at(status, &["state"]).as_str() {
        None => Some(Progress::Pending),
        Some("queued" | "pending" | "waiting") => Some(Progress::Pending),
        Some("in_progress") => Some(Progress::Started),
        Some("success") => Some(Progress::Succeeded),
        Some("failure" | "error") => Some(Progress::Failed),
        // Inactive: a later one took its place, which says nothing about how it went.
        Some(_) => None,
    };
    let environment = word(at(it, &["environment"])).or_else(|| word(at(status, &["environment"])));
    let hash = sha(at(it, &["sha"]));
    let default_branch = at(body, &["repository", "default_branch"]);
    let told = Deployment {
        progress,
        version: version(reference(at(it, &["ref"])), default_branch, hash.as_ref()),
        sha: hash,
        repository: repository(body),
        commits: head(at(body, &["workflow_run", "head_commit"])),
        ..Deployment::default()
    };
    let mut signal = signal(SignalKind::Deploy, repository(body), environment.clone(), word_of, key, told);
    signal.environment = environment;
    signal.link = link(at(status, &["log_url"])).or_else(|| link(at(status, &["target_url"])));
    signal.started_at = time(at(status, &["created_at"])).or_else(|| time(at(it, &["created_at"])));
    Ok(signal)
}

/// `deployment_protection_rule`: a deployment is held until the callback is answered.
fn question(body: &Value) -> Result<Signal, Unreadable> {
    let it = at(body, &["deployment"]);
    let to = at(body, &["deployment_callback_url"]).as_str().unwrap_or_default();
    let environment = word(at(body, &["environment"])).or_else(|| word(at(it, &["environment"])));
    let Some(environment) = environment.filter(|_| to.len() <= limits::LINK_CHARS) else {
        return Err(Unreadable {
            path: Some("$.environment".to_owned()),
            message: "a protection rule asks for no environment, or its callback is too long".to_owned(),
            hint: "send GitHub's deployment_protection_rule as it is".to_owned(),
        });
    };
    let hash = sha(at(it, &["sha"])).or_else(|| sha(at(body, &["sha"])));
    let named = reference(at(it, &["ref"])).or_else(|| reference(at(body, &["ref"])));
    // The same key as its statuses have; without a deployment, its place.
    let key = match id(body, &["deployment", "id"]) {
        Ok(id) => format!("deployment {id}"),
        Err(_) => to.to_owned(),
    };
    let by = [at(it, &["creator", "login"]), at(body, &["sender", "login"])];
    let question = Question {
        host: CodeHost::GitHub,
        to: to.to_owned(),
        environment: environment.clone(),
        by: by.into_iter().filter_map(word).collect(),
    };
    let told = Deployment {
        version: version(named, at(body, &["repository", "default_branch"]), hash.as_ref()),
        sha: hash,
        repository: repository(body),
        question: Some(Box::new(question)),
        ..Deployment::default()
    };
    let status = word(at(body, &["action"]));
    let mut signal = signal(SignalKind::Deploy, repository(body), Some(environment.clone()), status, key, told);
    signal.environment = Some(environment);
    signal.started_at = time(at(it, &["created_at"]));
    Ok(signal)
}

fn head(it: &Value) -> Vec<crate::domain::signal::Commit> {
    commit(at(it, &["id"]), at(it, &["timestamp"]), at(it, &["author", "email"])).into_iter().collect()
}

/// `completed/success`: how far it is, and how it went where that is said.
fn stands(it: &Value) -> Option<String> {
    let status = word(at(it, &["status"]))?;
    match word(at(it, &["conclusion"])) {
        Some(conclusion) => limits::line(&format!("{status}/{conclusion}"), limits::WORD_CHARS),
        None => Some(status),
    }
}

/// Whether a run or a job is over and went well.
fn well(it: &Value) -> bool {
    at(it, &["status"]).as_str() == Some("completed") && at(it, &["conclusion"]).as_str() == Some("success")
}

fn run(body: &Value) -> Result<Signal, Unreadable> {
    let it = at(body, &["workflow_run"]);
    let attempt = word(at(it, &["run_attempt"])).unwrap_or_else(|| "1".to_owned());
    let key = format!("run {} attempt {attempt}", id(body, &["workflow_run", "id"])?);
    // A run without a name of its own goes by its workflow's.
    let called = name(at(it, &["name"])).or_else(|| name(at(body, &["workflow", "name"])));
    let does = called.as_deref().filter(|_| well(it)).and_then(stage);
    // A run that is over was changed last when it was.
    let took = ran(does, at(it, &["run_started_at"]), at(it, &["updated_at"]));
    let told = Deployment {
        sha: sha(at(it, &["head_sha"])),
        repository: repository(body),
        commits: head(at(it, &["head_commit"])),
        ran: took.into_iter().collect(),
        ..Deployment::default()
    };
    let mut signal = signal(SignalKind::Ci, repository(body), called, stands(it), key, told);
    signal.link = link(at(it, &["html_url"]));
    Ok(signal)
}

fn job(body: &Value) -> Result<Signal, Unreadable> {
    let it = at(body, &["workflow_job"]);
    let key = format!("run {} job {}", id(body, &["workflow_job", "run_id"])?, id(body, &["workflow_job", "id"])?);
    let called = name(at(it, &["name"]));
    let does = called.as_deref().filter(|_| well(it)).and_then(stage);
    let took = ran(does, at(it, &["started_at"]), at(it, &["completed_at"]));
    let told = Deployment {
        sha: sha(at(it, &["head_sha"])),
        repository: repository(body),
        ran: took.into_iter().collect(),
        ..Deployment::default()
    };
    let mut signal = signal(SignalKind::Ci, repository(body), called, stands(it), key, told);
    signal.link = link(at(it, &["html_url"]));
    Ok(signal)
}

/// A review of a pull request, or that it went in; other events of one ask for nothing.
fn pull_request(body: &Value) -> Signal {
    let it = at(body, &["pull_request"]);
    let (action, said) = (at(body, &["action"]).as_str(), at(body, &["review", "state"]).as_str());
    let reviewed = at(body, &["review"]).is_object();
    let says = match (reviewed, action, said.map(str::to_ascii_lowercase).as_deref()) {
        (true, Some("submitted"), Some("approved")) => Some(ReviewSays::Approved),
        // A comment takes nothing back.
        (true, Some("submitted"), Some("changes_requested")) | (true, Some("dismissed"), _) => {
            Some(ReviewSays::Withdrawn)
        }
        (false, Some("closed"), _) if at(it, &["merged"]).as_bool() == Some(true) => {
            sha(at(it, &["merge_commit_sha"])).map(|sha| ReviewSays::Merged { sha })
        }
        _ => None,
    };
    let head = if reviewed { at(body, &["review", "commit_id"]) } else { at(it, &["head", "sha"]) };
    let review = says.zip(sha(head)).zip(at(it, &["number"]).as_u64()).map(|((says, head), number)| Reviewing {
        host: CodeHost::GitHub,
        number,
        head,
        says,
        reviewer: name(at(body, &["review", "user", "login"])),
        author: name(at(it, &["user", "login"])),
        author_email: None,
    });
    let status = word(at(body, &["review", "state"])).or_else(|| word(at(body, &["action"])));
    let told = Deployment { repository: repository(body), review, ..Deployment::default() };
    signal(SignalKind::Ignore, repository(body), name(at(it, &["title"])), status, NAMELESS.to_owned(), told)
}

/// A release is published; that it is deployed is told by others.
fn release(body: &Value) -> Result<Signal, Unreadable> {
    let it = at(body, &["release"]);
    let key = format!("release {}", id(body, &["release", "id"])?);
    let told =
        Deployment { version: name(at(it, &["tag_name"])), repository: repository(body), ..Deployment::default() };
    let mut signal = signal(SignalKind::Deploy, repository(body), None, word(at(body, &["action"])), key, told);
    signal.link = link(at(it, &["html_url"]));
    Ok(signal)
}

/// A push brings commits, whose times are kept.
fn push(body: &Value) -> Signal {
    let says = |name: &str| at(body, &[name]).as_bool() == Some(true);
    let (name, status) = match () {
        // Nothing is there any more under that name.
        () if says("deleted") => (None, "deleted"),
        () if says("created") => (name(at(body, &["ref"])), "created"),
        () if says("forced") => (name(at(body, &["ref"])), "forced"),
        () => (name(at(body, &["ref"])), "pushed"),
    };
    let told = Deployment {
        sha: sha(at(body, &["after"])),
        repository: repository(body),
        commits: commits(at(body, &["commits"])),
        ..Deployment::default()
    };
    signal(SignalKind::Ignore, repository(body), name, Some(status.to_owned()), NAMELESS.to_owned(), told)
}

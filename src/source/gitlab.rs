//! GitLab's webhooks (<https://docs.gitlab.com/user/project/integrations/webhook_events/>): deployments, pipelines,
//! jobs, pushes and releases; `object_kind` tells which. Other events ask for nothing.

use serde_json::Value;

use super::deploy::{
    at, commit, commits, id, name, nothing, object, ran, reference, sha, signal, stage, time, version, word,
};
use super::{NAMELESS, Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{
    CodeHost, Deployment, GITLAB_ID, Progress, Question, Ran, ReviewSays, Reviewing, Signal, SignalKind, Stage,
};

/// Jobs of one pipeline that are looked at.
const JOBS: usize = 100;

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    object(&body, "send GitLab's webhook as it is")?;
    let signal = match at(&body, &["object_kind"]).as_str() {
        Some("deployment") => deployment(&body)?,
        Some("pipeline") => pipeline(&body)?,
        Some("build") => job(&body)?,
        Some("release") => release(&body)?,
        Some("merge_request") => merge_request(&body),
        Some("push" | "tag_push") => push(&body),
        Some(_) => nothing(project(&body), word(at(&body, &["object_kind"]))),
        None => {
            return Err(Unreadable {
                path: Some("$.object_kind".to_owned()),
                message: "the body does not say what happened (`object_kind`)".to_owned(),
                hint: "send GitLab's webhook as it is: deployment, pipeline, job, push or release events".to_owned(),
            });
        }
    };
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

/// `group/project`. A job writes it with blanks around the slash.
fn project(body: &Value) -> Option<String> {
    let path = name(at(body, &["project", "path_with_namespace"]));
    let spaced = || name(at(body, &["project_name"])).map(|name| name.replace(" / ", "/"));
    path.or_else(spaced).or_else(|| name(at(body, &["repository", "name"])))
}

fn link(value: &Value) -> Option<String> {
    value.as_str().and_then(limits::link)
}

fn deployment(body: &Value) -> Result<Signal, Unreadable> {
    let job = id(body, &["deployable_id"]).ok();
    let number = id(body, &["deployment_id"]);
    let key = match (job, number) {
        (Some(job), Ok(number)) => format!("deployable_id {job} / deployment_id {number}"),
        // Older releases number only the job.
        (Some(job), Err(_)) => format!("deployable_id {job}"),
        (None, number) => format!("deployment_id {}", number?),
    };
    let progress = match at(body, &["status"]).as_str() {
        Some("created" | "blocked") => Some(Progress::Pending),
        Some("running") => Some(Progress::Started),
        Some("success") => Some(Progress::Succeeded),
        Some("failed") => Some(Progress::Failed),
        Some("canceled") => Some(Progress::Cancelled),
        _ => None,
    };
    // The whole hash stands only in the commit's address.
    let whole = at(body, &["commit_url"]).as_str().and_then(|url| url.rsplit('/').next().map(Value::from));
    let hash = whole.as_ref().and_then(sha).or_else(|| sha(at(body, &["short_sha"])));
    let environment = word(at(body, &["environment"]));
    let blocked = at(body, &["status"]).as_str() == Some("blocked");
    let place = (id(body, &["project", "id"]).ok(), id(body, &["deployment_id"]).ok());
    let question = match (place, &environment) {
        ((Some(project), Some(deployment)), Some(environment)) if blocked => Some(Box::new(Question {
            host: CodeHost::GitLab,
            to: format!("/api/v4/projects/{project}/deployments/{deployment}/approval"),
            environment: environment.clone(),
            by: word(at(body, &["user", "username"])).into_iter().collect(),
        })),
        _ => None,
    };
    let told = Deployment {
        progress,
        version: version(reference(at(body, &["ref"])), at(body, &["project", "default_branch"]), hash.as_ref()),
        sha: hash,
        repository: project(body),
        question,
        ..Deployment::default()
    };
    let status = word(at(body, &["status"]));
    let mut signal = signal(SignalKind::Deploy, project(body), environment.clone(), status, key, told);
    signal.environment = environment;
    signal.link = link(at(body, &["deployable_url"]));
    signal.started_at = time(at(body, &["status_changed_at"]));
    Ok(signal)
}

fn pipeline(body: &Value) -> Result<Signal, Unreadable> {
    let key = format!("pipeline {}", id(body, &["object_attributes", "id"])?);
    let head = commit(
        at(body, &["commit", "id"]),
        at(body, &["commit", "timestamp"]),
        at(body, &["commit", "author", "email"]),
    );
    let told = Deployment {
        sha: sha(at(body, &["object_attributes", "sha"])),
        repository: project(body),
        commits: head.into_iter().collect(),
        ran: jobs(at(body, &["builds"])),
        ..Deployment::default()
    };
    let status = word(at(body, &["object_attributes", "status"]));
    let mut signal = signal(SignalKind::Ci, project(body), None, status, key, told);
    signal.link = link(at(body, &["object_attributes", "url"]));
    Ok(signal)
}

/// The jobs that built or tested and went well.
fn jobs(list: &Value) -> Vec<Ran> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let well = all.iter().take(JOBS).filter(|it| at(it, &["status"]).as_str() == Some("success"));
    let took = |it: &Value| {
        let does = does(at(it, &["stage"]), at(it, &["name"]));
        ran(does, at(it, &["started_at"]), at(it, &["finished_at"]))
    };
    well.filter_map(took).collect()
}

/// What a job does: as its stage is called, else as itself is.
fn does(stage_of: &Value, job: &Value) -> Option<Stage> {
    let says = |value: &Value| name(value).as_deref().and_then(stage);
    says(stage_of).or_else(|| says(job))
}

fn job(body: &Value) -> Result<Signal, Unreadable> {
    let key = format!("build {}", id(body, &["build_id"])?);
    let well = at(body, &["build_status"]).as_str() == Some("success");
    let does = does(at(body, &["build_stage"]), at(body, &["build_name"])).filter(|_| well);
    let took = ran(does, at(body, &["build_started_at"]), at(body, &["build_finished_at"]));
    let told = Deployment {
        sha: sha(at(body, &["sha"])),
        repository: project(body),
        ran: took.into_iter().collect(),
        ..Deployment::default()
    };
    let status = word(at(body, &["build_status"]));
    Ok(signal(SignalKind::Ci, project(body), name(at(body, &["build_name"])), status, key, told))
}

fn release(body: &Value) -> Result<Signal, Unreadable> {
    let key = format!("release {}", id(body, &["id"])?);
    let it = at(body, &["commit"]);
    let told = Deployment {
        version: name(at(body, &["tag"])),
        sha: sha(at(it, &["id"])),
        repository: project(body),
        commits: commit(at(it, &["id"]), at(it, &["timestamp"]), at(it, &["author", "email"])).into_iter().collect(),
        ..Deployment::default()
    };
    let mut signal = signal(SignalKind::Deploy, project(body), None, word(at(body, &["action"])), key, told);
    signal.link = link(at(body, &["url"]));
    Ok(signal)
}

/// An approval of a merge request, or that it went in; other events of one ask for nothing. Who wrote it stands there as a
/// number, whose account is told where they are among those whom the event names.
fn merge_request(body: &Value) -> Signal {
    let it = at(body, &["object_attributes"]);
    let says = match at(it, &["action"]).as_str() {
        Some("approved" | "approval") => Some(ReviewSays::Approved),
        Some("unapproved" | "unapproval") => Some(ReviewSays::Withdrawn),
        Some("merge") => sha(at(it, &["merge_commit_sha"])).map(|sha| ReviewSays::Merged { sha }),
        _ => None,
    };
    let (author, user) = (at(it, &["author_id"]).as_u64(), at(body, &["user", "id"]).as_u64());
    // Nobody agrees to their own.
    let own = author.is_some() && author == user && says == Some(ReviewSays::Approved);
    let head = sha(at(it, &["last_commit", "id"]));
    let review = says.zip(head).zip(at(it, &["iid"]).as_u64()).filter(|_| !own);
    let review = review.map(|((says, head), number)| Reviewing {
        host: CodeHost::GitLab,
        number,
        head,
        says,
        reviewer: name(at(body, &["user", "username"])),
        author: author.map(|id| account(body, id).unwrap_or_else(|| format!("{GITLAB_ID}{id}"))),
        author_email: name(at(it, &["last_commit", "author", "email"])),
    });
    let told = Deployment { repository: project(body), review, ..Deployment::default() };
    let status = word(at(it, &["action"]));
    signal(SignalKind::Ignore, project(body), name(at(it, &["title"])), status, NAMELESS.to_owned(), told)
}

/// The account of a number, where the event tells it.
fn account(body: &Value, id: u64) -> Option<String> {
    let lists = ["assignees", "reviewers"].into_iter().filter_map(|list| at(body, &[list]).as_array()).flatten();
    let mut all = lists.chain([at(body, &["user"])]);
    all.find(|it| at(it, &["id"]).as_u64() == Some(id)).and_then(|it| name(at(it, &["username"])))
}

/// A push brings commits, whose times are kept.
fn push(body: &Value) -> Signal {
    let told = Deployment {
        sha: sha(at(body, &["after"])),
        repository: project(body),
        commits: commits(at(body, &["commits"])),
        ..Deployment::default()
    };
    let status = word(at(body, &["object_kind"]));
    signal(SignalKind::Ignore, project(body), None, status, NAMELESS.to_owned(), told)
}

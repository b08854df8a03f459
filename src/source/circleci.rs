//! CircleCI's outbound webhooks (<https://circleci.com/docs/outbound-webhooks-reference/>): workflows and jobs that
//! are over. Neither is a deployment by itself; the commit that they name is kept.

use serde_json::Value;

use super::deploy::{at, commit, id, name, nothing, object, sha, signal, time, word};
use super::{Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{Deployment, SignalKind};

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    object(&body, "send the webhook as CircleCI writes it")?;
    // A job names the project by its name, as its slug stands beside every job of it.
    let (what, service) = match at(&body, &["type"]).as_str() {
        Some("workflow-completed") => ("workflow", name(at(&body, &["project", "slug"]))),
        Some("job-completed") => ("job", name(at(&body, &["project", "name"]))),
        Some(_) => {
            let ping = nothing(name(at(&body, &["project", "slug"])), word(at(&body, &["type"])));
            return Ok(Reading { signals: vec![ping], ..Reading::default() });
        }
        None => {
            return Err(Unreadable {
                path: Some("$.type".to_owned()),
                message: "the webhook does not say what happened (`type`)".to_owned(),
                hint: "send CircleCI's webhook as it is: workflow-completed, job-completed".to_owned(),
            });
        }
    };
    let it = at(&body, &[what]);
    let key = format!("{what} {}", id(&body, &[what, "id"])?);
    let vcs = at(&body, &["pipeline", "vcs"]);
    let hash = sha(at(vcs, &["revision"]));
    let head =
        commit(at(vcs, &["revision"]), at(vcs, &["commit", "authored_at"]), at(vcs, &["commit", "author", "email"]));
    let told = Deployment {
        version: name(at(vcs, &["tag"])).or_else(|| hash.clone()),
        sha: hash,
        repository: name(at(&body, &["project", "slug"])),
        commits: head.into_iter().collect(),
        ..Deployment::default()
    };
    let mut signal = signal(SignalKind::Ci, service, name(at(it, &["name"])), word(at(it, &["status"])), key, told);
    signal.link = at(&body, &["workflow", "url"]).as_str().and_then(limits::link);
    signal.started_at = time(at(it, &["stopped_at"]));
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

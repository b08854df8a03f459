//! Buildkite: builds, as its webhooks and EventBridge send them
//! (<https://buildkite.com/docs/apis/webhooks/pipelines/build-events>). A build is no deployment by itself.

use serde_json::Value;

use super::deploy::{at, id, name, nothing, object, sha, signal, time, word};
use super::{Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{Deployment, SignalKind};

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    object(&body, "send the event as Buildkite writes it")?;
    // EventBridge puts it into an envelope.
    let event = body.get("detail").filter(|it| it.is_object()).unwrap_or(&body);
    let pipeline = name(at(event, &["pipeline", "slug"])).or_else(|| name(at(event, &["pipeline", "name"])));
    let build = at(event, &["build"]);
    if !build.is_object() {
        // The ping of a new webhook, an agent, a job: nothing about a build as a whole.
        let word_of = word(at(event, &["event"])).or_else(|| word(at(&body, &["detail-type"])));
        return Ok(Reading { signals: vec![nothing(pipeline, word_of)], ..Reading::default() });
    }
    let uuid = id(event, &["build", "uuid"]).or_else(|_| id(event, &["build", "id"]))?;
    let hash = sha(at(build, &["commit"]));
    let repository = name(at(event, &["pipeline", "repo"]))
        .or_else(|| name(at(event, &["pipeline", "repository"])))
        .map(|address| path(&address));
    let told = Deployment {
        version: name(at(build, &["tag"])).or_else(|| hash.clone()),
        sha: hash,
        repository,
        ..Deployment::default()
    };
    let mut signal = signal(SignalKind::Ci, pipeline, None, word(at(build, &["state"])), format!("build {uuid}"), told);
    signal.link = at(build, &["web_url"]).as_str().and_then(limits::link);
    signal.started_at = time(at(build, &["started_at"]));
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

/// `org/repo` of a clone address: `git@github.com:org/repo.git`, `https://github.com/org/repo.git`.
fn path(address: &str) -> String {
    let bare = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = bare.split_once([':', '/']).map_or(bare, |(_, path)| path);
    path.strip_suffix(".git").unwrap_or(path).to_owned()
}

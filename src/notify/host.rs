//! Code hosts: tells GitHub and GitLab whether a deployment may go that they hold. One call, once; whether and when to
//! try again is the domain's. The address is the integration's own, from the organisation; the payload only gave the
//! path below it, which the domain has checked. The tokens are given to this room alone.
//!
//! | host | call | body |
//! |---|---|---|
//! | GitHub | `POST {url}/repos/{owner}/{repo}/actions/runs/{run}/deployment_protection_rule`, `Authorization: Bearer` | `{"environment_name", "state": "approved" or "rejected", "comment"}` |
//! | GitLab | `POST {url}/api/v4/projects/{id}/deployments/{id}/approval`, `PRIVATE-TOKEN` | `{"status": "approved" or "rejected", "comment"}` |

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::webhook::{CannotStart, Clock, drain, outcome_of_error, retry_after};
use super::{Timeouts, client, outcome_of};
use crate::catalog::Secret;
use crate::domain::change::answer::Answer;
use crate::domain::delivery::{Content, Destination, Grant, Outcome};
use crate::domain::desk::{Sender, Sending};
use crate::domain::id::IntegrationId;
use crate::domain::org::Org;
use crate::domain::signal::CodeHost;

/// Answers all code hosts.
#[derive(Clone)]
pub struct Hosts {
    client: reqwest::Client,
    tokens: Arc<BTreeMap<IntegrationId, Secret>>,
    clock: Clock,
    timeouts: Timeouts,
}

impl Hosts {
    /// A sender with the token of each integration. It follows no redirect and uses no proxy: a token is shown to its
    /// own host only.
    ///
    /// # Errors
    /// The HTTP client does not start.
    pub fn new(tokens: BTreeMap<IntegrationId, Secret>, clock: Clock, timeouts: Timeouts) -> Result<Self, CannotStart> {
        let client = client(timeouts).map_err(CannotStart)?;
        Ok(Self { client, tokens: Arc::new(tokens), clock, timeouts })
    }

    async fn try_once(&self, grant: &Grant, org: &Org) -> Outcome {
        let request = match self.request(grant, org) {
            Ok(request) => request,
            Err(reason) => return Outcome::Permanent { reason },
        };
        match request.send().await {
            Ok(response) => {
                let wish = response.headers().get(RETRY_AFTER).and_then(|wish| wish.to_str().ok());
                let wish = wish.and_then(|wish| retry_after(wish, || (self.clock)()));
                let status = response.status().as_u16();
                let outcome = match status {
                    // GitHub's limit on writing comes as 403 with a wait; without one somebody has to do something.
                    403 if wish.is_some() => {
                        Outcome::Retryable { reason: format!("HTTP {status}"), after: wish, unknown: false }
                    }
                    status => judge(outcome_of(status, wish), grant.possible_repeat),
                };
                let _ = tokio::time::timeout(self.timeouts.parting(), drain(response)).await;
                outcome
            }
            Err(error) => outcome_of_error(&error),
        }
    }

    fn request(&self, grant: &Grant, org: &Org) -> Result<reqwest::RequestBuilder, String> {
        let (Destination::Host(id), Content::Answer(answer)) = (&grant.to, &grant.content) else {
            return Err(format!("{} is no code host", grant.to));
        };
        let base = org.integrations.get(id).and_then(|it| it.answers.as_deref());
        let base = base.ok_or_else(|| format!("integration {id} no longer answers its code host"))?;
        let token = self.tokens.get(id).ok_or_else(|| format!("the answer token of integration {id} is not loaded"))?;
        let (name, value) = match answer.host {
            CodeHost::GitHub => (AUTHORIZATION, format!("Bearer {}", token.expose())),
            CodeHost::GitLab => ("private-token".parse().map_err(|_| "no such header")?, token.expose().to_owned()),
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| "its token cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        let request = self
            .client
            .post(format!("{base}{}", answer.path))
            .header(name, value)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = match answer.host {
            CodeHost::GitHub => request
                .header(ACCEPT, HeaderValue::from_static("application/vnd.github+json"))
                .header("x-github-api-version", HeaderValue::from_static("2022-11-28")),
            CodeHost::GitLab => request.header(ACCEPT, HeaderValue::from_static("application/json")),
        };
        Ok(request.body(body(answer).to_string()))
    }
}

impl Sender for Hosts {
    fn send<'a>(&'a self, grant: &'a Grant, org: &'a Org) -> Sending<'a> {
        Box::pin(self.try_once(grant, org))
    }
}

fn body(answer: &Answer) -> serde_json::Value {
    let state = if answer.approved { "approved" } else { "rejected" };
    let comment = inert(&answer.comment);
    match answer.host {
        CodeHost::GitHub => json!({ "environment_name": answer.environment, "state": state, "comment": comment }),
        CodeHost::GitLab => json!({ "status": state, "comment": comment }),
    }
}

/// Both hosts read comments as Markdown: what an incident's title says neither mentions, links nor formats anything.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '@' | '#' | '!' | ':' => {
                out.push(c);
                out.push('\u{200b}');
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A host takes one answer. Where an earlier attempt may have arrived, a refusal may say just that.
fn judge(outcome: Outcome, repeat: bool) -> Outcome {
    match outcome {
        Outcome::Permanent { reason } if repeat => {
            Outcome::Permanent { reason: format!("{reason} (an earlier attempt may have arrived: look there)") }
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::DeploymentId;

    fn answer(host: CodeHost, comment: &str) -> Answer {
        Answer {
            deployment: DeploymentId(1),
            host,
            path: "/x".into(),
            environment: "production".into(),
            approved: false,
            comment: comment.to_owned(),
        }
    }

    #[test]
    fn what_a_stranger_wrote_mentions_and_formats_nothing() {
        let said = body(&answer(CodeHost::GitHub, "INC-1: @everyone see [this](http://evil) `x` #7 <img>"));
        assert_eq!(
            said["comment"],
            "INC-1:\u{200b} @\u{200b}everyone see \\[this\\](http:\u{200b}//evil) \\`x\\` #\u{200b}7 \\<img\\>"
        );
        assert_eq!(said["state"], "rejected");
        assert_eq!(said["environment_name"], "production");
        let said = body(&answer(CodeHost::GitLab, ""));
        assert_eq!(said, json!({ "status": "rejected", "comment": "" }));
    }

    #[test]
    fn a_refused_repeat_says_that_the_first_may_have_arrived() {
        let refused = |repeat| judge(outcome_of(422, None), repeat);
        let Outcome::Permanent { reason } = refused(true) else { panic!("permanent") };
        assert!(reason.ends_with("(an earlier attempt may have arrived: look there)"), "{reason}");
        assert_eq!(refused(false), outcome_of(422, None));
        assert_eq!(judge(Outcome::Accepted, true), Outcome::Accepted);
    }
}

//! What each sender's words say of a deployment: how far it is, of which version, where to.

use serde_json::{Value, json};

use crate::domain::org::Mapping;
use crate::domain::signal::{CodeHost, Progress, Ran, ReviewSays, Reviewing, Signal, SignalKind, Stage};
use crate::source::find;

const SHA: &str = "5e1f0c9a7b3d4e2f8a6c1b0d9e7f5a3c2b4d6e81";

fn one(source: &str, body: &Value) -> Signal {
    let reading = (find(source).expect(source).read)(body.to_string().as_bytes(), &Mapping::default());
    let mut reading = reading.expect("readable");
    assert_eq!((reading.signals.len(), reading.rejected.len()), (1, 0));
    reading.signals.remove(0)
}

fn progress(source: &str, body: &Value) -> Option<Progress> {
    one(source, body).deployment.and_then(|told| told.progress)
}

#[test]
fn githubs_states_say_how_far_it_is() {
    let status =
        |state: &str| json!({"action": "created", "deployment_status": {"state": state}, "deployment": {"id": 7}});
    use Progress::{Failed, Pending, Started, Succeeded};
    for (state, expected) in [
        ("queued", Some(Pending)),
        ("pending", Some(Pending)),
        ("waiting", Some(Pending)),
        ("in_progress", Some(Started)),
        ("success", Some(Succeeded)),
        ("failure", Some(Failed)),
        ("error", Some(Failed)),
        ("inactive", None),
        ("something new", None),
    ] {
        assert_eq!(progress("github", &status(state)), expected, "{state}");
    }
    assert_eq!(progress("github", &json!({"action": "created", "deployment": {"id": 7}})), Some(Pending));
    // What tells of a review is no step.
    let review = json!({"action": "requested", "deployment": {"id": 7}, "environment": "production", "approver": {}});
    assert_eq!(one("github", &review).kind, SignalKind::Ignore);
    assert_eq!(one("github", &json!({"zen": "Keep it logically awesome."})).kind, SignalKind::Ignore);
}

fn review(source: &str, body: &Value) -> Option<Reviewing> {
    let signal = one(source, body);
    assert_eq!(signal.kind, SignalKind::Ignore);
    signal.deployment.and_then(|told| told.review)
}

#[test]
fn githubs_reviews_say_who_agreed_to_what() {
    let body = |action: &str, state: &str| {
        json!({
            "action": action,
            "review": {"state": state, "commit_id": SHA, "user": {"login": "hana-ej"}},
            "pull_request": {"number": 12, "user": {"login": "ivo-ej"}, "head": {"sha": "ffff1111ffff1111"}, "merge_commit_sha": SHA},
            "repository": {"full_name": "ej/loyalty"},
        })
    };
    let agreed = Reviewing {
        host: CodeHost::GitHub,
        number: 12,
        head: SHA.to_owned(),
        says: ReviewSays::Approved,
        reviewer: Some("hana-ej".to_owned()),
        author: Some("ivo-ej".to_owned()),
        author_email: None,
    };
    assert_eq!(review("github", &body("submitted", "approved")), Some(agreed.clone()));
    assert_eq!(review("github", &body("submitted", "APPROVED")), Some(agreed.clone()), "as the API writes it");
    let withdrawn = Reviewing { says: ReviewSays::Withdrawn, ..agreed };
    assert_eq!(review("github", &body("dismissed", "dismissed")), Some(withdrawn.clone()));
    assert_eq!(review("github", &body("submitted", "changes_requested")), Some(withdrawn));
    for (action, state) in [("submitted", "commented"), ("edited", "approved"), ("submitted", ""), ("", "approved")] {
        assert_eq!(review("github", &body(action, state)), None, "{action} {state}");
    }
    let mut odd = body("submitted", "approved");
    odd["review"]["commit_id"] = json!("not a hash");
    assert_eq!(review("github", &odd), None);
    odd["review"]["commit_id"] = json!(SHA);
    odd["pull_request"]["number"] = json!("12");
    assert_eq!(review("github", &odd), None);
}

#[test]
fn what_went_in_is_told_with_the_commit_that_it_became() {
    let body = |merged: bool| {
        json!({
            "action": "closed",
            "pull_request": {"number": 12, "merged": merged, "user": {"login": "ivo-ej"}, "head": {"sha": "ffff1111ffff1111"}, "merge_commit_sha": SHA},
            "repository": {"full_name": "ej/loyalty"},
        })
    };
    let told = review("github", &body(true)).expect("it went in");
    assert_eq!((told.head.as_str(), told.says), ("ffff1111ffff1111", ReviewSays::Merged { sha: SHA.to_owned() }));
    assert_eq!(review("github", &body(false)), None, "closed without going in");
}

#[test]
fn gitlabs_approvals_say_who_agreed_to_what() {
    let body = |action: &str, user: u64| {
        json!({
            "object_kind": "merge_request",
            "user": {"id": user, "username": "hana"},
            "project": {"path_with_namespace": "ej/loyalty"},
            "object_attributes": {
                "iid": 12, "action": action, "author_id": 7, "merge_commit_sha": "ffff1111ffff1111",
                "last_commit": {"id": SHA, "author": {"email": "ivo@ej.example"}},
            },
        })
    };
    let agreed = review("gitlab", &body("approved", 8)).expect("an approval");
    assert_eq!(agreed.author.as_deref(), Some("id:7"), "only the number is told");
    for list in ["assignees", "reviewers"] {
        let mut named = body("approved", 8);
        named[list] = json!([{"id": 6, "username": "cleo"}, {"id": 7, "username": "ivo"}]);
        assert_eq!(review("gitlab", &named).and_then(|it| it.author).as_deref(), Some("ivo"), "{list}");
        for wrong in [json!("7"), json!([7, null, {"id": "7", "username": "ivo"}, {"id": 7}])] {
            named[list] = wrong;
            assert_eq!(review("gitlab", &named).and_then(|it| it.author).as_deref(), Some("id:7"));
        }
    }
    assert_eq!((agreed.host, agreed.head.as_str(), agreed.reviewer.as_deref()), (CodeHost::GitLab, SHA, Some("hana")));
    assert_eq!((agreed.says, agreed.author_email.as_deref()), (ReviewSays::Approved, Some("ivo@ej.example")));
    assert_eq!(review("gitlab", &body("approved", 7)), None, "nobody agrees to their own");
    assert_eq!(review("gitlab", &body("unapproved", 8)).map(|it| it.says), Some(ReviewSays::Withdrawn));
    let merged = ReviewSays::Merged { sha: "ffff1111ffff1111".to_owned() };
    assert_eq!(review("gitlab", &body("merge", 7)).map(|it| it.says), Some(merged));
    assert_eq!(review("gitlab", &body("open", 7)), None);
}

#[test]
fn a_version_is_a_tag_or_the_commit() {
    let version = |reference: &str, sha: Value, branch: &str| {
        let it = json!({"deployment": {"id": 7, "ref": reference, "sha": sha},
                        "repository": {"full_name": "a/b", "default_branch": branch}});
        one("github", &it).deployment.and_then(|told| told.version)
    };
    assert_eq!(version("1.4.1", json!(SHA), "main").as_deref(), Some("1.4.1"));
    assert_eq!(version("refs/tags/1.4.1", json!(SHA), "main").as_deref(), Some("1.4.1"));
    assert_eq!(version("trunk", json!(SHA), "trunk").as_deref(), Some(SHA));
    assert_eq!(version(SHA, json!(SHA), "main").as_deref(), Some(SHA));
    assert_eq!(version("main", Value::Null, "main"), None);
    for none in [json!("0000000000000000000000000000000000000000"), json!("xyz"), json!(7), json!("abc")] {
        assert_eq!(version("main", none.clone(), "main"), None, "{none}");
    }
}

#[test]
fn other_senders_say_it_in_their_own_words() {
    use Progress::{Cancelled, Failed, RolledBack, Started, Succeeded};
    let gitlab = |status: &str| json!({"object_kind": "deployment", "deployment_id": 7, "status": status});
    for (status, expected) in [
        ("running", Some(Started)),
        ("success", Some(Succeeded)),
        ("failed", Some(Failed)),
        ("canceled", Some(Cancelled)),
        ("skipped", None),
    ] {
        assert_eq!(progress("gitlab", &gitlab(status)), expected, "{status}");
    }
    let flux = |kind: &str, reason: &str, severity: &str| {
        json!({"involvedObject": {"kind": kind, "name": "webapp", "namespace": "apps"}, "reason": reason,
               "severity": severity, "metadata": {"revision": format!("main@sha1:{SHA}"), "environment": "prod"}})
    };
    for (reason, severity, expected) in [
        ("ReconciliationSucceeded", "info", Some(Succeeded)),
        ("Progressing", "info", Some(Started)),
        ("ValidationFailed", "error", Some(Failed)),
        ("RollbackSucceeded", "info", Some(RolledBack)),
        ("ArtifactUpToDate", "info", None),
    ] {
        assert_eq!(progress("flux", &flux("HelmRelease", reason, severity)), expected, "{reason}");
    }
    assert_eq!(one("flux", &flux("GitRepository", "NewArtifact", "info")).kind, SignalKind::Ci);
    let told = one("flux", &flux("Kustomization", "Progressing", "info"));
    assert_eq!(told.environment.as_deref(), Some("prod"));
    assert_eq!(told.deployment.and_then(|told| told.sha).as_deref(), Some(SHA));
    let aws = |detail_type: &str, detail: Value| json!({"source": "aws.codepipeline", "detail-type": detail_type, "detail": detail});
    let action = |category: &str, state: &str| {
        let detail = json!({"execution-id": "e", "pipeline": "p", "stage": "Prod", "action": "a", "state": state,
                            "type": {"category": category}});
        aws("CodePipeline Action Execution State Change", detail)
    };
    assert_eq!(progress("aws-deploy", &action("Deploy", "SUCCEEDED")), Some(Succeeded));
    assert_eq!(progress("aws-deploy", &action("Build", "SUCCEEDED")), None);
    let stage =
        |state: &str| aws("CodePipeline Stage Execution State Change", json!({"execution-id": "e", "state": state}));
    assert_eq!(progress("aws-deploy", &stage("FAILED")), Some(Failed));
    assert_eq!(progress("aws-deploy", &stage("SUCCEEDED")), None, "a stage that succeeded may have built something");
    let wrapped = json!({"Type": "Notification", "Message": action("Deploy", "STARTED").to_string()});
    assert_eq!(progress("aws-deploy", &wrapped), Some(Started));
}

#[test]
fn times_are_read_as_code_hosts_write_them() {
    let time = |text: &str| super::time(&json!(text)).map(|at| at.to_string());
    assert_eq!(time("2021-04-28 21:50:00 +0200").as_deref(), Some("2021-04-28T19:50:00.000Z"));
    assert_eq!(time("2016-08-12 15:23:28 UTC").as_deref(), Some("2016-08-12T15:23:28.000Z"));
    assert_eq!(time("2026-11-10T10:02:11+02:00").as_deref(), Some("2026-11-10T08:02:11.000Z"));
    for wrong in
        ["", "UTC", " UTC", "+0200", "2026", "2026-11-10", "é+0200", "2026-13-40 99:00:00 +9999", &"9".repeat(99)]
    {
        assert_eq!(time(wrong), None, "{wrong}");
    }
}

#[test]
fn what_cannot_be_tied_is_refused_with_the_place() {
    for (source, body, path) in [
        ("github", json!({"deployment": {"environment": "production"}}), "$.deployment.id"),
        ("github", json!({"workflow_job": {"id": 7}}), "$.workflow_job.run_id"),
        ("github", json!([]), "$"),
        ("gitlab", json!({"object_kind": "deployment"}), "$.deployment_id"),
        ("gitlab", json!({}), "$.object_kind"),
        ("flux", json!({"reason": "x"}), "$.involvedObject.name"),
        ("aws-deploy", json!({"source": "aws.codedeploy", "detail": {}}), "$.detail.deploymentId"),
        ("aws-deploy", json!({"detail": {}}), "$.source"),
        ("buildkite", json!({"build": {"number": 7}}), "$.build.id"),
        ("circleci", json!({"type": "job-completed", "job": {}}), "$.job.id"),
        ("circleci", json!("text"), "$"),
    ] {
        let refused = (find(source).expect(source).read)(body.to_string().as_bytes(), &Mapping::default());
        assert_eq!(refused.expect_err("refused").path.as_deref(), Some(path), "{source} {body}");
    }
    // An empty id is none; 0 is one.
    let id = |id: Value| {
        (find("github").expect("github").read)(
            json!({"deployment": {"id": id}}).to_string().as_bytes(),
            &Mapping::default(),
        )
    };
    assert!(id(json!("")).is_err() && id(json!({})).is_err());
    assert_eq!(id(json!(0)).expect("an id").signals[0].key, "deployment 0");
}

#[test]
fn what_a_host_holds_asks_a_question() {
    let url = "https://api.github.com/repos/o/r/actions/runs/5/deployment_protection_rule";
    let rule = json!({
        "action": "requested", "environment": "Production", "sha": SHA, "ref": "refs/heads/main",
        "deployment_callback_url": url, "deployment": {"id": 7, "sha": SHA, "ref": "main"},
        "repository": {"full_name": "o/r", "default_branch": "main"},
    });
    let signal = one("github", &rule);
    let told = signal.deployment.as_deref().expect("a deployment");
    let question = told.question.as_deref().expect("a question");
    assert_eq!((question.host, question.to.as_str()), (CodeHost::GitHub, url));
    assert_eq!(question.environment, "Production");
    assert_eq!((signal.key.as_str(), told.progress), ("deployment 7", None));
    assert_eq!((told.version.as_deref(), told.sha.as_deref()), (Some(SHA), Some(SHA)));
    // Without a deployment it goes by its place.
    let mut bare = rule.clone();
    bare["deployment"] = Value::Null;
    assert_eq!(one("github", &bare).key, url);
    // Of nowhere, or to an endless address, it is no question.
    let read = |body: &Value| (find("github").expect("github").read)(body.to_string().as_bytes(), &Mapping::default());
    for (name, value) in [("environment", json!("")), ("deployment_callback_url", json!("x".repeat(3_000)))] {
        let mut wrong = rule.clone();
        wrong[name] = value;
        assert!(read(&wrong).is_err(), "{name}");
    }

    let blocked = json!({
        "object_kind": "deployment", "status": "blocked", "deployment_id": 15, "deployable_id": 7,
        "environment": "production", "project": {"id": 30, "path_with_namespace": "o/r"},
    });
    let told = one("gitlab", &blocked).deployment.expect("a deployment");
    let question = told.question.expect("a question");
    assert_eq!(question.to, "/api/v4/projects/30/deployments/15/approval");
    assert_eq!((question.host, told.progress), (CodeHost::GitLab, Some(Progress::Pending)));
    for (name, value) in [("status", json!("created")), ("deployment_id", Value::Null)] {
        let mut other = blocked.clone();
        other[name] = value;
        assert!(one("gitlab", &other).deployment.expect("a deployment").question.is_none(), "{name}");
    }
}

fn ran(source: &str, bytes: &str) -> Vec<Ran> {
    one(source, &serde_json::from_str(bytes).expect("JSON")).deployment.map(|told| told.ran).unwrap_or_default()
}

fn took(stage: Stage, from: &str, until: &str) -> Ran {
    Ran { stage, from: from.parse().expect("a time"), until: until.parse().expect("a time") }
}

#[test]
fn real_payloads_say_what_was_built_and_tested() {
    let gitlab = ran("gitlab", include_str!("../../../tests/fixtures/collection/gitlab/pipeline.json"));
    // The other test job does not say when it was over; what was skipped did not run.
    let expected = [
        took(Stage::Test, "2016-08-12T15:26:12Z", "2016-08-12T15:26:29Z"),
        took(Stage::Build, "2016-08-12T15:24:56Z", "2016-08-12T15:25:26Z"),
    ];
    assert_eq!(gitlab, expected);
    assert_eq!(ran("gitlab", include_str!("../../../tests/fixtures/collection/gitlab/job-event.json")), [], "not yet");
    let github = ran("github", include_str!("../../../tests/fixtures/collection/github/workflow_run-completed.json"));
    assert_eq!(github, [took(Stage::Test, "2026-11-10T09:00:12Z", "2026-11-10T09:06:40Z")], "named by its workflow");
    let failed = include_str!("../../../tests/fixtures/collection/github/workflow_job-failure.json");
    assert_eq!(ran("github", failed), []);
}

#[test]
fn what_failed_or_has_no_times_took_nobody_knows_how_long() {
    let job = |name: &str, status: &str, conclusion: &str, from: Value, until: Value| {
        let job = json!({"id": 7, "run_id": 1, "head_sha": SHA, "name": name, "status": status,
            "conclusion": conclusion, "started_at": from, "completed_at": until});
        ran("github", &json!({"action": "completed", "workflow_job": job}).to_string())
    };
    let (early, late) = (json!("2026-11-10T09:00:00Z"), json!("2026-11-10T09:06:00Z"));
    let build = took(Stage::Build, "2026-11-10T09:00:00Z", "2026-11-10T09:06:00Z");
    assert_eq!(job("build (ubuntu, 22)", "completed", "success", early.clone(), late.clone()), [build]);
    assert_eq!(job("build", "completed", "failure", early.clone(), late.clone()), []);
    assert_eq!(job("build", "in_progress", "success", early.clone(), late.clone()), []);
    assert_eq!(job("build", "completed", "success", late.clone(), early.clone()), [], "over before it began");
    for odd in [Value::Null, json!(7), json!(""), json!("yesterday"), json!({}), json!("x".repeat(100_000))] {
        assert_eq!(job("build", "completed", "success", odd.clone(), late.clone()), []);
        assert_eq!(job("build", "completed", "success", early.clone(), odd), []);
    }
    for (name, stage) in [
        ("Unit tests", Some(Stage::Test)),
        ("e2e", Some(Stage::Test)),
        ("compile-server", Some(Stage::Build)),
        ("Build and test", None),
        ("Build and deploy", None),
        ("deploy", None),
        ("CI", None),
        ("latest", None),
        ("rebuild-index", None),
        ("", None),
    ] {
        assert_eq!(super::stage(name), stage, "{name}");
    }
    let many: Vec<Value> = (0..5_000)
        .map(|_| json!({"stage": "build", "status": "success", "started_at": early, "finished_at": late}))
        .collect();
    let pipeline = json!({"object_kind": "pipeline", "object_attributes": {"id": 31}, "builds": many});
    assert_eq!(ran("gitlab", &pipeline.to_string()).len(), 100);
    let odd = json!({"object_kind": "pipeline", "object_attributes": {"id": 31}, "builds": {"stage": "build"}});
    assert_eq!(ran("gitlab", &odd.to_string()), []);
}

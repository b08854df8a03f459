//! The performers against servers and programs of this machine: what is asked arrives, what is forbidden is not asked,
//! and nothing that a server or a program does holds them up or fills the memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use serde_json::json;

use super::address::is_public;
use super::{Performer, READ_MAX};
use crate::catalog::Secret;
use crate::domain::id::RunId;
use crate::domain::playbook::spec::{Expected, Host, Http, Program};
use crate::domain::playbook::{Allowed, Errand, Performed, Work};
use crate::domain::time::Span;

const TOKEN: &str = "tok-5f3c1a90be";

fn never_ends() -> Response {
    let chunk = Bytes::from(vec![b'a'; 16 * 1024]);
    let endless = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(endless).into_response()
}

/// A server that is honest on some paths and not on others.
async fn server() -> SocketAddr {
    let told = |headers: HeaderMap, body: String| async move {
        let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or("none").to_owned();
        json!({ "state": "on", "body": body, "auth": header("authorization"), "type": header("content-type") })
            .to_string()
    };
    let elsewhere = || async { (StatusCode::FOUND, [(header::LOCATION, "http://169.254.169.254/latest/meta-data/")]) };
    let app = Router::new()
        .route("/told", any(told))
        .route("/path/{piece}", get(|axum::extract::Path(piece): axum::extract::Path<String>| async move { piece }))
        .route("/elsewhere", get(elsewhere))
        .route("/endless", get(|| async { never_ends() }))
        .route("/never", get(std::future::pending::<String>))
        .route("/broken", post(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "password=hunter22 is wrong") }))
        .route("/text", get(|| async { "on" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn allowed(address: SocketAddr, private: bool) -> Allowed {
    let host = Host { host: address.to_string().into(), private, header: None };
    Allowed { hosts: vec![host], programs: vec!["/bin/sh".into(), "/usr/bin/printf".into(), "/usr/bin/env".into()] }
}

fn asked(method: &str, url: String) -> Http {
    Http { method: method.into(), url: url.into(), json: None, status: None, expect: None }
}

async fn perform(work: Work, allowed: &Allowed, timeout: Span) -> Performed {
    let host = allowed.hosts.first().map(|host| host.host.to_string()).unwrap_or_default();
    let tokens = BTreeMap::from([(host, Secret::new(TOKEN).expect("a token"))]);
    let errand = Errand { run: RunId(1), step: "s".into(), attempt: 1, work, timeout };
    Performer::new(tokens).perform(&errand, allowed).await
}

async fn get_path(address: SocketAddr, path: &str, timeout: Span) -> Performed {
    perform(Work::Http(asked("GET", format!("http://{address}{path}"))), &allowed(address, true), timeout).await
}

fn reason(performed: &Performed) -> &str {
    match performed {
        Performed::Failed { reason, .. } => reason,
        other => panic!("it should have failed: {other:?}"),
    }
}

const LONG: Span = Span::secs(20);

#[tokio::test]
async fn a_server_is_asked_with_its_token_and_its_answer_is_looked_at() {
    let address = server().await;
    let mut http = asked("POST", format!("http://{address}/told"));
    http.json = Some(json!({ "version": "1.4.1\"; drop" }));
    http.expect = Some(Expected { path: "$.state".into(), is: json!("on") });
    let Performed::Done { output } = perform(Work::Http(http.clone()), &allowed(address, true), LONG).await else {
        panic!("it does as it is told");
    };
    let told: serde_json::Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(told["body"], r#"{"version":"1.4.1\"; drop"}"#);
    assert_eq!(told["type"], "application/json");
    // The server says the token again; nobody reads it.
    assert!(!output.contains(TOKEN), "{output}");

    http.expect = Some(Expected { path: "$.state".into(), is: json!("off") });
    let wrong = perform(Work::Http(http.clone()), &allowed(address, true), LONG).await;
    assert_eq!(reason(&wrong), "$.state is \"on\", and \"off\" was expected");
    http.expect = Some(Expected { path: "$.nothing".into(), is: json!("on") });
    let wrong = perform(Work::Http(http.clone()), &allowed(address, true), LONG).await;
    assert_eq!(reason(&wrong), "its answer does not have one $.nothing");
    (http.expect, http.status) = (None, Some(201));
    let wrong = perform(Work::Http(http), &allowed(address, true), LONG).await;
    assert_eq!(reason(&wrong), "it answered 200, and 201 was expected");

    let mut text = asked("GET", format!("http://{address}/text"));
    text.expect = Some(Expected { path: "$".into(), is: json!("on") });
    let wrong = perform(Work::Http(text), &allowed(address, true), LONG).await;
    assert_eq!(reason(&wrong), "its answer is not JSON");
    let listed = allowed(address, true);
    let broken = perform(Work::Http(asked("POST", format!("http://{address}/broken"))), &listed, LONG).await;
    let Performed::Failed { reason, output } = broken else { panic!("500 is no success") };
    assert_eq!((reason.as_str(), output.as_str()), ("it answered 500", "password=*** is wrong"));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_private_address_is_not_asked() {
    let address = server().await;
    let away = get_path(address, "/elsewhere", LONG).await;
    assert_eq!(reason(&away), "it answered 302; redirects are not followed");

    let work = || Work::Http(asked("GET", format!("https://localhost:{}/told", address.port())));
    let host = format!("localhost:{}", address.port());
    let listed = Allowed {
        hosts: vec![Host { host: host.as_str().into(), private: false, header: None }],
        programs: Vec::new(),
    };
    let refused = perform(work(), &listed, LONG).await;
    assert!(reason(&refused).starts_with("localhost is at a private address"), "{refused:?}");
    let unlisted = perform(work(), &allowed(address, true), LONG).await;
    assert_eq!(reason(&unlisted), "localhost is no host that steps may ask");
    let plain =
        perform(Work::Http(asked("GET", format!("http://{address}/told"))), &allowed(address, false), LONG).await;
    assert_eq!(reason(&plain), "127.0.0.1 would be asked without TLS");
    for url in [
        format!("http://{}@evil.example/", address),
        format!("http://user:pw@{address}/told"),
        "http://127.1/told".to_owned(),
        "http://0x7f000001/told".to_owned(),
        "http://[::1]/told".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://".to_owned(),
    ] {
        let refused = perform(Work::Http(asked("GET", url.clone())), &allowed(address, true), LONG).await;
        assert!(matches!(refused, Performed::Failed { .. }), "{url}: {refused:?}");
    }
    let performer = Performer::default().only_here();
    let errand = |url: &str| Errand {
        run: RunId(1),
        step: "s".into(),
        attempt: 1,
        work: Work::Http(asked("GET", url.to_owned())),
        timeout: LONG,
    };
    let far = Allowed { hosts: vec![Host { host: "192.0.2.1".into(), private: true, header: None }], programs: vec![] };
    let refused = performer.perform(&errand("http://192.0.2.1/"), &far).await;
    assert!(reason(&refused).contains("nothing leaves it in a demo"), "{refused:?}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_one_that_never_comes_is_unknown() {
    let address = server().await;
    let Performed::Done { output } = get_path(address, "/endless", LONG).await else { panic!("its status was 200") };
    assert_eq!(output.len(), READ_MAX);
    let mut http = asked("GET", format!("http://{address}/endless"));
    http.expect = Some(Expected { path: "$.state".into(), is: json!("on") });
    let wrong = perform(Work::Http(http), &allowed(address, true), LONG).await;
    assert_eq!(reason(&wrong), "its answer is longer than 64 KiB, or broke off");
    let never = get_path(address, "/never", Span(50)).await;
    assert!(matches!(&never, Performed::Unknown { reason } if reason.starts_with("no answer")), "{never:?}");
    // Nobody listens there: it was certainly not done.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address");
    assert!(reason(&get_path(gone, "/told", LONG).await).starts_with("no connection"));
}

fn shell(script: &str) -> Work {
    Work::Run(Program { path: "/bin/sh".into(), args: vec!["-c".into(), script.into()] })
}

fn all() -> Allowed {
    allowed(SocketAddr::from(([127, 0, 0, 1], 1)), true)
}

#[tokio::test]
async fn a_program_gets_its_arguments_as_they_are_and_nothing_else() {
    let hostile = "$(reboot); `id` && rm -rf / | \"'\\ --help *";
    let args = vec!["--".into(), "%s|%s\n".into(), hostile.into(), "-n".into()];
    let done = perform(Work::Run(Program { path: "/usr/bin/printf".into(), args }), &all(), LONG).await;
    assert_eq!(done, Performed::Done { output: format!("{hostile}|-n\n") });
    let done = perform(Work::Run(Program { path: "/usr/bin/env".into(), args: Vec::new() }), &all(), LONG).await;
    let Performed::Done { output } = done else { panic!("{done:?}") };
    let mut names: Vec<&str> = output.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["LANG", "PATH"]);
    let done =
        perform(shell("read line; echo \"[$line]\"; pwd; echo api_key=abcdefgh >&2; exit 3"), &all(), LONG).await;
    let Performed::Failed { reason, output } = done else { panic!("{done:?}") };
    assert_eq!(reason, "it ended with 3");
    assert!(output.contains("[]\n/\n") && output.contains("api_key=***"), "{output}");
}

#[tokio::test]
async fn a_program_that_is_not_listed_or_not_there_is_not_run() {
    let program = |path: &str| Work::Run(Program { path: path.into(), args: Vec::new() });
    for path in ["/usr/bin/id", "/bin/../bin/sh", "sh", ""] {
        let refused = perform(program(path), &all(), LONG).await;
        assert!(reason(&refused).ends_with("is no program that steps may run"), "{refused:?}");
    }
    let gone = Allowed { hosts: Vec::new(), programs: vec!["/nowhere/rollout".into()] };
    let refused = perform(program("/nowhere/rollout"), &gone, LONG).await;
    assert!(reason(&refused).starts_with("/nowhere/rollout does not start"), "{refused:?}");
}

/// Waits until a process is gone, or dead and not yet buried.
async fn gone(pid: &str) {
    let pid: u32 = pid.trim().parse().expect("a pid");
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_program_that_never_ends_is_ended_with_all_that_it_began() {
    let done = perform(shell("sleep 600 & echo $!; sleep 600"), &all(), Span::secs(2)).await;
    let Performed::Failed { reason, output } = done else { panic!("{done:?}") };
    assert_eq!(reason, "it did not end within 2 s, and was killed");
    gone(&output).await;
    // What a program leaves behind is of its group, and ends with it.
    let left = perform(shell("sleep 600 & echo $!"), &all(), LONG).await;
    let Performed::Done { output } = left else { panic!("{left:?}") };
    gone(&output).await;
}

#[tokio::test]
async fn a_program_that_never_stops_writing_is_ended() {
    let done = perform(shell("while :; do echo 0123456789012345678901234567890123456789; done"), &all(), LONG).await;
    let Performed::Failed { reason, output } = done else { panic!("{done:?}") };
    assert!(reason.starts_with("it wrote more than"), "{reason}");
    assert!(output.len() <= READ_MAX);
}

#[test]
fn addresses_of_the_open_internet_are_told_from_others() {
    for public in ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
        assert!(is_public(public.parse().expect(public)), "{public}");
    }
    for private in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
    ] {
        assert!(!is_public(private.parse().expect(private)), "{private}");
    }
}

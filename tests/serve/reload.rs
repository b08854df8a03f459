//! A changed configuration: a valid one is in force at once, an invalid one keeps the old and tells the operators.

use serde_json::json;

use crate::place::{Place, fire, noticed, paged};
use crate::support::PATIENCE;
use crate::support::server::{KEY, Server, ending, opsbell, poll, run, said};
use crate::support::webhook::Receiver;

#[test]
fn a_valid_change_is_in_force_and_an_invalid_one_keeps_the_old() {
    let place = Place::new();
    let other = Receiver::start();
    let mut server = place.serve();
    fire(&mut server, "before");
    paged(&place.pager, "before");

    // A changed file is found without being told.
    let moved = place.usual().replace(&place.pager.url(), &other.url());
    place.configure(&format!("{moved}\n[[service]]\nid = \"ledger\"\nteam = \"payments\"\n"));
    poll("the new service", PATIENCE, || (server.get("/v1/services")["items"].as_array()?.len() == 2).then_some(()));
    fire(&mut server, "after");
    paged(&other, "after");

    // An invalid one: told to the operators once, by the first finding; everything goes on as before.
    place.configure(&moved.replace("[[service]]", "[[servise]]"));
    server.signal("HUP");
    let notice = noticed(&place.operators, "is not in force");
    let words = notice["text"].as_str().expect("a text");
    assert!(words.contains("opsbell.toml:") && words.contains("servise"), "{words}");
    fire(&mut server, "still the old");
    paged(&other, "still the old");
    assert_eq!(server.get("/v1/services")["items"].as_array().map(Vec::len), Some(2));

    // A secret that is not there is no valid configuration either.
    place.configure(&format!(
        "{moved}\n[[integration]]\nid = \"uptime\"\nsource = \"generic\"\nkey_env = \"OPSBELL_KEY_NONE\"\n"
    ));
    server.signal("HUP");
    noticed(&place.operators, "OPSBELL_KEY_NONE");
    fire(&mut server, "and still");
    paged(&other, "and still");

    // Corrected, it is in force.
    place.configure(&moved);
    server.signal("HUP");
    poll("the service to be gone", PATIENCE, || {
        (server.get("/v1/services")["items"].as_array()?.len() == 1).then_some(())
    });
    assert!(server.stop().success());
}

#[test]
fn a_restart_on_a_configuration_with_errors_goes_on_with_the_one_of_before() {
    let place = Place::new();
    // A secret in a file beside the configuration, which no copy of it has.
    let usual = place.usual().replace("key_env = \"OPSBELL_KEY_PROMETHEUS\"", "key_file = \"key\"");
    std::fs::write(place.config.join("key"), KEY).expect("a file");
    place.configure(&usual);
    let mut server = place.serve();
    fire(&mut server, "before");
    paged(&place.pager, "before");
    server.kill().expect("killed");

    place.configure(&usual.replace("[[service]]", "[[servise]]"));
    let mut server = place.serve();
    fire(&mut server, "after");
    paged(&place.pager, "after");
    let notice = noticed(&place.operators, "is not in force");
    assert!(notice["text"].as_str().is_some_and(|text| text.contains("servise")), "{notice}");
    assert_eq!(server.get("/readyz"), json!({"status": "ready", "config": "not-in-force"}));
    let health = || said(&run(&["health", "--data", place.data.to_str().expect("a path")]));
    let told = health();
    assert!(told.starts_with("ready\nthe configuration is not in force, the one before it is: the log"), "{told}");
    // Mended, it is taken.
    let usual = place.usual();
    place.configure(&format!("{usual}\n[[service]]\nid = \"ledger\"\nteam = \"payments\"\n"));
    poll("the new service", PATIENCE, || (server.get("/v1/services")["items"].as_array()?.len() == 2).then_some(()));
    poll("the word", PATIENCE, || server.get("/readyz").get("config").is_none().then_some(()));
    assert_eq!(health(), "ready\n");
    assert!(server.stop().success());

    // Gone as a whole, as a disk that is not mounted.
    let away = place.config.with_extension("away");
    std::fs::rename(&place.config, &away).expect("moved");
    let mut server = place.serve();
    assert_eq!(server.get("/v1/services")["items"].as_array().map(Vec::len), Some(2));
    noticed(&place.operators, "there is no directory");
    assert!(server.stop().success());
    std::fs::rename(&away, &place.config).expect("moved");

    // A copy that somebody has changed is none, and neither is that of another directory.
    place.configure("[[servise]]");
    let told = std::fs::read_to_string(place.data.join("config.json")).expect("a file");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let copy = place.data.join("config").join(told["hash"].as_str().expect("a hash")).join("opsbell.toml");
    let kept = std::fs::read_to_string(&copy).expect("a copy");
    std::fs::write(&copy, kept.replace("1h", "9h")).expect("changed");
    assert_eq!(place.refused().1, Some(2));
    std::fs::write(&copy, kept).expect("changed back");
    let mut other = opsbell();
    other.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&away).arg("--data").arg(&place.data);
    let output = ending(other);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn a_signing_secret_that_is_none_does_not_keep_a_restart_from_paging() {
    let place = Place::new();
    assert!(place.serve_and_stop());
    std::fs::write(place.config.join("secret"), "whsec_!!!!").expect("a file");
    place.configure(&place.usual().replace("id = \"pager\"", "id = \"pager\"\nsecret_file = \"secret\""));
    let mut server = place.serve();
    fire(&mut server, "still");
    paged(&place.pager, "still");
    let notice = noticed(&place.operators, "is not in force");
    assert!(
        notice["text"].as_str().is_some_and(|text| text.contains("in the signing secret is not base64")),
        "{notice}"
    );
    let in_force = |server: &mut Server| {
        let metrics = server.client().get("/metrics").expect("an answer").text();
        metrics.lines().find_map(|line| line.strip_prefix("opsbell_config_in_force ").map(str::to_owned))
    };
    assert_eq!(in_force(&mut server).as_deref(), Some("0"));
    // The file is mended, which no look at the configuration sees; SIGHUP does not wait for the next minute.
    std::fs::write(place.config.join("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a file");
    server.signal("HUP");
    noticed(&place.operators, "The configuration is in force.");
    assert_eq!(in_force(&mut server).as_deref(), Some("1"));
    fire(&mut server, "signed");
    assert!(paged(&place.pager, "signed").header("webhook-signature").starts_with("v1,"));
    assert!(server.stop().success());
}

#[test]
fn what_only_a_sender_finds_wrong_does_not_keep_a_restart_from_paging() {
    let place = Place::new();
    assert!(place.serve_and_stop());
    // A configuration without errors, of which no mail can be sent: the configuration's idea of an address is wider.
    let mail = "[mail]\nhost = \"mail.ej.example\"\nfrom = \"ops..bell@ej.example\"\n";
    place.configure(&format!("{}\n{mail}", place.usual()));
    let mut server = place.serve();
    fire(&mut server, "still");
    paged(&place.pager, "still");
    let notice = noticed(&place.operators, "is not in force");
    assert!(notice["text"].as_str().is_some_and(|text| text.contains("is not a mail address")), "{notice}");
    assert!(server.stop().success());
}

#[test]
fn a_configuration_with_errors_is_not_served() {
    let place = Place::new();
    place.configure(&place.usual().replace("escalation = \"payments\"", "escalation = \"paymets\""));
    let (told, status) = place.refused();
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("did you mean `payments`?"), "{told}");
    assert!(!place.data.join("journal").exists(), "nothing was begun");
}

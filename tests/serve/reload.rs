//! A changed configuration: a valid one is in force at once, an invalid one keeps the old and tells the operators.

use crate::place::{Place, fire, noticed, paged};
use crate::support::PATIENCE;
use crate::support::server::poll;
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
fn a_configuration_with_errors_is_not_served() {
    let place = Place::new();
    place.configure(&place.usual().replace("escalation = \"payments\"", "escalation = \"paymets\""));
    let (told, status) = place.refused();
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("did you mean `payments`?"), "{told}");
    assert!(!place.data.join("journal").exists(), "nothing was begun");
}

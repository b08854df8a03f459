//! Pages by mail, from the binary to the mail server: with the delivery's id, and marked when they may be repeats.

use crate::place::{Place, fire};
use crate::support::smtp::{Fault, MailServer, Stage};

#[test]
fn a_page_by_mail_has_its_id_and_is_marked_after_a_kill() {
    let place = Place::new();
    let mails = MailServer::start();
    let mail = format!(
        "\n[mail]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"opsbell@ej.example\"\n",
        mails.address().port()
    );
    let usual = place.usual().replace("\"webhook\"", "\"email\"");
    let person = "[[person]]\nid = \"bas\"\n";
    place.configure(
        &usual
            .replace(person, &format!("{person}email = \"bas@ej.example\"\n"))
            .replace("[[person]]\nid = \"cleo\"\n", "[[person]]\nid = \"cleo\"\nemail = \"cleo@ej.example\"\n"),
    );
    let with_mail = std::fs::read_to_string(place.config.join("opsbell.toml")).expect("a file") + &mail;
    place.configure(&with_mail);

    let mut server = place.serve();
    fire(&mut server, "queue full");
    let first = mails.ledger().wait_for(1)[0].clone();
    assert_eq!((first.from.as_str(), first.to.as_slice()), ("opsbell@ej.example", &["bas@ej.example".to_owned()][..]));
    assert!(first.header("Subject").contains("queue full"), "{}", first.data);
    let id = first.header("Message-ID");
    assert!(id.starts_with('<') && id.ends_with("@opsbell.ej.example>"), "{id}");
    assert!(!first.text().contains("Possible repeat"), "{}", first.text());

    // The next one is taken, but the server dies before it hears so.
    mails.next(Stage::Message, Fault::Hang);
    fire(&mut server, "queue lost");
    let second = mails.ledger().wait_for(2)[1].clone();
    server.kill().expect("it can be killed");
    let mut server = place.serve();
    server.address();
    let third = mails.ledger().wait_for(3)[2].clone();
    assert_eq!(third.header("Message-ID"), second.header("Message-ID"));
    assert_ne!(second.header("Message-ID"), id);
    assert!(third.header("Subject").contains("[possible repeat]"), "{}", third.data);
    assert!(third.text().contains("Possible repeat"), "{}", third.text());
    assert!(server.stop().success());
    // No address is in the journal.
    let journal =
        std::fs::read_to_string(place.data.join("journal").join("00000000000000000001.jsonl")).expect("a journal");
    assert!(!journal.contains("@ej.example"));
}

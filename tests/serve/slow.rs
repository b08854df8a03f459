//! Clients who ask and do not read: they are cut off, their places are free again, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::place::Place;
use crate::support::PATIENCE;
use crate::support::server::{Server, opsbell};

/// A server that is less patient than usual.
fn impatient(place: &Place) -> Server {
    let mut command = opsbell();
    command.args(["serve", "--listen", "127.0.0.1:0", "--write-timeout", "100", "--config"]).arg(&place.config);
    command.arg("--data").arg(&place.data);
    Server::start_by(command, &place.data)
}

fn cut(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

#[test]
fn who_asks_and_does_not_read_is_cut_off() {
    let place = Place::new();
    let mut server = impatient(&place);
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    // Each answer is some hundred kilobytes. Once nothing more fits in between, the server takes no more requests
    // either; then this write waits, until the server hangs up.
    let asked = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let ended = loop {
        if let Err(error) = stream.write_all(&asked) {
            break error;
        }
    };
    assert!(cut(ended.kind()), "{ended}");
    assert!(server.get("/v1/journal/head")["seq"].is_u64(), "others are answered");
    assert!(server.stop().success());
}

#[test]
fn who_listens_and_does_not_read_is_cut_off_and_holds_up_nobody() {
    let place = Place::new();
    let mut server = impatient(&place);
    server.address();
    let token = std::fs::read_to_string(place.data.join("admin.token")).expect("a token");
    let listen = |server: &mut Server| {
        let mut stream = TcpStream::connect(server.address()).expect("a connection");
        let bearer = token.trim();
        let head = format!("GET /v1/events?channel=ops HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it is taken");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut seen = [0; 4096];
        let n = stream.read(&mut seen).expect("an answer");
        assert!(seen[..n].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&seen[..n]));
        stream
    };
    let mut slow = listen(&mut server);
    slow.set_nonblocking(true).expect("a socket");
    // Long words that change nothing: everybody in the channel is told of them.
    let said =
        serde_json::json!({"as": "bas", "channel": "ops", "text": format!("/status{}", "\u{3000}".repeat(3_900))});
    let mut client = server.client();
    // A hundred megabytes in all; the system holds some of them in between, the server no more than a few pieces.
    let ended = (0..8_000).find_map(|_| {
        let answer = client.post("/v1/say", &[], said.to_string().as_bytes()).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        // A byte of a next request: the server may not take it, but the system knows whether there is a connection.
        slow.write_all(b"G").err().map(|error| error.kind()).filter(|kind| cut(*kind))
    });
    assert!(ended.is_some(), "it is still connected");
    drop(listen(&mut server));
    assert!(server.stop().success());
}

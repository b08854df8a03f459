//! The face on a real socket: requests one after the other, and an orderly end.

use std::io;

use opsbell::http::{WRITE_TIMEOUT, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::desk::house;

async fn answer(stream: &mut TcpStream) -> io::Result<String> {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut piece).await?;
        seen.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&seen);
        // Every answer here is one JSON object with a request id at its end, or the end of the connection.
        if n == 0 || text.ends_with("\"}") {
            return Ok(text.into_owned());
        }
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_ends_with_the_process() {
    let house = house();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, house.router.clone(), WRITE_TIMEOUT, async move {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(at).await.unwrap();
    let body = r#"{"signals":["a"]}"#;
    let request = format!(
        "POST /v1/ingest/alertmanager HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-of-prometheus\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let seen = answer(&mut stream).await.unwrap();
        assert!(seen.starts_with("HTTP/1.1 202 ") && seen.contains(r#""accepted":1"#), "{seen}");
    }
    // A stranger who announces a large body is answered without having to send it.
    let mut stranger = TcpStream::connect(at).await.unwrap();
    let head =
        "POST /v1/ingest/alertmanager HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n";
    stranger.write_all(head.as_bytes()).await.unwrap();
    let seen = answer(&mut stranger).await.unwrap();
    assert!(seen.starts_with("HTTP/1.1 401 ") && seen.contains("connection: close"), "{seen}");

    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "an idle connection is closed at the end");
    assert!(TcpStream::connect(at).await.is_err(), "nobody listens any more");
}

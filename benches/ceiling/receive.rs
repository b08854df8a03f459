//! The receiver of webhooks: remembers every id and when the page of each marked alert came first. Answers 204.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::{alert, now_us, wire};

#[derive(Default)]
struct Ledger {
    posts: u64,
    /// Posts by `webhook-id`.
    ids: HashMap<String, u32>,
    /// The first arrival by mark, in microseconds since 1970, and how many came.
    marks: HashMap<String, (u64, u32)>,
    /// Posts without an id or without a mark.
    unnamed: u64,
    unmarked: u64,
}

pub async fn run(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    println!("listening={}", listener.local_addr()?);
    let ledger = Rc::new(RefCell::new(Ledger::default()));
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await?;
                let ledger = Rc::clone(&ledger);
                tokio::task::spawn_local(async move {
                    if let Err(error) = serve(stream, &ledger).await {
                        eprintln!("a connection ended: {error:#}");
                    }
                });
            }
        })
        .await
}

async fn serve(stream: TcpStream, ledger: &RefCell<Ledger>) -> anyhow::Result<()> {
    let mut wire = wire::Wire::new(stream)?;
    while let Some(message) = wire.message().await? {
        let at = now_us();
        let head = wire.head(&message);
        let answer = if head.starts_with(b"POST ") {
            ledger.borrow_mut().take(at, head, wire.body(&message));
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
        } else if head.starts_with(b"GET /stats ") {
            text(&ledger.borrow().stats())
        } else if head.starts_with(b"GET /arrivals ") {
            text(&ledger.borrow().arrivals())
        } else if head.starts_with(b"DELETE / ") {
            *ledger.borrow_mut() = Ledger::default();
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
        } else {
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        wire.stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

fn text(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl Ledger {
    fn take(&mut self, at: u64, head: &[u8], body: &[u8]) {
        self.posts += 1;
        match wire::header(head, "webhook-id") {
            Some(id) => *self.ids.entry(id.to_owned()).or_default() += 1,
            None => self.unnamed += 1,
        }
        match alert::find(body) {
            Some(mark) => self.marks.entry(mark.to_owned()).or_insert((at, 0)).1 += 1,
            None => self.unmarked += 1,
        }
    }

    fn stats(&self) -> String {
        let repeated = self.posts - self.unnamed - self.ids.len() as u64;
        format!(
            "posts={} ids={} repeated={repeated} unnamed={} alerts={} unmarked={}\n",
            self.posts,
            self.ids.len(),
            self.unnamed,
            self.marks.len(),
            self.unmarked
        )
    }

    /// A line per alert: its mark, when its first page came, how many came. Sorted.
    fn arrivals(&self) -> String {
        let mut marks: Vec<_> = self.marks.iter().collect();
        marks.sort_unstable();
        marks.iter().map(|(mark, (at, count))| format!("{mark} {at} {count}\n")).collect()
    }
}

//! HTTP/1.1 by hand, for the generator and the receiver only: messages with a `Content-Length` over a kept connection.

use std::ops::Range;

use anyhow::{Context, bail};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Larger messages are refused.
const MESSAGE_MAX: usize = 16 << 20;

/// A connection and what was read from it.
pub struct Wire {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    used: usize,
}

/// One message, as places in the buffer.
pub struct Message {
    head: Range<usize>,
    body: Range<usize>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10), used: 0 })
    }

    /// The next message; `None` when the other side has closed.
    pub async fn message(&mut self) -> anyhow::Result<Option<Message>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let mut looked = 0;
        let head_end = loop {
            let from = usize::saturating_sub(looked, 3);
            if let Some(at) = self.buffer[from..].windows(4).position(|window| window == b"\r\n\r\n") {
                break from + at + 4;
            }
            looked = self.buffer.len();
            if !self.more().await? {
                return if looked == 0 { Ok(None) } else { bail!("the connection ended inside a message") };
            }
        };
        let length = match header(&self.buffer[..head_end], "content-length") {
            Some(length) => length.parse::<usize>().context("Content-Length")?,
            None if header(&self.buffer[..head_end], "transfer-encoding").is_some() => bail!("a chunked message"),
            None => 0,
        };
        let end = head_end.saturating_add(length);
        if end > MESSAGE_MAX {
            bail!("a message of {end} bytes");
        }
        while self.buffer.len() < end {
            if !self.more().await? {
                bail!("the connection ended inside a message");
            }
        }
        self.used = end;
        Ok(Some(Message { head: 0..head_end, body: head_end..end }))
    }

    async fn more(&mut self) -> anyhow::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    pub fn head(&self, message: &Message) -> &[u8] {
        &self.buffer[message.head.clone()]
    }

    pub fn body(&self, message: &Message) -> &[u8] {
        &self.buffer[message.body.clone()]
    }
}

/// A header's value, by its name in any case.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name.as_bytes()))?;
        std::str::from_utf8(value).ok().map(str::trim)
    })
}

/// `host:port` of `http://host:port`, with or without a path behind it.
pub fn address(url: &str) -> anyhow::Result<&str> {
    let rest = url.strip_prefix("http://").with_context(|| format!("`{url}` does not begin with http://"))?;
    Ok(rest.split('/').next().unwrap_or(rest))
}

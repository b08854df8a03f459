//! One line: how a commit becomes bytes, how bytes become a commit, and what its hash covers. Files and the order of
//! lines are elsewhere.

use std::io::Write;

use serde::Deserialize;

use super::error::Unreadable;
use super::upcast::Stored;
use crate::domain::actor::By;
use crate::domain::event::{Commit, Event};
use crate::domain::time::Timestamp;

/// The version of the line itself; the events have their own.
const LINE_VERSION: u64 = 1;

/// What stands behind each event's type: `Event::VERSION` (a test holds them together).
const EVENT_VERSION: &[u8] = b",\"v\":1";

/// What stands between the sealed bytes and their hash.
const BEFORE_HASH: &[u8] = b",\"hash\":\"";

/// How many bytes a line has behind its sealed bytes, without the newline.
const SEAL: usize = BEFORE_HASH.len() + 64 + 2;

/// OpenSSL, which the HTTP client brings, needs 40 % less time where the processor does not do it itself, and every line
/// is hashed. In steps, as its one call for all looks the algorithm up each time, which costs more than a short line.
#[cfg(feature = "openssl")]
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = openssl::sha::Sha256::new();
    hash.update(bytes);
    hash.finish()
}

#[cfg(not(feature = "openssl"))]
fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}

/// A sha256 in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash([u8; 64]);

impl Hash {
    /// What the first line has before it.
    pub const NONE: Self = Self([b'0'; 64]);

    fn of(bytes: &[u8]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(sha256(bytes)) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Self(hex)
    }

    fn read(text: &[u8]) -> Option<Self> {
        let hex: [u8; 64] = text.try_into().ok()?;
        hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(hex))
    }

    /// The 64 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What a line says about its writer and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub install: &'a str,
    pub epoch: u64,
    pub batch: u64,
}

/// Adds a commit's line, with its newline, and gives its hash. On an error `out` is as it was.
pub(super) fn encode(
    out: &mut Vec<u8>,
    prev: &Hash,
    stamp: Stamp<'_>,
    commit: &Commit,
) -> Result<Hash, serde_json::Error> {
    let start = out.len();
    encode_sealed(out, prev, stamp, commit).inspect_err(|_| out.truncate(start))?;
    Ok(seal(out, start))
}

fn encode_sealed(out: &mut Vec<u8>, prev: &Hash, stamp: Stamp<'_>, commit: &Commit) -> Result<(), serde_json::Error> {
    let Stamp { install, epoch, batch } = stamp;
    let (prev, seq, at) = (prev.as_str(), commit.seq, commit.at);
    write!(
        out,
        r#"{{"prev":"{prev}","v":{LINE_VERSION},"install":"{install}","epoch":{epoch},"seq":{seq},"batch":{batch},"at":"{at}","by":"#
    )
    .map_err(serde_json::Error::io)?;
    serde_json::to_writer(&mut *out, &commit.by)?;
    out.extend_from_slice(b",\"events\":");
    for (n, event) in commit.events.iter().enumerate() {
        out.push(if n == 0 { b'[' } else { b',' });
        encode_event(out, event)?;
    }
    out.push(b']');
    Ok(())
}

/// Writes `{"type":"…","v":1,…}`: serde writes the event, the version is moved in behind its type.
fn encode_event(out: &mut Vec<u8>, event: &Event) -> Result<(), serde_json::Error> {
    const BEFORE_TYPE: &[u8] = b"{\"type\":\"";
    let start = out.len();
    serde_json::to_writer(&mut *out, event)?;
    let kind = out[start..].strip_prefix(BEFORE_TYPE).and_then(|rest| rest.iter().position(|b| *b == b'"'));
    let Some(kind) = kind else {
        return Err(serde::ser::Error::custom("an event does not begin with its type"));
    };
    out.extend_from_slice(EVENT_VERSION);
    out[start + BEFORE_TYPE.len() + kind + 1..].rotate_right(EVENT_VERSION.len());
    Ok(())
}

/// The first line of a segment that continues after a failure, with its newline.
pub(super) fn encode_continues(seq: u64, hash: &Hash, install: &str, epoch: u64) -> Vec<u8> {
    let hash = hash.as_str();
    let mut out = format!(
        r#"{{"continues":{{"seq":{seq},"hash":"{hash}"}},"v":{LINE_VERSION},"install":"{install}","epoch":{epoch}"#
    )
    .into_bytes();
    seal(&mut out, 0);
    out
}

fn seal(out: &mut Vec<u8>, start: usize) -> Hash {
    let hash = Hash::of(&out[start..]);
    out.extend_from_slice(BEFORE_HASH);
    out.extend_from_slice(&hash.0);
    out.extend_from_slice(b"\"}\n");
    hash
}

/// The sealed bytes and the hash of a line (without newline) that is whole; `None` when a byte is not as it was written.
pub(super) fn unseal(line: &[u8]) -> Option<(&[u8], Hash)> {
    let (sealed, seal) = line.split_at_checked(line.len().checked_sub(SEAL)?)?;
    let hash = seal.strip_prefix(BEFORE_HASH)?.strip_suffix(b"\"}").and_then(Hash::read)?;
    (Hash::of(sealed) == hash).then_some((sealed, hash))
}

/// What stands before a line's `at`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub prev: Hash,
    pub install: &'a str,
    pub epoch: u64,
    pub seq: u64,
    pub batch: u64,
}

impl<'a> Head<'a> {
    /// Reads the head of a line. It is trusted only when the line is whole.
    pub fn read(line: &'a [u8]) -> Result<Self, Unreadable> {
        let mut rest = Rest(line);
        let prev = (|| {
            let prev = Hash::read(rest.after(b"{\"prev\":\"")?.bytes(64)?)?;
            rest.after(b"\",\"v\":")?;
            Some(prev)
        })()
        .ok_or_else(|| Unreadable::Words("it does not begin with `prev`".into()))?;
        rest.version()?;
        (|| {
            let install = rest.after(b",\"install\":\"")?.text()?;
            let epoch = rest.after(b"\",\"epoch\":")?.number()?;
            let seq = rest.after(b",\"seq\":")?.number()?;
            let batch = rest.after(b",\"batch\":")?.number()?;
            rest.after(b",\"at\":\"")?;
            Some(Self { prev, install, epoch, seq, batch })
        })()
        .ok_or_else(|| Unreadable::Words("install, epoch, seq, batch or at is missing".into()))
    }
}

/// What the first line of a continued segment says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Continues<'a> {
    pub seq: u64,
    pub hash: Hash,
    pub install: &'a str,
    pub epoch: u64,
}

impl<'a> Continues<'a> {
    /// Reads the header. It is trusted only when the line is whole.
    pub fn read(line: &'a [u8]) -> Result<Self, Unreadable> {
        let mut rest = Rest(line);
        let (seq, hash) = (|| {
            let seq = rest.after(b"{\"continues\":{\"seq\":")?.number()?;
            let hash = Hash::read(rest.after(b",\"hash\":\"")?.bytes(64)?)?;
            rest.after(b"\"},\"v\":")?;
            Some((seq, hash))
        })()
        .ok_or_else(|| Unreadable::Words("it does not begin with `continues`".into()))?;
        rest.version()?;
        (|| {
            let install = rest.after(b",\"install\":\"")?.text()?;
            let epoch = rest.after(b"\",\"epoch\":")?.number()?;
            Some(Self { seq, hash, install, epoch })
        })()
        .ok_or_else(|| Unreadable::Words("install or epoch is missing".into()))
    }
}

/// What is still to be read of a line's head.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn after(&mut self, expected: &[u8]) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(self)
    }

    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        std::str::from_utf8(self.bytes(digits)?).ok()?.parse().ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let end = self.0.iter().position(|b| matches!(b, b'"' | b'\\'))?;
        std::str::from_utf8(self.bytes(end)?).ok()
    }

    fn version(&mut self) -> Result<(), Unreadable> {
        match self.number() {
            Some(LINE_VERSION) => Ok(()),
            Some(newer) => Err(Unreadable::Format(newer)),
            None => Err(Unreadable::Words("its version is not a number".into())),
        }
    }
}

/// Reads a whole line (without newline) as a commit, in today's words.
pub(super) fn decode(line: &[u8]) -> Result<Commit, Unreadable> {
    #[derive(Deserialize)]
    struct Line {
        seq: u64,
        at: Timestamp,
        by: By,
        events: Vec<Stored>,
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| Unreadable::Words(error.to_string()))?;
    let events = line.events.into_iter().map(|stored| stored.0).collect::<Result<Vec<_>, _>>()?;
    if events.is_empty() {
        return Err(Unreadable::Words("it has no events".into()));
    }
    Ok(Commit { seq: line.seq, at: line.at, by: line.by, events })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_behind_each_type_is_the_domains() {
        assert_eq!(EVENT_VERSION, format!(",\"v\":{}", Event::VERSION).as_bytes());
    }
}

//! The kind of an incident: a number, and how it is written. What is done with kinds is in `recurrence`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// What incidents of the same kind have in common: the first 64 bits of the SHA-256 of how their alerts are grouped,
/// written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of a group; declared incidents have no group, and none.
    pub fn of(group: &str) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(group.as_bytes()));
        (!group.is_empty()).then(|| Self(u64::from_be_bytes([a, b, c, d, e, f, g, h])))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFingerprint;

impl fmt::Display for NoFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fingerprint is 16 hexadecimal digits")
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        // `from_str_radix` would take a sign.
        let digits = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let read = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        read.map(Self).ok_or(NoFingerprint)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_stable_and_reads_back() {
        // Journals rest on it: what was opened is remembered by this.
        let print = Fingerprint::of("payments-api").unwrap();
        assert_eq!(serde_json::to_string(&print).unwrap(), r#""682a1c47a1d34030""#);
        assert_eq!(serde_json::from_str::<Fingerprint>(r#""682a1c47a1d34030""#).unwrap(), print);
        assert_eq!(Fingerprint::of(""), None);
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        for wrong in
            ["", "682a1c47a1d3403", "682a1c47a1d340301", "+82a1c47a1d34030", "682a1c47a1d3403é", "82a1c47a1d34 30"]
        {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NoFingerprint), "{wrong}");
        }
    }
}

//! A sender's labels: few, sorted, kept compact because every firing alert holds them in memory.

use std::collections::BTreeMap;
use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels sorted by name; a JSON object outside. Inside they stand one behind the other: the length of each name and
/// value (four bytes, little-endian) and the text itself, in half the memory that a list of strings takes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Labels(Box<[u8]>);

impl Labels {
    /// From labels that are sorted by name.
    fn pack<'a>(sorted: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        const LENGTH: usize = size_of::<u32>();
        let size = sorted.clone().map(|(name, value)| 2 * LENGTH + name.len() + value.len()).sum();
        let mut packed = Vec::with_capacity(size);
        for (name, value) in sorted {
            for text in [name, value] {
                // No body that is read is as large as that.
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                packed.extend_from_slice(&length.to_le_bytes());
                packed.extend_from_slice(&text.as_bytes()[..length as usize]);
            }
        }
        Self(packed.into_boxed_slice())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All labels, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || Some((text(&mut rest)?, text(&mut rest)?)))
    }
}

/// Takes the next text off packed labels.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (length, behind) = rest.split_first_chunk()?;
    let (text, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = behind;
    std::str::from_utf8(text).ok()
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl From<&BTreeMap<String, String>> for Labels {
    fn from(map: &BTreeMap<String, String>) -> Self {
        Self::pack(map.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<CompactString, CompactString>::deserialize(d)?;
        Ok(Self::pack(map.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_give_back_what_was_put_in() {
        let given = [("alertname", "Lag"), ("instance", "10.0.0.1:9100"), ("kind", ""), ("team", "Zahlung\u{1f}é")];
        let map: BTreeMap<String, String> = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let labels = Labels::from(&map);
        assert_eq!(labels.iter().collect::<Vec<_>>(), given);
        assert_eq!(labels.get("team"), Some("Zahlung\u{1f}é"));
        assert_eq!((labels.get("kind"), labels.get("tea")), (Some(""), None));
        let json = serde_json::to_string(&labels).expect("labels are JSON");
        assert_eq!(serde_json::from_str::<Labels>(&json).expect("and back"), labels);
        assert!(Labels::default().is_empty() && Labels::from(&BTreeMap::new()) == Labels::default());
        assert_eq!(Labels::default().iter().count(), 0);
    }
}

//! A sender's labels: few, sorted, kept compact because every firing alert holds them in memory.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels sorted by name; a JSON object outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(Box<[(CompactString, CompactString)]>);

impl Labels {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok().map(|at| self.0[at].1.as_str())
    }

    /// All labels, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl From<&BTreeMap<String, String>> for Labels {
    fn from(map: &BTreeMap<String, String>) -> Self {
        Self(map.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect())
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
        Ok(Self(map.into_iter().collect()))
    }
}

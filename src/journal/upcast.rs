//! Old events in today's words. What `apply` means for a released version never changes, so an event of an older
//! version is rewritten here, step by step, into the current one. Today there is only version 1.

use std::fmt;
use std::sync::OnceLock;

use compact_str::CompactString;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::event::Event;

/// Why an event cannot be read by this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpcastError {
    /// No event of that type.
    #[error("this release does not know events of type `{kind}` (version {v}); a newer release is needed")]
    UnknownType {
        /// The type.
        kind: String,
        /// Its version.
        v: u64,
    },
    /// The type is known, the version is not.
    #[error(
        "this release reads events of type `{kind}` up to version {}, the journal has version {v}; a newer release is needed",
        Event::VERSION
    )]
    UnknownVersion {
        /// The type.
        kind: String,
        /// Its version.
        v: u64,
    },
    /// It is not an event, or not one of that version.
    #[error("an event cannot be read: {0}; a newer release may be needed")]
    Words(String),
}

/// Rewrites an event of version `v` into the current version. `value` is the whole event, `type` and `v` included.
pub fn upcast(kind: &str, v: u64, value: Value) -> Result<Value, UpcastError> {
    if !is_known(kind) {
        return Err(UpcastError::UnknownType { kind: kind.to_owned(), v });
    }
    if v != u64::from(Event::VERSION) {
        return Err(UpcastError::UnknownVersion { kind: kind.to_owned(), v });
    }
    Ok(value)
}

/// An event as it is stored, `{"type":…,"v":…,…}`. An event that this release does not know is a value, not a parse
/// error, so that the reader can name it.
pub(super) struct Stored(pub Result<Event, UpcastError>);

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReadEvent;

        impl<'de> Visitor<'de> for ReadEvent {
            type Value = Stored;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event with its type and version")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stored, A::Error> {
                // Every release writes `type` and `v` first, so a current event is read in one pass.
                let mut all = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    all.insert(key, map.next_value()?);
                    let kind = all.get("type").and_then(Value::as_str);
                    let v = all.get("v").and_then(Value::as_u64);
                    if let (2, Some(kind), Some(v)) = (all.len(), kind, v)
                        && v == u64::from(Event::VERSION)
                        && is_known(kind)
                    {
                        let rest = WithType { kind: kind.into(), given: 0, rest: map };
                        return Event::deserialize(MapAccessDeserializer::new(rest)).map(|event| Stored(Ok(event)));
                    }
                }
                Ok(Stored(read_old(all)))
            }
        }

        deserializer.deserialize_map(ReadEvent)
    }
}

fn read_old(all: Map<String, Value>) -> Result<Event, UpcastError> {
    let kind = all.get("type").and_then(Value::as_str).map(str::to_owned);
    let v = all.get("v").and_then(Value::as_u64);
    let (Some(kind), Some(v)) = (kind, v) else {
        return Err(UpcastError::Words("it lacks its type or its version".into()));
    };
    let value = upcast(&kind, v, Value::Object(all))?;
    serde_json::from_value(value).map_err(|error| UpcastError::Words(format!("`{kind}`: {error}")))
}

/// The rest of an event's map with the type put back in front.
struct WithType<A> {
    kind: CompactString,
    /// 0: nothing, 1: the key, 2: key and value were handed out.
    given: u8,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithType<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        if self.given == 0 {
            self.given = 1;
            return seed.deserialize("type".into_deserializer()).map(Some);
        }
        self.rest.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        if self.given == 1 {
            self.given = 2;
            return seed.deserialize(self.kind.as_str().into_deserializer());
        }
        self.rest.next_value_seed(seed)
    }
}

fn is_known(kind: &str) -> bool {
    known_types().contains(&kind)
}

/// The types of `Event`. Asked of serde's own derive, so that an event added to the domain can always be read back.
fn known_types() -> &'static [&'static str] {
    static TYPES: OnceLock<&'static [&'static str]> = OnceLock::new();
    TYPES.get_or_init(|| {
        let nonsense = MapDeserializer::<_, Expected>::new([("type", "")].into_iter());
        Event::deserialize(nonsense).map_or_else(|expected| expected.0, |_| &[])
    })
}

/// Keeps which variants an enum would have taken.
#[derive(Debug)]
struct Expected(&'static [&'static str]);

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a variant")
    }
}

impl std::error::Error for Expected {}

impl de::Error for Expected {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

//! Objects that are read as what they are, without a tree of values between: an entry of the wrong kind is told to its
//! owner, who rejects it alone, instead of failing the whole body.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What is built from the entries of a JSON object, one by one; of equal keys the last one counts.
pub trait Entries: Default {
    /// What tells the entries apart.
    type Key;
    /// Takes the value of a key from `map`, exactly once.
    ///
    /// # Errors
    /// The JSON is broken.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: Self::Key, map: &mut A) -> Result<(), A::Error>;
}

/// An object, or what stands in its place, for people: `a list`, `text`.
#[derive(Debug)]
pub struct Object<T>(pub Result<T, &'static str>);

impl<'de, T: Entries> Deserialize<'de> for Object<T>
where
    T::Key: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData)).map(Self)
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Entries> Visitor<'de> for Reader<T>
where
    T::Key: Deserialize<'de>,
{
    type Value = Result<T, &'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = T::default();
        while let Some(key) = map.next_key()? {
            object.take(key, &mut map)?;
        }
        Ok(Ok(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err("a list"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Err(NULL))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Err("a truth value"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Err("text"))
    }
}

/// How null is told.
pub const NULL: &str = "null";

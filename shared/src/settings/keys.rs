//! The keys of a settings file, and which of them hold numbers, found by reading the file's type: a value is made up for
//! every field, and what kind of value was asked for is noted.

use std::cell::RefCell;

use serde::de::value::{Error, MapDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};

/// What kind of number a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Number,
}

/// What was asked for.
#[derive(Debug, Default)]
struct Found {
    /// Tables and the keys in them, in the order of the type's fields.
    keys: Vec<String>,
    numbers: Vec<(String, Kind)>,
}

/// Returns the keys of `T` that hold numbers, as `table.key`.
pub(super) fn numbers_of<T: DeserializeOwned>() -> Vec<(String, Kind)> {
    found_in::<T>().numbers
}

/// Returns all keys of `T` that are no tables, as `table.key`.
pub(super) fn keys_of<T: DeserializeOwned>() -> Vec<String> {
    let all = found_in::<T>().keys;
    let is_table = |key: &String| {
        let below = format!("{key}.");
        all.iter().any(|other| other.starts_with(&below))
    };
    all.iter().filter(|key| !is_table(key)).cloned().collect()
}

fn found_in<T: DeserializeOwned>() -> Found {
    let found = RefCell::default();
    let root = Field {
        key: String::new(),
        found: &found,
    };
    T::deserialize(root).expect("every field takes the value made up for it");
    found.into_inner()
}

/// A field that is read.
struct Field<'a> {
    key: String,
    found: &'a RefCell<Found>,
}

impl Field<'_> {
    fn note(&self, kind: Kind) {
        let number = (self.key.clone(), kind);
        self.found.borrow_mut().numbers.push(number);
    }
}

/// The fields of a struct.
struct Fields<'a> {
    of: Field<'a>,
    names: std::slice::Iter<'static, &'static str>,
    name: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.name = name;
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let dot = if self.of.key.is_empty() { "" } else { "." };
        let key = format!("{}{dot}{}", self.of.key, self.name);
        self.of.found.borrow_mut().keys.push(key.clone());
        seed.deserialize(Field {
            key,
            found: self.of.found,
        })
    }
}

macro_rules! numbers {
    ($($read:ident $visit:ident $kind:ident $value:expr;)*) => {$(
        fn $read<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.note(Kind::$kind);
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = Error;

    numbers! {
        deserialize_i8 visit_i8 Whole 1;
        deserialize_i16 visit_i16 Whole 1;
        deserialize_i32 visit_i32 Whole 1;
        deserialize_i64 visit_i64 Whole 1;
        deserialize_u8 visit_u8 Whole 1;
        deserialize_u16 visit_u16 Whole 1;
        deserialize_u32 visit_u32 Whole 1;
        deserialize_u64 visit_u64 Whole 1;
        deserialize_f32 visit_f32 Number 1.0;
        deserialize_f64 visit_f64 Number 1.0;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(true)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields {
            of: self,
            names: fields.iter(),
            name: "",
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let first: StrDeserializer<'_, Error> = variants[0].into_deserializer();
        first.deserialize_enum("", variants, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let none: [&str; 0] = [];
        let none: serde::de::value::SeqDeserializer<_, Error> =
            serde::de::value::SeqDeserializer::new(none.into_iter());
        none.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let none: [(&str, &str); 0] = [];
        visitor.visit_map(MapDeserializer::new(none.into_iter()))
    }

    /// Text is a step number where a step set is asked for, and text anywhere else.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string("0".to_owned())
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

//! `[content.classes]` and `[style.classes]`: which class each label of a dataset is.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Labels with their classes, or `file` with where these stand, in the order in which they are written: a key that is
/// there twice is there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawClasses(pub Vec<(String, RawClass)>);

/// What a label is: a text, or a number as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawClass(pub String);

impl<'de> Deserialize<'de> for RawClasses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labels;

        impl<'de> Visitor<'de> for Labels {
            type Value = RawClasses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a table of labels and their classes, such as { \"7\" = \"road\" }, or { file = \"classes.csv\" }",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawClasses, A::Error> {
                let mut found = Vec::new();
                while let Some(label) = map.next_entry()? {
                    found.push(label);
                }
                Ok(RawClasses(found))
            }
        }

        deserializer.deserialize_map(Labels)
    }
}

impl<'de> Deserialize<'de> for RawClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Class;

        impl Visitor<'_> for Class {
            type Value = RawClass;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a class, a train id of 0 to 18, or \"ignore\"")
            }

            fn visit_str<E>(self, text: &str) -> Result<RawClass, E> {
                Ok(RawClass(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<RawClass, E> {
                Ok(RawClass(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<RawClass, E> {
                Ok(RawClass(number.to_string()))
            }
        }

        deserializer.deserialize_any(Class)
    }
}

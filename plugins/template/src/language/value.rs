//! What an expression of a template is worth.

use std::borrow::Cow;
use std::collections::BTreeMap;

use contract::limits::TEMPLATE_TEXT_MAX;

use super::Failed;

/// A value. `'d` is the life of what is known of the question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'d> {
    /// A group that there is none of.
    Missing,
    Bool(bool),
    Int(i128),
    Text(Cow<'d, str>),
    List(&'d [String]),
    Map(&'d BTreeMap<String, String>),
}

impl<'d> Value<'d> {
    /// Whether a condition takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// As it stands in the text that is made.
    pub(super) fn printed(&self) -> Result<Cow<'d, str>, Failed> {
        match self {
            Self::Missing => Ok("<no value>".into()),
            Self::Bool(value) => Ok(if *value { "true" } else { "false" }.into()),
            Self::Int(value) => Ok(value.to_string().into()),
            Self::Text(text) => Ok(text.clone()),
            Self::List(items) => bounded(format!("[{}]", items.join(" "))).map(Into::into),
            Self::Map(_) => Err(Failed::Print { kind: "map" }),
        }
    }

    /// What the value of a key is; only maps have keys.
    pub(super) fn key(&self, key: &str) -> Result<Value<'d>, Failed> {
        match self {
            Self::Map(map) => Ok(map.get(key).map_or(Value::Missing, |text| Value::Text(text.as_str().into()))),
            Self::Missing => Err(Failed::Missing { of: "." }),
            _ => Err(Failed::Kind { of: ".", wanted: "a map such as `.Group`" }),
        }
    }

    pub(super) fn int(&self, of: &'static str) -> Result<i128, Failed> {
        match self {
            Self::Int(value) => Ok(*value),
            Self::Missing => Err(Failed::Missing { of }),
            _ => Err(Failed::Kind { of, wanted: "a number here" }),
        }
    }

    pub(super) fn text(&self, of: &'static str) -> Result<&str, Failed> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Missing => Err(Failed::Missing { of }),
            _ => Err(Failed::Kind { of, wanted: "a text here" }),
        }
    }
}

/// The text, if it is not too long.
pub(super) fn bounded(text: String) -> Result<String, Failed> {
    if text.len() > TEMPLATE_TEXT_MAX { Err(Failed::Long) } else { Ok(text) }
}
